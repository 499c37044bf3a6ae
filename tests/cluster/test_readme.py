"""cluster/README.md: every command in it has a test that runs it, and what it says of files and costs is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cluster.conftest import CLUSTER
from tests.cluster.printed import README, commands, name_of

HERE = Path(__file__).parent
COMMANDS = commands(README.read_text(encoding="utf-8"))


def untested(names: list[str], sources: list[str]) -> list[str]:
    """Commands without a function `test_NAME...` in a file that takes the printed line."""

    def tested(name: str, source: str) -> bool:
        return bool(re.search(rf"^def test_{name}(_\w*)?\(", source, re.M)) and f'printed("{name}")' in source

    return [name for name in names if not any(tested(name, source) for source in sources)]


def test_every_command_has_a_test_named_after_it() -> None:
    assert untested(list(COMMANDS), [path.read_text() for path in HERE.glob("test_*.py")]) == []


def test_a_command_without_a_test_is_found() -> None:
    good = 'def test_ray_up_starts(x: int) -> None:\n    run(printed("ray_up"))\n'
    assert untested(["ray_up", "ray_down"], [good]) == ["ray_down"]
    assert untested(["ray_up"], ["def test_ray_up() -> None:\n    run('ray up')\n"]) == ["ray_up"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("ray up -y cluster.yaml", "ray_up"),
        ('eval "$(cluster/local.sh env)"', "local_sh_env"),
        ("ray job submit --working-dir . -- python jobs/bootstrap.py", "ray_job_submit"),
        ("python cluster/render.py cluster/aws.yaml cluster/account.env > cluster.yaml", "render_py_aws_yaml"),
        ("python -m pip wheel --no-deps -w dist .", "pip_wheel"),
        ("export A=b", "export"),
    ],
)
def test_names_say_what_the_command_does(line: str, name: str) -> None:
    assert name_of(line) == name


def test_the_reader_sees_every_block_and_line() -> None:
    text = (
        "```sh\nray up a\nray up b\n\n# no command\nray up a\n```\n```\nno shell\n```\n```sh\nray down \\\n  c\n```\n"
    )
    assert commands(text) == {"ray_up": "ray up a", "ray_up_2": "ray up b", "ray_down": "ray down    c"}
    assert len(COMMANDS) > 15


def test_files_and_machines_of_the_readme_are_those_of_the_folder() -> None:
    text = README.read_text()
    for name in re.findall(r"^\| (`[^|]*`) \|", text, re.M):
        for each in re.findall(r"`([^`]+)`", name):
            assert list(CLUSTER.glob(each)), each
    types = set(re.findall(r"^ +InstanceType: (\S+)", (CLUSTER / "aws.yaml").read_text(), re.M))
    assert types == set(re.findall(r"^\| ([a-z]\w+\.\w+),", text, re.M))


def test_sums_of_the_costs() -> None:
    text = README.read_text()
    rows = re.findall(r"^\| [^|]+ \| (?:(\d+) to )?(\d+) \| ([\d.]+)", text, re.M)
    least = sum(int(low or high) * float(price) for low, high, price in rows)
    most = sum(int(high) * float(price) for _, high, price in rows)
    said = re.search(r"at least ([\d.]+) an hour; with everything running at most ([\d.]+) ", text)
    assert said
    assert (float(said[1]), float(said[2])) == (pytest.approx(least, abs=0.01), pytest.approx(most, abs=0.01))


def test_the_main_readme_gives_the_same_commands() -> None:
    text = (README.parent.parent / "README.md").read_text()
    assert "[cluster/README.md](cluster/README.md)" in text
    for name in ("ray_job_submit", "ray_up", "kubectl_apply"):
        assert f"`{COMMANDS[name]}`" in text
