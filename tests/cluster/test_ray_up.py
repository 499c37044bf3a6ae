"""`ray up` on a stand-in for EC2: what is really asked of AWS, and what would be run on the machines.

Only the shell at the far end is missing: `ssh` and `rsync` are stubs that write down what they were called with.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import NAME, REGION, Account, run_line
from tests.cluster.printed import printed
from tests.shared import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STUB = '#!/bin/sh\necho "$(basename "$0") $*" >> "$STUB_LOG"\n'


@pytest.fixture(scope="module")
def ready(account: Account, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with the filled cluster.yaml, and the environment of the commands: README's steps up to `ray up`."""
    folder = tmp_path_factory.mktemp("up")
    for name in ("ssh", "rsync"):
        (folder / name).write_text(STUB)
        (folder / name).chmod(0o755)
    (folder / "dist").mkdir()
    (folder / "dist" / "eisen_ray-0-py3-none-any.whl").write_bytes(b"")
    environment = {**os.environ, "STUBS": str(folder), "STUB_LOG": str(folder / "log"), "HOME": str(account.home)}
    environment["PYTHONPATH"] = str(REPOSITORY)
    run_line(printed("ray_get_auth_token"), environment, folder)
    (folder / "cluster").mkdir()
    for name in ("render.py", "aws.yaml", "install.sh"):
        shutil.copy(REPOSITORY / "cluster" / name, folder / "cluster")
    shutil.copy(REPOSITORY / "constraints.txt", folder)
    shutil.copy(account.env_file, folder / "cluster" / "account.env")
    run_line(printed("render_py_aws_yaml"), environment, folder)
    return folder, environment


def test_ray_get_auth_token_makes_a_private_file(account: Account, ready: tuple[Path, dict[str, str]]) -> None:
    folder, environment = ready
    token = account.home / ".ray" / "auth_token"
    assert len(token.read_text().strip()) >= 32
    assert token.stat().st_mode & 0o077 == 0
    before = token.read_text()
    run_line(printed("ray_get_auth_token"), environment, folder)
    assert token.read_text() == before, "a cluster that runs would not know the new one"


def test_render_py_aws_yaml_names_what_lies_here(account: Account, ready: tuple[Path, dict[str, str]]) -> None:
    folder, _ = ready
    assert "cluster.yaml" in printed("render_py_aws_yaml")
    mounts = yaml.safe_load((folder / "cluster.yaml").read_text())["file_mounts"]
    assert mounts["~/eisen/dist"] == str(folder / "dist")
    assert mounts["~/.ray/auth_token"] == str(account.home / ".ray" / "auth_token")
    assert all(Path(local).exists() for local in mounts.values())


def instances(account: Account) -> list[dict[str, Any]]:
    found = account.client("ec2").describe_instances()
    every = [instance for reservation in found["Reservations"] for instance in reservation["Instances"]]
    return [each for each in every if each["State"]["Name"] in ("pending", "running")]


def tags(instance: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}


def start_worker(config_file: Path, group: str) -> None:
    """What the autoscaler on the head does for one machine of a group."""
    from ray.autoscaler._private.commands import _bootstrap_config
    from ray.autoscaler._private.providers import _get_node_provider
    from ray.autoscaler.tags import TAG_RAY_NODE_KIND, TAG_RAY_USER_NODE_TYPE

    config = _bootstrap_config(yaml.safe_load(config_file.read_text()), no_config_cache=True)
    provider = _get_node_provider(config["provider"], config["cluster_name"], use_cache=False)
    node_config = config["available_node_types"][group]["node_config"]
    provider.create_node(node_config, {TAG_RAY_NODE_KIND: "worker", TAG_RAY_USER_NODE_TYPE: group}, 1)


def assert_closed(account: Account, instance: dict[str, Any], role: str) -> None:
    """No public address, own security group, IMDSv2, encrypted disk, the right role and the cluster's name."""
    assert instance["SubnetId"] in (account.settings["SUBNET_A"], account.settings["SUBNET_B"])
    assert not instance.get("PublicIpAddress")
    assert [group["GroupId"] for group in instance["SecurityGroups"]] == [account.settings["SECURITY_GROUP"]]
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["IamInstanceProfile"]["Arn"].endswith(f"instance-profile/{NAME}-{role}")
    assert instance["ImageId"] == account.settings["IMAGE_ID"]
    assert tags(instance)["ray-cluster-name"] == NAME
    ids = [each["Ebs"]["VolumeId"] for each in instance["BlockDeviceMappings"]]
    volumes = account.client("ec2").describe_volumes(VolumeIds=ids)["Volumes"]
    assert [volume["Encrypted"] for volume in volumes] == [True]


@pytest.fixture
def up(ready: tuple[Path, dict[str, str]]) -> None:
    """A cluster that is up; `ray up` of one that is already is soon done."""
    folder, environment = ready
    run_line(printed("ray_up"), environment, folder)


def test_ray_up_starts_the_head_and_what_it_asks_for(account: Account, ready: tuple[Path, dict[str, str]]) -> None:
    folder, environment = ready
    groups_before = len(account.client("ec2").describe_security_groups()["SecurityGroups"])
    roles_before = len(account.client("iam").list_roles()["Roles"])
    run_line(printed("ray_up"), environment, folder)

    (head,) = instances(account)
    assert tags(head)["ray-node-type"] == "head"
    assert head["InstanceType"] == "m7i.xlarge"
    assert_closed(account, head, "head")
    # Nothing was made behind our back: no group open to SSH, no role with full access.
    assert len(account.client("ec2").describe_security_groups()["SecurityGroups"]) == groups_before
    assert len(account.client("iam").list_roles()["Roles"]) == roles_before

    log = (folder / "log").read_text()
    assert f"aws ssm start-session --region {REGION} --target %h" in log
    assert head["InstanceId"] in log, "a session's target is an instance"
    assert "install.sh" in log
    start = next(line for line in log.splitlines() if "ray start --head" in line)
    assert "RAY_AUTH_MODE=token" in start
    assert "--dashboard-host=127.0.0.1" in start

    for group, kind in {"cpu-decode": "spot", "gpu-inference": "spot", "gpu-train": None}.items():
        start_worker(folder / "cluster.yaml", group)
        (made,) = [each for each in instances(account) if tags(each).get("ray-user-node-type") == group]
        assert made.get("InstanceLifecycle") == kind
        assert_closed(account, made, "worker")

    assert len(instances(account)) == 4


@pytest.mark.usefixtures("up")
def test_ray_dashboard_forwards_its_port_through_session_manager(ready: tuple[Path, dict[str, str]]) -> None:
    folder, environment = ready
    (folder / "log").write_text("")
    run_line(printed("ray_dashboard"), environment, folder)
    line = next(line for line in (folder / "log").read_text().splitlines() if line.startswith("ssh"))
    assert "-L 8265:localhost:8265" in line
    assert "aws ssm start-session" in line


@pytest.mark.usefixtures("up")
def test_ray_down_ends_every_machine(account: Account, ready: tuple[Path, dict[str, str]]) -> None:
    folder, environment = ready
    start_worker(folder / "cluster.yaml", "gpu-inference")
    assert len(instances(account)) >= 2
    run_line(printed("ray_down"), environment, folder)
    assert instances(account) == []
