"""Patterns that are made: checks, stripes, dots, bricks, tiles, cloth."""

from __future__ import annotations

import numpy as np

from eisen_ray.worlds.looks.colours import Palette, hsv, palette
from eisen_ray.worlds.looks.noise import Image, blend, fractal_noise, grain, grid

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def checker(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """A chess board."""
    count = int(rng.choice([2, 4, 6, 8, 10]))
    x, y = grid(size)
    odd = ((x * count).astype(int) + (y * count).astype(int)) % 2
    return grain(rng, blend(colours[0], colours[1], odd.astype(float)))


def stripes(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Straight stripes in one of four directions, half of them with a third colour."""
    x, y = grid(size)
    across, down = DIRECTIONS[int(rng.integers(4))]
    phase = ((across * x + down * y) * int(rng.integers(2, 9))) % 1
    width = rng.uniform(0.25, 0.6)
    image = blend(colours[0], colours[1], (phase < width).astype(float))
    if rng.random() < 0.5:
        image = np.where(((phase > width) & (phase < width + 0.1))[..., None], colours[2], image)
    return grain(rng, image)


def dots(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Discs in rows, some rows shifted."""
    count = int(rng.integers(3, 9))
    x, y = (axis * count for axis in grid(size))
    is_shifted = count % 2 == 0 and rng.random() < 0.6
    x = x + 0.5 * (y.astype(int) % 2) if is_shifted else x
    inside = np.hypot(x % 1 - 0.5, y % 1 - 0.5) < rng.uniform(0.18, 0.4)
    return grain(rng, blend(colours[0], colours[1], inside.astype(float)))


def bricks(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """A brick wall of its own colours."""
    del colours
    rows = int(rng.choice([6, 8, 10, 12]))
    columns = rows // 2
    x, y = grid(size)
    row = (y * rows).astype(int)
    along = x * columns + 0.5 * (row % 2)
    joint = rng.uniform(0.04, 0.12)
    is_mortar = ((y * rows) % 1 < joint) | (along % 1 < joint / 2)
    if rng.random() < 0.6:
        hue, saturation, value = rng.uniform(0, 0.07), rng.uniform(0.3, 0.65), rng.uniform(0.35, 0.75)
    else:
        hue, saturation, value = rng.random(), rng.uniform(0, 0.2), rng.uniform(0.5, 0.9)
    shades = np.array(
        [
            hsv(hue + rng.normal(0, 0.01), saturation * rng.uniform(0.8, 1.2), value * rng.uniform(0.8, 1.2))
            for _ in range(rows * columns)
        ]
    ).reshape(rows, columns, 3)
    image = np.where(is_mortar[..., None], rng.uniform(0.45, 0.85), shades[row % rows, along.astype(int) % columns])
    return grain(rng, image, 0.07)


def tiles(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Square tiles with joints, some in two colours."""
    count = int(rng.choice([2, 3, 4, 5, 6, 8]))
    x, y = (axis * count for axis in grid(size))
    i, j = x.astype(int), y.astype(int)
    joint = rng.uniform(0.01, 0.04)
    edge = np.minimum(np.minimum(x % 1, 1 - x % 1), np.minimum(y % 1, 1 - y % 1))
    shades = colours[0] * (1 + rng.normal(0, rng.uniform(0.01, 0.1), (count, count)))[..., None]
    if rng.random() < 0.35:
        is_even = np.add.outer(np.arange(count), np.arange(count)) % 2 == 0
        shades = np.where(is_even[..., None], shades, colours[1])
    image = shades[j, i] * (1 + 0.05 * fractal_noise(rng, size, 2.5)[..., None])
    return grain(rng, np.where((edge < joint)[..., None], colours[-1] * 0.6 + 0.2, image), 0.02)


def weave(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Cloth, half of it tartan."""
    count = int(rng.choice([16, 24, 32, 48]))
    x, y = grid(size)
    is_warp = ((x * count).astype(int) + (y * count).astype(int)) % 2 == 0
    thread = np.where(is_warp, np.sin(2 * np.pi * count * x), np.sin(2 * np.pi * count * y))
    image = blend(colours[0] * 0.75, colours[0], 0.5 + 0.5 * thread)
    if rng.random() < 0.5:
        bands = int(rng.integers(2, 5))
        image = np.where(((x * bands) % 1 < 0.3)[..., None], 0.6 * image + 0.4 * colours[1], image)
        image = np.where(((y * bands) % 1 < 0.3)[..., None], 0.6 * image + 0.4 * colours[-1], image)
    return grain(rng, image)


def rings(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Bands along y: around a body of revolution they are rings."""
    edges = np.sort(rng.random(int(rng.integers(2, 7))))
    every = np.concatenate([colours, palette(rng, len(edges))])
    return grain(rng, every[np.searchsorted(edges, grid(size)[1])])


def gradient(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """From one colour to another and back."""
    return grain(rng, blend(colours[0], colours[1], 0.5 - 0.5 * np.cos(2 * np.pi * grid(size)[1])))
