"""Random colours and palettes, RGB in 0..1."""

from __future__ import annotations

import colorsys

import numpy as np

Palette = np.ndarray
"""float64 [n, 3]."""


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """A colour [3]; the hue wraps, the others are clipped to 0..1."""
    return np.array(
        colorsys.hsv_to_rgb(float(hue) % 1.0, float(np.clip(saturation, 0, 1)), float(np.clip(value, 0, 1)))
    )


def colour(rng: np.random.Generator, vivid: float | None = None) -> np.ndarray:
    """One colour [3].

    Args:
        rng: the scene's generator.
        vivid: 0 to 1, how saturated; drawn where None.
    """
    vivid = float(rng.beta(1.2, 1.2)) if vivid is None else vivid
    saturation = np.clip(rng.normal(0.15 + 0.7 * vivid, 0.12), 0, 1)
    return hsv(rng.random(), saturation, float(np.clip(rng.normal(0.62, 0.2), 0.08, 0.97)))


def palette(rng: np.random.Generator, count: int = 3, vivid: float | None = None) -> Palette:
    """Colours that go together: neighbours, shades, opposites, or anything."""
    base = colour(rng, vivid)
    hue, saturation, value = colorsys.rgb_to_hsv(*base)
    harmony = int(rng.integers(4))
    colours = [base]
    for _ in range(1, count):
        if harmony == 0:
            near = hue + rng.normal(0, 0.05)
            colours.append(hsv(near, saturation * rng.uniform(0.6, 1.2), value * rng.uniform(0.45, 1.3)))
        elif harmony == 1:
            colours.append(hsv(hue, saturation * rng.uniform(0.2, 1.0), rng.uniform(0.15, 0.98)))
        elif harmony == 2:
            opposite = hue + 0.5 + rng.normal(0, 0.05)
            colours.append(hsv(opposite, saturation * rng.uniform(0.6, 1.1), rng.uniform(0.3, 0.95)))
        else:
            colours.append(colour(rng, vivid))
    return np.array(colours)


def muted_palette(rng: np.random.Generator, light: bool = False) -> Palette:
    """Three colours for floors, walls and tables: wood, beige, grey, blue-grey; one in five bold. Never near black."""
    if rng.random() < 0.8:
        hues = [rng.normal(0.08, 0.02), rng.normal(0.1, 0.03), rng.normal(0.58, 0.05), rng.normal(0.36, 0.06)]
        hue = float(rng.choice([*hues, rng.random()], p=[0.35, 0.25, 0.18, 0.1, 0.12]))
        saturation = float(rng.beta(1.3, 3.2)) * 0.75
    else:
        hue, saturation = float(rng.random()), float(rng.uniform(0.35, 0.75))
    value = float(rng.uniform(0.55, 0.8) if light else rng.uniform(0.18, 0.75))
    colours = [hsv(hue, saturation, value)]
    for _ in range(2):
        other = float(np.clip(value * rng.uniform(0.5, 1.5), 0.1, 0.82))
        colours.append(hsv(hue + rng.normal(0, 0.04), saturation * rng.uniform(0.5, 1.5), other))
    return np.array(colours)


def pale(rng: np.random.Generator, vivid: float, strength: float, floor: float) -> np.ndarray:
    """A colour [3] for trim and ceilings: `strength` of a drawn one above `floor`."""
    return np.clip(colour(rng, vivid) * strength + floor, 0, 1)
