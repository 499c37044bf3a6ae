from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eisen_ray.data import frame_folders
from eisen_ray.data.clips import Clip
from eisen_ray.data.layouts import list_held_out
from eisen_ray.data.packed import pack_labels, unpack_labels
from eisen_ray.data.scored_frames import MaskedClip
from eisen_ray.evaluate_config import ScoredDataConfig
from eisen_ray.measures.image_scores import ImageScores
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.scoring import DecodeScored, ScoreMaps, find_all_masked, scored_rows
from eisen_ray.runtime.segmenting import SegmentScored
from tests.runtime.networks import EVALUATION, GRID, sample_row
from tests.video_files import frame_files, moving_frames, picture_bytes, write


def test_tasks_start_without_torch() -> None:
    code = "import sys, eisen_ray.runtime.scoring; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_clips_are_looked_at_in_order() -> None:
    clips = [*list_held_out("sample", "")[:2], Clip("bare", "frames", ("x",))]
    found = find_all_masked(clips)
    assert [each.frames for each in found[:2]] == [list(range(8))] * 2
    assert found[2].reason == "no frame has a mask"


def test_rows_hold_few_frames_of_one_clip_each() -> None:
    clips = [MaskedClip(Clip(name, "frames", ("x",)), list(range(count))) for name, count in (("a", 10), ("b", 3))]
    rows = scored_rows(clips, 0)
    assert [json.loads(row["frames"]) for row in rows] == [list(range(8)), [8, 9], [0, 1, 2]]
    few = scored_rows(clips, 4)
    assert [(Clip.from_json(row["clip"]).clip_id, json.loads(row["frames"])) for row in few] == [
        ("a", [0, 3, 6, 9]),
    ]
    assert sum(len(json.loads(row["frames"])) for row in scored_rows(clips, 100)) == 13


def test_from_frames_to_scores(checkpoint: StoredCheckpoint) -> None:
    decoded = DecodeScored(32, 48)(sample_row([0, 5]))
    assert decoded["images"].shape == (2, 32, 48, 3)
    assert (decoded["failures"], json.loads(decoded["sizes"])) == ("[]", [[256, 256]] * 2)
    segmented = SegmentScored(checkpoint, EVALUATION)(decoded)
    assert "images" not in segmented
    labels = unpack_labels(segmented["labels"][1], GRID)
    sure = json.loads(segmented["surety"])[1]
    assert set(map(int, sure)) == set(np.unique(labels[labels > 0]).tolist())
    scored = ScoreMaps(EVALUATION, GRID)(segmented)
    first, second = (ImageScores.from_dict(values) for values in json.loads(scored["scores"]))
    assert (first.clip_id, first.frame, second.frame, first.arm_id) == ("val/clip_000", 0, 5, 1)
    assert second.confidences.tolist() == pytest.approx([sure[str(i)] for i in sorted(map(int, sure))])
    assert "truth" not in scored


def test_a_row_of_which_nothing_can_be_used(checkpoint: StoredCheckpoint, tmp_path) -> None:
    files = frame_files("a", moving_frames(2)) | {"a_masks/00000.png": b"no picture"}
    (clip,) = frame_folders.list_clips(write(tmp_path / "data", files))
    decoded = DecodeScored(32, 48)({"clip": clip.to_json(), "frames": "[0]"})
    scored = ScoreMaps(EVALUATION, GRID)(SegmentScored(checkpoint, EVALUATION)(decoded))
    assert (scored["scores"], scored["labels"]) == ("[]", [])
    assert "cannot be decoded" in json.loads(scored["failures"])[0]["reason"]


def test_masks_of_other_sizes_and_ignored_values() -> None:
    truth = np.kron(np.array([[0, 3], [9, 3]], np.uint8), np.ones((40, 40), np.uint8))
    row = {
        "clip": Clip("a", "frames", ("x",)).to_json(),
        "frames": "[4]",
        "failures": "[]",
        "labels": pack_labels(np.kron([[1, 2], [1, 2]], np.ones((4, 6), int))[None]),
        "truth": pack_labels(truth[None]),
        "sizes": "[[80, 80]]",
        "surety": '[{"1": 0.5, "2": 0.25}]',
    }
    ignoring = replace(EVALUATION, data=ScoredDataConfig(arm_id=3, ignore_id=9))
    (found,) = json.loads(ScoreMaps(ignoring, GRID)(dict(row))["scores"])
    assert (found["object_ids"], found["ious"], found["arm_id"]) == ([3], [1.0], 3)
    assert found["segment_areas"] == [1 / 3, 2 / 3]
    (found,) = json.loads(ScoreMaps(EVALUATION, GRID)(dict(row))["scores"])
    assert (found["object_ids"], found["arm_id"]) == ([3, 9], None)
    row["clip"] = Clip("a", "frames", ("x",), meta={"arm_id": 9}).to_json()
    for asked, expected in ((0, 9), (3, 3), (-1, None)):
        (found,) = json.loads(
            ScoreMaps(replace(EVALUATION, data=ScoredDataConfig(arm_id=asked)), GRID)(dict(row))["scores"]
        )
        assert found["arm_id"] == expected


def test_pictures_are_read_as_they_are(tmp_path: Path) -> None:
    films = moving_frames(1, 64, 96)
    files = frame_files("a", films) | {"a_masks/00000.png": picture_bytes(np.ones((64, 96), np.uint8))}
    (clip,) = frame_folders.list_clips(write(tmp_path, files))
    decoded = DecodeScored(32, 48)({"clip": clip.to_json(), "frames": "[0]"})
    expected = films[0].reshape(32, 2, 48, 2, 3).mean((1, 3))
    assert np.abs(decoded["images"][0] - expected).max() <= 1
