"""BridgeData, raw: `.../raw/traj_group<i>/traj<j>/images<camera>/im_<t>.jpg`.

The authors' masks were never released; simulated trajectories have theirs [Decision 80]. Masks of one's own are found
as for any folder of frames (`frame_folders`): `images<camera>_masks/im_<t>.png` or `images<camera>_masks.npz` beside
the frames, or `masks/<the frames' folder>/`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from eisen_ray.data.clips import Clip
from eisen_ray.data.files import list_folder
from eisen_ray.data.frame_folders import FolderMasks, group_by_folder, is_mask_folder
from eisen_ray.errors import DataError

FRAME = re.compile(r"(?P<group>(?:.*/)?traj_group[0-9]+)/traj[0-9]+/images[0-9]+/im_[0-9]+\.(?:jpg|jpeg|png)")
"""A colour frame; depth pictures lie in folders of other names (depth_images0)."""
ARM_ID = 1
"""The robot arm's id in masks, as in the sample."""
NUM_GROUPS = 397
"""Trajectory groups of the authors' selection (BridgeData v1, toykitchen_fixed_cam)."""
VAL_GROUPS = frozenset({
    19, 60, 66, 73, 89, 101, 130, 154, 180, 184, 194, 201, 204, 233, 280, 299, 304, 332, 343, 344, 353, 358, 367, 390,
    393,
})  # fmt: skip
"""Positions of the validation groups in the sorted list (authors)."""
TEST_GROUPS = frozenset({
    5, 7, 61, 84, 90, 95, 103, 119, 152, 162, 169, 202, 234, 242, 244, 253, 256, 272, 291, 306, 310, 315, 327, 375, 395,
})  # fmt: skip
"""Positions of the test groups in the sorted list (authors)."""


def list_clips(source: str) -> list[Clip]:
    """Every trajectory of every camera; without the authors' held-out groups when all 397 groups are there.

    Raises:
        DataError: `source` does not exist or holds no such frame.
    """
    return [clip for clip in _trajectories(source) if clip.split == "train"]


def held_out(source: str, split: str = "val") -> list[Clip]:
    """The authors' validation (or "test") groups; none unless `source` has exactly their 397 groups.

    Raises:
        DataError: `source` does not exist or holds no such frame.
    """
    return [clip for clip in _trajectories(source) if clip.split == split]


def every_clip(source: str) -> list[Clip]:
    """Every trajectory of every camera, whatever its part.

    Raises:
        DataError: `source` does not exist or holds no such frame.
    """
    return _trajectories(source)


def _trajectories(source: str) -> list[Clip]:
    listing = list_folder(source)
    matches = [(file, FRAME.fullmatch(file.path)) for file in listing.files if not is_mask_folder(file.folder)]
    groups = {file.folder: match["group"] for file, match in matches if match is not None}
    if not groups:
        raise DataError(
            f"{source}: no raw/traj_group*/traj*/images*/im_*.jpg among {len(matches)} files; expected BridgeData as "
            "raw folders (not TFDS). Check data.source and data.layout."
        )
    frames = group_by_folder(file for file, match in matches if match is not None)
    # The authors sorted by text, not by number: their positions count in that order.
    ordered = sorted(set(groups.values()))
    splits = {group: _split(position, len(ordered)) for position, group in enumerate(ordered)}
    masks = FolderMasks(listing)
    clips = []
    for folder, files in frames.items():
        clip = replace(masks.clip(folder, files), split=splits[groups[folder]])
        clips.append(replace(clip, meta={**clip.meta, "arm_id": ARM_ID}) if clip.masks else clip)
    return clips


def _split(position: int, num_groups: int) -> str:
    if num_groups != NUM_GROUPS:
        return "train"
    return "val" if position in VAL_GROUPS else "test" if position in TEST_GROUPS else "train"
