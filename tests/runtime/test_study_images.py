from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eisen_ray.data.index import Index
from eisen_ray.data.layouts import list_scored
from eisen_ray.data.masks import masked_frames
from eisen_ray.data.pairs import encode_labels
from eisen_ray.data.scored_frames import MaskedClip, find_masked
from eisen_ray.errors import DataError
from eisen_ray.evaluate_config import ScoredDataConfig
from eisen_ray.runtime.decoding import first_frames, stored_names
from eisen_ray.runtime.layout import RoundWork, fragment_file
from eisen_ray.runtime.study_images import (
    StudyFrame,
    masked_study_frames,
    moving_study_frames,
    read_study_image,
)
from tests.video_files import archive_bytes, moving_frames, video_bytes, write


def test_masked_frames_are_spread_over_all(held_out: Index) -> None:
    clips = [MaskedClip(fragment.clip, [0, 1, 2, 3]) for fragment in held_out.fragments[:2]]
    assert [frame.frame for frame in masked_study_frames(clips, 4)] == [0, 2, 0, 2]
    assert len(masked_study_frames(clips, 0)) == 8


def test_an_image_and_its_masks_are_read(work: RoundWork, held_out: Index) -> None:
    clip = held_out.fragments[0].clip
    found = find_masked(clip)
    assert isinstance(found, MaskedClip)
    image = read_study_image(StudyFrame(found.clip, found.frames[0], masked=True), work, ScoredDataConfig())
    assert image.image.shape == (64, 64, 3)
    assert image.arm_id == 1
    assert image.truth is not None
    assert set(np.unique(image.truth)) > {0, 1}
    without = read_study_image(StudyFrame(found.clip, found.frames[0]), work, ScoredDataConfig())
    assert without.truth is None
    np.testing.assert_array_equal(without.image, image.image)


def test_ignored_pixels_are_no_object_and_no_arm_is_none(work: RoundWork, held_out: Index) -> None:
    fragment = held_out.fragments[0]
    frame = StudyFrame(fragment.clip, masked_frames(fragment.clip, fragment.frames)[0], masked=True)
    image = read_study_image(frame, work, ScoredDataConfig(arm_id=-1, ignore_id=1))
    assert image.arm_id is None
    assert image.truth is not None
    assert 1 not in image.truth


def test_stored_motion_stands_for_masks(work: RoundWork, index: Index) -> None:
    moving, still = index.fragments[:2]
    for fragment, moves in ((moving, True), (still, False)):
        frames = first_frames(fragment, work)
        labels = np.zeros((len(frames), *work.grid), np.uint16)
        labels[-1, 2:6, 3:9] = moves
        content = encode_labels(labels, **stored_names(fragment, work.motion_folder), frames=frames)
        work.targets.write(fragment_file(work.motion_folder, fragment.fragment_id), content)
    (found,) = moving_study_frames(work, index.fragments, 0)
    assert found.frame == first_frames(moving, work)[-1]
    truth = read_study_image(found, work, ScoredDataConfig()).truth
    assert truth is not None
    assert truth.shape == work.grid
    assert truth.sum() == 24


def test_fragments_without_stored_motion_are_left_out(work: RoundWork, index: Index) -> None:
    assert moving_study_frames(work, index.fragments, 0) == []


def test_a_damaged_mask_is_named(work: RoundWork, tmp_path: Path) -> None:
    film, masks = moving_frames(2, 24, 32), np.ones((2, 20, 32), np.uint8)
    source = write(tmp_path / "data", {"a.mp4": video_bytes("mp4", film), "a_masks.npz": archive_bytes(masks=masks)})
    (clip,) = list_scored("videos", source)
    with pytest.raises(DataError, match="same shape"):
        read_study_image(StudyFrame(clip, 0, masked=True), work, ScoredDataConfig())
