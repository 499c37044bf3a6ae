"""The playroom itself: floor, walls, ceiling, pictures, windows, a rug. All of it is background."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eisen_ray.worlds.looks.colours import muted_palette, pale
from eisen_ray.worlds.looks.textures import texture, weighted_choice
from eisen_ray.worlds.scene import Box, Scene
from eisen_ray.worlds.shapes.primitives import cylinder
from eisen_ray.worlds.splits import Split, surface_patterns

THICK = 0.1
DECORATIONS = {"poster": 0.5, "window": 0.25, "door": 0.1, "panel": 0.15}


@dataclass(frozen=True)
class Wall:
    """One wall: its middle on the floor, the direction along it, its length."""

    x: float
    y: float
    along_x: bool
    length: float

    def box(self, width: float, depth: float, height: float, offset: float, z: float, lift: float = 0.0) -> Box:
        """A box on the wall: `offset` along it, its centre at height `z`, `lift` into the room."""
        inward = -lift * np.array([np.sign(self.x), np.sign(self.y)])
        along = np.array([offset, 0.0]) if self.along_x else np.array([0.0, offset])
        x, y = np.array([self.x, self.y]) + along + inward
        size = (width, depth, height) if self.along_x else (depth, width, height)
        return Box(size, (float(x), float(y), z))


def add_room(scene: Scene, size: tuple[float, float, float], split: Split) -> None:
    """A room of the given width, depth and height around the origin."""
    rng = scene.rng
    width, depth, height = size
    floor = weighted_choice(rng, surface_patterns("floor", split))
    floor_look = scene.textured(texture(rng, floor, 512, muted_palette(rng)), float(rng.uniform(0.35, 0.95)))
    scene.add_box(Box((width, depth, THICK), (0, 0, -THICK / 2), repeat=rng.uniform(1.4, 3.0)), floor_look)
    scene.add_plane((0, 0, 0), (0, 0, 1), friction=0.5)
    ceiling = scene.painted(pale(rng, 0.05, 0.3, 0.65), 0.95)
    scene.add_box(Box((width, depth, THICK), (0, 0, height + THICK / 2)), ceiling)
    pattern = weighted_choice(rng, surface_patterns("wall", split))
    paper = scene.textured(texture(rng, pattern, 512, muted_palette(rng, light=True)), 0.95)
    skirting = scene.painted(pale(rng, 0.1, 0.5, 0.45), 0.6)
    repeat = rng.uniform(1.5, 3.5)
    for wall in (
        Wall(0, depth / 2, True, width),
        Wall(0, -depth / 2, True, width),
        Wall(width / 2, 0, False, depth),
        Wall(-width / 2, 0, False, depth),
    ):
        look = paper
        if rng.random() < 0.15:
            look = scene.textured(texture(rng, pattern, 256, muted_palette(rng, light=True)), 0.95)
        body = wall.box(wall.length, THICK, height, 0, height / 2)
        scene.add_box(replace(body, repeat=repeat), look)
        scene.add_box(wall.box(wall.length + 0.02, THICK + 0.04, 0.12, 0, 0.06), skirting)
        inward = (-np.sign(wall.x), -np.sign(wall.y), 0)
        scene.add_plane((wall.x + inward[0] * THICK / 2, wall.y + inward[1] * THICK / 2, 0), inward, friction=0.5)
        _decorate(scene, wall)
    if rng.random() < 0.45:
        _add_rug(scene)


def _decorate(scene: Scene, wall: Wall) -> None:
    rng = scene.rng
    used: list[float] = []
    for _ in range(int(rng.integers(0, 4))):
        offset = float(rng.uniform(0.7 - wall.length / 2, wall.length / 2 - 0.7))
        if any(abs(offset - other) < 1.2 for other in used):
            continue
        used.append(offset)
        kind = weighted_choice(rng, DECORATIONS)
        if kind == "window":
            _add_window(scene, wall, offset)
            continue
        width, height, z = {
            "poster": (rng.uniform(0.4, 1.0), rng.uniform(0.4, 0.9), rng.uniform(1.1, 1.8)),
            "door": (0.9, 2.0, 1.0),
            "panel": (rng.uniform(0.6, 1.6), rng.uniform(0.1, 0.6), rng.uniform(0.5, 1.8)),
        }[kind]
        look = scene.textured(texture(rng, "poster" if kind == "poster" else "wood", 128), 0.7)
        scene.add_box(wall.box(width, 0.04, height, offset, z, lift=THICK / 2 + 0.02), look)


def _add_window(scene: Scene, wall: Wall, offset: float) -> None:
    rng = scene.rng
    width, height, z, lift = rng.uniform(0.8, 1.4), rng.uniform(0.8, 1.3), 1.6, THICK / 2 + 0.02
    glass = scene.painted((0.85, 0.92, 1.0), 0.3, emission=0.7)
    frame = scene.painted(pale(rng, 0.1, 0.4, 0.5), 0.6)
    scene.add_box(wall.box(width, 0.04, height, offset, z, lift), glass)
    for share in (-0.5, 0, 0.5):
        scene.add_box(wall.box(width + 0.08, 0.07, 0.06, offset, z + share * height, lift), frame)
        scene.add_box(wall.box(0.06, 0.07, height, offset + share * width, z, lift), frame)


def _add_rug(scene: Scene) -> None:
    rng = scene.rng
    look = scene.textured(texture(rng, "rug", 256), 0.98)
    width, depth = rng.uniform(1.2, 2.6), rng.uniform(1.0, 2.2)
    place = (float(rng.normal(0, 0.4)), float(rng.normal(0, 0.4)), 0.0)
    if rng.random() < 0.6:
        flat = Box((width, depth, 0.012), place, repeat=max(width, depth), yaw=rng.uniform(0, 3))
        scene.add_box(flat, look)
    else:
        disc = cylinder(width / 2, 0.012, around=48)
        scene.add_fixed(replace(disc, uvs=disc.vertices[:, :2] / width + 0.5), look, place)
