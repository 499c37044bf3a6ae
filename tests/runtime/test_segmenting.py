from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eisen_ray.data.layouts import list_held_out
from eisen_ray.data.packed import unpack_labels
from eisen_ray.errors import WeightsError
from eisen_ray.evaluate_config import EvaluateConfig
from eisen_ray.runtime.checkpoints import StoredCheckpoint, find_checkpoint
from eisen_ray.runtime.scoring import DecodeScored
from eisen_ray.runtime.segmenting import SegmentScored, segment_confidences
from tests.runtime.networks import TINY_RUN, store_network

GRID = (8, 12)


@pytest.fixture
def checkpoint(tmp_path: Path) -> StoredCheckpoint:
    store_network(str(tmp_path / "weights"))
    return find_checkpoint(str(tmp_path / "weights/net"))


@pytest.fixture
def config() -> EvaluateConfig:
    return EvaluateConfig(grouping=TINY_RUN.grouping)


def sample_row(frames: list[int]) -> dict[str, str]:
    return {"clip": list_held_out("sample", "")[0].to_json(), "frames": json.dumps(frames)}


def test_segments_do_not_depend_on_what_else_is_scored(checkpoint: StoredCheckpoint, config: EvaluateConfig) -> None:
    segment, decode = SegmentScored(checkpoint, config), DecodeScored(32, 48)
    together, alone = segment(decode(sample_row([0, 5]))), segment(decode(sample_row([5])))
    assert together["labels"][1] == alone["labels"][0]
    other = SegmentScored(checkpoint, replace(config, seed=1))(decode(sample_row([5])))
    assert other["labels"] != alone["labels"]


def test_grouping_is_the_asked_one(checkpoint: StoredCheckpoint, config: EvaluateConfig) -> None:
    nothing = replace(config, grouping=replace(config.grouping, min_region_nodes=10_000))
    labels = SegmentScored(checkpoint, nothing)(DecodeScored(32, 48)(sample_row([0])))["labels"][0]
    assert unpack_labels(labels, GRID).max() == 0


def test_confidence_is_the_share_that_other_passes_find_again() -> None:
    first, second = np.array([[1, 1, 1, 2]]), np.array([[5, 5, 0, 7]])
    assert segment_confidences(np.stack([first, second])) == pytest.approx({1: 3 / 4 * 2 / 3, 2: 1 / 4})
    assert segment_confidences(first[None]) == {1: 3 / 4, 2: 1 / 4}


def test_weights_that_changed_since_are_refused(checkpoint: StoredCheckpoint, config: EvaluateConfig) -> None:
    store_network(checkpoint.root, checkpoint.path, seed=5)
    with pytest.raises(WeightsError, match="changed while it was read"):
        SegmentScored(checkpoint, config)
