from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.looks.textures import OBJECT_PATTERNS, PATTERNS, texture, weighted_choice


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern(pattern: str) -> None:
    images = [texture(np.random.default_rng(seed), pattern, 64) for seed in (0, 0, *range(1, 8))]
    assert all(image.shape == (64, 64, 3) and image.dtype == np.uint8 for image in images)
    np.testing.assert_array_equal(images[0], images[1])
    assert any((image != images[0]).any() for image in images[2:])


@pytest.mark.parametrize("pattern", ["checker", "stripes", "dots", "cells", "blotches", "weave"])
def test_two_colours_are_seen(pattern: str) -> None:
    colours = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    image = texture(np.random.default_rng(3), pattern, 64, colours).astype(int)
    assert np.ptp(image[..., 0] - image[..., 2]) > 60


def test_weights_are_obeyed() -> None:
    rng = np.random.default_rng(0)
    drawn = [weighted_choice(rng, {"often": 9, "seldom": 1}) for _ in range(500)]
    assert 0.85 < drawn.count("often") / 500 < 0.95
    assert set(OBJECT_PATTERNS) <= set(PATTERNS)
