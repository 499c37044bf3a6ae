"""Patterns that grow: wood, stone, coats, clouds."""

from __future__ import annotations

import numpy as np

from eisen_ray.worlds.looks.colours import Palette, hsv, palette
from eisen_ray.worlds.looks.noise import Image, blend, fractal_noise, grain, grid, ramp


def plain(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """One colour."""
    return grain(rng, np.broadcast_to(colours[0], (size, size, 3)), rng.uniform(0, 0.06))


def mottled(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Soft clouds of two colours."""
    noise = fractal_noise(rng, size, rng.uniform(1.5, 3))
    return grain(rng, ramp(colours[:2], 0.5 + noise * rng.uniform(0.1, 0.3)))


def blotches(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Patches of two colours with more or less sharp rims."""
    noise = fractal_noise(rng, size, rng.uniform(2.2, 3.2), cutoff=rng.uniform(6, 30))
    return grain(rng, blend(colours[0], colours[1], _sigmoid(noise * rng.uniform(6, 25))))


def camouflage(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Patches of four colours."""
    del colours
    noise = fractal_noise(rng, size, 3.0, cutoff=14)
    return grain(rng, palette(rng, 4)[np.digitize(noise, [-0.7, 0, 0.7])])


def wood(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Grained wood of its own colour."""
    del colours
    hue, value, saturation = rng.uniform(0.03, 0.12), rng.uniform(0.25, 0.85), rng.uniform(0.25, 0.7)
    light = hsv(hue, saturation, value)
    dark = hsv(hue + rng.normal(0, 0.01), min(1, saturation * 1.25), value * rng.uniform(0.5, 0.8))
    warp = fractal_noise(rng, size, 2.6, stretch=(4, 1))
    years = np.sin(2 * np.pi * (int(rng.integers(4, 14)) * grid(size)[1] + rng.uniform(0.1, 0.5) * warp))
    fibre = fractal_noise(rng, size, 0.8, stretch=(0.25, 6))
    return grain(rng, blend(light, dark, np.clip(0.375 * (1 + years) + 0.12 * fibre, 0, 1)), 0.03)


def planks(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Boards of wood, row by row, each cut once or twice."""
    board = wood(rng, size, colours)
    rows, gap = int(rng.integers(4, 9)), max(1, size // 200)
    bands = []
    for part in np.array_split(np.arange(size), rows):
        row = np.roll(board, int(rng.integers(size)), axis=1)[part].copy()
        for piece in np.array_split(np.arange(size), int(rng.integers(1, 3))):
            row[:, piece] = np.roll(row, int(rng.integers(size)), axis=1)[:, piece] * rng.uniform(0.75, 1.15)
            row[:, piece[:gap]] *= 0.45
        row[:gap] *= 0.45
        bands.append(np.roll(row, int(rng.integers(size)), axis=1))
    return np.concatenate(bands)


def marble(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Veined stone, most of it nearly white."""
    x, y = grid(size)
    phase = np.pi * (int(rng.integers(0, 3)) * x + int(rng.integers(1, 3)) * y)
    veins = np.abs(np.sin(phase + rng.uniform(0.5, 1.2) * fractal_noise(rng, size, 2.8))) ** rng.uniform(0.3, 0.8)
    is_white = rng.random() < 0.7
    light = hsv(rng.random(), rng.uniform(0, 0.15), rng.uniform(0.75, 0.97)) if is_white else colours[0]
    return grain(rng, blend(light * rng.uniform(0.35, 0.75), light, veins), 0.02)


def granite(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Speckled stone."""
    specks = fractal_noise(rng, size, 0.6, cutoff=size / rng.uniform(3, 8))
    image = blend(colours[0], colours[0] * 0.8, 0.5 + 0.2 * fractal_noise(rng, size, 2.4))
    image = np.where((specks > 1.1)[..., None], colours[1], image)
    return np.where((specks < -1.2)[..., None], colours[0] * 0.35, image)


def zebra(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Wavy stripes, half of them black and white."""
    noise = fractal_noise(rng, size, 2.8, cutoff=8)
    waves = np.sin(2 * np.pi * int(rng.integers(4, 9)) * grid(size)[1] + rng.uniform(0.8, 1.6) * noise)
    pair = colours if rng.random() < 0.5 else np.array([[0.93, 0.92, 0.88], [0.07, 0.06, 0.06]])
    return grain(rng, blend(pair[0], pair[1], _sigmoid(12 * waves)))


def cells(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Polygons around random points, as on a giraffe."""
    points = rng.random((int(rng.integers(12, 45)), 2))
    x, y = grid(size)
    apart = np.abs(np.stack([x, y], -1)[:, :, None] - points)
    distance = np.hypot(*np.moveaxis(np.minimum(apart, 1 - apart), -1, 0))
    nearest = distance.argmin(-1)
    two = np.partition(distance, 1, axis=-1)
    shades = colours[1] * (1 + rng.normal(0, rng.uniform(0.02, 0.2), len(points)))[:, None]
    if rng.random() < 0.35:
        shades = colours[rng.integers(len(colours), size=len(points))]
    is_rim = two[..., 1] - two[..., 0] < rng.uniform(0.01, 0.035)
    return grain(rng, np.where(is_rim[..., None], colours[0], shades[nearest]))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))
