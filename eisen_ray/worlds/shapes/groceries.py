"""Food and kitchen ware: fruit, bananas, carrots, corn, squashes, mushrooms, spoons, whisks, sponges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eisen_ray.worlds.shapes.parts import Shape, rotation, shape
from eisen_ray.worlds.shapes.primitives import box, cylinder, ellipsoid, lathe, tube


def make_fruit(rng: np.random.Generator) -> Shape:
    """An apple, a pear or a lemon, with a stem."""
    angle = np.linspace(0, np.pi, 18)
    kind = int(rng.integers(3))
    if kind == 0:
        radius, z = 0.4 * np.sin(angle) * (1 + 0.12 * np.cos(2 * angle)), -0.4 * np.cos(angle)
    elif kind == 1:
        share = (angle / np.pi) ** 2
        radius, z = 0.42 * np.sin(angle) * (1 - 0.35 * share), -0.55 * np.cos(angle) + 0.12 * share
    else:
        radius, z = 0.26 * np.abs(np.sin(angle)) ** 0.8, -0.6 * np.cos(angle)
    top = float(z.max())
    stem = tube([(0, 0, top - 0.03), (0.02, 0, top + 0.07), (0.05, 0, top + 0.14)], 0.025, 7)
    body = lathe(list(zip(radius.tolist(), z.tolist(), strict=True)))
    return shape("fruit", [body, stem.painted(1).ghost()], str(rng.choice(["plain", "mottled", "gradient"])), "plain")


def make_banana(rng: np.random.Generator) -> Shape:
    """A banana."""
    angle = np.linspace(-1, 1, 11)
    bend = rng.uniform(0.5, 0.9)
    path = np.stack([bend * np.sin(angle), bend * (np.cos(angle) - 1), 0 * angle], 1)
    radius = 0.14 * np.clip(1 - 0.75 * np.abs(angle) ** 3, 0.2, 1)
    return shape("banana", [tube(path, radius)], str(rng.choice(["plain", "gradient", "mottled", "stripes"])))


def make_carrot(rng: np.random.Generator) -> Shape:
    """A carrot with its greens."""
    parts = [cylinder(0.16, 1.0, 0.04, 18).turned("y", np.pi / 2)]
    root = np.array([-0.5, 0, 0])
    for _ in range(4):
        along = np.array([-1, rng.normal(0, 0.5), rng.normal(0, 0.35)])
        along /= np.linalg.norm(along)
        leaf = tube([root, root + along * 0.15, root + along * 0.3], [0.02, 0.05, 0.015], 6)
        parts.append(leaf.painted(1).ghost())
    return shape("carrot", parts, "plain", "plain")


def make_corn(rng: np.random.Generator) -> Shape:
    """A corn cob between two leaves."""
    del rng
    angle = np.linspace(0, np.pi, 16)
    radius, z = 0.2 * np.abs(np.sin(angle)) ** 0.7, -0.6 * np.cos(angle)
    parts = [lathe(list(zip(radius.tolist(), z.tolist(), strict=True))).turned("y", np.pi / 2)]
    for side in (-1, 1):
        leaf = tube([(-0.55, 0, 0), (-0.3, side * 0.2, 0.02), (0.1, side * 0.25, 0)], [0.02, 0.1, 0.01], 7)
        parts.append(leaf.painted(1).ghost())
    return shape("corn", parts, "dots", "plain")


def make_squash(rng: np.random.Generator) -> Shape:
    """A ribbed pumpkin."""
    wall = [(0.42 * np.sin(a), -0.28 * np.cos(a)) for a in np.linspace(0.2, np.pi - 0.2, 12)]
    body = lathe([(0, -0.25), *wall, (0, 0.22)], 40)
    angle = np.arctan2(body.vertices[:, 1], body.vertices[:, 0])
    ribs = 1 + 0.08 * np.cos(int(rng.integers(5, 9)) * angle)
    body = replace(body, vertices=body.vertices * np.stack([ribs, ribs, np.ones_like(ribs)], 1))
    stem = tube([(0, 0, 0.2), (0.02, 0, 0.3), (0.06, 0, 0.36)], 0.04, 7)
    return shape("squash", [body, stem.painted(1).ghost()], "plain", "plain")


def make_mushroom(rng: np.random.Generator) -> Shape:
    """A mushroom."""
    radius = rng.uniform(0.35, 0.5)
    dome = [(radius * np.cos(a), 0.5 + 0.32 * np.sin(a)) for a in np.linspace(0, np.pi / 2, 10)]
    cap = lathe([(0, 0.5), (radius * 0.9, 0.48), *dome])
    stalk = cylinder(0.16, 0.52, 0.12).at(0, 0, 0.26).painted(1)
    return shape("mushroom", [cap, stalk], str(rng.choice(["dots", "any", "plain"])), "plain")


def make_spoon(rng: np.random.Generator) -> Shape:
    """A spoon or a spatula."""
    is_spoon = rng.random() < 0.5
    head = ellipsoid(0.24, 0.16, 0.035, (18, 10)) if is_spoon else box(0.42, 0.3, 0.05)
    handle = tube([(-0.3, 0, 0.05), (0.1, 0, 0.06), (0.6, 0, 0.05)], [0.035, 0.03, 0.045], 8)
    return shape("spoon", [head.at(-0.5, 0, 0.04), handle.painted(1)], "plain", "plain")


def make_whisk(rng: np.random.Generator) -> Shape:
    """A whisk of four wire loops."""
    del rng
    parts = [tube([(0, 0, 0), (0.5, 0, 0)], 0.05, 9).painted(1)]
    angle = np.linspace(0, 2 * np.pi, 16)
    loop = np.stack([-0.3 - 0.3 * np.cos(angle), 0.16 * np.sin(angle), 0 * angle], 1)
    for i in range(4):
        wire = tube(loop @ rotation("x", np.pi * i / 4).T, 0.012, 5)
        parts.append(wire if i % 2 == 0 else wire.ghost())
    return shape("whisk", parts, "plain", "plain")


def make_sponge(rng: np.random.Generator) -> Shape:
    """A sponge of two layers."""
    del rng
    return shape(
        "sponge", [box(1.0, 0.65, 0.2).at(0, 0, 0.1), box(1.0, 0.65, 0.1).at(0, 0, 0.25).painted(1)], "granite", "plain"
    )
