from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eisen_ray.data.packed import unpack_labels
from eisen_ray.errors import WeightsError
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.scoring import DecodeScored
from eisen_ray.runtime.segmenting import SegmentScored, segment_confidences
from tests.runtime.networks import EVALUATION, GRID, sample_row, store_network


def test_segments_do_not_depend_on_what_else_is_scored(checkpoint: StoredCheckpoint) -> None:
    segment, decode = SegmentScored(checkpoint, EVALUATION), DecodeScored(32, 48)
    together, alone = segment(decode(sample_row([0, 5]))), segment(decode(sample_row([5])))
    assert together["labels"][1] == alone["labels"][0]
    other = SegmentScored(checkpoint, replace(EVALUATION, seed=1))(decode(sample_row([5])))
    assert other["labels"] != alone["labels"]


def test_grouping_is_the_asked_one(checkpoint: StoredCheckpoint) -> None:
    nothing = replace(EVALUATION, grouping=replace(EVALUATION.grouping, min_region_nodes=10_000))
    labels = SegmentScored(checkpoint, nothing)(DecodeScored(32, 48)(sample_row([0])))["labels"][0]
    assert unpack_labels(labels, GRID).max() == 0


def test_confidence_is_the_share_that_other_passes_find_again() -> None:
    first, second = np.array([[1, 1, 1, 2]]), np.array([[5, 5, 0, 7]])
    assert segment_confidences(np.stack([first, second])) == pytest.approx({1: 3 / 4 * 2 / 3, 2: 1 / 4})
    assert segment_confidences(first[None]) == {1: 3 / 4, 2: 1 / 4}


def test_weights_that_changed_since_are_refused(checkpoint: StoredCheckpoint) -> None:
    store_network(checkpoint.root, checkpoint.path, seed=5)
    with pytest.raises(WeightsError, match=f"holds weights .*; expected {checkpoint.sha256[:12]}"):
        SegmentScored(checkpoint, EVALUATION)
