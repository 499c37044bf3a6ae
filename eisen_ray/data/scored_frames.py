"""Frames to be scored: which of a clip have a mask, and each with its mask; what is damaged is named and left out.

Unlike training, scoring needs no pairs: one picture with a mask will do, and a bad mask costs one frame. [Decision 89]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eisen_ray.data.clips import Clip
from eisen_ray.data.decode import scan_video
from eisen_ray.data.frames import Quarantined, read_frames, resize
from eisen_ray.data.masks import masked_frames, read_archive, read_masks
from eisen_ray.errors import DataError

NUM_NAMED = 5
"""Clips or frames that an error names."""


class MaskedClip(NamedTuple):
    """A clip and the frames of it that have a mask."""

    clip: Clip
    frames: list[int]


class ScoredFrame(NamedTuple):
    """One frame: uint8 [H, W, 3], and its mask, uint16 ids [h, w] of the same shape up to scale, 0 = no object."""

    frame: int
    image: np.ndarray
    truth: np.ndarray


def find_masked(clip: Clip) -> MaskedClip | Quarantined:
    """Which frames of a clip have a mask; decodes a video once, to count its frames and learn where to seek.

    Failures of the storage itself are raised.
    """
    try:
        found = _find(clip)
    except DataError as error:
        return Quarantined(clip.clip_id, clip.address, str(error).removeprefix(f"{clip.address}: "))
    return found if found.frames else Quarantined(clip.clip_id, clip.address, "no frame has a mask")


def _find(clip: Clip) -> MaskedClip:
    if clip.meta.get("problem"):
        raise DataError(f"{clip.address}: {clip.meta['problem']}")
    if not clip.masks:
        return MaskedClip(clip, [])
    num_frames = len(clip.uris)
    if clip.kind == "video":
        scan = scan_video(clip.uris[0])
        num_frames = scan.num_frames
        clip = replace(clip, meta={**clip.meta, "anchors": [list(anchor) for anchor in scan.anchors]})
    if clip.has_mask_archive:
        num_masks = len(read_archive(clip.masks[0]))
        if num_masks != num_frames:
            raise DataError(f"{clip.masks[0]}: {num_masks} masks for {num_frames} frames; expected as many. Check it.")
    frames = masked_frames(clip, range(num_frames))
    if clip.kind == "video":
        return MaskedClip(clip, frames)
    # A Playroom trial without its second frame names its first one twice.
    first = {clip.uris[frame]: frame for frame in reversed(frames)}
    return MaskedClip(clip, sorted(first.values()))


def read_scored(clip: Clip, frames: Sequence[int]) -> tuple[list[ScoredFrame], list[Quarantined]]:
    """Some frames of a clip with their masks, and those that cannot be used.

    Failures of the storage itself are raised.
    """
    found, bad = [], []
    masks = _masks(clip, frames)
    for frame, mask in zip(frames, masks, strict=True):
        try:
            found.append(_checked(clip, frame, mask))
        except DataError as error:
            bad.append(Quarantined(clip.clip_id, f"{clip.address}, frame {frame}", str(error)))
    return found, bad


def read_to_show(clip: Clip, frame: int, width: int) -> ScoredFrame | None:
    """One frame and its mask for a sheet: the picture `width` px wide in its own shape, the mask at its own size.

    None: it cannot be read.
    """
    scored, _ = read_scored(clip, [frame])
    if not scored:
        return None
    height, own_width = scored[0].image.shape[:2]
    size = (max(1, round(width * height / own_width)), width)
    return scored[0]._replace(image=resize(scored[0].image[None], *size)[0])


def _masks(clip: Clip, frames: Sequence[int]) -> list[np.ndarray | DataError]:
    try:
        together = read_masks(clip, frames)
        if together is not None:
            return list(together)
    except DataError:
        pass  # one of them; which one, and why, is found below
    return [_mask(clip, frame) for frame in frames]


def _mask(clip: Clip, frame: int) -> np.ndarray | DataError:
    try:
        alone = read_masks(clip, [frame])
    except DataError as error:
        return error
    return DataError(f"{clip.address}: frame {frame} has no mask.") if alone is None else alone[0]


def _checked(clip: Clip, frame: int, mask: np.ndarray | DataError) -> ScoredFrame:
    if isinstance(mask, DataError):
        raise mask
    image = read_frames(clip, frame, 1)[0]
    (height, width), (mask_height, mask_width) = image.shape[:2], mask.shape
    # Half a pixel of rounding on each side of the mask is no other shape.
    if abs(mask_height * width - mask_width * height) > (height + width) / 2:
        raise DataError(
            f"{clip.mask_of(frame) or clip.masks[0]}: mask of {mask_width}x{mask_height}, frame of {width}x{height}; "
            "expected the same shape. Make the mask from this frame, or remove it."
        )
    return ScoredFrame(frame, image, mask)


def check_scored(num_usable: int, quarantine: Sequence[Quarantined], source: str) -> None:
    """Refuse a source of which nothing can be scored.

    Raises:
        DataError: with the first reasons.
    """
    if num_usable > 0:
        return
    lines = [f"  {item.uri}: {item.reason}" for item in quarantine[:NUM_NAMED]]
    more = [f"  and {len(quarantine) - NUM_NAMED} more"] if len(quarantine) > NUM_NAMED else []
    raise DataError(
        "\n".join(
            [f"No frame with a usable mask at {source}; expected at least one. Check data.source:", *lines, *more]
        )
    )
