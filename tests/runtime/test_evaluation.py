from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from eisen_ray.build import build_eisen
from eisen_ray.data.index import Index
from eisen_ray.learning.checkpoint import save_checkpoint
from eisen_ray.measures.mean_iou import image_iou
from eisen_ray.model.outlines import snap_to_edges
from eisen_ray.runtime.decoding import DecodeFrames
from eisen_ray.runtime.evaluation import ScoreStage, gate_frames, scored_frames, summed
from eisen_ray.runtime.layout import RoundWork, Teacher


@pytest.fixture
def candidate(work: RoundWork, tmp_path: Path) -> RoundWork:
    torch.manual_seed(0)
    sha256 = save_checkpoint(tmp_path / "c", build_eisen(work.config.model, work.config.grouping), {"step": 0})
    work.store.upload(tmp_path / "c", "candidate")
    return replace(work, teacher=Teacher(path="candidate", sha256=sha256))


def test_frames_are_spread_over_all_clips(held_out: Index) -> None:
    frames = scored_frames(held_out.fragments, 4)
    assert [frame for _, frame in frames] == [0, 4, 0, 4]
    assert len({fragment.clip.clip_id for fragment, _ in frames}) == 2


def test_clips_without_masks_are_not_scored_but_serve_the_gate(index: Index) -> None:
    assert scored_frames(index.fragments, 4) == []
    assert len(gate_frames(index.fragments, 8)) == 2


def test_scores_and_health_come_from_different_images(candidate: RoundWork, held_out: Index, index: Index) -> None:
    decode, score = DecodeFrames(candidate), ScoreStage(candidate)
    rows = [
        {"clip": held_out.fragments[0].clip.to_json(), "frames": "[0, 4]", "scored": True},
        {"clip": index.fragments[0].clip.to_json(), "frames": "[2]", "scored": False},
    ]
    scored, gate = (score(decode(row)) for row in rows)
    assert scored["labels"].shape == (2, 64, 64), "with outlines on edges of the picture, as the preset has it"
    assert set(json.loads(gate["facts"])[0]) == {"segments_per_image", "coverage", "agreement"}
    found = summed([scored, gate])
    assert found.scores["num_images"] == 2
    assert {"mean_iou", "mean_iou_arm", "mean_iou_objects"} <= set(found.scores)
    assert set(found.ious) == {(held_out.fragments[0].clip.clip_id, 0), (held_out.fragments[0].clip.clip_id, 4)}
    assert len(found.predictions) == 3
    assert found.health["coverage"] == json.loads(gate["facts"])[0]["coverage"]


def test_outlines_on_edges_are_what_is_scored(candidate: RoundWork, held_out: Index) -> None:
    config = candidate.config
    finer = replace(config.grouping, enlarge=1.5, snap_to_edges=0.05, min_region_nodes=1)
    snapping = replace(candidate, config=replace(config, grouping=finer))
    row = DecodeFrames(snapping)({"clip": held_out.fragments[0].clip.to_json(), "frames": "[3]", "scored": True})
    truth, stage = row["truth"][0], ScoreStage(snapping)
    nodes = torch.from_numpy(np.kron(np.arange(1, 5).reshape(2, 2), np.ones((12, 12), np.int64)))
    with mock.patch.object(stage.student, "segment_runs", return_value=nodes[None, None]):
        found = stage(row)
    assert np.array_equal(found["labels"][0], snap_to_edges(nodes.numpy(), row["images"][0], 0.05))
    (facts,) = json.loads(found["facts"])
    score = image_iou(found["labels"][0], truth, held_out.fragments[0].clip.meta["arm_id"])
    assert facts["ious"] == score.ious.tolist()
    assert facts["ious"] != image_iou(nodes.numpy(), truth, held_out.fragments[0].clip.meta["arm_id"]).ious.tolist()


def test_scoring_is_repeatable(candidate: RoundWork, held_out: Index) -> None:
    row = {"clip": held_out.fragments[0].clip.to_json(), "frames": "[3]", "scored": True}
    first, second = (ScoreStage(candidate)(DecodeFrames(candidate)(row))["labels"] for _ in range(2))
    assert np.array_equal(first, second)


def test_student_without_any_segment_has_no_agreement() -> None:
    facts = [{"segments_per_image": 0, "coverage": 0.0, "agreement": math.nan}]
    row = {"clip_id": "c", "frames": "[0]", "scored": False, "labels": np.zeros((1, 2, 2)), "facts": json.dumps(facts)}
    found = summed([row])
    assert found.health == {"segments_per_image": 0.0, "coverage": 0.0, "agreement": 0.0}
    assert found.scores == {}
