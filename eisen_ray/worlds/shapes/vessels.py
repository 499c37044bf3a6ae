"""Things that hold things: cans, vases, bottles, bowls, mugs, pots, pans, teapots, goblets."""

from __future__ import annotations

import numpy as np

from eisen_ray.worlds.shapes.parts import Shape, shape
from eisen_ray.worlds.shapes.primitives import crease, cylinder, ellipsoid, lathe, tube


def make_can(rng: np.random.Generator) -> Shape:
    """A can, most with a lid."""
    radius, height = rng.uniform(0.25, 0.5), rng.uniform(0.5, 1.4)
    parts = [cylinder(radius, height)]
    if rng.random() < 0.6:
        lid = cylinder(radius * rng.uniform(0.85, 1.08), height * 0.08)
        parts.append(lid.at(0, 0, height * 0.53).painted(1))
    return shape("can", parts, "any", "plain")


def make_vase(rng: np.random.Generator) -> Shape:
    """A vase with a smooth random profile."""
    knots, height = int(rng.integers(4, 7)), rng.uniform(1.0, 1.8)
    radii = rng.uniform(0.12, 0.5, knots)
    radii[0] = rng.uniform(0.2, 0.45)
    z = np.linspace(0, height, 22)
    kernel = np.array([1, 2, 3, 2, 1]) / 9
    wall = np.convolve(np.pad(np.interp(z, np.linspace(0, height, knots), radii), 2, mode="edge"), kernel, mode="valid")
    rim, top = float(wall[-1]), float(z[-1])
    inside = [(rim * 0.85, top), (rim * 0.85, top), (rim * 0.75, top * 0.75), (0.0, top * 0.7)]
    outside = [(0.0, 0.0), *zip(wall.tolist(), z.tolist(), strict=True), (rim, top)]
    return shape("vase", [lathe(outside + inside)], "any")


def make_bottle(rng: np.random.Generator) -> Shape:
    """A bottle with a cap and a label."""
    radius, height = rng.uniform(0.22, 0.34), rng.uniform(0.7, 1.0)
    neck, top = rng.uniform(0.07, 0.12), height + rng.uniform(0.25, 0.5)
    body = [(0, 0), (radius, 0), (radius, 0), (radius, height * 0.8), (radius * 0.95, height * 0.9)]
    body += [(radius * 0.6, height), (neck, height + 0.12), (neck, top), (neck, top), (0, top)]
    cap = cylinder(neck * 1.25, 0.12).at(0, 0, top).painted(1)
    label = cylinder(radius * 1.015, height * rng.uniform(0.25, 0.5)).at(0, 0, height * 0.4).painted(2).ghost()
    return shape("bottle", [lathe(body), cap, label], "plain", "plain", "label")


def make_bowl(rng: np.random.Generator) -> Shape:
    """A round bowl."""
    radius, height = rng.uniform(0.4, 0.6), rng.uniform(0.18, 0.4)
    angle = np.linspace(0.15, np.pi / 2, 8)
    wall = [(radius * (0.4 + 0.6 * np.sin(a)), height * (1 - np.cos(a))) for a in angle]
    outside = [(0.0, 0.0), (radius * 0.4, 0.0), (radius * 0.4, 0.0), *wall]
    inside = [(r * 0.92, z + 0.03 * (z < height * 0.5)) for r, z in outside[::-1]]
    return shape("bowl", [lathe([*outside, outside[-1], *inside])], "any")


def make_mug(rng: np.random.Generator) -> Shape:
    """A mug with a handle."""
    radius, height = rng.uniform(0.3, 0.42), rng.uniform(0.6, 0.95)
    rim = radius * rng.uniform(0.95, 1.2)
    outside = crease([(0, 0), (radius, 0), (rim, height)])
    inner, floor = (rim * 0.88, height), (radius * 0.88, height * 0.12)
    cup = lathe([*outside, (rim, height), inner, inner, floor, floor, (0, height * 0.12)])
    angle = np.linspace(-1.35, 1.35, 12)
    arc = np.stack([rim * 0.93 + 0.28 * height * np.cos(angle), 0 * angle, height * (0.5 + 0.33 * np.sin(angle))], 1)
    return shape("mug", [cup, tube(arc, 0.055, 8).painted(1).ghost()], "any", "plain")


