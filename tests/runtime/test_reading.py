from __future__ import annotations

import numpy as np

from eisen_ray.runtime.reading import (
    NONE_USED,
    fragment_at,
    num_positions,
    pair_starts,
    position_of,
    sample_id,
    spread,
    unused_positions,
    used_of,
)

SIZES = np.array([3, 2, 4, 1])


def ids_of(positions: range | np.ndarray, seed: int = 0) -> list[int]:
    return [
        sample_id(int(position), frame)
        for position in positions
        for frame in range(SIZES[fragment_at(int(position), len(SIZES), seed)])
    ]


def test_pair_starts_leave_out_the_last_frame() -> None:
    assert list(pair_starts(8, 1)) == [0, 1, 2, 3, 4, 5, 6]
    assert list(pair_starts(8, 3)) == [0, 3, 6]
    assert list(pair_starts(2, 5)) == [0]


def test_every_epoch_reads_every_fragment_once() -> None:
    for epoch in range(3):
        read = [fragment_at(epoch * 7 + place, 7, seed=1) for place in range(7)]
        assert sorted(read) == list(range(7))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [fragment_at(epoch * 50 + place, 50, seed) for place in range(50)]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_sample_ids_never_meet() -> None:
    ids = ids_of(range(12))
    assert len(set(ids)) == len(ids) == 3 * sum(SIZES)


def test_positions_cover_the_images_with_an_epoch_to_spare() -> None:
    assert num_positions(10, SIZES) == 2 * 4
    assert num_positions(11, SIZES) == 3 * 4
    assert num_positions(95, SIZES) == 11 * 4


def test_nothing_used_leaves_everything() -> None:
    assert unused_positions(2, 9, NONE_USED).tolist() == list(range(2, 9))


def test_only_fully_used_positions_are_left_out() -> None:
    used = np.array(ids_of(range(3)) + ids_of(range(5, 6))[:-1], dtype=np.int64)
    left = unused_positions(0, 8, used_of(used, SIZES, 0)).tolist()
    partly = SIZES[fragment_at(5, 4, 0)] > 1
    assert left == [3, 4, 5, 6, 7] if partly else [3, 4, 6, 7]


def test_used_and_unused_make_up_the_whole_reading() -> None:
    rng = np.random.default_rng(0)
    everything = ids_of(range(12))
    used = np.sort(rng.choice(everything, 17, replace=False))
    left = [name for name in ids_of(unused_positions(0, 12, used_of(used, SIZES, 0))) if name not in set(used.tolist())]
    assert sorted([*used.tolist(), *left]) == sorted(everything)


def test_used_samples_are_exactly_those_given() -> None:
    rng = np.random.default_rng(1)
    everything = ids_of(range(20))
    for count in (0, 1, 25, len(everything)):
        ids = rng.choice(everything, count, replace=False).astype(np.int64)
        used = used_of(ids, SIZES, 0)
        assert [name for name in everything if name in used] == sorted(ids.tolist())
        assert used.last_position == max((position_of(name) for name in ids.tolist()), default=-1)
    assert sample_id(20, 0) not in used


def test_what_is_kept_of_a_long_reading_is_short() -> None:
    num_fragments, images = 5000, 4
    ids = np.array([sample_id(position, frame) for position in range(3 * num_fragments) for frame in range(images)])
    # Some images wait in the shuffle buffer; fragment 7 cannot be read in any epoch.
    waiting = np.isin(ids, ids[-200:][::3])
    unread = [place for place in range(3 * num_fragments) if fragment_at(place, num_fragments, 0) == 7]
    bad = np.isin(ids // sample_id(1, 0), unread)
    used = used_of(ids[~waiting & ~bad], np.full(num_fragments, images), 0)
    assert len(used.spans) <= 5
    assert len(used.ids) <= 200
    left = unused_positions(0, 3 * num_fragments, used)
    assert set(left.tolist()) == set((ids[waiting | bad] // sample_id(1, 0)).tolist())


def test_spread_is_even_and_complete() -> None:
    assert spread(3, 5) == [0, 1, 2]
    assert spread(10, 5) == [0, 2, 4, 6, 8]
    assert spread(0, 5) == []
    assert spread(5, 0) == []
