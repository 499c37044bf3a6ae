"""`ray job submit` against a live cluster of its own: the job ends, its log streams, its exit code counts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from eisen_ray.runtime.storage import Store

ROOT = Path(__file__).resolve().parents[2]
TINY = ("tiny", "--data.max-clips", "2", "--rounds.eval-images", "2")


def free_port() -> int:
    """A port that nothing listens on, below the range that Ray gives to its workers."""
    for port in range(7300, 9900):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port")


def ray_command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("ray")), *arguments]


@pytest.fixture
def dashboard(short_folder: str) -> Iterator[str]:
    """A head node of two CPUs with its dashboard, in a process group of its own; its address."""
    folder = tempfile.mkdtemp(dir=short_folder)
    port, dashboard_port = free_port(), free_port() + 1
    command = ray_command(
        "start", "--head", "--block", "--num-cpus", "2", "--num-gpus", "0", "--port", str(port),
        "--dashboard-host", "127.0.0.1", "--dashboard-port", str(dashboard_port), "--temp-dir", folder,
        "--object-store-memory", str(200 * 1024**2), "--ray-client-server-port", str(dashboard_port + 1),
        "--dashboard-agent-listen-port", str(dashboard_port + 2), "--disable-usage-stats",
    )  # fmt: skip
    # The job's `python` is the first one on the cluster's PATH.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    head = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    address = f"http://127.0.0.1:{dashboard_port}"
    try:
        wait_for(address)
        yield address
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        try:
            head.wait(timeout=60)
        finally:
            # Whatever did not end in order: nothing of this cluster may outlive its test.
            subprocess.run(["pkill", "-9", "-f", folder], check=False)


def wait_for(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api/version", timeout=2).read()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"no dashboard at {address}")


def submit(dashboard: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The README's command, from the repository."""
    command = ray_command("job", "submit", "--address", dashboard, "--working-dir", ".", "--", "python", *arguments)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_submitted_job_trains_streams_its_log_and_fails_when_it_fails(dashboard: str, tmp_path: Path) -> None:
    done = submit(dashboard, "jobs/bootstrap.py", *TINY, "--root", str(tmp_path / "run"))
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "round 2  evaluated" in told
    assert "succeeded" in told
    assert Store(str(tmp_path / "run")).exists("rounds/2/teacher.json")

    again = submit(dashboard, "jobs/bootstrap.py", *TINY, "--root", str(tmp_path / "run"))
    assert (again.stdout + again.stderr).count("done before") == 2

    (tmp_path / "file").write_text("no folder")
    refused = submit(dashboard, "jobs/bootstrap.py", *TINY, "--root", str(tmp_path / "file"))
    assert refused.returncode != 0
    assert "error: Storage root" in refused.stdout + refused.stderr
