from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eisen_ray.baselines.peer import Segmentation
from eisen_ray.data.clips import Clip
from eisen_ray.data.layouts import list_clips
from eisen_ray.data.packed import unpack_labels
from eisen_ray.data.scored_frames import MaskedClip
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.neighbours import DecodeNeighbours
from eisen_ray.runtime.peer_scoring import (
    ASKED,
    PeerWork,
    SegmentByPeer,
    asked_rows,
    confidences_of,
)
from eisen_ray.runtime.scoring import DecodeScored
from tests.runtime.peers import small_table


def asked(clip: Clip, variant: int = 0) -> Clip:
    """The clip, for the set "val" and a variant."""
    return replace(clip, meta={**clip.meta, ASKED: {"set": "val", "variant": variant}})


def row_of(clip: Clip, frames: list[int]) -> dict[str, object]:
    """Some frames of a clip, decoded."""
    return DecodeScored(64, 64)({"clip": clip.to_json(), "frames": json.dumps(frames)})


@pytest.mark.parametrize("row", ["felzenszwalb", "moving-region"])
def test_pictures_become_labels_with_confidences(tmp_path: Path, row: str) -> None:
    config = small_table(tmp_path)
    clip = asked(list_clips("frames", config.data.source)[0])
    work = PeerWork(config=config, row=row, variants=({"scale": 900.0}, {"scale": 200.0}))
    given = DecodeNeighbours(128, 128)(row_of(clip, [0, 2])) if row == "moving-region" else row_of(clip, [0, 2])
    found = SegmentByPeer(work)(given)
    assert "images" not in found
    assert "pairs" not in found
    for packed, surety in zip(found["labels"], json.loads(found["surety"]), strict=True):
        labels = unpack_labels(packed, (64, 64))
        assert {str(name) for name in np.unique(labels[labels > 0])} == set(surety)
        assert labels.any()


def test_the_network_sees_pictures_at_its_own_size(tmp_path: Path, checkpoint: StoredCheckpoint) -> None:
    work = PeerWork(config=small_table(tmp_path), row="network", variants=({},), checkpoint=checkpoint)
    assert work.image_size == (32, 48)
    assert replace(work, row="felzenszwalb").image_size == (64, 64)
    clip = asked(list_clips("frames", work.config.data.source)[0])
    found = SegmentByPeer(work)(DecodeScored(32, 48)({"clip": clip.to_json(), "frames": "[1]"}))
    labels = unpack_labels(found["labels"][0], (32, 48))
    assert (labels[::4, ::4].repeat(4, 0).repeat(4, 1) == labels).all(), "on the grid of nodes"


def test_the_variant_that_is_asked_for_segments(tmp_path: Path) -> None:
    config = small_table(tmp_path)
    clip = list_clips("frames", config.data.source)[0]
    stage = SegmentByPeer(PeerWork(config=config, row="felzenszwalb", variants=({"scale": 1.0}, {"scale": 900.0})))
    many, few = (unpack_labels(stage(row_of(asked(clip, k), [0]))["labels"][0], (64, 64)).max() for k in (0, 1))
    assert many > few


def test_rows_name_set_and_variant_and_each_set_has_its_own_limit(tmp_path: Path) -> None:
    clips = list_clips("frames", small_table(tmp_path).data.source)
    masked = [MaskedClip(clip, [0, 1, 2, 3]) for clip in clips]
    rows = asked_rows({"val": masked, "test": masked[:1]}, 3, 2)
    seen = [(Clip.from_json(row["clip"]).meta[ASKED], json.loads(row["frames"])) for row in rows]
    counts = {(mark["set"], mark["variant"]): 0 for mark, _ in seen}
    for mark, frames in seen:
        counts[mark["set"], mark["variant"]] += len(frames)
    assert counts == {("val", 0): 3, ("val", 1): 3, ("test", 0): 3, ("test", 1): 3}
    assert ASKED not in clips[0].meta


def test_without_confidences_a_segment_is_as_sure_as_it_is_large() -> None:
    labels = np.array([[1, 1, 1, 0], [4, 0, 0, 0]], np.int32)
    assert confidences_of(Segmentation(labels, {})) == {1: 0.375, 4: 0.125}
    assert confidences_of(Segmentation(labels, {1: 0.9, 4: 0.2})) == {1: 0.9, 4: 0.2}
    assert confidences_of(Segmentation(labels * 0, {})) == {}
