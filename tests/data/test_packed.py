"""Label maps survive packing, and packing makes them small."""

from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.data.packed import pack_labels, unpack_labels
from eisen_ray.errors import DataError


def test_maps_come_back_as_they_were() -> None:
    maps = np.random.default_rng(0).integers(0, 65536, (3, 5, 7), dtype=np.uint16)
    packed = pack_labels(maps)
    assert all(isinstance(one, bytes) for one in packed)
    assert np.array_equal([unpack_labels(one, (5, 7)) for one in packed], maps)
    assert pack_labels(maps[:0]) == []


def test_a_map_of_segments_takes_a_hundredth_of_its_flow() -> None:
    y, x = np.mgrid[:128, :128]
    maps = np.stack([(y // 16 * 8 + x // 16), (y - 60) ** 2 + (x - 50) ** 2 < 900]).astype(np.uint16)
    raw_flow = 512 * 512 * 2 * 4
    assert max(map(len, pack_labels(maps))) < raw_flow / 1000


@pytest.mark.parametrize("damage", [lambda one: one[:-3], lambda one: b"x" + one, lambda _: b""])
def test_damaged_bytes_are_refused(damage) -> None:
    (packed,) = pack_labels(np.ones((1, 8, 8)))
    with pytest.raises(DataError, match="no label map of 8x8"):
        unpack_labels(damage(packed), (8, 8))


def test_a_map_of_another_size_is_refused() -> None:
    (packed,) = pack_labels(np.ones((1, 8, 8)))
    with pytest.raises(DataError, match="no label map of 4x4"):
        unpack_labels(packed, (4, 4))
