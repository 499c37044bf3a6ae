from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch

from eisen_ray.data.packed import pack_labels
from eisen_ray.runtime.batches import Counter, Sample, batched, mixed, replayed, samples_of, shuffled, to_batch
from eisen_ray.runtime.reading import fragment_at, sample_id
from eisen_ray.teaching import TeacherConfig


def sample(number: int, segments: np.ndarray | None = None) -> Sample:
    image = np.full((8, 8, 3), number % 256, np.uint8)
    motion = np.zeros((2, 2), np.uint16)
    motion[0, 0] = number % 256
    return Sample(number, image, motion, segments)


def test_samples_come_out_of_columns_one_by_one() -> None:
    columns = {
        "sample_id": np.array([5, 6]),
        "image": np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3),
        "motion": np.array(pack_labels(np.ones((2, 1, 1))), object),
    }
    found = list(samples_of([columns], (1, 1)))
    assert [one.sample_id for one in found] == [5, 6]
    assert np.array_equal(found[1].image, columns["image"][1])
    assert found[0].motion.tolist() == [[1]]
    assert found[0].segments is None
    assert not np.shares_memory(found[0].image, columns["image"])


def test_shuffling_loses_and_doubles_nothing() -> None:
    numbers = [one.sample_id for one in shuffled(map(sample, range(50)), 16, np.random.default_rng(0), 50)]
    assert sorted(numbers) == list(range(50))
    assert numbers != list(range(50))


def test_shuffling_looks_no_further_than_its_buffer() -> None:
    numbers = [one.sample_id for one in shuffled(map(sample, range(50)), 16, np.random.default_rng(0), 50)]
    assert all(number < place + 16 for place, number in enumerate(numbers))


def test_the_first_sample_does_not_wait_for_the_whole_buffer() -> None:
    read = 0

    def counted() -> Iterator[Sample]:
        nonlocal read
        for number in range(400):
            read += 1
            yield sample(number)

    mixed = shuffled(counted(), 160, np.random.default_rng(0), 1000)
    next(mixed)
    assert 20 <= read <= 22
    for _ in range(200):
        next(mixed)
    assert 200 + 158 <= read <= 200 + 162, "the buffer must fill in the end"


def test_buffer_of_one_keeps_the_order() -> None:
    assert [one.sample_id for one in shuffled(map(sample, range(9)), 1, np.random.default_rng(0), 50)] == list(range(9))


def test_equal_seeds_shuffle_alike() -> None:
    first, second = (
        [one.sample_id for one in shuffled(map(sample, range(20)), 8, np.random.default_rng(3), 50)] for _ in range(2)
    )
    assert first == second


def test_epochs_do_not_mix() -> None:
    rng = np.random.default_rng(0)
    samples = [sample(sample_id(position, 0)) for position in range(12)]
    order = [one.sample_id // sample_id(1, 0) for one in shuffled(samples, 100, rng, fragments_per_epoch=4)]
    assert [sorted(order[begin : begin + 4]) for begin in (0, 4, 8)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert order != sorted(order)


def test_workers_ask_for_the_next_pass_after_equally_many_samples() -> None:
    def given_before_asking(epochs: list[int]) -> int:
        """Of a share whose samples are of these epochs."""
        samples = [sample(sample_id(epoch, number)) for number, epoch in enumerate(epochs)]
        given, asked = 0, []

        def passes() -> Iterator[list[Sample]]:
            yield samples
            asked.append(given)
            yield samples

        for _ in mixed(passes(), 100, np.random.default_rng(0), fragments_per_epoch=1):
            given += 1
        assert given == 2 * len(epochs)
        return asked[0]

    assert given_before_asking([0, 0, 0, 1, 1, 2]) == given_before_asking([0, 1, 1, 2, 2, 2]) == 6


def test_replay_goes_on_as_reading_would() -> None:
    def read(first: int, last: int) -> list[Sample]:
        # Fragment 2 cannot be read and has no samples.
        places = [(place, fragment_at(place, 3, seed=5)) for place in range(first, last)]
        return [
            sample(sample_id(place, frame))._replace(image=np.full((8, 8, 3), fragment * 10 + frame, np.uint8))
            for place, fragment in places
            if fragment != 2
            for frame in (0, 4)
        ]

    # From memory after an interrupted epoch and a whole one, and from storage.
    replay = list(itertools.islice(replayed(read(1, 6), 3, seed=5), 22))
    storage = read(1, 18)[:22]
    assert [one.sample_id for one in replay] == [one.sample_id for one in storage]
    assert [one.image[0, 0, 0] for one in replay] == [one.image[0, 0, 0] for one in storage]


def test_replay_of_nothing_ends() -> None:
    assert list(replayed([], 3, seed=0)) == []


def test_counting_says_how_many_wait_in_the_buffer() -> None:
    counter = Counter()
    mixed = shuffled(counter.counted(map(sample, range(50))), 16, np.random.default_rng(0), 50)
    assert counter.count == 0
    for used in range(1, 21):
        next(mixed)
        assert 0 <= counter.count - used <= 16
    assert counter.count - 20 == 15, "the buffer is full but for the one that was given"


def test_batches_are_full_or_left_out() -> None:
    assert [[one.sample_id for one in batch] for batch in batched(map(sample, range(7)), 3)] == [[0, 1, 2], [3, 4, 5]]


def test_batch_has_the_networks_layout() -> None:
    batch = to_batch([sample(1), sample(2)], TeacherConfig(), torch.device("cpu"))
    assert batch.images.shape == (2, 3, 8, 8)
    assert batch.images.dtype == torch.uint8
    assert batch.labels.shape == (2, 2, 2)
    assert batch.labels.dtype == torch.int64
    assert batch.labels[:, 0, 0].tolist() == [1, 2]


def test_teacher_overrides_motion() -> None:
    segments = np.array([[3, 3], [0, 0]], np.uint16)
    batch = to_batch([sample(1, segments)], TeacherConfig(), torch.device("cpu"))
    assert batch.labels[0].tolist() == [[3, 3], [0, 0]]


def test_motion_splits_confident_segments_where_it_is_asked_to() -> None:
    """Motion is the upper left node only: of the segment on it, most rests."""
    segments = np.array([[3, 3], [3, 0]], np.uint16)
    split = to_batch(
        [sample(1, segments)], TeacherConfig(split_by_motion=True, min_region_nodes=0), torch.device("cpu")
    )
    assert split.labels[0].tolist() == [[4, 3], [3, 0]]
