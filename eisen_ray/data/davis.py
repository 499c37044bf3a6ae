"""DAVIS: `JPEGImages/<size>/<sequence>/00000.jpg` with `Annotations` beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from eisen_ray.data.clips import Clip, problem_clip
from eisen_ray.data.files import IMAGE_SUFFIXES, Listing, StoredFile, list_folder, read_many
from eisen_ray.data.frame_folders import frames_clip, group_by_folder
from eisen_ray.errors import DataError

SIZES = ("480p", "Full-Resolution", "1080p")
LISTS = ("480p", "2016", "2017")
"""Folders of `ImageSets` in order of preference: the paper's is DAVIS-2016."""


def list_clips(source: str) -> list[Clip]:
    """The training sequences: those of `ImageSets/*/train.txt`, or all when there is no such list.

    Raises:
        DataError: `source` does not exist or has no `JPEGImages`.
    """
    return _sequences(source, "train")


def held_out(source: str) -> list[Clip]:
    """The validation sequences: those of `ImageSets/*/val.txt`, or all annotated ones when there is no such list.

    Training reads no annotations, so that sequences in both parts are still scored without having been taught.

    Raises:
        DataError: `source` does not exist or has no `JPEGImages`.
    """
    clips = _sequences(source, "val")
    return [clip for clip in clips if clip.masks or clip.meta.get("problem")]


def every_clip(source: str) -> list[Clip]:
    """Every sequence that is there, whatever the lists say.

    Raises:
        DataError: `source` does not exist or has no `JPEGImages`.
    """
    return _sequences(source, "")


def _sequences(source: str, split: str) -> list[Clip]:
    listing = list_folder(source)
    frames = _pictures(listing, "JPEGImages")
    if not frames:
        raise DataError(
            f"{source}: no JPEGImages/<size>/<sequence>/ with pictures; expected the folder that DAVIS unpacks to. "
            "Check data.source."
        )
    size = next((name for name in SIZES if any(key[0] == name for key in frames)), sorted(frames)[0][0])
    masks = _pictures(listing, "Annotations")
    chosen = _listed(listing, split) if split else None
    here = {sequence for found, sequence in frames if found == size}
    clips = []
    for sequence in sorted(here if chosen is None else chosen):
        if sequence not in here:
            reason = f"listed in ImageSets for {split}, but JPEGImages/{size} of {source} does not have it"
            clips.append(problem_clip(sequence, "frames", reason))
            continue
        clip = frames_clip(sequence, frames[size, sequence], masks.get((size, sequence), []), split)
        clips.append(replace(clip, meta={**clip.meta, "mask_format": "davis"}))
    return clips


def _pictures(listing: Listing, top: str) -> dict[tuple[str, str], list[StoredFile]]:
    folders = group_by_folder(file for file in listing.files if file.suffix in IMAGE_SUFFIXES)
    split = {PurePosixPath(folder).parts: files for folder, files in folders.items()}
    return {(parts[1], parts[2]): files for parts, files in split.items() if len(parts) == 3 and parts[0] == top}


def _listed(listing: Listing, split: str) -> set[str] | None:
    lists = {PurePosixPath(file.path).parts: file.uri for file in listing.files if file.suffix == ".txt"}
    for folder in LISTS:
        uri = lists.get(("ImageSets", folder, f"{split}.txt"))
        if uri is not None:
            lines = read_many([uri])[0].decode("utf-8", errors="replace").split("\n")
            words = [line.split()[0] for line in lines if line.strip()]
            # 2016 lists every frame (/JPEGImages/480p/bear/00000.jpg), 2017 every sequence (bear).
            return {PurePosixPath(word).parent.name if "/" in word else word for word in words}
    return None
