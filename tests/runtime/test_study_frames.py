from __future__ import annotations

from dataclasses import replace

import pytest

from eisen_ray.data.index import Index
from eisen_ray.errors import DataError
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.study_frames import held_out_fragments, moving_frames, unmasked_frames


def test_held_out_fragments_of_the_sample(work: RoundWork, ray_cluster: None) -> None:
    found = held_out_fragments(work.store, work.config.data)
    assert {fragment.clip.clip_id.split("/")[0] for fragment in found} == {"val"}


def test_unmasked_frames_are_first_frames(index: Index) -> None:
    (frame,) = unmasked_frames(list(index.fragments), 1)
    assert (frame.frame, frame.masked) == (index.fragments[0].start, False)
    assert len(unmasked_frames(list(index.fragments), 0)) == len(index.fragments)


def test_motion_is_made_where_it_is_missing(work: RoundWork, index: Index, ray_cluster: None) -> None:
    frames, made = moving_frames(work, list(index.fragments), 2, False, Reporter(work.store))
    assert made.flow_identity.startswith("dis")
    assert frames
    assert all(frame.fragment for frame in frames)


def test_where_nothing_moves_it_says_what_to_do(work: RoundWork, index: Index, ray_cluster: None) -> None:
    still = replace(work, config=replace(work.config, motion=replace(work.config.motion, threshold_px=1000.0)))
    with pytest.raises(DataError, match=r"motion\.threshold_px 1000"):
        moving_frames(still, list(index.fragments), 2, False, Reporter(work.store))
