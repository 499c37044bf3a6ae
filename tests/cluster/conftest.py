"""A stand-in for AWS on loopback, and an account in it that `cluster/account.py` has set up."""

from __future__ import annotations

import importlib.util
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.shared import REPOSITORY

CLUSTER = REPOSITORY / "cluster"
REGION = "us-east-1"
NAME = "eisen"


def load_script(name: str) -> ModuleType:
    """A script of cluster/, as a module; the folder is no package, since Ray's own modules must not meet its name."""
    spec = importlib.util.spec_from_file_location(f"cluster_{name}", CLUSTER / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Account:
    """An account after `account.py create`: its settings, and clients for questions about it."""

    settings: dict[str, str]
    env_file: Path
    home: Path

    def client(self, service: str) -> Any:
        import boto3

        return boto3.client(service, region_name=REGION)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The stand-in's endpoint and keys in the environment, and an empty home folder, which is returned."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    home = tmp_path_factory.mktemp("home")
    environment = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "HOME": str(home),
    }.items():
        environment.setenv(name, value)
    yield home
    # The stand-in keeps what it made for as long as the process lives.
    urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").read()
    server.stop()
    environment.undo()


@pytest.fixture(scope="module")
def account(aws: Path, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """What `account.py create` makes of an empty account."""
    import boto3

    image = boto3.client("ec2", region_name=REGION).describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    env_file = tmp_path_factory.mktemp("account") / "account.env"
    create = ["create", "--name", NAME, "--region", REGION, "--bucket", "eisen-runs", "--image", image]
    assert load_script("account").main([*create, "--into", str(env_file)]) == 0
    settings = load_script("render").settings(env_file.read_text().splitlines())
    return Account(settings, env_file, aws)
