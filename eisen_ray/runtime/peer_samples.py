"""Training images of peers with label maps: the student's motion targets, or masks. Runs in tasks too; no torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import ray.data

from eisen_ray.data.index import Fragment
from eisen_ray.data.masks import masked_frames, read_masks, resize_masks
from eisen_ray.data.packed import pack_labels, unpack_labels
from eisen_ray.errors import DataError
from eisen_ray.runtime.decoding import DecodeFragment, Row, first_frames
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.samples import REPLAY_BYTES, LoadStored

# Rows taken from the object store at a time.
_ROWS_PER_READ = 16
# The buffer gives its first sample when this part of it is full.
_FIRST_PART = 8


class Labelled(NamedTuple):
    """One training image: uint8 [H, W, 3], and its label map, uint16 [h, w], 0 = no object."""

    image: np.ndarray
    labels: np.ndarray


class ReadLabelled:
    """1:m, in a task. From a `fragment` to a row for each image: `image`, and `labels` packed, of `size` (h, w).

    Args:
        work: the run whose motion targets are stored.
        supervision: `motion`: stored motion segments on the student's grid. `full`: masks at the size of the image.
    """

    def __init__(self, work: RoundWork, supervision: str) -> None:
        self.work = work
        self.is_full = supervision == "full"
        data = work.config.data
        self.size = (data.image_height, data.image_width)
        self._decode = DecodeFragment(flow_size=None, image_size=self.size, pair_stride=data.pair_stride)
        self._load = LoadStored(work, with_segments=False)

    def __call__(self, row: Row) -> Iterator[Row]:
        """Read what can be used; a fragment that cannot be read gives nothing."""
        found = self._with_masks(row) if self.is_full else self._load(row)
        if found["error"]:
            return
        size = self.size if self.is_full else self.work.grid
        for image, labels in zip(found["images"], found["motion"], strict=True):
            yield {"image": image, "labels": labels, "size": np.array(size)}

    def _with_masks(self, row: Row) -> Row:
        row = self._decode(row)
        if row["error"]:
            return row
        fragment = Fragment.from_json(row["fragment"])
        frames = first_frames(fragment, self.work)
        try:
            masks = read_masks(fragment.clip, frames)
        except DataError as error:
            return {**row, "error": str(error)}
        if masks is None:
            return {**row, "error": "no frame has a mask"}
        present = np.isin(frames, masked_frames(fragment.clip, frames))
        return {
            **row,
            "images": row["images"][present],
            "motion": pack_labels(resize_masks(masks[present], *self.size)),
        }


class Reading(NamedTuple):
    """What a peer's training reads.

    Attributes:
        work: the run whose motion targets are stored.
        fragments: JSON of the training fragments.
        supervision: `motion` or `full`.
        shuffle_images: images in the shuffle buffer, where not all are kept.
    """

    work: RoundWork
    fragments: Sequence[str]
    supervision: str
    shuffle_images: int

    @property
    def is_kept(self) -> bool:
        """Whether one epoch is read and then kept in memory: label maps count as much as images."""
        data = self.work.config.data
        images = sum(Fragment.from_json(fragment).num_frames for fragment in self.fragments)
        return 2 * images * data.image_height * data.image_width * 3 <= REPLAY_BYTES


def endless(reading: Reading, seed: int) -> Iterator[Labelled]:
    """Single samples in random order, epoch after epoch.

    Images in which nothing moves are left out under motion supervision: they have nothing to teach [Decision 121].

    Raises:
        DataError: there is nothing to learn from.
    """
    kept: list[Labelled] = []
    for epoch in itertools.count():
        rng = np.random.default_rng([seed, epoch])
        if kept:
            yield from (kept[place] for place in rng.permutation(len(kept)))
            continue
        samples = _read(reading, rng)
        if reading.is_kept:
            kept = list(samples)
            samples = iter([kept[place] for place in rng.permutation(len(kept))])
        num_samples = 0
        for sample in _mixed(samples, reading.shuffle_images, rng):
            num_samples += 1
            yield sample
        if num_samples == 0:
            missing = "masks" if reading.supervision == "full" else "motion"
            raise DataError(
                f"No training image at {reading.work.config.data.source or 'the sample'} has {missing}; expected some."
            )


def _read(reading: Reading, rng: np.random.Generator) -> Iterator[Labelled]:
    fragments = [reading.fragments[place] for place in rng.permutation(len(reading.fragments))]
    rows = [{"fragment": fragment, "error": ""} for fragment in fragments]
    cpus = reading.work.config.resources.decode_cpus
    dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), 64))
    dataset = dataset.flat_map(ReadLabelled(reading.work, reading.supervision), num_cpus=cpus)
    for columns in dataset.iter_batches(batch_size=_ROWS_PER_READ, batch_format="numpy"):
        for image, packed, size in zip(columns["image"], columns["labels"], columns["size"], strict=True):
            labels = unpack_labels(packed, (int(size[0]), int(size[1])))
            if reading.supervision == "full" or labels.any():
                # Copied: a view would keep its whole block alive.
                yield Labelled(image.copy(), labels)


def _mixed(samples: Iterable[Labelled], size: int, rng: np.random.Generator) -> Iterator[Labelled]:
    """Each sample given is drawn from a buffer of at most `size`, which fills while it gives."""
    buffer: list[Labelled] = []
    for count, sample in enumerate(samples):
        buffer.append(sample)
        if len(buffer) >= size or (len(buffer) >= size // _FIRST_PART and count % 2):
            yield _take(buffer, rng)
    while buffer:
        yield _take(buffer, rng)


def _take(buffer: list[Labelled], rng: np.random.Generator) -> Labelled:
    place = int(rng.integers(len(buffer)))
    buffer[place], buffer[-1] = buffer[-1], buffer[place]
    return buffer.pop()
