from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.model.surety import segment_confidences

GREY = np.full((4, 16, 3), 90, np.uint8)


def test_on_nodes_confidence_is_the_share_that_other_passes_find_again() -> None:
    first, second = np.array([[1, 1, 1, 2]]), np.array([[5, 5, 0, 7]])
    found = segment_confidences(np.stack([first, second]), first, GREY)
    assert found == pytest.approx({1: 3 / 4 * 2 / 3, 2: 1 / 4})
    assert segment_confidences(first[None], first, GREY) == {1: 3 / 4, 2: 1 / 4}


def test_outlines_on_edges_make_a_segment_surer_than_outlines_on_nothing() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[4:8, 4:8] = 200
    picture[8:12, 0:2] = 200  # half of the lower side of segment 2, and what lies below
    outlined = np.zeros((16, 16), np.int64)
    outlined[4:8, 4:8] = 1
    outlined[4:8, 0:4] = 2
    nodes = outlined[::4, ::4]
    found = segment_confidences(nodes[None], outlined, picture)
    # Segment 2 has an outline of 4 above, 4 at its right, where the square begins, and 4 below.
    assert found == pytest.approx({1: 1 / 16, 2: 1 / 16 * ((4 + 2) / 12) ** 4})


def test_segments_that_were_left_out_have_no_confidence() -> None:
    nodes = np.array([[1, 2], [0, 3]])
    outlined = np.where(nodes == 3, 0, nodes).repeat(4, 0).repeat(4, 1)
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert set(segment_confidences(nodes[None], outlined, picture)) == {1, 2}
