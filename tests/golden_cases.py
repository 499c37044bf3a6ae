"""Reference tensors in `tests/golden`: inputs, recorded random draws and outputs of the authors' functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent / "golden"


def load(case: str) -> dict[str, np.ndarray]:
    """All arrays of one case, by the start of its file name, such as `07a`."""
    (path,) = sorted(GOLDEN.glob(f"{case}_*.npz"))
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def nodes(maps: np.ndarray) -> np.ndarray:
    """[B, D, H, W] to [B, N, D] in double precision."""
    return maps.reshape(*maps.shape[:2], -1).swapaxes(1, 2).astype(np.float64)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two label maps are equal up to the names of their labels."""
    pairs = set(zip(one.flat, other.flat, strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
