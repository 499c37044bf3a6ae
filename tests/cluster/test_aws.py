"""cluster/aws.yaml: Ray's own schema, EC2's own request shape, and what must hold on every machine."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import NAME, REGION, load_script
from tests.shared import REPOSITORY

ROLES = {"head": "head", "cpu-decode": "decode", "gpu-inference": "infer", "gpu-train": "train"}
FILLED = {
    "CLUSTER_NAME": NAME,
    "REGION": REGION,
    "IMAGE_ID": "ami-0123456789abcdef0",
    "SUBNET_A": "subnet-0a",
    "SUBNET_B": "subnet-0b",
    "SECURITY_GROUP": "sg-0",
    "KEY_NAME": NAME,
    "SSH_KEY": "/keys/eisen.pem",
}


@pytest.fixture
def config() -> dict[str, Any]:
    script = load_script("render")
    text = (REPOSITORY / "cluster" / "aws.yaml").read_text()
    return yaml.safe_load(script.render(text, {**script.local_paths(), **FILLED}))


def prepared(config: dict[str, Any]) -> dict[str, Any]:
    from ray.autoscaler._private.util import prepare_config, validate_config

    complete = prepare_config(copy.deepcopy(config))
    validate_config(complete)
    return complete


def shape_errors(node_config: dict[str, Any]) -> str:
    """What botocore's description of RunInstances does not know in a node's configuration."""
    import botocore.session
    from botocore.validate import ParamValidator

    shape = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    # Ray takes SubnetIds and picks one of them for each request.
    sent = {name: value for name, value in node_config.items() if name != "SubnetIds"}
    return ParamValidator().validate({**sent, "MinCount": 1, "MaxCount": 1}, shape).generate_report()


def test_ray_accepts_it(config: dict[str, Any]) -> None:
    complete = prepared(config)
    assert complete["head_node_type"] == "head"
    assert set(complete["available_node_types"]) == set(ROLES)


@pytest.mark.parametrize(
    ("breakage", "said"),
    [
        (lambda config: config.update(idle_timout_minutes=1), "idle_timout_minutes"),
        (lambda config: config.update(head_node_type="nobody"), "head_node_type"),
        (lambda config: config["available_node_types"]["gpu-train"]["resources"].update(GPU=0.5), "0.5"),
        (lambda config: config.update(max_workers=0), "max_workers"),
    ],
    ids=["unknown key", "unknown head", "half a GPU", "fewer than the minimum"],
)
def test_ray_refuses_what_is_broken(config: dict[str, Any], breakage: Any, said: str) -> None:
    breakage(config)
    with pytest.raises(Exception, match=said):
        prepared(config)


@pytest.mark.parametrize("group", ROLES)
def test_ec2_knows_every_field(config: dict[str, Any], group: str) -> None:
    node_config = config["available_node_types"][group]["node_config"]
    assert shape_errors(node_config) == ""
    assert "MetadataOption" in shape_errors({**node_config, "MetadataOption": {}})


@pytest.mark.parametrize("group", ROLES)
def test_every_machine_is_closed(config: dict[str, Any], group: str) -> None:
    node = config["available_node_types"][group]
    made = node["node_config"]
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert made["SecurityGroupIds"] == ["sg-0"]
    assert made["SubnetIds"] == ["subnet-0a", "subnet-0b"]
    assert made["ImageId"].startswith("ami-")
    assert [each["Ebs"]["Encrypted"] for each in made["BlockDeviceMappings"]] == [True]
    assert made["IamInstanceProfile"]["Name"] == f"{NAME}-{'head' if group == 'head' else 'worker'}"
    assert node["labels"]["role"] == ROLES[group]
    assert ("InstanceMarketOptions" in made) == (group in ("cpu-decode", "gpu-inference"))


def test_no_address_of_the_world_and_ray_makes_no_group(config: dict[str, Any]) -> None:
    assert not re.search(r"0\.0\.0\.0|::/0", yaml.safe_dump(config))
    # Given, it would only change Ray's own group, which is open to SSH from everywhere.
    assert "security_group" not in config["provider"]
    assert config["provider"]["use_internal_ips"] is True


def test_the_head_runs_drivers_only(config: dict[str, Any]) -> None:
    head = config["available_node_types"]["head"]
    assert head["resources"] == {"CPU": 0, "GPU": 0}
    assert head["max_workers"] == 0
    groups = [node for name, node in config["available_node_types"].items() if name != "head"]
    assert all(node["min_workers"] <= node["max_workers"] for node in groups)
    assert config["max_workers"] == sum(node["max_workers"] for node in groups)


@pytest.mark.parametrize("side", ["head", "worker"])
def test_every_start_asks_for_the_token(config: dict[str, Any], side: str) -> None:
    starts = [line for line in config[f"{side}_start_ray_commands"] if re.search(r"\bray start\b", line)]
    assert len(starts) == 1
    assert "RAY_AUTH_MODE=token" in starts[0]
    assert "~/.ray/auth_token" in config["file_mounts"]
    assert "--dashboard-host=127.0.0.1" in starts[0] or side == "worker"


def test_resources_are_those_of_the_instances(config: dict[str, Any]) -> None:
    """Against AWS' own list, as the stand-in carries it."""
    import gzip
    import json

    import moto.ec2

    listed = Path(moto.ec2.__file__).parent / "resources" / "instance_types.json.gz"
    types = json.loads(gzip.decompress(listed.read_bytes()))
    for name, node in config["available_node_types"].items():
        known = types[node["node_config"]["InstanceType"]]
        gpus = sum(gpu["Count"] for gpu in known.get("GpuInfo", {}).get("Gpus", []))
        memory = known["MemoryInfo"]["SizeInMiB"] * 1024**2
        if name != "head":
            assert node["resources"]["CPU"] == known["VCpuInfo"]["DefaultVCpus"]
            assert node["resources"]["object_store_memory"] <= 0.3 * memory
        assert node["resources"].get("GPU", 0) == gpus
