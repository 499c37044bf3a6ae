"""The order in which a round reads its images, as arithmetic on positions; no Ray.

The fragments of a round stand in a fixed list. Position p of the reading is fragment `order(epoch)[p % n]` of epoch
`p // n`: any process can work out any part of it. A sample's id is its position and its frame, so an id names an image
*and* its epoch, and the set of used ids says exactly how far a round has come, in whatever order images were used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from eisen_ray.data.index import MAX_FRAGMENT_FRAMES


def spread(count: int, wanted: int) -> list[int]:
    """Numbers below `count`, evenly spread: at most `wanted` of them, the same ones every time."""
    return list(range(count)) if count <= wanted else [place * count // wanted for place in range(wanted)]


def pair_starts(num_frames: int, pair_stride: int) -> range:
    """The frames of a fragment that are first in a pair."""
    return range(0, num_frames - 1, pair_stride)


def sample_id(position: int, frame: int) -> int:
    """The number that names an image of the reading: its position times the largest fragment, plus the frame."""
    return position * MAX_FRAGMENT_FRAMES + frame


def position_of(name: int) -> int:
    """The position of a sample id."""
    return name // MAX_FRAGMENT_FRAMES


def frame_of(name: int) -> int:
    """The frame of a sample id, counted from its fragment's first."""
    return name % MAX_FRAGMENT_FRAMES


def epoch_of(name: int, num_fragments: int) -> int:
    """The epoch of a sample id."""
    return position_of(name) // num_fragments


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, num_fragments: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(num_fragments)


def fragment_at(position: int, num_fragments: int, seed: int) -> int:
    """Which fragment is read at a position."""
    epoch, place = divmod(position, num_fragments)
    return int(_order(seed, epoch, num_fragments)[place])


def num_positions(num_images: int, images_per_fragment: Sequence[int]) -> int:
    """Positions that hold at least `num_images` images, in whole epochs, with one epoch to spare.

    The spare epoch covers fragments that turn out to be unreadable and the remainder that cannot be split evenly among
    workers; it is read only if it is needed.
    """
    epochs = -(-num_images // max(1, sum(images_per_fragment)))
    return (epochs + 1) * len(images_per_fragment)


def unused_positions(
    begin: int, end: int, images_per_fragment: Sequence[int], seed: int, used: np.ndarray
) -> np.ndarray:
    """Positions from `begin` to `end` with at least one image that is not in `used`, in order.

    Args:
        begin, end: range of positions.
        images_per_fragment: images of each fragment.
        seed: of the order.
        used: ids of used samples, int64.
    """
    positions = np.arange(begin, end, dtype=np.int64)
    if len(used) == 0:
        return positions
    places, counts = np.unique(used // MAX_FRAGMENT_FRAMES, return_counts=True)
    count_at = dict(zip(places.tolist(), counts.tolist(), strict=True))
    size = len(images_per_fragment)
    keep = [
        count_at.get(place, 0) < images_per_fragment[fragment_at(place, size, seed)] for place in positions.tolist()
    ]
    return positions[np.array(keep, dtype=bool)]


def used_samples(folder: Path) -> np.ndarray:
    """Sorted ids of all samples that the workers of a checkpoint had used."""
    return np.sort(joined([np.load(path) for path in sorted(folder.glob("used-*.npy"))]))


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Ids in one array, int64."""
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64)
