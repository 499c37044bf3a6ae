"""Images [n, n, 3] of floats and the noise that makes them less clean. Everything tiles."""

from __future__ import annotations

import numpy as np

Image = np.ndarray
"""float64 [n, n, 3] in 0..1, not clipped yet."""


def fractal_noise(
    rng: np.random.Generator,
    size: int,
    slope: float = 2.0,
    cutoff: float | None = None,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Power-law noise [n, n], zero mean, unit deviation.

    Args:
        rng: the scene's generator.
        size: n.
        slope: 0 is nearly white; above 2 it is clouds.
        cutoff: frequencies above it (waves per image) fade out.
        stretch: factors of the frequencies along rows and columns.
    """
    rows = np.fft.fftfreq(size)[:, None] * size * stretch[0]
    columns = np.fft.rfftfreq(size)[None, :] * size * stretch[1]
    frequency = np.hypot(rows, columns)
    amplitude = np.where(frequency > 0, np.maximum(frequency, 1.0) ** (-slope / 2 - 0.5), 0.0)
    if cutoff is not None:
        amplitude = amplitude * np.exp(-((frequency / cutoff) ** 2))
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * amplitude, s=(size, size))
    noise -= noise.mean()
    return noise / (noise.std() + 1e-9)


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Both coordinates, x and y, of the pixel centres, [n, n] each, in 0..1."""
    centres = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(centres, centres)
    return x, y


def blend(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> Image:
    """`first` where the share [n, n] is 0, `second` where it is 1."""
    return first + (second - first) * share[..., None]


def ramp(palette: np.ndarray, share: np.ndarray) -> Image:
    """Colours along a palette [k, 3], 0 the first and 1 the last."""
    position = np.clip(share, 0, 1) * (len(palette) - 1)
    below = np.minimum(position.astype(int), len(palette) - 2)
    return blend(palette[below], palette[below + 1], position - below)


def grain(rng: np.random.Generator, image: Image, amount: float | None = None) -> Image:
    """The image with fine and coarse variations of its brightness; at most 0.04 of it where no amount is given."""
    amount = float(rng.uniform(0, 0.04)) if amount is None else amount
    fine, coarse = fractal_noise(rng, len(image), 0.2), fractal_noise(rng, len(image), 2.2)
    return image * (1 + amount * (0.6 * fine + 0.7 * coarse)[..., None])


def to_bytes(image: Image) -> np.ndarray:
    """uint8 [n, n, 3]."""
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
