"""A training checkpoint on its way to storage: sent by Ray, then compared by size."""

from __future__ import annotations

from pathlib import Path

import ray.train
from pyarrow.fs import FileType
from ray.train import Checkpoint

from eisen_ray.errors import StorageError


def upload_checked(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """Store a worker's part of a checkpoint; given to `ray.train.report` in place of Ray's own upload alone.

    Only when it returns may the controller commit the checkpoint: one that is not whole is never resumed from.

    Args:
        checkpoint: in a local folder.
        name: the checkpoint's folder in storage; other workers write into it too.

    Raises:
        StorageError: a file in storage is not as long as the one sent.
    """
    stored: Checkpoint = ray.train.get_context().get_storage().persist_current_checkpoint(checkpoint, name)
    check_sizes(Path(checkpoint.path), stored)
    return stored


def check_sizes(folder: Path, stored: Checkpoint) -> None:
    """Compare the files of a folder with what is stored of them.

    Ray copies with pyarrow, whose upload in parts has been seen to return without an error although the store had
    rejected it.

    Raises:
        StorageError: one is missing, or is not as long as the one sent.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    places = [f"{stored.path}/{path.relative_to(folder).as_posix()}" for path in files]
    for path, place, info in zip(files, places, stored.filesystem.get_file_info(places), strict=True):
        size = info.size if info.type == FileType.File else None
        if size != path.stat().st_size:
            found = "is missing" if size is None else f"holds {size} bytes"
            raise StorageError(
                f"{place} {found} after {path.stat().st_size} were sent; training goes on from the last one."
            )
