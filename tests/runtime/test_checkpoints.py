from __future__ import annotations

import json
from pathlib import Path

import pytest

from eisen_ray.errors import StorageError, WeightsError
from eisen_ray.learning.checkpoint_files import MANIFEST_FILE, WEIGHTS_FILE
from eisen_ray.runtime.checkpoints import MANIFEST, WEIGHTS, find_checkpoint, packaged_checkpoint
from eisen_ray.runtime.segmenting import load_network
from eisen_ray.runtime.storage import Store
from tests.runtime.networks import TINY_RUN, store_network


def test_names_are_those_of_the_checkpoints() -> None:
    assert (MANIFEST, WEIGHTS) == (MANIFEST_FILE, WEIGHTS_FILE)


@pytest.mark.parametrize("ending", ["", "/", f"/{MANIFEST_FILE}"])
def test_a_checkpoint_folder(tmp_path: Path, ending: str) -> None:
    sha256 = store_network(str(tmp_path / "a"))
    found = find_checkpoint(f"{tmp_path}/a/net{ending}")
    assert (found.root, found.path, found.sha256) == (str(tmp_path / "a"), "net", sha256)
    assert found.config == TINY_RUN
    assert found.parent == str(tmp_path / "a")


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_network(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("net").root == str(tmp_path)


def test_the_newest_promoted_round_of_a_run(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for number in (2, 10):
        path = f"rounds/{number}/checkpoint-{number}"
        store_network(str(tmp_path), path, seed=number)
        store.write_json(f"rounds/{number}/teacher.json", {"checkpoint": path})
    store.write_json("rounds/11/reading.json", {})
    found = find_checkpoint(str(tmp_path))
    assert found.path == "rounds/10/checkpoint-10"
    assert found.parent == str(tmp_path / "rounds/10")


def test_nothing_there(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(WeightsError, match=r"holds neither checkpoint.json nor rounds"):
            find_checkpoint(str(place))


def test_a_promotion_of_what_is_gone(tmp_path: Path) -> None:
    Store(str(tmp_path)).write_json("rounds/1/teacher.json", {"checkpoint": "rounds/1/c"})
    with pytest.raises(WeightsError, match="names the checkpoint rounds/1/c, which is not there"):
        find_checkpoint(str(tmp_path))
    Store(str(tmp_path)).write_json("rounds/1/teacher.json", ["x"])
    with pytest.raises(WeightsError, match="names no checkpoint"):
        find_checkpoint(str(tmp_path))


def test_a_damaged_or_unknown_manifest(tmp_path: Path) -> None:
    store_network(str(tmp_path))
    manifest = tmp_path / "net" / MANIFEST_FILE
    values = json.loads(manifest.read_text())
    values["meta"]["config"]["grouping"]["tresh"] = 1
    manifest.write_text(json.dumps(values))
    with pytest.raises(WeightsError, match=r"do not fit this version: Unknown setting grouping.tresh"):
        find_checkpoint(str(tmp_path / "net"))
    manifest.write_text("{}")
    with pytest.raises(WeightsError, match="no settings or no hash"):
        find_checkpoint(str(tmp_path / "net"))
    manifest.write_text("{")
    with pytest.raises(StorageError, match="not JSON"):
        find_checkpoint(str(tmp_path / "net"))


def test_storage_that_cannot_be_opened() -> None:
    with pytest.raises(StorageError, match="nosuch"):
        find_checkpoint("nosuch://bucket/net")


def test_the_network_inside_the_package_can_be_loaded() -> None:
    found = packaged_checkpoint()
    network = load_network(found, found.config.grouping)
    assert sum(weights.numel() for weights in network.parameters()) > 1_000_000
    assert found.config.root == "runs/small"
