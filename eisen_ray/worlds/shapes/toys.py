"""Toys: animals, cars, planes, dolls, block towers, dumbbells."""

from __future__ import annotations

import numpy as np

from eisen_ray.worlds.shapes.parts import Part, Shape, shape
from eisen_ray.worlds.shapes.primitives import box, cylinder, ellipsoid, superquadric, tube

CORNERS = [(x, y) for x in (-1, 1) for y in (-1, 1)]


def make_animal(rng: np.random.Generator) -> Shape:
    """A four-legged animal with a short neck."""
    coat = str(rng.choice(["zebra", "plain", "dots", "mottled", "blotches"]))
    return shape("animal", _quadruped(rng, rng.uniform(0.1, 0.35)), coat, "plain", "plain")


def make_giraffe(rng: np.random.Generator) -> Shape:
    """The same with a long neck."""
    coat = str(rng.choice(["cells", "cells", "plain", "zebra"]))
    return shape("giraffe", _quadruped(rng, rng.uniform(0.6, 1.0)), coat, "plain", "plain")


def make_car(rng: np.random.Generator) -> Shape:
    """A car of two boxes on four wheels."""
    length, width, height = rng.uniform(0.9, 1.3), rng.uniform(0.4, 0.5), rng.uniform(0.18, 0.28)
    wheel, cabin = rng.uniform(0.11, 0.16), rng.uniform(0.35, 0.6) * length
    roof = superquadric((cabin / 2, width * 0.43, height * 0.5), (0.4, 0.3), (24, 12))
    parts = [
        superquadric((length / 2, width / 2, height / 2), (0.25, 0.25), (28, 12)).at(0, 0, wheel + height / 2),
        roof.at(rng.uniform(-0.12, 0.05) * length, 0, wheel + height * 1.2).painted(1),
    ]
    for x, y in CORNERS:
        place = (x * length * 0.3, y * width * 0.5, wheel)
        parts.append(cylinder(wheel, 0.09, around=18).turned("x", np.pi / 2).at(*place).painted(2))
        parts.append(cylinder(wheel * 0.5, 0.1, around=12).turned("x", np.pi / 2).at(*place).painted(3).ghost())
    return shape("car", parts, "any", "plain", "plain", "plain")


def make_plane(rng: np.random.Generator) -> Shape:
    """An airplane on three wheels."""
    length = rng.uniform(0.9, 1.2)
    parts = [
        superquadric((length / 2, 0.11, 0.11), resolution=(20, 16)).at(0, 0, 0.3),
        box(0.26, rng.uniform(0.9, 1.3), 0.035).at(0.05, 0, 0.3).painted(1),
        box(0.16, 0.4, 0.03).at(-length * 0.43, 0, 0.33).painted(1),
        box(0.16, 0.03, 0.24).at(-length * 0.43, 0, 0.44),
    ]
    for x, y in ((0.2, 0.12), (0.2, -0.12), (-0.3, 0)):
        parts.append(cylinder(0.07, 0.05, around=14).turned("x", np.pi / 2).at(x, y, 0.07).painted(2))
        parts.append(box(0.03, 0.03, 0.2).at(x, y, 0.17).painted(2))
    return shape("plane", parts, "any", "any", "plain")


def make_doll(rng: np.random.Generator) -> Shape:
    """A figure with head, arms, legs and shoes, some with ears."""
    torso, half, leg = rng.uniform(0.35, 0.5), rng.uniform(0.16, 0.24), rng.uniform(0.25, 0.45)
    head, limb = rng.uniform(0.13, 0.2), rng.uniform(0.05, 0.08)
    middle, crown = leg + torso / 2, leg + torso
    parts = [
        superquadric((half, half * 0.7, torso * 0.55), (0.8, 0.9), (20, 12)).at(0, 0, middle),
        ellipsoid(head, head, head, (20, 12)).at(0, 0, crown + head * 0.8).painted(1),
    ]
    for side in (-1, 1):
        hip = [(side * half * 0.5, 0, leg + 0.05), (side * half * 0.55, 0, limb * 0.8)]
        parts.append(tube(hip, [limb * 1.2, limb], 9).painted(2))
        shoe = box(limb * 2, limb * 3.2, limb * 1.2).at(side * half * 0.55, -limb * 0.6, limb * 0.6)
        parts.append(shoe.painted(2))
        raised = rng.uniform(-0.3, 0.5)
        shoulder, elbow = middle + torso * 0.33, middle + torso * 0.33 + raised * 0.1
        arm = [(side * half * 0.85, 0, shoulder), (side * (half + 0.12), 0, elbow)]
        hand = (side * (half + 0.26), -0.03, middle + torso * 0.2 + raised * 0.4)
        parts.append(tube([*arm, hand], [limb, limb * 0.85, limb * 0.8], 8).painted(1).ghost())
        if rng.random() < 0.5:
            ear = ellipsoid(head * 0.35, head * 0.2, head * 0.35, (10, 8)).at(side * head * 0.75, 0, crown + head * 1.6)
            parts.append(ear.painted(1).ghost())
    return shape("doll", parts, "any", "plain", "plain")


def make_blocks(rng: np.random.Generator) -> Shape:
    """A tower of two to four blocks."""
    z, parts = 0.0, []
    for i in range(int(rng.integers(2, 5))):
        size = rng.uniform(0.25, 0.5) * (1 - 0.12 * i)
        kind = int(rng.integers(3))
        if kind == 0:
            part, height = box(size, size, size).turned("z", rng.uniform(0, 1.5)).at(0, 0, size / 2), size
        elif kind == 1:
            part, height = cylinder(size / 2, size * 0.8).at(0, 0, size * 0.4), size * 0.8
        else:
            part, height = ellipsoid(size / 2, size / 2, size / 2, (20, 12)).at(0, 0, size * 0.46), size * 0.92
        parts.append(part.at(0, 0, z).painted(i % 3))
        z += height
    return shape("blocks", parts, "any", "any", "any")


