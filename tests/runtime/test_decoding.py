from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from eisen_ray.data.index import Fragment, Index
from eisen_ray.data.masks import read_masks
from eisen_ray.runtime.decoding import DecodeFragment, DecodeFrames, first_frames, stored_names
from eisen_ray.runtime.layout import RoundWork


def row(fragment: Fragment) -> dict:
    return {"fragment": fragment.to_json(), "error": ""}


def broken(fragment: Fragment) -> Fragment:
    return replace(fragment, clip=replace(fragment.clip, uris=("absent.mp4",)))


def test_frames_and_images_have_their_sizes(index: Index) -> None:
    made = DecodeFragment(flow_size=(128, 160), image_size=(64, 32), pair_stride=3)(row(index.fragments[0]))
    assert made["error"] == ""
    assert made["frames"].shape == (8, 128, 160, 3)
    assert made["images"].shape == (3, 64, 32, 3)
    assert made["frames"].dtype == made["images"].dtype == np.uint8


def test_images_are_the_frames_that_are_first_in_a_pair(index: Index) -> None:
    made = DecodeFragment(flow_size=(256, 256), image_size=(256, 256), pair_stride=3)(row(index.fragments[0]))
    assert np.array_equal(made["images"], made["frames"][[0, 3, 6]])


def test_what_is_not_asked_for_is_empty(index: Index) -> None:
    made = DecodeFragment(flow_size=None, image_size=None)(row(index.fragments[0]))
    assert len(made["frames"]) == len(made["images"]) == 0


def test_unreadable_fragment_carries_its_reason(index: Index) -> None:
    made = DecodeFragment(flow_size=(128, 128), image_size=(64, 64))(row(broken(index.fragments[0])))
    assert "absent.mp4" in made["error"]
    assert len(made["frames"]) == len(made["images"]) == 0


def test_single_frames_come_with_their_masks(work: RoundWork, held_out: Index) -> None:
    clip = held_out.fragments[0].clip
    made = DecodeFrames(work)({"clip": clip.to_json(), "frames": json.dumps([1, 5]), "scored": True})
    truth = read_masks(clip, [1, 5])
    assert made["images"].shape == (2, 64, 64, 3)
    assert truth is not None
    assert np.array_equal(made["truth"], truth)


def test_masks_are_read_only_to_score(work: RoundWork, held_out: Index) -> None:
    row = {"clip": held_out.fragments[0].clip.to_json(), "frames": "[1]", "scored": False}
    assert len(DecodeFrames(work)(row)["truth"]) == 0


def test_stored_files_are_named_by_fragment_and_digest(work: RoundWork, index: Index) -> None:
    fragment = index.fragments[0]
    assert stored_names(fragment, "flow/abc") == {"fragment_id": fragment.fragment_id, "digest": "abc"}
    assert first_frames(fragment, work) == [0, 2, 4, 6]
