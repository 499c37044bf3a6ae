"""Files behind a folder or URL: listing, reading, and the address of the clips inside the package."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from eisen_ray.errors import DataError

SAMPLE = "sample://"
"""Prefix of the clips inside this package: the same on every machine, wherever the package lies there."""

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class StoredFile:
    """One file of a source: its path below the source, its full address, its length in bytes."""

    path: str
    uri: str
    num_bytes: int

    @property
    def folder(self) -> str:
        """Path of the folder below the source; "" for the source itself."""
        parent = str(PurePosixPath(self.path).parent)
        return "" if parent == "." else parent

    @property
    def stem(self) -> str:
        """File name without its suffix."""
        return PurePosixPath(self.path).stem

    @property
    def suffix(self) -> str:
        """Suffix in lower case, with its dot."""
        return PurePosixPath(self.path).suffix.lower()


@dataclass(frozen=True)
class Listing:
    """Everything below a source, in natural order (im_2 before im_10), hidden files left out."""

    source: str
    files: list[StoredFile]
    folders: list[str]

    def barren_folders(self, used: Iterable[StoredFile]) -> list[str]:
        """The highest folders that hold none of the `used` files, themselves or deeper."""
        fertile = {""}
        for file in used:
            fertile.update(_ancestors(file.folder))
        return [
            folder
            for folder in self.folders
            if folder not in fertile and str(PurePosixPath(folder).parent) in fertile | {"."}
        ]


def natural_key(text: str) -> tuple[Any, ...]:
    """Sort key that compares runs of digits as numbers: im_2 before im_10."""
    parts = re.split(r"([0-9]+)", text)
    return (*((1, int(part), "") if i % 2 else (0, 0, part) for i, part in enumerate(parts)), (0, 0, text))


def resolve(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """File system and path of a local path, an fsspec URL, or a `sample://` address.

    Raises:
        DataError: the protocol is unknown or its driver is not installed.
    """
    if uri.startswith(SAMPLE):
        return LocalFileSystem(), str(Path(__file__).parent / "sample" / uri.removeprefix(SAMPLE))
    try:
        return fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise DataError(
            f"{uri}: cannot be opened ({error}). Give a local path or an fsspec URL (file://, s3://, memory://), "
            "and install the driver of the protocol (s3fs for s3://)."
        ) from error


def list_folder(source: str) -> Listing:
    """All files below `source` (a folder, a URL, or a single file), links followed.

    Raises:
        DataError: `source` is empty or does not exist.
    """
    if not source:
        raise DataError("The source is empty; expected a folder or URL. Set data.source.")
    filesystem, root = resolve(source)
    if not filesystem.exists(root):
        raise DataError(f"{source}: no such folder; expected an existing folder or URL. Check data.source.")
    if filesystem.isfile(root):
        found, folders = {PurePosixPath(root).name: (root, int(filesystem.size(root) or 0))}, set[str]()
    elif isinstance(filesystem, LocalFileSystem):
        found, folders = _walk(root)
    else:
        found, folders = _find(filesystem, root)
    prefix = source if source.startswith(SAMPLE) else None
    files = [
        StoredFile(path, filesystem.unstrip_protocol(full) if prefix is None else prefix + path, size)
        for path, (full, size) in found.items()
        if not _is_hidden(path)
    ]
    for file in files:
        folders.update(_ancestors(file.folder))
    return Listing(
        source,
        sorted(files, key=lambda file: natural_key(file.path)),
        sorted((folder for folder in folders if folder and not _is_hidden(folder)), key=natural_key),
    )


def read_many(uris: Sequence[str]) -> list[bytes]:
    """Whole files, fetched together where the storage can.

    Raises:
        DataError: a file does not exist or may not be read. Other failures of the storage pass through: they are
            worth another try, the clip is not to blame.
    """
    if not uris:
        return []
    filesystem = resolve(uris[0])[0]
    paths = [resolve(uri)[1] for uri in uris]
    contents = filesystem.cat_ranges(paths, [None] * len(paths), [None] * len(paths))
    for uri, content in zip(uris, contents, strict=True):
        if isinstance(content, FileNotFoundError | PermissionError | IsADirectoryError):
            raise DataError(f"{uri}: {_unreadable(content)}") from content
        if isinstance(content, BaseException):
            raise content
    return [bytes(content) for content in contents]


def open_file(uri: str) -> BinaryIO:
    """A seekable binary file, local or remote; the caller closes it.

    Raises:
        DataError: the file does not exist or may not be read.
    """
    filesystem, path = resolve(uri)
    try:
        return filesystem.open(path, "rb")
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise DataError(f"{uri}: {_unreadable(error)}") from error


def _unreadable(error: BaseException) -> str:
    return f"cannot be read ({type(error).__name__}). It must exist on every machine of the run and be readable there."


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(path).parts)


def _ancestors(folder: str) -> set[str]:
    path = PurePosixPath(folder)
    return {str(part) for part in (path, *path.parents) if str(part) != "."}


def _walk(root: str) -> tuple[dict[str, tuple[str, int]], set[str]]:
    # fsspec's own listing does not follow links to folders, and data sets are often assembled from such links.
    found: dict[str, tuple[str, int]] = {}
    folders: set[str] = set()
    for current, names, files in os.walk(root, followlinks=True):
        here = Path(current)
        names[:] = [name for name in names if not _is_loop(here / name)]
        folders.update(_ancestors(here.relative_to(root).as_posix()))
        for path in (here / name for name in files):
            size = path.stat().st_size if path.exists() else 0  # a dead link is listed, and named when it is read
            found[path.relative_to(root).as_posix()] = (path.as_posix(), size)
    return found, folders


def _is_loop(path: Path) -> bool:
    return path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve())


def _find(filesystem: fsspec.AbstractFileSystem, root: str) -> tuple[dict[str, tuple[str, int]], set[str]]:
    base = root.rstrip("/") + "/"
    details = filesystem.find(root, detail=True)
    found = {path.removeprefix(base): (path, int(info.get("size") or 0)) for path, info in details.items()}
    found.pop("", None)  # s3 marks some folders by an empty object
    return {path: entry for path, entry in found.items() if not path.endswith("/")}, set()
