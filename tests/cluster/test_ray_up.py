"""`ray up` on a stand-in for EC2: what is really asked of AWS, and what would be run on the machines.

Only the shell at the far end is missing: `ssh` and `rsync` are stubs that write down what they were called with.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import NAME, REGION, Account
from tests.shared import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STUB = '#!/bin/sh\necho "$(basename "$0") $*" >> "$STUB_LOG"\n'
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def ready(account: Account, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The filled cluster.yaml and the environment of the commands: README's steps up to `ray up`."""
    folder = tmp_path_factory.mktemp("up")
    for name in ("ssh", "rsync"):
        (folder / name).write_text(STUB)
        (folder / name).chmod(0o755)
    (folder / "dist").mkdir()
    (folder / "dist" / "eisen_ray-0-py3-none-any.whl").write_bytes(b"")
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}",
        "STUB_LOG": str(folder / "log"),
        "HOME": str(account.home),
    }
    run(["ray", "get-auth-token", "--generate"], environment)
    rendered = run(
        [sys.executable, "cluster/render.py", "cluster/aws.yaml", str(account.env_file), f"DIST={folder / 'dist'}"],
        environment,
    )
    (folder / "cluster.yaml").write_text(rendered)
    return folder, environment


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


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


def test_ray_up_starts_the_head_and_ray_down_ends_all(account: Account, ready: tuple[Path, dict[str, str]]) -> None:
    folder, environment = ready
    groups_before = len(account.client("ec2").describe_security_groups()["SecurityGroups"])
    roles_before = len(account.client("iam").list_roles()["Roles"])
    run(["ray", "up", "-y", str(folder / "cluster.yaml")], environment)

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
    run(["ray", "down", "-y", str(folder / "cluster.yaml")], environment)
    assert instances(account) == []
