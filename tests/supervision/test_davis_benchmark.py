"""The benchmark of motion targets runs on a folder laid out like DAVIS."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from benchmarks.davis_motion_targets import main


def write_sequence(root: Path, name: str, num_frames: int = 3) -> None:
    """A textured square crosses a textured scene that the camera pans over; 270x480."""
    rng = np.random.default_rng(0)
    scene, thing = (
        cv2.normalize(cv2.GaussianBlur(rng.random(size), (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
        for size in ((330, 540, 3), (90, 90, 3))
    )
    for index in range(num_frames):
        frame = scene[20:290, 20 + 3 * index : 500 + 3 * index].copy()
        mask = np.zeros(frame.shape[:2], np.uint8)
        place = np.s_[80:170, 120 + 5 * index : 210 + 5 * index]
        frame[place], mask[place] = thing, 255
        for kind, suffix, picture in (("JPEGImages", "jpg", frame), ("Annotations", "png", mask)):
            folder = root / kind / "480p" / name
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{index:05d}.{suffix}"), picture)


def test_benchmark_prints_a_table_and_writes_json(tmp_path: Path, capsys: object) -> None:
    write_sequence(tmp_path / "davis", "square")
    options = ["--estimator", "dis", "--grid-stride", "4", "--offsets", "1", "-1", "--cache", str(tmp_path / "flow")]
    main([str(tmp_path / "davis"), *options, "--json", str(tmp_path / "result.json")])
    table = capsys.readouterr().out.splitlines()
    assert table[-1].split()[0] == "mean"
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["sequences"][0]["frames"] == 2
    assert result["mean"]["plateau"] > 0.7
    assert result["mean"]["pooled"] > 0.7
    assert sorted(path.name for path in (tmp_path / "flow").iterdir()) == ["square_+1.npy", "square_-1.npy"]
