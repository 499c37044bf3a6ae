from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eisen_ray.errors import ConfigError, WeightsError
from jobs.evaluate import main, parse
from tests.runtime.networks import TINY_RUN, store_network

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def net(tmp_path: Path) -> str:
    store_network(str(tmp_path / "weights"))
    return str(tmp_path / "weights/net")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the door in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(str(end.value.code))


def test_grouping_is_the_checkpoints_where_nothing_else_is_said(net: str) -> None:
    checkpoint, config = parse([net])
    assert checkpoint.path == "net"
    assert config.grouping == TINY_RUN.grouping
    words = [net, "--grouping.threshold", "0.25", "--data.layout", "bridge", "--data.source", "/b", "--max-images", "9"]
    _, config = parse(words)
    assert (config.grouping.threshold, config.grouping.num_slots) == (0.25, 6)
    assert (config.data.layout, config.data.source, config.max_images) == ("bridge", "/b", 9)


def test_a_checkpoint_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No checkpoint given; expected its folder"):
        parse([])
    with pytest.raises(ConfigError, match="as the first argument"):
        parse(["--seed", "3"])
    with pytest.raises(WeightsError, match="No checkpoint at"):
        parse([str(tmp_path)])


@pytest.mark.parametrize("with_checkpoint", [False, True])
def test_help_is_light(net: str, with_checkpoint: bool) -> None:
    words = [*([net] if with_checkpoint else []), "--help"]
    code = f"import sys; from jobs.evaluate import parse\ntry: parse({words!r})\nexcept SystemExit: pass\n"
    code += "print('loaded:', {'torch', 'ray', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "loaded: set()" in done.stdout
    assert "--data.layout" in done.stdout
    assert f"(default: {'6' if with_checkpoint else '32'})" in done.stdout


def test_door(
    net: str, ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert run(monkeypatch, net, "--max-images", "2", "--passes", "1", "--output", str(output)) == 0
    assert {path.name for path in output.iterdir()} == {"scores.json", "images.jsonl", "evaluation.md", "sheet.png"}
    assert f"results  {output}/evaluation.md" in capsys.readouterr().out


def test_errors_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, str(tmp_path / "nothing")) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: No checkpoint at ")
    assert shown.count("\n") == 1
