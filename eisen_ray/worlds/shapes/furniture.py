"""Furniture: chairs, tables, lamps, potted plants, stools, shelves."""

from __future__ import annotations

import numpy as np

from eisen_ray.worlds.shapes.parts import Part, Shape, shape
from eisen_ray.worlds.shapes.primitives import box, cylinder, tube

CORNERS = [(x, y) for x in (-1, 1) for y in (-1, 1)]


def make_chair(rng: np.random.Generator) -> Shape:
    """A chair with one of three backs, some with arm rests."""
    width, depth, height = rng.uniform(0.45, 0.6), rng.uniform(0.45, 0.6), rng.uniform(0.4, 0.6)
    thick, leg, back = rng.uniform(0.04, 0.08), rng.uniform(0.03, 0.06), rng.uniform(0.4, 0.8)
    parts = [box(width, depth, thick).at(0, 0, height), *_legs(width - 2 * leg, depth - 2 * leg, height, leg)]
    rear, middle = depth / 2 - thick / 2, height + back / 2
    style = int(rng.integers(3))
    if style == 0:
        parts.append(box(width, thick, back).at(0, rear, middle))
    elif style == 1:
        count = int(rng.integers(3, 6))
        for i in range(count):
            slat = box(width / count * 0.4, thick * 0.7, back).at((i + 0.5) * width / count - width / 2, rear, middle)
            parts.append(slat.painted(1))
        parts.append(box(width, thick, back * 0.2).at(0, rear, height + back))
    else:
        parts += [box(width, thick * 0.7, back * 0.16).at(0, rear, height + back * (0.3 + 0.3 * i)) for i in range(3)]
        parts += [box(leg, leg, back).at(side * (width - leg) / 2, rear, middle).painted(1) for side in (-1, 1)]
    if rng.random() < 0.3:
        for side in (-1, 1):
            parts.append(box(leg, depth, leg).at(side * width / 2, 0, height + back * 0.45).painted(1))
            post = box(leg, leg, back * 0.45).at(side * width / 2, leg - depth / 2, height + back * 0.225)
            parts.append(post.painted(1))
    return shape("chair", parts, "any", "plain")


def make_table(rng: np.random.Generator) -> Shape:
    """A table on four legs."""
    width, depth = rng.uniform(0.6, 1.2), rng.uniform(0.5, 0.9)
    height, thick, leg = rng.uniform(0.35, 0.75), rng.uniform(0.04, 0.08), rng.uniform(0.04, 0.09)
    legs = _legs(width - 2 * leg, depth - 2 * leg, height, leg)
    return shape("table", [box(width, depth, thick).at(0, 0, height), *legs], "wood", "plain")


def make_lamp(rng: np.random.Generator) -> Shape:
    """A floor lamp."""
    height, shade = rng.uniform(0.9, 1.5), rng.uniform(0.2, 0.32)
    parts = [
        cylinder(rng.uniform(0.16, 0.26), 0.06).at(0, 0, 0.03).painted(1),
        cylinder(0.025, height, around=12).at(0, 0, height / 2 + 0.03).painted(1),
        cylinder(shade, rng.uniform(0.22, 0.4), shade * rng.uniform(0.4, 0.9)).at(0, 0, height),
    ]
    return shape("lamp", parts, "any", "plain")


def make_plant(rng: np.random.Generator) -> Shape:
    """Long leaves in a pot."""
    radius, height = rng.uniform(0.16, 0.28), rng.uniform(0.25, 0.4)
    parts = [cylinder(radius * 0.75, height, radius).at(0, 0, height / 2)]
    count = int(rng.integers(5, 11))
    root = np.array([0, 0, height * 0.95])
    for i in range(count):
        heading, rise, length = 2 * np.pi * i / count + rng.normal(0, 0.2), rng.uniform(0.5, 1.3), rng.uniform(0.3, 0.6)
        ahead = np.array([np.cos(heading), np.sin(heading), 0])
        along = ahead * np.cos(rise) + np.array([0, 0, np.sin(rise)])
        end = root + along * length
        tip = end + (ahead + np.array([0, 0, -0.4])) * length * 0.3
        leaf = tube([root, root + along * length / 2, end, tip], [0.012, 0.05, 0.055, 0.01], 7).painted(1)
        parts.append(leaf if i % 3 == 0 else leaf.ghost())
    return shape("plant", parts, "any", "mottled")


def make_stool(rng: np.random.Generator) -> Shape:
    """A round stool on three or four slanting legs."""
    height, radius, count = rng.uniform(0.5, 0.9), rng.uniform(0.22, 0.34), int(rng.integers(3, 5))
    parts = [cylinder(radius, 0.08).at(0, 0, height)]
    for angle in 2 * np.pi * np.arange(count) / count:
        out = np.array([np.cos(angle), np.sin(angle), 0]) * radius
        parts.append(tube([out * 0.6 + [0, 0, height], out * 1.05 + [0, 0, 0.02]], 0.03, 8).painted(1))
    return shape("stool", parts, "any", "plain")


def make_shelf(rng: np.random.Generator) -> Shape:
    """An open shelf."""
    width, depth, height, thick = rng.uniform(0.5, 0.8), rng.uniform(0.25, 0.4), rng.uniform(0.6, 1.1), 0.04
    parts = [box(thick, depth, height).at(side * width / 2, 0, height / 2) for side in (-1, 1)]
    for z in np.linspace(thick / 2, height - thick / 2, int(rng.integers(3, 5))):
        parts.append(box(width, depth, thick).at(0, 0, z).painted(1))
    return shape("shelf", parts, "wood", "any")


def _legs(width: float, depth: float, height: float, thick: float) -> list[Part]:
    leg = box(thick, thick, height).painted(1)
    return [leg.at(x * width / 2, y * depth / 2, height / 2) for x, y in CORNERS]
