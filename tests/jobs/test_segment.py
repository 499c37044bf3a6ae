from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eisen_ray.build import build_eisen
from eisen_ray.config import DataConfig, GroupingConfig, ModelConfig, RunConfig
from eisen_ray.learning.checkpoint import save_checkpoint
from eisen_ray.report.media import read_video
from eisen_ray.settings import to_dict
from jobs.segment import main

ROOT = Path(__file__).resolve().parents[2]


def segment(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the door in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["segment", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(str(end.value.code))


def modules_after(code: str) -> set[str]:
    code += "\nimport sys\nprint(*sorted(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_door_is_light_and_never_imports_ray() -> None:
    assert not {"torch", "ray", "numpy"} & modules_after("import jobs.segment")
    assert "ray" not in modules_after("import eisen_ray.inference")


def test_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    config = RunConfig(
        data=DataConfig(image_height=32, image_width=32),
        model=ModelConfig(backbone="small", scope="full"),
        grouping=GroupingConfig(num_iterations=3, num_slots=4, plateau_width=8),
    )
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "model", build_eisen(config.model, config.grouping), {"config": to_dict(config)})
    Image.fromarray(np.zeros((40, 60, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    arguments = (tmp_path / "a.png", "--checkpoint", tmp_path / "model", "--output", tmp_path / "out")
    assert segment(monkeypatch, *arguments, "--device", "cpu") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a_labels.png", "a_overlay.png"}
    assert capsys.readouterr().out.startswith("a.png: ")
    assert segment(monkeypatch, *arguments, "--enlarge", "0.5") == 2
    assert "enlarge" in capsys.readouterr().err
    assert segment(monkeypatch, *arguments, "--enlarge", "2", "--snap-to-edges", "0.05") == 0
    assert segment(monkeypatch, *arguments, "--mirror", "True") == 0
    assert segment(monkeypatch, *arguments, "--num-passes", "2") == 0
    assert segment(monkeypatch, *arguments, "--num-passes", "0") == 2
    assert "num_passes" in capsys.readouterr().err
    assert segment(monkeypatch, *arguments, "--min-edge-share", "0.6") == 2
    assert "grouping.snap_to_edges" in capsys.readouterr().err
    assert segment(monkeypatch, *arguments, "--snap-to-edges", "0.05", "--min-edge-share", "0.6") == 0
    assert not np.asarray(Image.open(tmp_path / "out" / "a_labels.png")).any()


def test_without_a_checkpoint_the_network_in_the_package_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, frame = next(read_video(next((ROOT / "eisen_ray/data/sample/val").glob("*.mp4"))))
    Image.fromarray(frame).save(tmp_path / "a.png")
    assert segment(monkeypatch, tmp_path / "a.png", "--output", tmp_path / "out", "--device", "cpu") == 0
    labels = np.asarray(Image.open(tmp_path / "out" / "a_labels.png"))
    assert labels.shape == frame.shape[:2]
    assert len(np.unique(labels)) > 3


def test_errors_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(monkeypatch, tmp_path / "a.png", "--checkpoint", tmp_path) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: No checkpoint in ")
    assert shown.count("\n") == 1