def make_pot(rng: np.random.Generator) -> Shape:
    """A cooking pot with one long handle or two ears, some with a lid."""
    radius, height = rng.uniform(0.36, 0.5), rng.uniform(0.25, 0.5)
    rim, floor = (radius * 0.92, height), (radius * 0.92, 0.05)
    outside = crease([(0, 0), (radius, 0), (radius, height)])
    parts = [lathe([*outside, (radius, height), rim, rim, floor, floor, (0, 0.05)])]
    length = rng.uniform(0.4, 0.7)
    if rng.random() < 0.6:
        path = [(radius * 0.97, 0, height * 0.8), (radius + length / 2, 0, height * 0.9)]
        parts.append(tube([*path, (radius + length, 0, height * 0.95)], [0.04, 0.035, 0.05], 8).painted(1))
    else:
        angle = np.linspace(-1.3, 1.3, 9)
        for side in (-1, 1):
            ear = np.stack([side * (radius + 0.12 * np.cos(angle)), 0.16 * np.sin(angle), 0 * angle + height * 0.8], 1)
            parts.append(tube(ear, 0.03, 7).painted(1).ghost())
    if rng.random() < 0.35:
        edge = (radius * 1.02, height)
        parts.append(
            lathe([edge, edge, (radius * 0.9, height + 0.06), (radius * 0.4, height + 0.12), (0, height + 0.14)])
        )
        parts.append(ellipsoid(0.06, 0.06, 0.05, (12, 8)).at(0, 0, height + 0.17).painted(1))
    return shape("pot", parts, str(rng.choice(["plain", "rings", "mottled"])), "plain")


def make_pan(rng: np.random.Generator) -> Shape:
    """A frying pan."""
    radius, height = rng.uniform(0.45, 0.55), rng.uniform(0.1, 0.16)
    inner = (radius * 0.96, height)
    outside = crease([(0, 0), (radius * 0.85, 0), (radius, height)])
    body = lathe([*outside, (radius, height), inner, inner, (radius * 0.8, 0.04), (0, 0.04)])
    path = [(radius * 0.95, 0, height * 0.7), (radius + 0.3, 0, height), (radius + 0.65, 0, height * 1.2)]
    return shape("pan", [body, tube(path, [0.045, 0.04, 0.055], 8).painted(1)], "plain", "plain")


def make_teapot(rng: np.random.Generator) -> Shape:
    """A teapot with spout, handle and knob."""
    radius, height = rng.uniform(0.35, 0.45), rng.uniform(0.4, 0.6)
    angle = np.linspace(0.1, np.pi - 0.5, 14)
    wall = [(radius * np.sin(a), height / 2 * (1 - np.cos(a))) for a in angle]
    top = wall[-1][1]
    spout = [(radius * 0.8, 0, height * 0.35), (radius * 1.3, 0, height * 0.55), (radius * 1.6, 0, height * 0.95)]
    arc = np.linspace(-1.4, 1.4, 10)
    handle = np.stack([-radius * 0.85 - 0.25 * np.cos(arc), 0 * arc, height * (0.5 + 0.32 * np.sin(arc))], 1)
    parts = [
        lathe([(0, 0), *wall, (0, top + 0.05)]),
        ellipsoid(0.06, 0.06, 0.06, (12, 8)).at(0, 0, top + 0.1).painted(1),
        tube(spout, [0.09, 0.065, 0.05], 9),
        tube(handle, 0.04, 8).painted(1).ghost(),
    ]
    return shape("teapot", parts, "any", "plain")


def make_goblet(rng: np.random.Generator) -> Shape:
    """A stemmed cup."""
    radius = rng.uniform(0.2, 0.32)
    profile = crease([(0, 0), (0.22, 0), (0.22, 0.03)])
    profile += [(0.22, 0.03), (0.05, 0.07), (0.04, 0.35), (radius * 0.7, 0.42), (radius, 0.6), (radius * 0.95, 0.85)]
    inner = (radius * 0.88, 0.85)
    return shape(
        "goblet", [lathe([*profile, (radius * 0.95, 0.85), inner, inner, (radius * 0.9, 0.62), (0, 0.45)])], "any"
    )
