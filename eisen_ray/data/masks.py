"""Evaluation masks: instance ids from archives, index pictures and colour-coded pictures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import numpy as np
from PIL import Image

from eisen_ray.data.clips import Clip
from eisen_ray.data.files import read_many
from eisen_ray.errors import DataError


def read_masks(clip: Clip, frames: Sequence[int]) -> np.ndarray | None:
    """Instance ids of some frames of a clip.

    Args:
        clip: the clip.
        frames: frame numbers in the clip.

    Returns:
        uint16 [n, H, W], 0 = background or no object, all 0 for a frame that has no mask; None when none of these
        frames has a mask.

    Raises:
        DataError: a mask is damaged, of another size than the others, or holds what no id can be.
    """
    present = masked_frames(clip, frames)
    if not present:
        return None
    if clip.has_mask_archive:
        archive = read_archive(clip.masks[0])
        _require_count(clip, archive, max(frames) + 1)
        return archive[list(frames)]
    contents = read_many([clip.mask_of(frame) for frame in present])
    decoded = {
        frame: decode_mask(content, clip.mask_of(frame), clip.meta.get("mask_format", "ids"), clip.meta.get("zone_id"))
        for frame, content in zip(present, contents, strict=True)
    }
    sizes = {mask.shape for mask in decoded.values()}
    if len(sizes) > 1:
        raise DataError(f"{clip.address}: masks of sizes {sorted(sizes)}; expected one size. Make them alike.")
    empty = np.zeros(sizes.pop(), np.uint16)
    return np.stack([decoded.get(frame, empty) for frame in frames])


def masked_frames(clip: Clip, frames: Sequence[int]) -> list[int]:
    """Those of the given frames that have a mask, without reading it."""
    return [frame for frame in frames if clip.has_mask_archive or clip.mask_of(frame)]


def resize_masks(masks: np.ndarray, height: int, width: int) -> np.ndarray:
    """Nearest-neighbour resize of [n, H, W] ids, by pixel centres."""
    rows = ((np.arange(height) + 0.5) * masks.shape[1] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * masks.shape[2] / width).astype(np.int64)
    return masks[:, rows[:, None], columns[None, :]]


def check_masks(clip: Clip, num_frames: int, height: int, width: int) -> None:
    """Check every mask of a clip against its frames.

    Raises:
        DataError: another count, another size, or a mask that cannot be read.
    """
    if clip.has_mask_archive:
        archive = read_archive(clip.masks[0])
        if archive.shape != (num_frames, height, width):
            raise DataError(
                f"{clip.masks[0]}: masks of shape {archive.shape}, frames of {(num_frames, height, width)}; "
                "expected the same. Make the masks from these frames, or remove them."
            )
        return
    if len(clip.masks) > num_frames:
        raise DataError(f"{clip.masks[-1]}: mask {len(clip.masks) - 1} of a clip of {num_frames} frames. Remove it.")
    for frame in masked_frames(clip, range(num_frames)):
        masks = read_masks(clip, [frame])
        if masks is not None and masks.shape[1:] != (height, width):
            raise DataError(
                f"{clip.mask_of(frame)}: mask of {masks.shape[2]}x{masks.shape[1]}, frames of {width}x{height}; "
                "expected the same size. Resize the masks by nearest neighbour, or remove them."
            )


def read_archive(uri: str) -> np.ndarray:
    """The array `masks` (or the only array) of a `.npz` file as uint16 [frames, H, W].

    Raises:
        DataError: damaged, ambiguous, not three-dimensional, or no ids of 0..65535.
    """
    content = read_many([uri])[0]
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            names = archive.files
            name = "masks" if "masks" in names else names[0] if len(names) == 1 else None
            array = None if name is None else archive[name]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise DataError(f"{uri}: cannot be read ({error}); expected a complete .npz file. Write it again.") from error
    if array is None:
        raise DataError(f"{uri}: holds the arrays {names}; expected one named 'masks'. Rename it.")
    if array.ndim != 3:
        raise DataError(f"{uri}: shape {array.shape}; expected [frames, height, width]. Write it so.")
    return _as_ids(array, uri)


def decode_mask(content: bytes, uri: str, mask_format: str = "ids", zone_id: int | None = None) -> np.ndarray:
    """One mask picture as uint16 ids [H, W].

    Args:
        content: the file's bytes.
        uri: its address, for messages.
        mask_format: "ids": pixel values or palette indices are ids; colours are numbered in order of their value.
            "davis": grey above 0 is object 1; palette indices are ids, except that 0 and 255 alone mean 0 and 1.
            "playroom": colours, with the zone removed.
        zone_id: colour id of Playroom's zone.

    Raises:
        DataError: the picture is damaged, or its values are no ids.
    """
    if mask_format == "playroom" and zone_id is None:
        raise DataError(f"{uri}: meta.json names no zone id for this trial; expected one. Repair meta.json.")
    try:
        with Image.open(io.BytesIO(content)) as picture:
            is_colour, is_palette = picture.mode.startswith("RGB"), picture.mode == "P"
            values = np.asarray(picture.convert("RGB") if is_colour else picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{uri}: cannot be decoded ({error}); expected a complete picture. Write it again.") from error
    if mask_format == "playroom":
        if not is_colour:
            raise DataError(f"{uri}: not an RGB picture; expected colour ids (Playroom segments). Check the layout.")
        return segment_ids(colour_ids(values), zone_id or 0)
    if is_colour:
        ids = colour_ids(values)
        return segment_ids(ids, 0) if mask_format == "ids" else (ids > 0).astype(np.uint16)
    if mask_format == "davis" and (not is_palette or np.isin(values, (0, 255)).all()):
        return (values > 0).astype(np.uint16)
    return _as_ids(values, uri)


def colour_ids(colours: np.ndarray) -> np.ndarray:
    """R*65536 + G*256 + B of uint8 [..., 3], int64 (algorithm of Playroom's segment pictures)."""
    return colours.astype(np.int64) @ np.array([65536, 256, 1])


def segment_ids(ids: np.ndarray, zone_id: int) -> np.ndarray:
    """Consecutive ids 1.. in order of the colour id, black and the zone 0; uint16, shape kept.

    A picture without black stays without 0: the smallest object is not taken for the background.
    """
    cleaned = np.where(ids == zone_id, 0, ids)
    known = np.unique(cleaned[cleaned != 0])
    numbered = np.searchsorted(known, cleaned).astype(np.uint16) + np.uint16(1)
    numbered[cleaned == 0] = 0
    return numbered


def _as_ids(array: np.ndarray, uri: str) -> np.ndarray:
    if array.dtype != np.bool_ and not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"{uri}: values of type {array.dtype}; expected whole numbers (instance ids).")
    if array.size and (array.min() < 0 or array.max() > np.iinfo(np.uint16).max):
        raise DataError(f"{uri}: ids {array.min()}..{array.max()}; expected 0..65535. Number them anew.")
    return array.astype(np.uint16)


def _require_count(clip: Clip, archive: np.ndarray, count: int) -> None:
    if len(archive) < count:
        raise DataError(f"{clip.masks[0]}: {len(archive)} masks; expected at least {count}. Was the file replaced?")
