"""Images of a study: decoded once, at the network's size, each with what it is scored against. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eisen_ray.data.clips import Clip
from eisen_ray.data.frames import read_frames, resize
from eisen_ray.data.index import Fragment
from eisen_ray.data.pairs import decode_labels
from eisen_ray.data.scored_frames import MaskedClip, read_scored
from eisen_ray.errors import DataError
from eisen_ray.evaluate_config import ScoredDataConfig
from eisen_ray.runtime.decoding import first_frames, stored_names
from eisen_ray.runtime.layout import RoundWork, fragment_file
from eisen_ray.runtime.reading import spread


@dataclass(frozen=True)
class StudyFrame:
    """Where an image of a study comes from: a frame, and the stored motion that stands for its masks, if any.

    Attributes:
        clip: the clip.
        frame: number in the clip.
        masked: whether it has masks.
        fragment: JSON of the fragment whose stored motion is the truth; "" for masks or nothing.
    """

    clip: Clip
    frame: int
    masked: bool = False
    fragment: str = ""


@dataclass(frozen=True)
class StudyImage:
    """A decoded image: uint8 [H, W, 3]; truth, integer ids [h, w], 0 = no object, or None."""

    name: str
    frame: int
    image: np.ndarray
    truth: np.ndarray | None = None
    arm_id: int | None = None


def masked_study_frames(clips: Sequence[MaskedClip], wanted: int) -> list[StudyFrame]:
    """At most `wanted` frames with masks (0 = all), spread evenly over all."""
    every = [StudyFrame(found.clip, frame, masked=True) for found in clips for frame in found.frames]
    return [every[place] for place in spread(len(every), wanted or len(every))]


def moving_study_frames(work: RoundWork, fragments: Sequence[Fragment], wanted: int) -> list[StudyFrame]:
    """Frames of fragments whose stored motion is not empty, one a fragment, at most `wanted` (0 = all)."""
    every = []
    for fragment in fragments:
        path = fragment_file(work.motion_folder, fragment.fragment_id)
        if not work.targets.exists(path):
            continue
        motion = decode_labels(work.targets.read(path), **stored_names(fragment, work.motion_folder)).values
        moving = (motion > 0).reshape(len(motion), -1).sum(axis=1)
        if moving.any():
            frame = first_frames(fragment, work)[int(moving.argmax())]
            every.append(StudyFrame(fragment.clip, frame, fragment=fragment.to_json()))
    return [every[place] for place in spread(len(every), wanted or len(every))]


def read_study_image(frame: StudyFrame, work: RoundWork, data: ScoredDataConfig) -> StudyImage:
    """Decode an image and its truth.

    Args:
        frame: which.
        work: the network's image size, and where stored motion lies.
        data: what masks mean.

    Raises:
        DataError: it cannot be decoded, or its mask is damaged.
    """
    size, clip = (work.config.data.image_height, work.config.data.image_width), frame.clip
    if frame.masked:
        found, bad = read_scored(clip, [frame.frame])
        if not found:
            raise DataError(f"{bad[0].uri}: {bad[0].reason}")
        truth = found[0].truth.astype(np.int64)
        if data.ignore_id:
            truth[truth == data.ignore_id] = 0
        arm_id = None if data.arm_id < 0 else data.arm_id or clip.meta.get("arm_id")
        return StudyImage(clip.clip_id, frame.frame, resize(found[0].image[None], *size)[0], truth, arm_id)
    image = resize(read_frames(clip, frame.frame, 1), *size)[0]
    if not frame.fragment:
        return StudyImage(clip.clip_id, frame.frame, image)
    fragment = Fragment.from_json(frame.fragment)
    path = fragment_file(work.motion_folder, fragment.fragment_id)
    motion = decode_labels(work.targets.read(path), **stored_names(fragment, work.motion_folder)).values
    place = first_frames(fragment, work).index(frame.frame)
    return StudyImage(clip.clip_id, frame.frame, image, motion[place].astype(np.int64))
