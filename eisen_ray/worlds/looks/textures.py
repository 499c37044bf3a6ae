"""From the name of a pattern to a texture, and how often an object has which."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from eisen_ray.worlds.looks import organic, printed, regular
from eisen_ray.worlds.looks.colours import Palette, palette
from eisen_ray.worlds.looks.noise import Image, to_bytes

PATTERNS: dict[str, Callable[[np.random.Generator, int, Palette], Image]] = {
    "blotches": organic.blotches,
    "bricks": regular.bricks,
    "camouflage": organic.camouflage,
    "cells": organic.cells,
    "checker": regular.checker,
    "dots": regular.dots,
    "gradient": regular.gradient,
    "granite": organic.granite,
    "label": printed.label,
    "marble": organic.marble,
    "mottled": organic.mottled,
    "plain": organic.plain,
    "planks": organic.planks,
    "poster": printed.poster,
    "rings": regular.rings,
    "rug": printed.rug,
    "stripes": regular.stripes,
    "tiles": regular.tiles,
    "weave": regular.weave,
    "wood": organic.wood,
    "zebra": organic.zebra,
}
OBJECT_PATTERNS: Mapping[str, float] = {
    "plain": 5, "mottled": 2, "stripes": 2, "blotches": 1.5, "wood": 1.5, "dots": 1.2, "cells": 1.2, "label": 1.2,
    "rings": 1.2, "checker": 1, "zebra": 1, "weave": 1, "gradient": 1, "marble": 0.8, "granite": 0.6, "camouflage": 0.6,
}  # fmt: skip
"""Weights of the patterns on objects."""


def texture(rng: np.random.Generator, pattern: str, size: int, colours: Palette | None = None) -> np.ndarray:
    """A tileable texture, uint8 [size, size, 3].

    Args:
        rng: the scene's generator.
        pattern: a key of `PATTERNS`.
        size: pixels.
        colours: three colours; drawn where None.
    """
    colours = palette(rng) if colours is None else colours
    return to_bytes(PATTERNS[pattern](rng, size, colours))


def weighted_choice(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """One key, drawn by its weight."""
    names, values = list(weights), np.array(list(weights.values()), float)
    return names[int(rng.choice(len(names), p=values / values.sum()))]
