from __future__ import annotations

import colorsys

import numpy as np

from eisen_ray.worlds.looks.colours import colour, hsv, muted_palette, pale, palette


def test_hue_wraps_and_the_rest_is_clipped() -> None:
    np.testing.assert_allclose(hsv(1.0, 1, 1), [1, 0, 0])
    np.testing.assert_allclose(hsv(1 / 3 - 1, 2, 3), [0, 1, 0], atol=1e-12)


def test_all_colours_are_in_range_and_repeat_by_seed() -> None:
    for seed in range(50):
        rng, twin = np.random.default_rng(seed), np.random.default_rng(seed)
        made = [palette(rng, 5), muted_palette(rng), muted_palette(rng, light=True), pale(rng, 0.1, 0.5, 0.45)[None]]
        same = [
            palette(twin, 5),
            muted_palette(twin),
            muted_palette(twin, light=True),
            pale(twin, 0.1, 0.5, 0.45)[None],
        ]
        for colours, repeated in zip(made, same, strict=True):
            np.testing.assert_array_equal(colours, repeated)
            assert colours.min() >= 0
            assert colours.max() <= 1


def test_vivid_colours_are_more_saturated() -> None:
    def saturation(vivid: float) -> float:
        rng = np.random.default_rng(0)
        return float(np.mean([colorsys.rgb_to_hsv(*colour(rng, vivid))[1] for _ in range(100)]))

    assert saturation(0.0) < 0.3 < 0.7 < saturation(1.0)
