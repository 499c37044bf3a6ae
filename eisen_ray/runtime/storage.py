"""One storage root, a folder or an object store: atomic writes, create-once files, whole folders in and out.

A file under the root is complete or absent. Locally a write goes to a temporary name and is moved; in an object store
a PUT is atomic by itself. All truth of a run lies here, none in memory.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import url_to_fs

from eisen_ray.errors import StorageError
from eisen_ray.runtime.storage_errors import told


@dataclass(frozen=True)
class Store:
    """Files under one root; paths are relative and use `/`. Cheap to send to other processes.

    Args:
        root: local folder, or URL that fsspec knows (s3://, memory://, ...).

    Raises:
        StorageError: from any method, when the root cannot be read or written.
    """

    root: str

    @cached_property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        try:
            filesystem, base = url_to_fs(self.root)
        except (ValueError, ImportError, OSError) as error:
            raise StorageError(f"Storage root {self.root!r} cannot be opened: {error}.") from error
        return filesystem, base.rstrip("/")

    def __getstate__(self) -> dict[str, str]:
        # The opened file system stays in the process that opened it.
        return {"root": self.root}

    def __setstate__(self, state: dict[str, str]) -> None:
        object.__setattr__(self, "root", state["root"])

    @property
    def local_root(self) -> Path | None:
        """The root as a local folder, or None for an object store."""
        filesystem, base = self._place
        return Path(base) if "file" in _protocols(filesystem) else None

    def uri(self, path: str) -> str:
        """The address of a file or folder, for a reader outside this class: an absolute path or a URL."""
        local = self.local_root
        return str(local / path) if local else f"{self.root.rstrip('/')}/{path}"

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        filesystem, _ = self._place
        # Another process may have written it since this one last looked.
        filesystem.invalidate_cache()
        with told(self.uri(path), "looked for"):
            return bool(filesystem.exists(self._full(path)))

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: no such file.
        """
        filesystem, _ = self._place
        try:
            with told(self.uri(path), "read", passing=FileNotFoundError):
                return filesystem.cat_file(self._full(path))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{self.uri(path)} does not exist.") from error

    def write(self, path: str, content: bytes) -> None:
        """Write a file; whoever reads it sees the old content or the new, never a part."""
        with told(self.uri(path), "written"):
            if self.local_root:
                os.replace(self._local_temporary(path, content), self._full(path))
            else:
                self._put(path, content, "overwrite")

    def create_once(self, path: str, content: bytes) -> bool:
        """Write a file unless it exists: True for the one caller who created it, False for all others."""
        if self.local_root:
            with told(self.uri(path), "created"):
                return self._link(self._local_temporary(path, content), self._full(path))
        try:
            with told(self.uri(path), "created", passing=FileExistsError):
                # On S3 this is a conditional PUT (If-None-Match): it holds between machines.
                self._put(path, content, "create")
        except FileExistsError:
            return False
        return True

    def read_json(self, path: str) -> Any:
        """A JSON file's content.

        Raises:
            FileNotFoundError: no such file.
            StorageError: not JSON.
        """
        try:
            return json.loads(self.read(path))
        except ValueError as error:
            raise StorageError(f"{self.uri(path)} is not JSON: {error}. Remove it to have it made again.") from error

    def write_json(self, path: str, value: Any) -> None:
        """Write a value as readable JSON."""
        self.write(path, _json_bytes(value))

    def create_json_once(self, path: str, value: Any) -> bool:
        """`create_once` for a JSON value."""
        return self.create_once(path, _json_bytes(value))

    def files(self, path: str) -> set[str]:
        """All files below a folder, relative to it; empty when there is no such folder."""
        filesystem, _ = self._place
        filesystem.invalidate_cache()
        full = self._full(path)
        with told(self.uri(path), "listed"):
            found = filesystem.find(full) if filesystem.exists(full) else []
        prefix = full.rstrip("/") + "/"
        relative = {name.removeprefix(prefix) for name in found if name.startswith(prefix)}
        # Other clients of an object store leave empty objects that stand for folders: their names end with a slash.
        named = {name for name in relative if name and not name.endswith("/")}
        return {name for name in named if not name.rsplit("/", 1)[-1].startswith(".")}

    def delete(self, path: str) -> None:
        """Remove a file or a folder with all below it; nothing happens when it is not there."""
        filesystem, _ = self._place
        if self.exists(path):
            with told(self.uri(path), "deleted"):
                filesystem.rm(self._full(path), recursive=True)

    def upload(self, folder: Path, path: str) -> None:
        """Copy a local folder's files to a folder of the store, each file atomically."""
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            self.write(f"{path}/{file.relative_to(folder).as_posix()}", file.read_bytes())

    def write_folder(self, path: str, files: Mapping[str, bytes]) -> None:
        """Write a folder of new files; one that is there already is kept as it is.

        Locally the folder appears whole: it is filled under a hidden name and moved. In an object store its files
        appear one by one, in the order given, so the last one says that all are there.
        """
        local = self.local_root
        with told(self.uri(path), "written"):
            if local:
                self._move_in(local / path, files)
                return
            for name, content in files.items():
                self.write(f"{path}/{name}", content)

    def download(self, path: str, folder: Path) -> Path:
        """Copy a folder of the store into a local folder, which is returned.

        Raises:
            FileNotFoundError: the folder is empty or absent.
        """
        names = self.files(path)
        if not names:
            raise FileNotFoundError(f"{self.uri(path)} holds no files.")
        for name in sorted(names):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.read(f"{path}/{name}"))
        return folder

    def check_writable(self) -> None:
        """Try the root once, so that a wrong address or a missing right shows before any work is done.

        Raises:
            StorageError: it cannot be written or read back.
        """
        probe = f"probe-{secrets.token_hex(4)}"
        try:
            self.write(probe, b"probe")
            self.delete(probe)
        except StorageError as error:
            raise StorageError(f"Storage root {self.root!r} is not writable: {error}") from error

    def _put(self, path: str, content: bytes, mode: str) -> None:
        filesystem, _ = self._place
        filesystem.pipe_file(self._full(path), content, mode=mode)
        # A large object is sent in parts, and a client may take a rejected completion for success.
        # [Decision 111]
        filesystem.invalidate_cache()
        stored = filesystem.info(self._full(path))["size"]
        if stored != len(content):
            raise StorageError(f"{self.uri(path)} holds {stored} bytes after {len(content)} were sent; send it again.")

    def _full(self, path: str) -> str:
        return f"{self._place[1]}/{path}"

    def _local_temporary(self, path: str, content: bytes) -> str:
        target = Path(self._full(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}"
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            # Without this a power cut can leave the new name with no content behind it.
            os.fsync(file.fileno())
        return str(temporary)

    @staticmethod
    def _move_in(target: Path, files: Mapping[str, bytes]) -> None:
        temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}"
        try:
            for name, content in files.items():
                place = temporary / name
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, target)
        except OSError:
            if not target.is_dir():
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @staticmethod
    def _link(temporary: str, target: str) -> bool:
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary)
        return True


def copy_folder(store: Store, source: str, target: str) -> None:
    """Copy one folder of a store to another, through a local folder when it is an object store."""
    local = store.local_root
    if local:
        # Copied under a temporary name and moved: the target is complete or absent.
        temporary = local / f"{target}.{secrets.token_hex(4)}"
        shutil.copytree(local / source, temporary)
        shutil.rmtree(local / target, ignore_errors=True)
        os.replace(temporary, local / target)
        return
    for name in sorted(store.files(source)):
        store.write(f"{target}/{name}", store.read(f"{source}/{name}"))


def _protocols(filesystem: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
