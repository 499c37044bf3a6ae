"""Which object families and surfaces belong to which split: the one place that keeps the test split unseen.

Training and validation clips draw from `SEEN` only [Decision 82]. Test clips draw two thirds of their objects from
`HELD_OUT`, and floors, walls and table tops from patterns of their own; `clip.json` marks each object, so that both
can be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eisen_ray.errors import ConfigError

World = Literal["playroom", "bridge"]
Split = Literal["train", "val", "test"]
Surface = Literal["floor", "wall", "table"]
Range = tuple[float, float]

WORLD_SEEDS: Mapping[str, int] = {"playroom": 1, "bridge": 2}
SPLIT_SEEDS: Mapping[str, int] = {"train": 11, "val": 12, "test": 13}
HELD_OUT_SHARE = 0.65
"""Chance that an object of a test clip comes from a held-out family."""

SEEN: Mapping[str, Mapping[str, Range]] = {
    "playroom": {
        "box": (0.3, 0.8), "can": (0.35, 0.8), "ball": (0.3, 0.6), "superquadric": (0.3, 0.7), "vase": (0.4, 0.9),
        "bottle": (0.5, 0.9), "bowl": (0.2, 0.35), "mug": (0.35, 0.6), "chair": (0.75, 1.05), "table": (0.4, 0.65),
        "animal": (0.5, 0.9), "car": (0.3, 0.5), "lamp": (0.8, 1.3), "plant": (0.6, 1.0), "blocks": (0.5, 0.9),
        "dumbbell": (0.3, 0.45), "doll": (0.6, 0.95), "rock": (0.3, 0.6), "letter": (0.4, 0.8), "ring": (0.2, 0.3),
    },
    "bridge": {
        "can": (0.07, 0.12), "mug": (0.07, 0.1), "bottle": (0.12, 0.17), "bowl": (0.1, 0.15), "ball": (0.045, 0.065),
        "box": (0.06, 0.12), "superquadric": (0.05, 0.08), "fruit": (0.06, 0.1), "banana": (0.12, 0.16),
        "carrot": (0.12, 0.17), "pot": (0.14, 0.22), "pan": (0.2, 0.28), "spoon": (0.15, 0.2), "sponge": (0.08, 0.11),
        "car": (0.1, 0.15), "blocks": (0.09, 0.14), "rock": (0.05, 0.08), "doll": (0.1, 0.15), "animal": (0.1, 0.15),
        "letter": (0.06, 0.09), "ring": (0.07, 0.1),
    },
}  # fmt: skip
"""Family -> metres, by world: heights in the playroom, longest extents on the table."""
HELD_OUT: Mapping[str, Mapping[str, Range]] = {
    "playroom": {
        "giraffe": (0.8, 1.3), "teapot": (0.4, 0.65), "star": (0.35, 0.6), "gear": (0.2, 0.4), "stool": (0.5, 0.75),
        "bird": (0.5, 0.8), "plane": (0.35, 0.5), "shelf": (0.7, 1.1), "snail": (0.4, 0.6), "mushroom": (0.4, 0.7),
        "pyramid": (0.4, 0.8), "goblet": (0.5, 0.9),
    },
    "bridge": {
        "teapot": (0.12, 0.17), "star": (0.06, 0.09), "gear": (0.06, 0.09), "bird": (0.09, 0.13),
        "plane": (0.13, 0.18), "snail": (0.09, 0.13), "mushroom": (0.06, 0.09), "pyramid": (0.06, 0.09),
        "goblet": (0.1, 0.14), "whisk": (0.15, 0.2), "squash": (0.07, 0.1), "corn": (0.11, 0.15),
        "giraffe": (0.12, 0.16),
    },
}  # fmt: skip
"""The same for families that no training or validation clip of either world may hold."""
SURFACES: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = {
    "floor": (
        {"planks": 3, "tiles": 2, "mottled": 1.5, "plain": 1, "weave": 1.5, "marble": 1},
        {"granite": 2, "checker": 1.5, "cells": 1.2, "bricks": 1, "wood": 1.5, "dots": 0.6},
    ),
    "wall": (
        {"plain": 4, "mottled": 2, "stripes": 1.2, "bricks": 0.8},
        {"tiles": 1.2, "dots": 0.8, "blotches": 0.8, "planks": 1.2, "gradient": 1, "weave": 1},
    ),
    "table": (
        {"wood": 3, "planks": 1.5, "plain": 2, "marble": 1.5, "mottled": 1},
        {"granite": 2, "tiles": 1.2, "weave": 1.5, "bricks": 0.6, "checker": 0.6},
    ),
}
"""Weights of patterns by surface: for training and validation, and for test."""
MAX_OBJECTS = 9


@dataclass(frozen=True)
class Kind:
    """A drawn family."""

    family: str
    size: float
    """Metres: height in the playroom, longest extent on the table."""
    held_out: bool


def generator(world: World, split: Split, seed: int, index: int, attempt: int) -> np.random.Generator:
    """The source of everything random in one attempt at one clip.

    Raises:
        ConfigError: no such world or split.
    """
    for name, value, known in (("world", world, WORLD_SEEDS), ("split", split, SPLIT_SEEDS)):
        if value not in known:
            raise ConfigError(f"{name} is {value!r}; expected one of {', '.join(known)}.")
    return np.random.default_rng([WORLD_SEEDS[world], SPLIT_SEEDS[split], seed, index, attempt])


def draw_kind(rng: np.random.Generator, world: World, split: Split) -> Kind:
    """A family that the split may show, with a size."""
    held_out = split == "test" and bool(rng.random() < HELD_OUT_SHARE)
    families = (HELD_OUT if held_out else SEEN)[world]
    family = str(rng.choice(list(families)))
    return Kind(family, float(rng.uniform(*families[family])), held_out)


def surface_patterns(surface: Surface, split: Split) -> Mapping[str, float]:
    """Weights of the patterns that a surface may have."""
    return SURFACES[surface][split == "test"]


def draw_object_count(rng: np.random.Generator, world: World, split: Split) -> tuple[int, int]:
    """How many objects a scene aims for, and the fewest that it may end with; test scenes are crowded."""
    if split == "test":
        return int(rng.integers(5, MAX_OBJECTS + 1)), 5 if world == "playroom" else 4
    return int(rng.integers(3, 7 if world == "playroom" else 8)), 3
