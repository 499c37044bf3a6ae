"""The files of a checkpoint: written in one move, hashed, and read back with an error that says what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from eisen_ray.errors import WeightsError

FORMAT_VERSION = 1
"""Raised when a reader of the old layout would misread the new one."""

WEIGHTS_FILE = "model.safetensors"
OPTIMIZER_FILE = "optimizer.pt"
EXTRA_FILE = "extra.safetensors"
MANIFEST_FILE = "checkpoint.json"
DATA_FILES = (WEIGHTS_FILE, OPTIMIZER_FILE, EXTRA_FILE)

_HASH_CHUNK_BYTES = 1 << 20


def write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file that appears under `path` only when it is complete and on disk."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def hash_file(path: Path) -> str:
    """The file's sha256 in hex.

    Raises:
        WeightsError: there is no such file.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_HASH_CHUNK_BYTES):
                digest.update(chunk)
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is missing; take a complete copy of the checkpoint directory.") from error
    return digest.hexdigest()


def check_hash(path: Path, expected: str) -> None:
    """Compare a file with the hash that the manifest gives.

    Raises:
        WeightsError: the file is missing or has another hash.
    """
    received = hash_file(path)
    if received != expected:
        raise WeightsError(
            f"{path} is damaged or was changed: its sha256 is {received[:16]}..., {MANIFEST_FILE} says "
            f"{expected[:16]}.... Copy the directory again or use an earlier checkpoint."
        )


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write named tensors as safetensors, which refuses views and channels-last layouts: copies are made plain."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    safetensors.torch.save_file(plain, path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file to the CPU.

    Raises:
        WeightsError: the file is not one, or is cut short.
    """
    try:
        return safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error}).") from error


def read_manifest(directory: Path) -> dict[str, Any]:
    """The checkpoint's `format`, `torch`, `files` (name to hash) and `meta`.

    Raises:
        WeightsError: there is none, or it is damaged or of another format.
    """
    path = directory / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise WeightsError(f"No complete checkpoint in {directory}: {MANIFEST_FILE} is missing.") from error
    except ValueError as error:
        raise WeightsError(f"{path} is damaged ({error}); use an earlier checkpoint.") from error
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != FORMAT_VERSION:
        raise WeightsError(
            f"{path} has format {version!r}; this release reads {FORMAT_VERSION}. Use the release that wrote it."
        )
    files = manifest.get("files")
    complete = isinstance(files, dict) and WEIGHTS_FILE in files and isinstance(manifest.get("meta"), dict)
    if not complete or not files.keys() <= set(DATA_FILES):
        raise WeightsError(f"{path} does not list a checkpoint's files and meta; use an earlier checkpoint.")
    return manifest
