"""The Grafana dashboard: what Grafana needs is there, and every query names metrics that this package exports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from eisen_ray.runtime.metrics import METRICS, RAY_PREFIX

FILE = Path(__file__).resolve().parents[2] / "cluster" / "grafana" / "eisen_ray.json"

RAYS_QUERIES = {"sum by (operator) (ray_data_operator_queued_blocks)"}
"""Ray Data knows neither runs nor rounds."""

RAYS_OWN = {"ray_data_operator_queued_blocks": {"dataset", "operator"}}
"""What a panel shows of Ray Data, with labels; tests/runtime/test_metrics.py finds it at the endpoint."""

WORDS = {"sum", "max", "avg", "by", "rate", "label_values", "histogram_quantile"}
"""Functions and keywords of the queries."""


def exported_names() -> set[str]:
    names = set()
    for name, metric in METRICS.items():
        endings = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        names |= {f"{RAY_PREFIX}{name}{ending}" for ending in endings}
    return names


def names_in(query: str) -> tuple[set[str], set[str]]:
    """Metric names and label names of a query."""
    labels = set()
    for matchers in re.findall(r"\{([^}]*)\}", query):
        labels |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    for group in re.findall(r"\bby\s*\(([^)]*)\)", query):
        labels |= set(re.findall(r"\w+", group))
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\bby\s*\([^)]*\)", " ", query)
    asked = re.fullmatch(r"label_values\((\w+)[^,]*,\s*(\w+)\)", re.sub(r"\{[^}]*\}", "", query))
    if asked:
        return {asked[1]}, labels | {asked[2]}
    return set(re.findall(r"[a-zA-Z_]\w*", bare)) - WORDS, labels


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FILE.read_text())
    return loaded


def queries(dashboard: dict[str, Any]) -> list[str]:
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return found + [each["definition"] for each in dashboard["templating"]["list"] if each["type"] == "query"]


def test_queries_name_only_what_is_exported(dashboard: dict[str, Any]) -> None:
    for query in queries(dashboard):
        names, labels = names_in(query)
        assert names, query
        assert names <= exported_names() | set(RAYS_OWN), query
        if names <= set(RAYS_OWN):
            assert all(labels <= RAYS_OWN[name] for name in names), query
            continue
        base = {name.removeprefix(RAY_PREFIX) for name in names}
        metrics = [metric for name, metric in METRICS.items() if any(each.startswith(name) for each in base)]
        assert all(labels <= set(metric.labels) for metric in metrics), query


def test_every_metric_is_shown(dashboard: dict[str, Any]) -> None:
    shown = " ".join(queries(dashboard))
    assert [name for name in METRICS if f"{RAY_PREFIX}{name}" not in shown] == []


def test_the_check_sees_a_wrong_name_and_a_wrong_label() -> None:
    names, labels = names_in('sum by (stage) (rate(ray_eisen_stage_pairs{run=~"$run", node="a"}[5m])) / ray_other')
    assert names == {"ray_eisen_stage_pairs", "ray_other"}
    assert labels == {"stage", "run", "node"}
    assert not names & exported_names()


def test_grafana_can_load_it(dashboard: dict[str, Any]) -> None:
    assert isinstance(dashboard["schemaVersion"], int)
    assert dashboard["schemaVersion"] >= 36
    # Grafana's own limits: 40 characters, letters, digits, dash and underscore.
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", dashboard["uid"])
    assert dashboard["title"]
    # An id belongs to one Grafana; a file that has one overwrites a stranger's dashboard.
    assert dashboard.get("id") is None
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 0
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert panel["type"] in {"timeseries", "bargauge", "stat"}
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0


def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    cells = []
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            cells += [(x, y) for y in range(place["y"], place["y"] + place["h"])]
    assert len(cells) == len(set(cells))


def test_data_source_and_run_are_variables(dashboard: dict[str, Any]) -> None:
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    assert {"run", "round"} <= set(variables)
    users = [*dashboard["panels"], *(t for panel in dashboard["panels"] for t in panel["targets"])]
    users += [variables["run"], variables["round"]]
    assert all(each["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for each in users)
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert all("$run" in query for query in asked if query not in RAYS_QUERIES)
