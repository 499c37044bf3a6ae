"""The node types of cluster/aws.yaml under Ray's own autoscaler, with our pipeline's demands, on fake machines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cluster.conftest import load_script
from tests.cluster.test_aws import FILLED
from tests.shared import REPOSITORY

NAMESPACES = ("unshare", "--pid", "--fork", "--kill-child", "--net", "--mount-proc")
"""Nothing inside sees, ends or outlives anything outside: no other Ray cluster on this machine is touched."""

INSIDE = """
import fcntl, os, socket, struct, subprocess, sys
complete, installed, *program = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # loopback up
subprocess.run(["mount", "--bind", complete, installed], check=True)
os.execv(sys.executable, [sys.executable, *program])
"""
"""Run in the namespaces: a network of loopback alone, and Ray's fake machines with the file that its wheel lacks."""

DEFAULTS = """
cluster_name: fake
max_workers: 1
provider: {type: fake_multinode}
auth: {ssh_user: nobody}
docker: {}
file_mounts: {}
cluster_synced_files: []
initialization_commands: []
setup_commands: []
head_setup_commands: []
worker_setup_commands: []
head_start_ray_commands: []
worker_start_ray_commands: []
available_node_types:
  ray.head.default: {resources: {}, node_config: {}, max_workers: 0}
head_node_type: ray.head.default
"""


def completed_copy(folder: Path) -> tuple[Path, Path]:
    """Ray's folder of fake machines with its defaults in it, and the installed one: the wheel leaves them out."""
    from ray.autoscaler._private.fake_multi_node import node_provider

    installed = Path(node_provider.__file__).parent
    shutil.copytree(installed, folder / "fake_multi_node")
    (folder / "fake_multi_node" / "example.yaml").write_text(DEFAULTS)
    return folder / "fake_multi_node", installed


def namespaces_work() -> bool:
    try:
        return subprocess.run([*NAMESPACES, "true"], capture_output=True, timeout=10).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_declared_machines_come_hold_the_pipeline_and_go(short_folder: str) -> None:
    if not namespaces_work():
        pytest.skip("needs unshare with the right to make process and network namespaces")
    folder = Path(tempfile.mkdtemp(dir=short_folder))
    script = load_script("render")
    text = (REPOSITORY / "cluster" / "aws.yaml").read_text()
    (folder / "cluster.yaml").write_text(script.render(text, {**script.local_paths(), **FILLED}))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    program = REPOSITORY / "tests" / "cluster" / "fake_cloud.py"
    complete, installed = completed_copy(folder)
    inside = [sys.executable, "-c", INSIDE, str(complete), str(installed)]
    command = [*NAMESPACES, *inside, str(program), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=380)
    assert done.returncode == 0, done.stdout + done.stderr[-6000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["machines at first"] == {"head": 1, "train": 1}
    assert found["workers on"] == ["train"] * 4
    assert found["stages on"] == ["infer"] * 3
    assert set(found["decoded on"]) <= {"decode", "infer", "train"}
    assert found["decoded on"]["decode"] > 0
    assert found["machines at most"]["infer"] == 3
    assert 1 <= found["machines at most"]["decode"] <= 4
    assert found["too large"] == "pending"
