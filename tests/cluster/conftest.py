"""A stand-in for AWS on loopback, and an account in it that `cluster/account.py` has set up."""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.cluster.local_cluster import environment_for, pids_with
from tests.cluster.printed import printed
from tests.shared import REPOSITORY

CLUSTER = REPOSITORY / "cluster"
REGION = "us-east-1"
NAME = "eisen"


def load_script(name: str) -> ModuleType:
    """A script of cluster/, as a module; the folder is no package, since Ray's own modules must not meet its name."""
    spec = importlib.util.spec_from_file_location(f"cluster_{name}", CLUSTER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run_line(line: str, environment: dict[str, str], cwd: Path = REPOSITORY, seconds: float = 240) -> str:
    """Run a command as README prints it, in a shell; its output and errors.

    `python` and `ray` are this environment's; what lies in the folder STUBS comes before all.
    """
    places = [environment.get("STUBS"), str(Path(sys.executable).parent), environment["PATH"]]
    path = os.pathsep.join(filter(None, places))
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=cwd,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, f"{line}\n{told[-6000:]}"
    return told


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
    # As README prints it; the image, which AWS alone can tell, and the file are given.
    create = shlex.split(printed("account_py_create"))[2:]
    assert load_script("account").main([*create, "--image", image, "--into", str(env_file)]) == 0
    settings = load_script("render").settings(env_file.read_text().splitlines())
    return Account(settings, env_file, aws)


@pytest.fixture(scope="module")
def local(aws: Path, short_folder: str) -> Iterator[dict[str, str]]:
    """A running cluster, with a stand-in for S3 beside it; the environment that README's second line makes."""
    environment = environment_for(Path(tempfile.mkdtemp(dir=short_folder)) / "c")
    # The job's errors must not be hidden by the credentials of another account.
    environment["HOME"] = str(aws)
    run_line(printed("local_sh_start"), environment)
    try:
        shown = run_line(f"{printed('local_sh_env')}; env", environment)
        yield {**environment, **dict(line.split("=", 1) for line in shown.splitlines() if line.startswith("RAY_"))}
    finally:
        stop_local(environment, printed("local_sh_stop"))


def stop_local(environment: dict[str, str], line: str) -> None:
    """README's last line; nothing of the cluster may be left."""
    run_line(line, environment)
    folder = environment["EISEN_LOCAL"]
    assert not Path(folder).exists()
    assert not pids_with(folder)
