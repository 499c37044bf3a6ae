"""Playroom (ThreeDWorld): trials of two frames, colour-coded segments, zone ids in meta.json.

Release: `images|segments/model_split_<k>/<trial>/frame0.png, frame1.png`.
Original: `images|objects/model_split_<k>/<trial>/00005.png, 00006.png`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from eisen_ray.data.clips import Clip
from eisen_ray.data.files import Listing, StoredFile, list_folder, read_many
from eisen_ray.errors import DataError

FRAME = re.compile(
    r"(?P<top>images|segments|objects)/(?P<trial>model_split_(?P<split>[0-9]+)/[0-9]*(?P<last>[0-9]))/"
    r"(?P<name>frame0|frame1|00005|00006)\.png"
)
META_KEY = "playroom_large_v3_images/{trial}.hdf5"
HELD_OUT_DIGIT = "9"
"""Trials whose number ends so are held out (authors)."""
VAL_SPLITS = range(4)
"""Their validation set takes them from these model splits: 500 images."""


def list_clips(source: str) -> list[Clip]:
    """The training trials: numbers ending in 0..8 of every numbered model split.

    Raises:
        DataError: `source` does not exist, holds no trial, or its meta.json cannot be read.
    """
    return [clip for clip in _trials(source) if clip.split == "train"]


def held_out(source: str) -> list[Clip]:
    """The validation trials: numbers ending in 9 of model splits 0..3.

    Raises:
        DataError: `source` does not exist, holds no trial, or its meta.json cannot be read.
    """
    return [clip for clip in _trials(source) if clip.split == "val"]


def every_clip(source: str) -> list[Clip]:
    """Every trial, also those that the authors used neither for training nor for validation.

    Raises:
        DataError: `source` does not exist, holds no trial, or its meta.json cannot be read.
    """
    return _trials(source)


def _trials(source: str) -> list[Clip]:
    listing = list_folder(source)
    trials: dict[str, dict[str, dict[str, StoredFile]]] = {}
    for file in listing.files:
        match = FRAME.fullmatch(file.path)
        if match is not None:
            top = "images" if match["top"] == "images" else "masks"
            trials.setdefault(match["trial"], {"images": {}, "masks": {}})[top][match["name"]] = file
    if not any(files["images"] for files in trials.values()):
        raise DataError(
            f"{source}: no images/model_split_*/<trial>/frame0.png (or 00005.png) among {len(listing.files)} files; "
            "expected the Playroom's folders. Check data.source and data.layout."
        )
    zones = _zones(listing)
    return [_clip(trial, files, zones.get(trial)) for trial, files in trials.items() if files["images"]]


def _clip(trial: str, files: Mapping[str, Mapping[str, StoredFile]], zone_id: int | None) -> Clip:
    names = sorted(files["images"])
    # Without its second frame a trial is the pair (I, I): nothing moves, nothing is learned, its masks still count.
    names = names * 2 if len(names) == 1 else names
    masks = tuple(files["masks"][name].uri if name in files["masks"] else "" for name in names)
    return Clip(
        clip_id=trial,
        kind="playroom",
        uris=tuple(files["images"][name].uri for name in names),
        masks=masks if any(masks) else (),
        split=_split(trial),
        meta={
            "bytes": sum(file.num_bytes for file in files["images"].values()),
            "mask_format": "playroom",
            "zone_id": zone_id,
        },
    )


def _split(trial: str) -> str:
    model_split = int(trial.split("/", maxsplit=1)[0].removeprefix("model_split_"))
    if not trial.endswith(HELD_OUT_DIGIT):
        return "train"
    return "val" if model_split in VAL_SPLITS else "unused"


def _zones(listing: Listing) -> dict[str, int]:
    """Colour id of the zone by trial; empty without a meta.json, for images without masks need none."""
    uris = [file.uri for file in listing.files if file.path == "meta.json"]
    if not uris:
        return {}
    try:
        meta = json.loads(read_many(uris)[0])
        prefix, suffix = META_KEY.split("{trial}")
        return {
            key.removeprefix(prefix).removesuffix(suffix): _colour_id(entry["zone"])
            for key, entry in meta.items()
            if isinstance(entry, Mapping) and entry.get("zone") is not None
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{uris[0]}: cannot be read ({error}); expected {{'{META_KEY.format(trial='model_split_0/0000')}': "
            "{'zone': id, ...}}. Download it again."
        ) from error


def _colour_id(value: Any) -> int:
    if isinstance(value, list | tuple):
        red, green, blue = (int(part) for part in value)
        return red * 65536 + green * 256 + blue
    return int(value)
