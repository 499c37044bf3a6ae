"""The order in which a round reads its images, as arithmetic on positions; no Ray.

The fragments of a round stand in a fixed list. Position p of the reading is fragment `order(epoch)[p % n]` of epoch
`p // n`: any process can work out any part of it. A sample's id is its position and its frame, so an id names an image
*and* its epoch, and the set of used ids says exactly how far a round has come, in whatever order images were used.
Where it is kept and sent it is a few spans of positions, not a list of ids. [Decision 112]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


def num_positions(num_images: int, images_per_fragment: Sequence[int] | np.ndarray) -> int:
    """Positions that hold at least `num_images` images, in whole epochs, with one epoch to spare.

    The spare epoch covers fragments that turn out to be unreadable and the remainder that cannot be split evenly among
    workers; it is read only if it is needed.
    """
    epochs = -(-num_images // max(1, int(np.sum(images_per_fragment))))
    return (epochs + 1) * len(images_per_fragment)


@dataclass(frozen=True, eq=False)
class Used:
    """Which samples a round has used, as spans: its size grows with what is in between, not with the images.

    Attributes:
        spans: int64 [k, 2], first and end of runs of positions of which every image is used; in order, apart.
        ids: sorted ids of the used samples at other positions.
    """

    spans: np.ndarray
    ids: np.ndarray

    @property
    def last_position(self) -> int:
        """The last position of which any image is used; -1 if none is."""
        ends = [int(self.spans[-1, 1]) - 1] if len(self.spans) else []
        return max([*ends, *([position_of(int(self.ids[-1]))] if len(self.ids) else [])], default=-1)

    def __contains__(self, name: int) -> bool:
        position = position_of(name)
        span = int(np.searchsorted(self.spans[:, 0], position, side="right")) - 1
        if span >= 0 and position < self.spans[span, 1]:
            return True
        place = int(np.searchsorted(self.ids, name))
        return place < len(self.ids) and int(self.ids[place]) == name


NONE_USED = Used(np.zeros((0, 2), np.int64), np.zeros(0, np.int64))
"""Of a round that begins."""


def used_of(ids: np.ndarray, images_per_fragment: np.ndarray, seed: int) -> Used:
    """Gather the ids of used samples into spans.

    Args:
        ids: int64, each at most once.
        images_per_fragment: images of each fragment.
        seed: of the order.
    """
    at = ids // MAX_FRAGMENT_FRAMES
    positions, counts = np.unique(at, return_counts=True)
    size = len(images_per_fragment)
    whole = np.zeros(len(positions), bool)
    for epoch in range(int(positions[0]) // size, int(positions[-1]) // size + 1) if len(positions) else ():
        here = slice(*np.searchsorted(positions, [epoch * size, (epoch + 1) * size]))
        fragments = _order(seed, epoch, size)[positions[here] - epoch * size]
        whole[here] = counts[here] >= images_per_fragment[fragments]
    full = positions[whole]
    cuts = np.flatnonzero(np.diff(full) > 1) + 1
    spans = [(part[0], part[-1] + 1) for part in np.split(full, cuts) if len(part)]
    rest = ids[~whole[np.searchsorted(positions, at)]]
    return Used(np.array(spans, np.int64).reshape(-1, 2), np.sort(rest))


def unused_positions(begin: int, end: int, used: Used) -> np.ndarray:
    """Positions from `begin` to `end` with at least one image that is not in `used`, in order.

    Args:
        begin, end: range of positions.
        used: what is used.
    """
    keep = np.ones(max(0, end - begin), bool)
    for first, last in used.spans.tolist():
        keep[max(0, first - begin) : max(0, last - begin)] = False
    return np.flatnonzero(keep) + begin


def used_samples(folder: Path) -> np.ndarray:
    """Sorted ids of all samples that the workers of a checkpoint had used."""
    return np.sort(joined([np.load(path) for path in sorted(folder.glob("used-*.npy"))]))


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Ids in one array, int64."""
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64)
