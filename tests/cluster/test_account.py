"""The account's stack against a stand-in for AWS: network without a door, least privilege, a closed bucket."""

from __future__ import annotations

import json
import os
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import NAME, REGION, Account, load_script, run_line
from tests.cluster.printed import printed
from tests.shared import REPOSITORY

HARMLESS = {
    "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeImages", "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
}  # fmt: skip
"""What may be asked about everything: EC2 knows no narrower way."""


def policies(role: str) -> list[dict[str, Any]]:
    properties = load_script("account").template()["Resources"][role]["Properties"]
    return [statement for policy in properties["Policies"] for statement in policy["PolicyDocument"]["Statement"]]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_account_py_create_fills_every_setting_and_the_key_is_private(account: Account) -> None:
    # The fixture has run this line.
    assert f"--name {NAME} --region {REGION} --bucket {account.settings['BUCKET']}" in printed("account_py_create")
    assert all(account.settings.values())
    key = Path(account.settings["SSH_KEY"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "PRIVATE KEY" in key.read_text()
    aws_yaml = (REPOSITORY / "cluster" / "aws.yaml").read_text()
    needed = set(load_script("render").names(aws_yaml)) - set(load_script("render").local_paths())
    assert needed <= set(account.settings)


def test_nobody_comes_in_from_outside(account: Account) -> None:
    groups = account.client("ec2").describe_security_groups(GroupIds=[account.settings["SECURITY_GROUP"]])
    rules = groups["SecurityGroups"][0]["IpPermissions"]
    assert [rule["IpRanges"] + rule.get("Ipv6Ranges", []) for rule in rules] == [[]]
    assert [pair["GroupId"] for pair in rules[0]["UserIdGroupPairs"]] == [account.settings["SECURITY_GROUP"]]
    ids = [account.settings["SUBNET_A"], account.settings["SUBNET_B"]]
    subnets = account.client("ec2").describe_subnets(SubnetIds=ids)["Subnets"]
    assert [subnet["MapPublicIpOnLaunch"] for subnet in subnets] == [False, False]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2


def test_the_bucket_is_closed_and_encrypted(account: Account) -> None:
    s3, bucket = account.client("s3"), account.settings["BUCKET"]
    # The stand-in's CloudFormation leaves the block out: what the template asks for is all that can be seen here.
    properties = load_script("account").template()["Resources"]["Bucket"]["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]


def test_roles_get_the_policies_beside_the_template(account: Account) -> None:
    iam = account.client("iam")
    for role, names in {f"{NAME}-head": {"machines", "data"}, f"{NAME}-worker": {"data"}}.items():
        assert set(iam.list_role_policies(RoleName=role)["PolicyNames"]) == names
        profile = iam.get_instance_profile(InstanceProfileName=role)["InstanceProfile"]
        assert [each["RoleName"] for each in profile["Roles"]] == [role]
    data = iam.get_role_policy(RoleName=f"{NAME}-worker", PolicyName="data")["PolicyDocument"]
    assert f"arn:aws:s3:::{account.settings['BUCKET']}/runs/*" in json.dumps(data)
    assert "${" not in json.dumps(data)


@pytest.mark.parametrize("role", ["HeadRole", "WorkerRole"])
def test_no_policy_says_everything(role: str) -> None:
    for statement in policies(role):
        assert statement["Effect"] == "Allow"
        actions = as_list(statement["Action"])
        assert not [action for action in actions if "*" in action]
        if statement["Resource"] == "*":
            assert set(actions) <= HARMLESS
    assert ("iam:PassRole" in json.dumps(policies(role))) == (role == "HeadRole")


def test_the_head_ends_and_starts_only_its_own(account: Account) -> None:
    by_action = {action: each for each in policies("HeadRole") for action in as_list(each["Action"])}
    assert "ec2:ResourceTag/ray-cluster-name" in json.dumps(by_action["ec2:TerminateInstances"]["Condition"])
    assert by_action["iam:PassRole"]["Resource"] == {"Fn::Sub": "${WorkerRole.Arn}"}


def test_account_py_upload_copies_what_is_missing_and_looks_at_sizes(account: Account, tmp_path: Path) -> None:
    (tmp_path / "day 1").mkdir()
    (tmp_path / "a.mp4").write_bytes(b"first")
    (tmp_path / "day 1" / "b.mp4").write_bytes(b"second")
    line = printed("account_py_upload").replace("/data/videos", str(tmp_path))
    assert str(tmp_path) in line
    assert "Copied 2 of 2 files" in run_line(line, dict(os.environ))
    s3, bucket = account.client("s3"), account.settings["BUCKET"]
    assert s3.get_object(Bucket=bucket, Key="videos/day 1/b.mp4")["Body"].read() == b"second"
    # Broken off in the middle of a file, and a new one.
    s3.put_object(Bucket=bucket, Key="videos/a.mp4", Body=b"fi")
    (tmp_path / "c.mp4").write_bytes(b"third")
    assert "Copied 2 of 3 files" in run_line(line, dict(os.environ))
    assert s3.get_object(Bucket=bucket, Key="videos/a.mp4")["Body"].read() == b"first"
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="empty holds no file"):
        load_script("account").upload(REGION, bucket, tmp_path / "empty")


def test_account_py_delete_leaves_only_the_bucket(aws: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Without the network, which the stand-in (unlike AWS) cannot delete in the order of its dependencies.
    script = load_script("account")
    small = script.template()
    kept = {"WorkerRole", "WorkerProfile", "Bucket"}
    small["Resources"] = {name: each for name, each in small["Resources"].items() if name in kept}
    outputs = {name: {"Value": "none"} for name in ("SubnetA", "SubnetB", "SecurityGroup")}
    small["Outputs"] = {**outputs, "Bucket": {"Value": {"Ref": "Bucket"}}}
    monkeypatch.setattr(script, "template", lambda: small)
    script.create("other", REGION, "other-runs", "ami-0", tmp_path / "other.env")
    account = Account({}, tmp_path, aws)
    assert "other-worker" in str(account.client("iam").list_roles())
    assert (aws / ".ssh" / "other.pem").exists()

    line = printed("account_py_delete").replace(f"--name {NAME}", "--name other")
    assert script.main(shlex.split(line)[2:]) == 0
    assert "other-worker" not in str(account.client("iam").list_roles())
    assert not (aws / ".ssh" / "other.pem").exists()
    assert (
        account.client("ec2").describe_key_pairs(Filters=[{"Name": "key-name", "Values": ["other"]}])["KeyPairs"] == []
    )
    assert small["Resources"]["Bucket"]["DeletionPolicy"] == "Retain"


def test_an_existing_key_is_not_overwritten(aws: Path) -> None:
    import boto3

    key = aws / ".ssh" / "taken.pem"
    key.parent.mkdir(exist_ok=True)
    key.write_text("someone's key")
    with pytest.raises(FileExistsError):
        load_script("account")._key(boto3.Session(region_name=REGION), "taken")
    assert key.read_text() == "someone's key"


def test_the_template_passes_cfn_lint() -> None:
    api = pytest.importorskip("cfnlint.api")
    written = json.dumps(load_script("account").template(), indent=2)
    assert [str(match) for match in api.lint(written, regions=[REGION])] == []
