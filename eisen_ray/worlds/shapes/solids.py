"""Plain bodies: boxes, balls, superquadrics, rocks, pyramids, letters, stars, gears, rings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eisen_ray.worlds.shapes.extrusion import LETTERS, cogwheel, extrude, star
from eisen_ray.worlds.shapes.parts import Shape, shape
from eisen_ray.worlds.shapes.primitives import box, cylinder, ellipsoid, superquadric, torus, without_slivers

ROUNDNESS = (0.2, 0.5, 1.0, 1.6, 2.2)
UPRIGHT = np.pi / 2


def make_box(rng: np.random.Generator) -> Shape:
    """A box, its edges sharp or rounded."""
    size = rng.uniform(0.4, 1.0, 3)
    if rng.random() < 0.5:
        return shape("box", [box(*size)], "any")
    edge = float(rng.uniform(0.08, 0.3))
    return shape("box", [superquadric(size / 2, (edge, edge), (32, 16))], "any")


def make_ball(rng: np.random.Generator) -> Shape:
    """A ball."""
    del rng
    return shape("ball", [ellipsoid(0.5, 0.5, 0.5, (32, 20))], "any")


def make_superquadric(rng: np.random.Generator) -> Shape:
    """Anything between a diamond, an egg and a brick."""
    roundness = (float(rng.choice(ROUNDNESS)), float(rng.choice(ROUNDNESS)))
    return shape("superquadric", [superquadric(rng.uniform(0.3, 0.6, 3), roundness, (36, 22))], "any")


def make_rock(rng: np.random.Generator) -> Shape:
    """An egg with flat cuts."""
    body = superquadric((1, rng.uniform(0.6, 1), rng.uniform(0.5, 1)), resolution=(28, 18))
    vertices = body.vertices
    for _ in range(int(rng.integers(6, 16))):
        normal = rng.standard_normal(3)
        normal /= np.linalg.norm(normal)
        vertices = vertices - np.maximum(vertices @ normal - rng.uniform(0.45, 0.85), 0)[:, None] * normal
    body = replace(body, vertices=vertices, faces=without_slivers(vertices, body.faces))
    return shape("rock", [body], str(rng.choice(["mottled", "granite", "plain", "marble", "blotches"])))


def make_pyramid(rng: np.random.Generator) -> Shape:
    """A pyramid of three to six sides, more or less pointed."""
    sides = int(rng.integers(3, 7))
    return shape("pyramid", [cylinder(0.5, rng.uniform(0.6, 1.1), rng.uniform(0.001, 0.2), sides)], "any")


def make_letter(rng: np.random.Generator) -> Shape:
    """A thick capital letter, standing or lying."""
    letter = shape("letter", [extrude(LETTERS[str(rng.choice(list(LETTERS)))], rng.uniform(0.2, 0.45))], "any")
    return letter.turned("x", UPRIGHT) if rng.random() < 0.7 else letter


def make_ring(rng: np.random.Generator) -> Shape:
    """A thick ring."""
    return shape("ring", [torus(0.4, rng.uniform(0.12, 0.2))], "any")


def make_star(rng: np.random.Generator) -> Shape:
    """A thick star of five to seven points, standing or lying."""
    outline = star(int(rng.integers(5, 8)), 0.5, rng.uniform(0.2, 0.32), 0.3)
    flat = shape("star", [extrude(outline, rng.uniform(0.15, 0.35))], "any")
    return flat.turned("x", UPRIGHT) if rng.random() < 0.5 else flat


def make_gear(rng: np.random.Generator) -> Shape:
    """A gear with its hub."""
    wheel = extrude(cogwheel(int(rng.integers(8, 13))), rng.uniform(0.12, 0.3))
    return shape("gear", [wheel, cylinder(0.12, 0.4).at(0, 0, 0.12).painted(1)], "any", "plain")