def make_dumbbell(rng: np.random.Generator) -> Shape:
    """Two balls or discs on a bar."""
    length, bar, size = rng.uniform(0.6, 1.1), rng.uniform(0.03, 0.06), rng.uniform(0.14, 0.26)
    is_round = rng.random() < 0.5
    weight = ellipsoid(size, size, size, (20, 12)) if is_round else cylinder(size, size * 0.8).turned("y", np.pi / 2)
    rod = cylinder(bar, length, around=12).turned("y", np.pi / 2).painted(1)
    return shape("dumbbell", [weight.at(-length / 2, 0, 0), weight.at(length / 2, 0, 0), rod], "any", "plain")


def make_bird(rng: np.random.Generator) -> Shape:
    """A bird standing on two legs."""
    del rng
    parts = [
        ellipsoid(0.3, 0.2, 0.22, (22, 14)).at(0, 0, 0.42),
        ellipsoid(0.14, 0.13, 0.13, (16, 10)).at(0.3, 0, 0.66),
        tube([(0.4, 0, 0.65), (0.55, 0, 0.62)], [0.045, 0.01], 7).painted(1).ghost(),
        tube([(0.18, 0, 0.5), (0.28, 0, 0.62)], [0.13, 0.1], 9),
        ellipsoid(0.16, 0.09, 0.03, (12, 8)).turned("y", -0.3).at(-0.36, 0, 0.42).painted(2).ghost(),
    ]
    for side in (-1, 1):
        wing = ellipsoid(0.22, 0.04, 0.13, (16, 9)).turned("y", 0.3).at(-0.05, side * 0.19, 0.45)
        parts.append(wing.painted(2).ghost())
        parts.append(tube([(0, side * 0.08, 0.26), (0, side * 0.09, 0.03)], 0.022, 6).painted(1).ghost())
        parts.append(box(0.16, 0.1, 0.03).at(0.03, side * 0.09, 0.015).painted(1))
    return shape("bird", parts, "any", "plain", "any")


def make_snail(rng: np.random.Generator) -> Shape:
    """A snail with its spiral shell."""
    del rng
    angle = np.linspace(0, 3.2 * np.pi, 40)
    radius = 0.3 * np.exp(-angle * 0.14)
    coil = np.stack([radius * np.cos(angle) - 0.08, 0.02 * angle / 6, 0.34 + radius * np.sin(angle)], 1)
    foot = [(-0.55, 0, 0.03), (-0.1, 0, 0.07), (0.35, 0, 0.08), (0.55, 0, 0.22)]
    parts = [tube(coil, radius * 0.42, 9), tube(foot, [0.03, 0.09, 0.09, 0.08], 9).painted(1)]
    for side in (-1, 1):
        parts.append(tube([(0.56, side * 0.03, 0.24), (0.64, side * 0.07, 0.4)], 0.018, 6).painted(1).ghost())
    return shape("snail", parts, "any", "plain")


def _quadruped(rng: np.random.Generator, neck: float) -> list[Part]:
    length, width, girth = rng.uniform(0.55, 0.8), rng.uniform(0.2, 0.3), rng.uniform(0.22, 0.32)
    leg, limb = rng.uniform(0.3, 0.55), rng.uniform(0.045, 0.075)
    back = leg + girth * 0.45
    parts = [ellipsoid(length / 2, width / 2, girth / 2).at(0, 0, back)]
    for side_x, side_y in CORNERS:
        x, y = side_x * length * 0.33, side_y * width * 0.3
        path = [(x, y, back - girth * 0.1), (x + rng.normal(0, 0.01), y, leg / 2), (x, y, limb * 0.75)]
        parts.append(tube(path, [limb * 1.2, limb, limb * 0.9], 9))
    head, top, size = length * 0.48 + neck * 0.35, back + girth * 0.2 + neck, rng.uniform(0.12, 0.18)
    throat = [(length * 0.36, 0, back + girth * 0.1), (length * 0.45 + neck * 0.15, 0, back + girth * 0.2 + neck / 2)]
    parts.append(tube([*throat, (head, 0, top)], [girth * 0.33, girth * 0.25, girth * 0.2]))
    skull = ellipsoid(size, size * 0.6, size * 0.6, (18, 12)).turned("y", 0.35)
    muzzle = ellipsoid(size * 0.5, size * 0.42, size * 0.4, (14, 9)).painted(1).ghost()
    parts += [skull.at(head + size / 2, 0, top + 0.01), muzzle.at(head + size * 1.3, 0, top - size * 0.3)]
    for side in (-1, 1):
        ear = ellipsoid(0.02, 0.035, rng.uniform(0.05, 0.1), (10, 8)).at(head, side * size / 2, top + size * 0.6)
        eye = ellipsoid(0.02, 0.02, 0.02, (8, 6)).at(head + size, side * size * 0.45, top + size * 0.2)
        parts += [ear.painted(1).ghost(), eye.painted(2).ghost()]
    tail = tube(np.array([(0, 0, 0), (-0.1, 0, -0.02), (-0.16, 0, -0.16)]), [0.03, 0.022, 0.018], 7)
    tail = tail.at(-length * 0.48, 0, back + girth * 0.1)
    return [*parts, tail.painted(1).ghost()]
