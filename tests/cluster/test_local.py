"""cluster/local.sh for real: several raylets, loopback only, a token; and a job submitted to it as README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eisen_ray.runtime.storage import Store
from tests.jobs.test_job_submit import free_port
from tests.shared import REPOSITORY

SCRIPT = str(REPOSITORY / "cluster" / "local.sh")
BIN = Path(sys.executable).parent


def environment_for(folder: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "EISEN_LOCAL": str(folder), "EISEN_LOCAL_PORT": str(port)}


@pytest.fixture(scope="module")
def local(short_folder: str) -> Iterator[dict[str, str]]:
    """A running cluster; the environment that `env` gives."""
    folder = Path(tempfile.mkdtemp(dir=short_folder)) / "c"
    environment = environment_for(folder, free_port())
    started = subprocess.run([SCRIPT, "start", "2"], env=environment, capture_output=True, text=True, timeout=200)
    assert started.returncode == 0, started.stderr
    try:
        exported = subprocess.run([SCRIPT, "env"], env=environment, capture_output=True, text=True, check=True).stdout
        yield {**environment, **dict(re.findall(r"(RAY_\w+)='?([^' \n]+)'?", exported))}
    finally:
        subprocess.run([SCRIPT, "stop"], env=environment, check=True, timeout=100)
        assert not folder.exists()
        assert not pids_with(str(folder))


def pids_with(text: str) -> list[int]:
    """Processes with this text in their command line."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if text in (each / "cmdline").read_text():
                found.append(int(each.name))
        except OSError:
            continue
    return found


def listening(pids: list[int]) -> set[str]:
    """Local addresses, hexadecimal, of the TCP sockets on which these processes listen."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes |= set(re.findall(r"socket:\[(\d+)\]", str(link.readlink())))
            except OSError:
                continue
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1].rsplit(":", 1)[0] for row in rows if row[3] == "0A" and row[9] in inodes}


def ask(address: str, token: str = "") -> int:
    request = urllib.request.Request(f"{address}/api/jobs/", headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_local_cluster_is_closed_and_has_its_raylets(local: dict[str, str]) -> None:
    token = Path(local["RAY_AUTH_TOKEN_PATH"]).read_text()
    assert ask(local["RAY_API_SERVER_ADDRESS"]) == 401
    assert ask(local["RAY_API_SERVER_ADDRESS"], "wrong") in (401, 403)
    assert ask(local["RAY_API_SERVER_ADDRESS"], token) == 200

    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert listening(pids_with(local["EISEN_LOCAL"])) <= loopback

    code = (
        "import ray; ray.init(log_to_driver=False); "
        "print(sorted((n['Labels'].get('role'), n['Resources'].get('CPU', 0)) for n in ray.nodes() if n['Alive']))"
    )
    shown = subprocess.run([sys.executable, "-c", code], env=local, capture_output=True, text=True, timeout=100)
    assert shown.stdout.strip() == "[('decode', 2.0), ('decode', 2.0), ('head', 0)]", shown.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_job_submit_of_the_readme_trains_on_it(local: dict[str, str], tmp_path: Path) -> None:
    root = tmp_path / "run"
    command = [
        str(BIN / "ray"), "job", "submit", "--working-dir", ".", "--runtime-env", "cluster/runtime_env.yaml", "--",
        "python", "jobs/bootstrap.py", "tiny", "--data.max-clips", "2", "--rounds.eval-images", "2",
        "--root", str(root),
    ]  # fmt: skip
    clean = {name: value for name, value in local.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(command, cwd=REPOSITORY, env=clean, capture_output=True, text=True, timeout=500)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-5000:]
    assert "round 2  evaluated" in told
    assert Store(str(root)).exists("rounds/2/teacher.json")


@pytest.mark.slow
def test_a_second_start_is_refused(local: dict[str, str]) -> None:
    again = subprocess.run([SCRIPT, "start"], env=local, capture_output=True, text=True, timeout=60)
    assert again.returncode == 2
    assert "holds a cluster" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "said"), [(["stop"], "no cluster in"), (["env"], "no cluster in"), (["start", "many"], "got many")]
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    environment = environment_for(tmp_path / "none", 7200)
    done = subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_no_data_is_uploaded(tmp_path: Path) -> None:
    """Ray's own packager on our tree with a user's data in it."""
    from ray._private.runtime_env.packaging import create_package

    tree = tmp_path / "tree"
    names = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in [*names.splitlines(), ".rayignore"]:
        if (REPOSITORY / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, tree / name)
    for name in ("data/a.txt", "runs/quickstart/x.json", "film.mp4", "eisen_ray/cache.npz", "w/weights.pth", "all.tar.gz"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"data")
    create_package(str(tree), tmp_path / "package.zip", include_gitignore=True, excludes=[])
    packed = set(zipfile.ZipFile(tmp_path / "package.zip").namelist())
    strip = {name.removeprefix("tree/") for name in packed}
    assert {"jobs/bootstrap.py", "eisen_ray/config.py", "eisen_ray/data/sample/train/clip_000.mp4"} <= strip
    assert not {name for name in strip if re.search(r"film|cache\.npz|weights\.pth|all\.tar|^data/|^runs/|^tests/|^docs/", name)}
    assert (tmp_path / "package.zip").stat().st_size < 10e6
