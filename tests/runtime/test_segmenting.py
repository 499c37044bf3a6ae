from __future__ import annotations

import json
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from eisen_ray.data.packed import unpack_labels
from eisen_ray.errors import WeightsError
from eisen_ray.model.outlines import snap_to_edges
from eisen_ray.model.surety import segment_confidences
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.scoring import DecodeScored
from eisen_ray.runtime.segmenting import SegmentScored
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


def test_segments_are_as_sure_as_their_outlines_in_the_picture(checkpoint: StoredCheckpoint) -> None:
    finer = replace(EVALUATION, grouping=replace(EVALUATION.grouping, snap_to_edges=0.1, min_region_nodes=1))
    row = DecodeScored(32, 48)(sample_row([0]))
    image = row["images"][0]
    nodes = np.kron(np.arange(1, 5).reshape(2, 2), np.ones((4, 6), np.int64))
    stage = SegmentScored(checkpoint, finer)
    with mock.patch.object(stage, "_segment", return_value=nodes[None]):
        made = stage(row)
    outlined = snap_to_edges(nodes, image, 0.1)
    expected = segment_confidences(nodes[None], outlined, image)
    assert json.loads(made["surety"]) == [{str(name): value for name, value in expected.items()}]
    assert np.array_equal(unpack_labels(made["labels"][0], (32, 48)), outlined)


def test_weights_that_changed_since_are_refused(checkpoint: StoredCheckpoint) -> None:
    store_network(checkpoint.root, checkpoint.path, seed=5)
    with pytest.raises(WeightsError, match=f"holds weights .*; expected {checkpoint.sha256[:12]}"):
        SegmentScored(checkpoint, EVALUATION)
