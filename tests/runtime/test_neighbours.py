from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eisen_ray.data.layouts import list_clips
from eisen_ray.runtime.neighbours import DecodeNeighbours
from tests.runtime.peers import small_table


def test_neighbours_are_the_next_frames_and_at_the_end_the_one_before(tmp_path: Path) -> None:
    clip = list_clips("frames", small_table(tmp_path).data.source)[0]
    pairs = DecodeNeighbours(128, 128)({"clip": clip.to_json(), "frames": "[0, 3]"})["pairs"]
    assert pairs.shape == (2, 2, 128, 128, 3)
    centres = [[float((frame.mean(-1) > 110).nonzero()[1].mean()) for frame in pair] for pair in pairs]
    assert centres[0][1] - centres[0][0] == pytest.approx(16, abs=4), "6 of 48 px to the right"
    assert centres[1][1] - centres[1][0] == pytest.approx(-16, abs=4), "the last frame looks back"


def test_a_clip_of_one_frame_does_not_move(tmp_path: Path) -> None:
    clip = list_clips("frames", small_table(tmp_path).data.source)[0]
    single = replace(clip, uris=clip.uris[:1])
    pairs = DecodeNeighbours(64, 64)({"clip": single.to_json(), "frames": "[0]"})["pairs"]
    assert np.array_equal(pairs[0, 0], pairs[0, 1])
