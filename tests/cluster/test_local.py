"""cluster/local.sh for real: several raylets, loopback only, a token, and an end of all that it started."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.cluster.conftest import run_line, stop_local
from tests.cluster.local_cluster import command, environment_for, pids_with
from tests.cluster.printed import printed
from tests.shared import REPOSITORY

SCRIPT = str(REPOSITORY / "cluster" / "local.sh")


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
    request = urllib.request.Request(
        f"{address}/api/jobs/", headers={"Authorization": f"Bearer {token}"} if token else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_local_sh_start_is_closed_and_has_its_raylets(local: dict[str, str]) -> None:
    assert printed("local_sh_start").endswith("start 2")
    token = Path(local["RAY_AUTH_TOKEN_PATH"]).read_text()
    assert ask(local["RAY_API_SERVER_ADDRESS"]) == 401
    assert ask(local["RAY_API_SERVER_ADDRESS"], "wrong") in (401, 403)
    assert ask(local["RAY_API_SERVER_ADDRESS"], token) == 200
    folder = Path(local["EISEN_LOCAL"])
    assert (folder.stat().st_mode & 0o077, (folder / "token").stat().st_mode & 0o077) == (0, 0)

    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert listening(pids_with(local["EISEN_LOCAL"])) <= loopback


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_local_sh_env_is_enough_for_python(local: dict[str, str]) -> None:
    assert "local.sh env" in printed("local_sh_env")
    code = (
        "import ray; ray.init(log_to_driver=False); "
        "print(sorted((n['Labels'].get('role'), n['Resources'].get('CPU', 0)) for n in ray.nodes() if n['Alive']))"
    )
    shown = subprocess.run([sys.executable, "-c", code], env=local, capture_output=True, text=True, timeout=100)
    assert shown.stdout.strip() == "[('decode', 2.0), ('decode', 2.0), ('head', 0)]", shown.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_local_sh_stop_ends_also_what_jobs_have_left(aws: Path, short_folder: str) -> None:
    environment = environment_for(Path(tempfile.mkdtemp(dir=short_folder)) / "d")
    environment["HOME"] = str(aws)
    run_line(printed("local_sh_start").replace("start 2", "start 1"), environment)
    env_line = printed("local_sh_env")
    # A job under way, with a child that has left its session and does not listen.
    left = f"sleep 1000 # {environment['EISEN_LOCAL']}"
    popen = f"subprocess.Popen(['sh', '-c', 'trap : TERM; {left}'], start_new_session=True)"
    code = f"import subprocess, time; {popen}; time.sleep(1000)"
    run_line(f"{env_line}; ray job submit --no-wait -- python -c {shlex.quote(code)}", environment)
    end = time.monotonic() + 60
    while not any("sleep 1000" in command(pid) for pid in pids_with(environment["EISEN_LOCAL"])):
        assert time.monotonic() < end, "the job did not start"
        time.sleep(0.2)
    stop_local(environment, printed("local_sh_stop"))


@pytest.mark.slow
def test_a_second_start_is_refused(local: dict[str, str]) -> None:
    again = subprocess.run([SCRIPT, "start"], env=local, capture_output=True, text=True, timeout=60)
    assert again.returncode == 2
    assert "holds a cluster" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "said"), [(["stop"], "no cluster in"), (["env"], "no cluster in"), (["start", "many"], "got many")]
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    environment = environment_for(tmp_path / "none")
    done = subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
