"""Jobs on a live cluster with two raylets, by the commands that README prints, from a client with two variables."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from eisen_ray.runtime.storage import Store
from tests.cluster.conftest import REGION, run_line
from tests.cluster.local_cluster import client
from tests.cluster.printed import printed
from tests.shared import REPOSITORY

TINY = "tiny --data.max-clips 2 --rounds.eval-images 2 --rounds.num-rounds 1"
WIDE = "--resources.train-workers 2 --resources.train-cpus 1.5"
"""No raylet of two CPUs holds both workers."""

STEPS = 400
LONG = f"{TINY} {WIDE} --train.num-steps {STEPS} --train.log-every-steps 5 --train.checkpoint-every-steps {STEPS}"
"""No checkpoint before the end, but by a stop."""


def started(line: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """A printed command under way."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.Popen(
        ["bash", "-c", line], cwd=REPOSITORY, env={**environment, "PATH": path, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Lines as they come, up to the first with the text."""
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"ended without {text!r}:\n{''.join(lines)}")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ray_job_submit_trains_on_both_raylets(local: dict[str, str], tmp_path: Path) -> None:
    line = printed("ray_job_submit")
    assert line.endswith("python jobs/bootstrap.py")
    told = run_line(f"{line} {TINY} {WIDE} --root {tmp_path / 'run'}", client(local), seconds=500)
    assert "round 1  evaluated" in told
    assert "succeeded" in told
    assert Store(str(tmp_path / "run")).exists("rounds/1/teacher.json")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ray_job_submit_2_reads_and_writes_the_bucket(local: dict[str, str], tmp_path: Path) -> None:
    """With a stand-in for S3 that every process of the cluster knows by the usual variables."""
    import boto3

    environment = client(local)
    boto3.client("s3", region_name=REGION).create_bucket(Bucket="eisen-runs")
    for number in range(2):
        shutil.copy(REPOSITORY / "eisen_ray" / "data" / "sample" / "train" / f"clip_00{number}.mp4", tmp_path)
    run_line(printed("account_py_upload").replace("/data/videos", str(tmp_path)), environment)

    # The preset's small twin: `folder` is for GPUs.
    line = printed("ray_job_submit_2").replace("bootstrap.py folder", f"bootstrap.py {TINY} --data.layout videos")
    assert "--submission-id pickup-1" in line
    told = run_line(line.replace("pickup-1", "bucket-1"), environment, seconds=500)
    assert "round 1  evaluated" in told
    root = re.search(r"--root (\S+)", line)
    assert root
    assert Store(root[1]).exists("rounds/1/teacher.json")


@pytest.fixture(scope="module")
def stopped(local: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A long job that `ray job stop` has ended, and what was seen of it."""
    environment, root = client(local), tmp_path_factory.mktemp("stopped") / "run"
    line = re.sub(r"folder --data.source \S+ --root \S+", f"{LONG} --root {root}", printed("ray_job_submit_2"))
    assert line.endswith(str(root))
    # The shell around the driver says what it ended with: Ray keeps no code of a stopped job.
    before, entrypoint = line.split(" -- ")
    whole = f"{before} -- sh -c 'trap : TERM; {entrypoint}; echo the driver ended with $?'"
    watching = started(whole, environment)
    seen = read_until(watching, f" 10/{STEPS}")
    running = run_line(printed("ray_job_status"), environment)
    said = run_line(printed("ray_job_stop"), environment)
    rest, _ = watching.communicate(timeout=120)
    return {
        "environment": environment, "root": root, "line": line, "seen": seen, "rest": rest, "running": running,
        "said": said, "code": watching.returncode,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_job_status_names_what_runs_and_what_was_stopped(stopped: dict[str, Any]) -> None:
    assert "RUNNING" in stopped["running"] or "running" in stopped["running"]
    assert "STOPPED" in run_line(printed("ray_job_status"), stopped["environment"]).upper()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_job_stop_saves_and_ends_in_order(stopped: dict[str, Any]) -> None:
    """Nobody else has saved: the only regular checkpoint is that of the last step."""
    assert "round 1  student " in stopped["seen"], "the log came while the job ran"
    assert printed("ray_job_stop").split()[-1] == "pickup-1"
    assert "stopping: the workers save a checkpoint" in stopped["rest"]
    assert "stopped; run the same command to continue" in stopped["rest"]
    assert "the driver ended with 143" in stopped["rest"]
    assert "Traceback" not in stopped["rest"]
    assert "stopped" in stopped["said"]
    assert stopped["code"] == 0, "as README says of a stopped job"
    assert len(list(stopped["root"].glob("training/*/checkpoint_*/used-*.npy"))) == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_job_logs_shows_the_continued_run_to_its_end(stopped: dict[str, Any]) -> None:
    environment = stopped["environment"]
    again = stopped["line"].replace("pickup-1", "pickup-2").replace("--submission-id", "--no-wait --submission-id")
    run_line(again, environment)
    told = run_line(printed("ray_job_logs").replace("pickup-1", "pickup-2"), environment, seconds=600)
    step = re.search(rf"round 1  student starts at step (\d+) of {STEPS}", told)
    assert step
    assert 10 <= int(step[1]) < STEPS
    assert set(re.findall(r"flow ready: (\d+) images computed", told)) <= {"0"}, "flow was computed again"
    assert "round 1  evaluated" in told
    assert Store(str(stopped["root"])).exists("rounds/1/teacher.json")


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("token", ["none", "wrong"])
def test_export_of_no_or_another_token_is_refused(local: dict[str, str], tmp_path: Path, token: str) -> None:
    assert "RAY_AUTH_MODE=token" in printed("export")
    environment = client(local)
    del environment["RAY_AUTH_TOKEN_PATH"]
    if token == "none":
        environment["RAY_AUTH_MODE"] = "disabled"
    else:
        environment["RAY_AUTH_TOKEN"] = "0" * 64
    with pytest.raises(AssertionError, match=r"401|403|[Uu]nauth|[Ii]nvalid|token"):
        run_line(f"ray job submit -- touch {tmp_path / 'done'}", environment, seconds=100)
    time.sleep(1)
    assert not (tmp_path / "done").exists()


def test_no_data_is_uploaded(tmp_path: Path) -> None:
    """Ray's own packager on our tree with a user's data in it."""
    from ray._private.runtime_env.packaging import create_package

    tree = tmp_path / "tree"
    names = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in [*names.splitlines(), ".rayignore"]:
        if (REPOSITORY / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, tree / name)
    for name in (
        "data/a.txt",
        "runs/quickstart/x.json",
        "film.mp4",
        "eisen_ray/cache.npz",
        "w/weights.pth",
        "all.tar.gz",
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"data")
    create_package(str(tree), tmp_path / "package.zip", include_gitignore=True, excludes=[])
    packed = set(zipfile.ZipFile(tmp_path / "package.zip").namelist())
    strip = {name.removeprefix("tree/") for name in packed}
    assert {"jobs/bootstrap.py", "eisen_ray/config.py", "eisen_ray/data/sample/train/clip_000.mp4"} <= strip
    assert not {
        name for name in strip if re.search(r"film|cache\.npz|weights\.pth|all\.tar|^data/|^runs/|^tests/|^docs/", name)
    }
    assert (tmp_path / "package.zip").stat().st_size < 10e6
