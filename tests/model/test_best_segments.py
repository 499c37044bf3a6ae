from __future__ import annotations

import numpy as np

from eisen_ray.model.best_segments import best_segments
from eisen_ray.model.outlines import edge_shares, snap_to_edges

GROUND, THING = (60, 60, 60), (220, 120, 40)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A picture of 96x96 px and a map on 24x24 nodes: things 2 and 3, ground in two pieces 1 and 4 without an edge."""
    truth = np.ones((24, 24), np.int64)
    truth[:, 12:] = 4
    truth[4:12, 3:11], truth[14:20, 13:21] = 2, 3
    picture = np.empty((96, 96, 3), np.uint8)
    picture[:] = GROUND
    picture[np.isin(truth, (2, 3)).repeat(4, 0).repeat(4, 1)] = THING
    return picture, truth


def is_in(mask: np.ndarray, labels: np.ndarray) -> bool:
    """Whether a segment is exactly this."""
    name = labels[mask][0]
    return bool(name > 0 and ((labels == name) == mask).all())


def test_each_thing_is_taken_from_the_pass_that_has_it() -> None:
    picture, truth = scene()
    first, second = truth.copy(), truth.copy()
    first[14:20, 13:21] = 4  # one with the ground
    second[4:12, 3:7], second[4:8, 7:11] = 5, 6  # in pieces
    best = best_segments(np.stack([first, second]), picture, 0.03, 1)
    assert is_in(truth == 2, best)
    assert is_in(truth == 3, best)
    assert best.max() == 4, "the pieces of what is taken are not"
    assert best[0, -1] == 1, "the largest"


def test_outlines_on_edges_outweigh_what_most_passes_say() -> None:
    picture, truth = scene()
    wide = np.where(truth == 2, 1, truth)
    wide[2:14, 1:13] = 2  # two nodes too wide all around, beyond what outlines may move
    best = best_segments(np.stack([wide, wide, truth]), picture, 0.03, 1)
    assert is_in(truth == 2, best)


def test_of_equal_edges_what_most_passes_have_is_taken() -> None:
    # Its right side is in two: whole or halved, all outlines are edges.
    picture = np.full((96, 96, 3), 90, np.uint8)
    picture[:48, 48:], picture[48:, 48:] = 150, 200
    whole, halved = np.ones((24, 24), np.int64), np.ones((24, 24), np.int64)
    whole[:, 12:] = 2
    halved[:12, 12:], halved[12:, 12:] = 2, 3

    def number(*passes: np.ndarray) -> int:
        return int(best_segments(np.stack(passes), picture, 0.03, 1).max())

    assert (number(whole, whole, halved), number(halved, halved, whole)) == (2, 3)
    assert (number(halved, whole, whole), number(whole, halved, halved)) == (2, 3), "whichever comes first"


def test_a_side_without_an_edge_outweighs_what_more_passes_say() -> None:
    picture, truth = scene()
    picture[16:48, 44:] = (40, 120, 220)  # beside the first thing, to the rim of the picture
    long = truth.copy()
    long[4:12, 11:19] = 2  # of its outline five sixths are edges, of the thing's all
    assert edge_shares(long.repeat(4, 0).repeat(4, 1), picture)[2] == 5 / 6
    assert is_in(truth == 2, best_segments(np.stack([long, long, long, truth]), picture, 0.0, 1))


def test_what_no_segment_takes_stays_as_the_first_pass_has_it() -> None:
    picture, truth = scene()
    # A piece of ground that laps over a thing for more than three tenths of itself: its rest is not lost.
    first = np.where(truth == 2, 1, 0)
    first[4:12, 3:15] = 1
    second = np.where(truth == 2, 2, 0)
    best = best_segments(np.stack([first, second]), picture, 0.0, 1)
    assert is_in(truth == 2, best)
    rest = (first == 1) & (truth != 2)
    assert is_in(rest, best)
    assert not best[~rest & (truth != 2)].any()
    assert not best_segments(np.stack([first, second]), picture, 0.0, 33)[rest].any(), "32 nodes are too few"
    assert not best_segments(np.stack([second, first]), picture, 0.0, 1)[rest].any(), "only the first's"


def test_a_segment_that_is_lapped_a_little_keeps_the_rest() -> None:
    picture, truth = scene()
    first = np.where(truth == 2, 2, 0)
    second = np.zeros_like(truth)
    second[10:24, 3:11] = 1  # two rows of fourteen are the thing's
    best = best_segments(np.stack([first, second]), picture, 0.0, 1)
    assert is_in(truth == 2, best)
    assert is_in((second == 1) & (truth != 2), best)


def test_passes_may_be_empty_and_equal_passes_are_one() -> None:
    picture, truth = scene()
    assert not best_segments(np.zeros((3, 24, 24), np.int64), picture, 0.03, 1).any()
    same = best_segments(np.stack([truth, truth, truth]), picture, 0.03, 1)
    assert all(is_in(truth == name, same) for name in (1, 2, 3, 4))
    some = best_segments(np.stack([np.zeros_like(truth), truth]), picture, 0.03, 1)
    assert np.array_equal(some, same)


def test_edges_are_those_of_moved_outlines() -> None:
    picture, truth = scene()
    near = np.where(truth == 2, 1, truth)
    near[3:13, 2:12] = 2  # a node too wide: its outline moves to the edge
    assert edge_shares(near.repeat(4, 0).repeat(4, 1), picture)[2] == 0
    assert edge_shares(snap_to_edges(near, picture, 0.1), picture)[2] > 0.9
    apart = truth.copy()
    apart[4:12, 3:7], apart[4:12, 7:11] = 2, 5  # two halves, each on edges but for one side
    best = best_segments(np.stack([apart, near]), picture, 0.1, 1)
    assert is_in(near == 2, best), "with unmoved outlines the halves would be better"
