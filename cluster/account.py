"""What a cluster needs in an AWS account, made and removed as one CloudFormation stack.

python cluster/account.py create --name NAME --region REGION --bucket BUCKET   stack, key pair, image; fills account.env
python cluster/account.py upload --region REGION --bucket BUCKET --folder F    a folder of video into the bucket
python cluster/account.py delete --name NAME --region REGION                   all of it but the bucket
python cluster/account.py template                                             the complete template, for reading

Credentials and endpoint come from where boto3 finds them (AWS_PROFILE, ...).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
IMAGE_PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
"""AWS' public name of its newest image with NVIDIA's driver. An assumption: it cannot be asked without an account."""


class _Tagged(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref x` is {Ref: x}, `!Sub x` is {Fn::Sub: x}."""


def _short_form(loader: _Tagged, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    else:
        value = loader.construct_sequence(node, deep=True)
    if suffix == "GetAtt":
        value = str(value).split(".")
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


_Tagged.add_multi_constructor("!", _short_form)


def template() -> dict[str, Any]:
    """The stack's template with the policies in their roles."""
    found: dict[str, Any] = yaml.load((HERE / "account.yaml").read_text(encoding="utf-8"), _Tagged)  # noqa: S506 - safe
    for role in ("HeadRole", "WorkerRole"):
        properties = found["Resources"][role]["Properties"]
        properties["Policies"] = [
            {**policy, "PolicyDocument": _substituted(json.loads((HERE / policy["PolicyDocument"]).read_text()))}
            for policy in properties["Policies"]
        ]
    return found


def _substituted(part: Any) -> Any:
    """A policy whose `${...}` CloudFormation fills."""
    if isinstance(part, dict):
        return {name: _substituted(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_substituted(each) for each in part]
    return {"Fn::Sub": part} if isinstance(part, str) and "${" in part else part


def create(name: str, region: str, bucket: str, image: str, into: Path) -> None:
    """Make the stack and a key pair, and write the settings that render.py reads.

    Args:
        name: the cluster's and the stack's name.
        region: AWS region.
        bucket: name of the bucket to be made.
        image: id of the machine image, or the name of a public parameter that holds it.
        into: the settings file.
    """
    import boto3

    session = boto3.Session(region_name=region)
    # Asked first: whoever has no access to it learns so before anything is made.
    if not image.startswith("ami-"):
        image = session.client("ssm").get_parameter(Name=image)["Parameter"]["Value"]
    stacks = session.client("cloudformation")
    parameters = {"ClusterName": name, "BucketName": bucket}
    stacks.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template()),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    print(f"Making stack {name}; a NAT gateway takes some minutes ...", file=sys.stderr)
    stacks.get_waiter("stack_create_complete").wait(StackName=name)
    outputs = stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    made = {each["OutputKey"]: each["OutputValue"] for each in outputs}
    values = {
        "CLUSTER_NAME": name,
        "REGION": region,
        "IMAGE_ID": image,
        "SUBNET_A": made["SubnetA"],
        "SUBNET_B": made["SubnetB"],
        "SECURITY_GROUP": made["SecurityGroup"],
        "BUCKET": made["Bucket"],
        "KEY_NAME": name,
        "SSH_KEY": str(_key(session, name)),
    }
    into.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")
    print(f"Wrote {into}", file=sys.stderr)


def _key(session: Any, name: str) -> Path:
    """A new key pair's private half, readable by nobody else."""
    path = Path.home() / ".ssh" / f"{name}.pem"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    content = session.client("ec2").create_key_pair(KeyName=name, KeyType="ed25519")["KeyMaterial"]
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    return path


def upload(region: str, bucket: str, folder: Path) -> int:
    """Copy a folder's files below `videos/` of the bucket; files that are there with the same size are left out.

    Returns:
        How many were copied.

    Raises:
        SystemExit: the folder holds nothing, or something is not in the bucket as it should be.
    """
    import boto3

    files = {f"videos/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.is_file()}
    if not files:
        sys.exit(f"error: {folder} holds no file; expected a folder of video.")
    s3 = boto3.client("s3", region_name=region)

    def absent() -> list[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="videos/")
        there = {each["Key"]: each["Size"] for page in pages for each in page.get("Contents", [])}
        return [key for key, path in files.items() if there.get(key) != path.stat().st_size]

    missing = absent()
    for key in missing:
        s3.upload_file(str(files[key]), bucket, key)
    if left := absent():
        sys.exit(f"error: {len(left)} files differ in size after the upload, {left[0]} first; run it again.")
    print(f"Copied {len(missing)} of {len(files)} files to s3://{bucket}/videos", file=sys.stderr)
    return len(missing)


def delete(name: str, region: str) -> None:
    """Remove the stack and the key pair; the bucket stays, with all that was computed."""
    import boto3

    session = boto3.Session(region_name=region)
    stacks = session.client("cloudformation")
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name)
    session.client("ec2").delete_key_pair(KeyName=name)
    (Path.home() / ".ssh" / f"{name}.pem").unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("template")
    for verb in ("create", "upload", "delete"):
        added = verbs.add_parser(verb)
        added.add_argument("--region", required=True)
        if verb == "upload":
            added.add_argument("--bucket", required=True)
            added.add_argument("--folder", type=Path, required=True, help="all files below it are copied")
            continue
        added.add_argument("--name", required=True, help="of the cluster and the stack")
        if verb == "create":
            added.add_argument("--bucket", required=True, help="made by the stack; globally unique")
            added.add_argument("--image", default=IMAGE_PARAMETER, help="ami-..., or a public parameter that holds it")
            added.add_argument("--into", type=Path, default=HERE / "account.env")
    chosen = parser.parse_args(arguments)
    if chosen.verb == "template":
        print(json.dumps(template(), indent=2))
    elif chosen.verb == "create":
        create(chosen.name, chosen.region, chosen.bucket, chosen.image, chosen.into)
    elif chosen.verb == "upload":
        upload(chosen.region, chosen.bucket, chosen.folder)
    else:
        delete(chosen.name, chosen.region)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
