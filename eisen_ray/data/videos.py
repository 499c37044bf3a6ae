"""A folder of video files, at any depth; masks beside them or in a `masks` tree."""

from __future__ import annotations

from collections import Counter

from eisen_ray.data.clips import Clip, problem_clip
from eisen_ray.data.files import IMAGE_SUFFIXES, Listing, StoredFile, list_folder
from eisen_ray.errors import DataError

VIDEO_SUFFIXES = frozenset({".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})
MAX_MASK_NUMBER = 1_000_000
"""Largest frame number that a mask's file name may give."""


def list_clips(source: str) -> list[Clip]:
    """Every video below `source` (or the video `source` itself) as a clip.

    Masks, all optional: `<name>_masks.npz` beside the video with [frames, H, W] ids, or pictures
    `masks/<path of the video without suffix>/00000.png`, numbered like the frames from 0; frames may lack one.
    A folder without any video becomes a clip with a problem: it ends in the quarantine, by name.

    Raises:
        DataError: `source` does not exist or holds no video.
    """
    listing = list_folder(source)
    videos = [file for file in listing.files if file.suffix in VIDEO_SUFFIXES and not _in_masks(file.path)]
    if not videos:
        raise DataError(
            f"{source}: no video among {len(listing.files)} files; expected {', '.join(sorted(VIDEO_SUFFIXES))}. "
            "Check data.source and data.layout."
        )
    archives = {file.path: file for file in listing.files if file.path.endswith("_masks.npz")}
    pictures = _mask_pictures(listing)
    stems = Counter(_without_suffix(file) for file in videos)
    clips = [_clip(file, stems[_without_suffix(file)] > 1, archives, pictures) for file in videos]
    barren = [folder for folder in listing.barren_folders(videos) if not _in_masks(folder)]
    return clips + [problem_clip(folder, "video", f"no video in this folder of {source}") for folder in barren]


def held_out(source: str) -> list[Clip]:
    """None: this layout has no held-out split of its own; give `data.eval_source`."""
    del source
    return []


def _clip(
    file: StoredFile, is_ambiguous: bool, archives: dict[str, StoredFile], pictures: dict[str, list[StoredFile]]
) -> Clip:
    stem = _without_suffix(file)
    meta: dict[str, object] = {"bytes": file.num_bytes}
    masks: tuple[str, ...] = ()
    if f"{stem}_masks.npz" in archives:
        masks = (archives[f"{stem}_masks.npz"].uri,)
    elif stem in pictures:
        numbered = {int(picture.stem): picture.uri for picture in pictures[stem] if _is_number(picture.stem)}
        masks = tuple(numbered.get(number, "") for number in range(max(numbered, default=-1) + 1))
        odd = [picture.path for picture in pictures[stem] if not _is_number(picture.stem)]
        if odd:
            meta["problem"] = f"mask {odd[0]} is not named by a frame number (00000.png). Rename it."
    return Clip(file.path if is_ambiguous else stem, "video", (file.uri,), masks, meta=meta)


def _mask_pictures(listing: Listing) -> dict[str, list[StoredFile]]:
    found: dict[str, list[StoredFile]] = {}
    for file in listing.files:
        if _in_masks(file.path) and file.suffix in IMAGE_SUFFIXES:
            found.setdefault(file.folder.removeprefix("masks").lstrip("/"), []).append(file)
    return found


def _is_number(stem: str) -> bool:
    return stem.isascii() and stem.isdecimal() and int(stem) <= MAX_MASK_NUMBER


def _in_masks(path: str) -> bool:
    return path == "masks" or path.startswith("masks/")


def _without_suffix(file: StoredFile) -> str:
    return file.path[: len(file.path) - len(file.suffix)]
