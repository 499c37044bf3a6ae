from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eisen_ray.compare_config import CompareConfig
from eisen_ray.compare_presets import TABLE4
from jobs.compare import main, parse

ROOT = Path(__file__).resolve().parents[2]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the door in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(str(end.value.code))


def test_a_preset_and_changes() -> None:
    config = parse(["table1_bridge", "--data.source", "/b", "--rows", "felzenszwalb", "detr:full", "--seed", "3"])
    assert (config.data.layout, config.data.source, config.seed) == ("bridge", "/b", 3)
    assert config.rows == ("felzenszwalb", "detr:full")
    with pytest.raises(SystemExit):
        parse(["table1_bridge", "--rows", "magic"])


@pytest.mark.parametrize("words", [["--help"], ["table4_playroom", "--help"]])
def test_help_is_light(words: list[str]) -> None:
    code = f"import sys; from jobs.compare import parse\ntry: parse({words!r})\nexcept SystemExit: pass\n"
    code += "print('loaded:', {'torch', 'ray', 'numpy', 'transformers', 'skimage'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "loaded: set()" in done.stdout
    assert ("table1_playroom" if len(words) == 1 else "--variants.num-clusters") in done.stdout


def test_the_door_hands_its_settings_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[CompareConfig] = []
    monkeypatch.setattr("eisen_ray.runtime.compare.compare", given.append)
    assert run(monkeypatch, "table4_bridge", "--data.source", "/b", "--max-images", "7") == 0
    assert [(config.data.source, config.max_images, config.rows) for config in given] == [("/b", 7, TABLE4)]


@pytest.mark.slow
def test_door(
    ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["table1_sample", "--rows", "felzenszwalb", "--root", str(tmp_path), "--max-images", "2"]
    assert run(monkeypatch, *words, "--variants.felzenszwalb-scales", "200") == 0
    assert f"results  {tmp_path}/compare.md" in capsys.readouterr().out
    assert "| felzenszwalb, scale 200 |" in (tmp_path / "compare.md").read_text()


def test_errors_are_one_line(
    ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "table4_sample", "--root", str(tmp_path)) == 2
    assert "error: No row of the table can be made" in capsys.readouterr().err
