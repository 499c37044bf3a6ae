from __future__ import annotations

import numpy as np

from eisen_ray.worlds.looks.noise import blend, fractal_noise, grid, ramp, to_bytes


def roughness(noise: np.ndarray) -> float:
    return float(np.abs(np.diff(noise, axis=0)).mean())


def test_noise_is_normalised_and_tiles() -> None:
    noise = fractal_noise(np.random.default_rng(0), 64, 2.0)
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 1], atol=1e-6)
    seam = np.abs(noise[0] - noise[-1]).mean()
    assert seam < 2 * roughness(noise)


def test_steeper_or_cut_off_noise_is_smoother() -> None:
    white, cloud, cut = (
        fractal_noise(np.random.default_rng(0), 64, slope, cutoff) for slope, cutoff in ((0, None), (3, None), (0, 3))
    )
    assert roughness(white) > 2 * roughness(cloud)
    assert roughness(white) > 2 * roughness(cut)


def test_blends_and_ramps() -> None:
    black, white = np.zeros(3), np.ones(3)
    share = np.array([[0.0, 0.25], [0.5, 1.0]])
    np.testing.assert_allclose(blend(black, white, share)[..., 0], share)
    three = np.array([black, white, black])
    np.testing.assert_allclose(ramp(three, share)[..., 0], [[0, 0.5], [1, 0]])
    x, y = grid(2)
    np.testing.assert_allclose([x, y], [[[0.25, 0.75]] * 2, [[0.25] * 2, [0.75] * 2]])
    np.testing.assert_array_equal(to_bytes(np.array([-1.0, 0.5, 2.0])), [0, 128, 255])
