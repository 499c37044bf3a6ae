"""The robot's surroundings: a table, walls, fixed furniture. All of it is background."""

from __future__ import annotations

import numpy as np

from eisen_ray.worlds.looks.colours import hsv, muted_palette
from eisen_ray.worlds.looks.textures import texture, weighted_choice
from eisen_ray.worlds.scene import Box, Scene
from eisen_ray.worlds.shapes.primitives import cylinder
from eisen_ray.worlds.splits import Split, surface_patterns


def add_kitchen(scene: Scene, split: Split) -> None:
    """A table top at z = 0 in front of the origin, and a room around it."""
    rng = scene.rng
    width, depth, middle = rng.uniform(0.9, 1.5), rng.uniform(0.8, 1.3), rng.uniform(0.2, 0.32)
    top = texture(rng, weighted_choice(rng, surface_patterns("table", split)), 512, muted_palette(rng))
    board = Box((depth, width, 0.04), (middle, 0, -0.02), repeat=rng.uniform(0.35, 0.9), casts_shadow=True)
    scene.add_box(board, scene.textured(top, float(rng.uniform(0.3, 0.9))))
    scene.add_plane((0, 0, 0), (0, 0, 1), friction=0.7)
    floor = texture(rng, weighted_choice(rng, surface_patterns("floor", split)), 256, muted_palette(rng))
    scene.add_box(Box((6, 6, 0.05), (0, 0, -0.85), repeat=1.2), scene.textured(floor, 0.9))
    _add_walls(scene, split, (middle, width, depth))
    if rng.random() < 0.6:
        _add_backsplash(scene, middle + depth / 2, width)
    if rng.random() < 0.45:
        _add_stove(scene)
    if rng.random() < 0.45:
        _add_crate(scene)
    if rng.random() < 0.35:
        _add_cloth(scene)


def _add_walls(scene: Scene, split: Split, table: tuple[float, float, float]) -> None:
    rng = scene.rng
    middle, width, depth = table
    pattern = weighted_choice(rng, surface_patterns("wall", split))
    look = scene.textured(texture(rng, pattern, 512, muted_palette(rng, light=bool(rng.random() < 0.7))), 0.95)
    front, back, left, right = rng.uniform(0.35, 1.6, 4)
    for size, x, y in (
        ((0.05, 5, 3), middle + depth / 2 + front, 0),
        ((0.05, 5, 3), middle - depth / 2 - back, 0),
        ((5, 0.05, 3), middle, width / 2 + left),
        ((5, 0.05, 3), middle, -width / 2 - right),
    ):
        scene.add_box(Box(size, (x, y, 0.6), repeat=rng.uniform(0.8, 2)), look)


def _add_backsplash(scene: Scene, edge: float, width: float) -> None:
    rng = scene.rng
    height = rng.uniform(0.06, 0.4)
    look = scene.textured(texture(rng, str(rng.choice(["tiles", "wood", "plain", "poster"])), 256))
    size = (0.03, width * rng.uniform(0.5, 1), height)
    scene.add_box(Box(size, (edge - 0.015, 0, height / 2), repeat=0.3, casts_shadow=True), look)


def _add_stove(scene: Scene) -> None:
    rng = scene.rng
    x, y = rng.uniform(0.42, 0.55), float(rng.choice([-1, 1])) * rng.uniform(0.2, 0.35)
    body = scene.painted(hsv(0, 0, rng.uniform(0.05, 0.9)), 0.35)
    scene.add_box(Box((0.2, 0.24, 0.02), (x, y, 0.005), casts_shadow=True), body)
    for side in (-1, 1):
        plate = scene.painted(hsv(0, 0, rng.uniform(0.02, 0.3)), 0.5)
        scene.add_fixed(cylinder(0.045, 0.006, around=24), plate, (x, y + side * 0.06, 0.018))


def _add_crate(scene: Scene) -> None:
    rng = scene.rng
    side = -1 if rng.random() < 0.5 else 1
    look = scene.textured(texture(rng, str(rng.choice(["wood", "plain", "label", "weave"])), 256))
    width, depth, height = rng.uniform(0.12, 0.3), rng.uniform(0.12, 0.28), rng.uniform(0.06, 0.25)
    place = (rng.uniform(0.1, 0.6), side * (rng.uniform(0.36, 0.5) + width / 2), height / 2)
    longest = max(width, depth, height)
    scene.add_box(Box((depth, width, height), place, repeat=longest, yaw=rng.normal(0, 0.2), casts_shadow=True), look)


def _add_cloth(scene: Scene) -> None:
    rng = scene.rng
    pattern = str(rng.choice(["weave", "rug", "stripes", "dots", "plain"]))
    look = scene.textured(texture(rng, pattern, 256), 0.98)
    size = (rng.uniform(0.15, 0.35), rng.uniform(0.2, 0.5), 0.004)
    place = (rng.uniform(0.25, 0.4), float(np.clip(rng.normal(0, 0.1), -0.3, 0.3)), 0.0005)
    scene.add_box(Box(size, place, repeat=0.3, yaw=rng.normal(0, 0.5)), look)
