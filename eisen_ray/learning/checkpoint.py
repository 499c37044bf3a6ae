"""One directory out, one directory in: weights as safetensors, everything else as JSON, nothing pickled.

    model.safetensors   the model's state
    optimizer.pt        optimizer and schedule, only where training is to go on (plain tensors and numbers)
    extra.safetensors   other tensors, such as the states of random generators, if there are any
    checkpoint.json     what this is, and the hash of every file above; written last

`checkpoint.json` makes a checkpoint: without it there is none, and each file must hash as it says. Directories are
local; moving them to and from storage is not done here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from eisen_ray.errors import WeightsError
from eisen_ray.learning.checkpoint_files import (
    DATA_FILES,
    EXTRA_FILE,
    FORMAT_VERSION,
    MANIFEST_FILE,
    OPTIMIZER_FILE,
    WEIGHTS_FILE,
    check_hash,
    hash_file,
    load_tensors,
    read_manifest,
    save_tensors,
    write_file,
)


class Checkpoint(NamedTuple):
    """What a checkpoint holds beside weights.

    Attributes:
        meta: as given to `save_checkpoint`: config, step, round and whatever the caller added.
        weights_sha256: hash of the weights file; names these weights wherever they are used.
        extra_tensors: as given to `save_checkpoint`, on the CPU; empty where only the manifest was read.
    """

    meta: dict[str, Any]
    weights_sha256: str
    extra_tensors: dict[str, Tensor]


def weights_sha256(path: str | Path) -> str:
    """Hash of a weights file, or of a checkpoint directory's.

    Returns:
        64 hex digits; equal weights written by the same safetensors release have equal hashes.

    Raises:
        WeightsError: there is no such file.
    """
    path = Path(path)
    return hash_file(path / WEIGHTS_FILE if path.is_dir() else path)


def save_checkpoint(
    directory: str | Path,
    model: nn.Module,
    meta: Mapping[str, Any],
    *,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    extra_tensors: Mapping[str, Tensor] | None = None,
) -> str:
    """Write a checkpoint that is there completely or, if this is interrupted, not at all.

    Args:
        directory: local; created if absent. A checkpoint already in it is replaced.
        model: the bare module, not a parallel wrapper.
        meta: JSON types only; `config` (a plain dict), `step` and `round` by convention.
        optimizer: to go on training.
        scheduler: to go on training; needs `optimizer`.
        extra_tensors: e.g. the states of random generators.

    Returns:
        The hash of the weights file.

    Raises:
        WeightsError: `meta` cannot be written as JSON.
    """
    directory = Path(directory)
    text = _encode_meta(meta)
    directory.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST_FILE, OPTIMIZER_FILE, EXTRA_FILE):
        (directory / name).unlink(missing_ok=True)
    write_file(directory / WEIGHTS_FILE, lambda path: save_tensors(model.state_dict(), path))
    if optimizer is not None:
        states = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict() if scheduler else None}
        write_file(directory / OPTIMIZER_FILE, lambda path: torch.save(states, path))
    if extra_tensors:
        write_file(directory / EXTRA_FILE, lambda path: save_tensors(extra_tensors, path))
    files = {name: hash_file(directory / name) for name in DATA_FILES if (directory / name).exists()}
    manifest = {"format": FORMAT_VERSION, "torch": torch.__version__, "files": files, "meta": json.loads(text)}
    write_file(directory / MANIFEST_FILE, lambda path: Path(path).write_text(json.dumps(manifest, indent=2) + "\n"))
    return files[WEIGHTS_FILE]


def read_checkpoint(directory: str | Path) -> Checkpoint:
    """The manifest alone, for instance to build the model that its config describes; no file is hashed.

    Raises:
        WeightsError: no checkpoint is there, or its manifest is damaged or of another format.
    """
    manifest = read_manifest(Path(directory))
    return Checkpoint(manifest["meta"], manifest["files"][WEIGHTS_FILE], {})


def load_checkpoint(
    directory: str | Path,
    model: nn.Module,
    *,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    require_finite: bool = True,
) -> Checkpoint:
    """Load a checkpoint into a model, strictly; nothing is changed unless all files pass their checks.

    Args:
        directory: local directory that `save_checkpoint` wrote.
        model: takes the weights, on its own device.
        optimizer: takes the saved state, if given.
        scheduler: takes the saved state, if given.
        require_finite: refuse weights that hold NaN or infinity.

    Raises:
        WeightsError: a file is missing, damaged or of another format; tensors are missing, unexpected, of another
            shape or type, or not finite; the optimizer's state is absent or does not fit.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    for name, expected in manifest["files"].items():
        check_hash(directory / name, expected)
    weights = load_tensors(directory / WEIGHTS_FILE)
    _check_fit(weights, model.state_dict(), directory)
    if require_finite:
        _check_finite(weights, directory)
    extra = load_tensors(directory / EXTRA_FILE) if EXTRA_FILE in manifest["files"] else {}
    states = _load_states(directory, manifest) if optimizer is not None or scheduler is not None else {}
    model.load_state_dict(weights)
    for name, target in (("optimizer", optimizer), ("scheduler", scheduler)):
        if target is not None:
            _restore(target, states[name], name, directory)
    return Checkpoint(manifest["meta"], manifest["files"][WEIGHTS_FILE], extra)


def _encode_meta(meta: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(meta), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"A checkpoint's meta must be plain JSON without NaN: {error}.") from error


def _check_fit(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], directory: Path) -> None:
    problems = [f"missing {name}" for name in expected if name not in weights]
    problems += [f"unexpected {name}" for name in weights if name not in expected]
    for name, tensor in weights.items():
        other = expected.get(name, tensor)
        if (tensor.shape, tensor.dtype) != (other.shape, other.dtype):
            received = f"{tuple(tensor.shape)} {tensor.dtype}"
            problems.append(f"{name} is {received}, the model has {tuple(other.shape)} {other.dtype}")
    if problems:
        shown = "; ".join(problems[:5])
        raise WeightsError(
            f"The weights in {directory} do not fit this model, {len(problems)} differences: {shown}. "
            "Build the model from the config stored in the checkpoint."
        )


def _check_finite(weights: Mapping[str, Tensor], directory: Path) -> None:
    broken = [name for name, tensor in weights.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise WeightsError(
            f"The weights in {directory} hold NaN or infinity in {len(broken)} tensors, first {broken[0]}: "
            "training diverged. Use an earlier checkpoint, and a lower learning rate or fp32."
        )


def _load_states(directory: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    if OPTIMIZER_FILE not in manifest["files"]:
        raise WeightsError(f"{directory} has weights only, no {OPTIMIZER_FILE}: training cannot go on from it.")
    return torch.load(directory / OPTIMIZER_FILE, map_location="cpu", weights_only=True)


def _restore(target: Optimizer | LRScheduler, state: dict[str, Any] | None, name: str, directory: Path) -> None:
    if state is None:
        raise WeightsError(f"{directory} was saved without a {name}.")
    try:
        target.load_state_dict(state)
    except (KeyError, ValueError) as error:
        raise WeightsError(f"The {name} state in {directory} does not fit this {name}: {error}.") from error
