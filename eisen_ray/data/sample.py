"""The clips inside the package: simulated, Bridge-like, a robot arm at a table; no download, no source to give."""

from __future__ import annotations

from dataclasses import replace

from eisen_ray.data import videos
from eisen_ray.data.clips import Clip
from eisen_ray.data.files import SAMPLE

ARM_ID = 1
"""Id of the robot's arm in the masks; 2 and above are objects."""


def list_clips(source: str = "") -> list[Clip]:
    """The training clips, without masks.

    Args:
        source: empty for the package's own; else a folder or URL laid out the same (`train/`, `val/`).

    Raises:
        DataError: `source` does not exist or holds no video.
    """
    return _part(source, "train")


def held_out(source: str = "") -> list[Clip]:
    """The validation clips, with instance masks; `meta["arm_id"]` names the arm's.

    Raises:
        DataError: `source` does not exist or holds no video.
    """
    return _part(source, "val")


def _part(source: str, split: str) -> list[Clip]:
    clips = [clip for clip in videos.list_clips(source or SAMPLE) if clip.clip_id.startswith(f"{split}/")]
    return [replace(clip, split=split, meta={**clip.meta, "arm_id": ARM_ID}) for clip in clips]
