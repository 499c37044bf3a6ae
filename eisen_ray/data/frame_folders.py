"""A folder of frame folders: every folder that holds pictures is a clip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from eisen_ray.data.clips import Clip, problem_clip
from eisen_ray.data.files import IMAGE_SUFFIXES, Listing, StoredFile, list_folder
from eisen_ray.errors import DataError

MASKS_SUFFIX = "_masks"


def list_clips(source: str) -> list[Clip]:
    """Every folder with pictures below `source`, its frames in natural order of their names.

    Masks, all optional: `<clip>_masks/` beside the frame folder or `masks/<clip>/`, pictures with the frames' names
    (the suffix may differ, frames may lack one), or `<clip>_masks.npz` with [frames, H, W] ids. A folder without any
    picture becomes a clip with a problem: it ends in the quarantine, by name.

    Raises:
        DataError: `source` does not exist or holds no picture.
    """
    listing = list_folder(source)
    pictures = [file for file in listing.files if file.suffix in IMAGE_SUFFIXES]
    frames = group_by_folder(file for file in pictures if not is_mask_folder(file.folder))
    if not frames:
        raise DataError(
            f"{source}: no frame among {len(listing.files)} files; expected {', '.join(sorted(IMAGE_SUFFIXES))}. "
            "Check data.source and data.layout."
        )
    masks = FolderMasks(listing)
    clips = [masks.clip(folder, files) for folder, files in frames.items()]
    barren = [folder for folder in listing.barren_folders(pictures) if not is_mask_folder(folder)]
    return clips + [problem_clip(folder, "frames", f"no picture in this folder of {source}") for folder in barren]


class FolderMasks:
    """The masks that a listing holds for folders of frames, found by the names that `list_clips` describes."""

    def __init__(self, listing: Listing) -> None:
        self._source = listing.source
        inside = [file for file in listing.files if file.suffix in IMAGE_SUFFIXES and is_mask_folder(file.folder)]
        self._pictures = group_by_folder(inside)
        self._archives = {file.path: file.uri for file in listing.files if file.path.endswith(f"{MASKS_SUFFIX}.npz")}

    def clip(self, folder: str, files: Sequence[StoredFile]) -> Clip:
        """The clip of a folder's frames, with its masks."""
        archive = self._archives.get(f"{folder}{MASKS_SUFFIX}.npz")
        if archive is not None:
            return Clip(folder, "frames", uris_of(files), (archive,), meta={"bytes": bytes_of(files)})
        found = self._pictures.get(f"{folder}{MASKS_SUFFIX}") or self._pictures.get(f"masks/{folder}") or []
        return frames_clip(folder or PurePosixPath(self._source).name, files, found)


def held_out(source: str) -> list[Clip]:
    """None: this layout has no held-out split of its own; give `data.eval_source`."""
    del source
    return []


def frames_clip(clip_id: str, files: Sequence[StoredFile], masks: Sequence[StoredFile], split: str = "train") -> Clip:
    """A clip of picture files, with the masks that bear the frames' names.

    A mask that fits no frame makes the clip unusable: its masks were made for other frames.
    """
    by_stem = {mask.stem: mask.uri for mask in masks}
    meta: dict[str, object] = {"bytes": bytes_of(files)}
    strangers = sorted(by_stem.keys() - {file.stem for file in files})
    if strangers:
        meta["problem"] = (
            f"{len(strangers)} of {len(masks)} masks fit none of {len(files)} frames (the first: {strangers[0]}). "
            "Name the masks as their frames."
        )
    addresses = tuple(by_stem.get(file.stem, "") for file in files) if by_stem else ()
    return Clip(clip_id, "frames", uris_of(files), addresses, split, meta)


def group_by_folder(files: Iterable[StoredFile]) -> dict[str, list[StoredFile]]:
    """Files by folder, both in the order given."""
    groups: dict[str, list[StoredFile]] = {}
    for file in files:
        groups.setdefault(file.folder, []).append(file)
    return groups


def uris_of(files: Sequence[StoredFile]) -> tuple[str, ...]:
    """Addresses of the files, in order."""
    return tuple(file.uri for file in files)


def bytes_of(files: Sequence[StoredFile]) -> int:
    """Length of all files together, bytes."""
    return sum(file.num_bytes for file in files)


def is_mask_folder(folder: str) -> bool:
    """Whether a folder below the source holds masks by its name."""
    parts = PurePosixPath(folder).parts
    return bool(parts) and (parts[0] == "masks" or any(part.endswith(MASKS_SUFFIX) for part in parts))
