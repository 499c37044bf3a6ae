"""Patterns that are printed or knotted: packaging, posters, rugs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFilter

from eisen_ray.worlds.looks import organic, regular
from eisen_ray.worlds.looks.colours import Palette, colour, palette
from eisen_ray.worlds.looks.noise import Image, fractal_noise, grain, grid, ramp, to_bytes

Ink = tuple[int, int, int]


def label(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """Packaging: bands, blocks, discs and dashes like text."""
    picture = Picture.fromarray(to_bytes(np.broadcast_to(colours[0], (size, size, 3))))
    draw = ImageDraw.Draw(picture)
    contrast = np.array([[0.95, 0.95, 0.95], [0.08, 0.08, 0.08]])
    inks = [_ink(each) for each in np.concatenate([colours, palette(rng, 3), contrast])]

    def ink() -> Ink:
        return inks[int(rng.integers(len(inks)))]

    for _ in range(int(rng.integers(1, 4))):
        top = rng.uniform(0, size)
        draw.rectangle([0, top, size, top + rng.uniform(0.05, 0.3) * size], fill=ink())
    for _ in range(int(rng.integers(1, 5))):
        (x, y), (w, h) = rng.uniform(0, size, 2), rng.uniform(0.08, 0.35, 2) * size
        figure = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        figure([x - w, y - h, x + w, y + h], fill=ink())
    for _ in range(int(rng.integers(2, 8))):
        x, y = rng.uniform(0, 0.7) * size, rng.uniform(0, 0.95) * size
        fill, height, end = ink(), max(1, int(rng.uniform(0.01, 0.035) * size)), size * rng.uniform(0.5, 1.0)
        while x < end:
            width = rng.uniform(0.01, 0.06) * size
            draw.rectangle([x, y, x + width, y + height], fill=fill)
            x += width + rng.uniform(0.01, 0.02) * size
    return grain(rng, np.asarray(picture, float) / 255, 0.03)


def poster(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """A framed picture of clouds and polygons."""
    del colours
    clouds = ramp(palette(rng, 5), 0.5 + 0.3 * fractal_noise(rng, size, 3.0))
    picture = Picture.fromarray(to_bytes(clouds))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(2, 9))):
        corners = rng.uniform(0, size, (int(rng.integers(3, 6)), 2))
        draw.polygon([(float(x), float(y)) for x, y in corners], fill=_ink(colour(rng)))
    picture = picture.filter(ImageFilter.GaussianBlur(size / 200))
    frame = _ink(colour(rng, 0.1))
    ImageDraw.Draw(picture).rectangle([0, 0, size - 1, size - 1], outline=frame, width=max(2, size // 24))
    return np.asarray(picture, float) / 255


def rug(rng: np.random.Generator, size: int, colours: Palette) -> Image:
    """A rug: borders around a field of another pattern."""
    x, y = grid(size)
    inward = 2 * np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    every = np.concatenate([colours, palette(rng, 3)])
    image = every[(inward * int(rng.integers(4, 10))).astype(int) % len(every)]
    fields: list[Callable[[np.random.Generator, int, Palette], Image]] = [
        regular.dots,
        regular.checker,
        organic.blotches,
        regular.stripes,
        organic.cells,
    ]
    field = fields[int(rng.integers(len(fields)))](rng, size, colours)
    image = np.where((inward > rng.uniform(0.25, 0.6))[..., None], field, image)
    knots = 0.9 + 0.1 * np.sin(2 * np.pi * 48 * x) * np.sin(2 * np.pi * 48 * y)
    return grain(rng, image * knots[..., None], 0.05)


def _ink(rgb: np.ndarray) -> Ink:
    red, green, blue = (int(part) for part in np.clip(rgb, 0, 1) * 255)
    return red, green, blue
