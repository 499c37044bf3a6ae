"""cluster/kuberay.yaml: fields that the operator knows, the roles of aws.yaml, and pods that may do little."""

from __future__ import annotations

import copy
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import load_script, run_line
from tests.cluster.manifests import complaints
from tests.cluster.printed import printed
from tests.cluster.test_aws import FILLED
from tests.shared import REPOSITORY

VALUES = {
    "NAME": "pickup-1",
    "IMAGE": "registry.example/eisen-ray:0.1.0",
    "BUCKET": "eisen-runs",
    "SERVICE_ACCOUNT": "eisen",
}


@pytest.fixture
def job() -> dict[str, Any]:
    text = (REPOSITORY / "cluster" / "kuberay.yaml").read_text()
    return yaml.safe_load(load_script("render").render(text, VALUES))


def filled(folder: Path) -> dict[str, Any]:
    """What README's command writes."""
    (folder / "cluster").symlink_to(REPOSITORY / "cluster")
    run_line(printed("render_py_kuberay_yaml"), dict(os.environ), folder)
    return yaml.safe_load((folder / "rayjob.yaml").read_text())


def test_render_py_kuberay_yaml_needs_no_more_than_the_readme_gives(tmp_path: Path) -> None:
    job = filled(tmp_path)
    assert job["metadata"]["name"] == "pickup"
    assert job["spec"]["entrypoint"].endswith("--root s3://eisen-runs/runs/pickup --resources.train-workers 4")
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert printed("docker_build").split()[-2] == head["containers"][0]["image"]


def test_kubectl_apply_of_the_rendered_file_meets_no_unknown_field(tmp_path: Path) -> None:
    job = filled(tmp_path)
    assert printed("kubectl_apply").split()[-1] == "rayjob.yaml"
    assert complaints(job, "RayJob") == []


def test_kubectl_delete_takes_the_cluster_with_the_job(tmp_path: Path) -> None:
    job = filled(tmp_path)
    assert printed("kubectl_delete").split()[-1] == "rayjob.yaml"
    # Made by the job, so owned by it; a cluster that was chosen by label would stay.
    assert "rayClusterSpec" in job["spec"]
    assert "clusterSelector" not in job["spec"]


@pytest.fixture
def pods(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    groups = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    return {name: each["template"]["spec"] for name, each in {"head": cluster["headGroupSpec"], **groups}.items()}


def test_the_operator_knows_every_field(job: dict[str, Any]) -> None:
    assert complaints(job, "RayJob") == []


@pytest.mark.parametrize(
    ("breakage", "said"),
    [
        (lambda job: job["spec"].update(entryPoint="x"), "RayJobSpec has no such field"),
        (lambda job: job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].update(maxReplica=1), "maxReplica"),
        (lambda job: job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].pop("groupName"), "groupName: required"),
        (lambda job: job["spec"]["rayClusterSpec"]["autoscalerOptions"].update(version="v3"), "none of v1|v2"),
        (lambda job: job["spec"].update(backoffLimit="3"), "'3' is no integer"),
        (lambda job: job["spec"].update(shutdownAfterJobFinishes=1), "1 is no boolean"),
        (
            lambda job: job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"].update({"num-cpus": 0}),
            "0 is no string",
        ),
    ],
)
def test_what_is_misspelt_is_named(job: dict[str, Any], breakage: Any, said: str) -> None:
    broken = copy.deepcopy(job)
    breakage(broken)
    found = complaints(broken, "RayJob")
    assert len(found) == 1
    assert said in found[0]


def test_roles_and_limits_are_those_of_aws(job: dict[str, Any]) -> None:
    script = load_script("render")
    text = (REPOSITORY / "cluster" / "aws.yaml").read_text()
    aws = yaml.safe_load(script.render(text, {**script.local_paths(), **FILLED}))["available_node_types"]
    groups = {group["groupName"]: group for group in job["spec"]["rayClusterSpec"]["workerGroupSpecs"]}
    assert set(groups) == set(aws) - {"head"}
    for name, group in groups.items():
        assert group["minReplicas"] == aws[name]["min_workers"]
        assert group["maxReplicas"] == aws[name]["max_workers"]
        assert group["rayStartParams"]["labels"] == f"role={aws[name]['labels']['role']}"
        gpus = group["template"]["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu", "0")
        assert int(gpus) == aws[name]["resources"].get("GPU", 0)


def test_every_pod_may_do_little(pods: dict[str, dict[str, Any]]) -> None:
    for pod in pods.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            closed = container["securityContext"]
            assert closed["allowPrivilegeEscalation"] is False
            assert closed["capabilities"] == {"drop": ["ALL"]}
            assert container["image"] == VALUES["IMAGE"]
            assert "memory" in container["resources"]["limits"]
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounted == {volume["name"] for volume in pod.get("volumes", [])}


def test_token_version_and_a_head_for_drivers_only(job: dict[str, Any]) -> None:
    import ray

    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["headGroupSpec"]["serviceType"] == "ClusterIP"


def test_the_entrypoint_is_a_command_of_ours(job: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its arguments go through the door's own parser, and its script is what the image holds."""
    from jobs.bootstrap import parse

    program, script, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert program == "python"
    copied = re.search(r"^COPY .* jobs (\S+)$", (REPOSITORY / "cluster" / "Dockerfile").read_text(), re.M)
    assert copied
    assert script == f"{copied[1]}/bootstrap.py"
    config = parse(arguments)
    assert config.root == "s3://eisen-runs/runs/pickup-1"
    assert config.resources.train_workers == 4
