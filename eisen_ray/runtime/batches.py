"""Training batches from a stream of samples: a shuffle buffer and stacking. No Ray."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from eisen_ray.data.packed import unpack_labels
from eisen_ray.learning.step import Batch
from eisen_ray.runtime.reading import epoch_of, fragment_at, frame_of, position_of, sample_id
from eisen_ray.supervision.targets import split_by_motion, target_labels
from eisen_ray.teaching import TeacherConfig

# The buffer gives its first sample when this part of it is full.
_FIRST_PART = 8


class Sample(NamedTuple):
    """One image with its supervision.

    Attributes:
        sample_id: names image and epoch.
        image: uint8 [H, W, 3].
        motion: uint16 [h, w].
        segments: uint16 [h, w], the teacher's; None in round 1.
    """

    sample_id: int
    image: np.ndarray
    motion: np.ndarray
    segments: np.ndarray | None


class Counter:
    """Counts samples as they come, over all passes; `count` says how many have been given so far."""

    def __init__(self) -> None:
        self.count = 0

    def counted(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """The same samples."""
        for sample in samples:
            self.count += 1
            yield sample


def samples_of(columns: Iterable[dict[str, np.ndarray]], grid: tuple[int, int]) -> Iterator[Sample]:
    """Single samples from batches of columns, as Ray Data gives them; label maps are unpacked to (h, w) = grid."""
    for batch in columns:
        for place, name in enumerate(batch["sample_id"]):
            # Copied: a view would keep the whole block alive for as long as one sample waits in the buffer.
            image = batch["image"][place].copy()
            motion = unpack_labels(batch["motion"][place], grid)
            segments = unpack_labels(batch["segments"][place], grid) if "segments" in batch else None
            yield Sample(int(name), image, motion, segments)


def shuffled(
    samples: Iterable[Sample], size: int, rng: np.random.Generator, fragments_per_epoch: int
) -> Iterator[Sample]:
    """Samples in random order, epoch after epoch: each one given is drawn from a buffer of at most `size`.

    Fragments come in random order already; the buffer parts the frames of one fragment, which look alike. It fills
    while it gives, one for two that come, so that the first step need not wait for all of it.
    """
    for _, epoch in itertools.groupby(samples, lambda sample: epoch_of(sample.sample_id, fragments_per_epoch)):
        buffer: list[Sample] = []
        for count, sample in enumerate(epoch):
            buffer.append(sample)
            filling = len(buffer) >= size // _FIRST_PART and count % 2
            if len(buffer) >= size or filling:
                yield _take(buffer, rng)
        while buffer:
            yield _take(buffer, rng)


def mixed(
    passes: Iterable[Iterable[Sample]], size: int, rng: np.random.Generator, fragments_per_epoch: int
) -> Iterator[Sample]:
    """`shuffled`, with the buffer emptied at the end of each pass as well.

    Several workers have equally large shares of a pass, but unequal parts of each epoch in it, and a worker that asks
    for the next pass waits until all do. A buffer that went on would make them ask after different steps.
    """
    return itertools.chain.from_iterable(shuffled(one, size, rng, fragments_per_epoch) for one in passes)


def replayed(samples: Iterable[Sample], num_fragments: int, seed: int) -> Iterator[Sample]:
    """All samples given, then those of the last epoch again and again, in the order of every further epoch.

    The sequence is the one that reading on would give, from memory. It never ends unless it is empty.

    Args:
        samples: in the order of their positions; the last epoch must be whole.
        num_fragments: of the round.
        seed: of the reading's order.
    """
    epoch, last = -1, dict[int, list[Sample]]()
    for sample in samples:
        position = position_of(sample.sample_id)
        if position // num_fragments != epoch:
            epoch, last = position // num_fragments, {}
        last.setdefault(fragment_at(position, num_fragments, seed), []).append(sample)
        yield sample
    for position in itertools.count((epoch + 1) * num_fragments) if last else ():
        for sample in last.get(fragment_at(position, num_fragments, seed), ()):
            yield sample._replace(sample_id=sample_id(position, frame_of(sample.sample_id)))


def batched(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    """Lists of `size` samples; what remains at the end is left out, so that all workers make equally many steps."""
    batch: list[Sample] = []
    for sample in samples:
        batch.append(sample)
        if len(batch) == size:
            yield batch
            batch = []


def to_batch(samples: list[Sample], teacher: TeacherConfig, device: torch.device) -> Batch:
    """Stack samples, merge motion and confident segments, and send images and labels to the device."""
    images = torch.from_numpy(np.stack([sample.image for sample in samples]))
    motion = _stacked([sample.motion for sample in samples])
    segments = [sample.segments for sample in samples if sample.segments is not None]
    confident = _stacked(segments) if segments else None
    if confident is not None and teacher.split_by_motion:
        confident = split_by_motion(motion, confident)
    labels = target_labels(
        motion,
        confident,
        teacher.min_region_nodes,
        min_moving_share=teacher.min_moving_share,
        heal_rims=teacher.heal_rims,
        explaining_away=teacher.explaining_away,
    )
    return Batch(_sent(images, device).permute(0, 3, 1, 2).contiguous(), _sent(labels, device))


def _sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    # From pinned memory a copy to a GPU runs beside the kernels of the step before.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _stacked(maps: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(maps).astype(np.int64))


def _take(buffer: list[Sample], rng: np.random.Generator) -> Sample:
    place = int(rng.integers(len(buffer)))
    buffer[place], buffer[-1] = buffer[-1], buffer[place]
    return buffer.pop()
