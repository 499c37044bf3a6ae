"""Where and how to hold an object from above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eisen_ray.worlds.crowd import Thing

WIDEST_M = 0.058
"""Wider things do not fit between the fingers: they are pushed instead."""
DIRECTIONS = 18
BELOW_TOP_M, LOWEST_M = 0.022, 0.014


@dataclass(frozen=True)
class Grasp:
    """The narrowest grasp of an object as it lies."""

    place: np.ndarray
    """float64 [3], where the finger tips close."""
    yaw: float
    """Horizontal direction in which the fingers close."""
    width_m: float
    top_m: float
    """Height of the object's highest point."""


def find_grasp(thing: Thing, data: Any) -> Grasp:
    """The direction in which the upper part of the object is narrowest, of 18."""
    body = data.body(thing.body)
    points = thing.vertices @ body.xmat.reshape(3, 3).T + body.xpos
    top = float(points[:, 2].max())
    height = max(LOWEST_M, top - BELOW_TOP_M)
    upper = points[points[:, 2] > height - 0.02, :2]
    upper = upper if len(upper) >= 8 else points[:, :2]
    yaws = np.linspace(0, np.pi, DIRECTIONS, endpoint=False)
    across, along = np.stack([np.cos(yaws), np.sin(yaws)]), np.stack([-np.sin(yaws), np.cos(yaws)])
    widths = np.ptp(upper @ across, axis=0)
    best = int(widths.argmin())
    middle = [(values.max() + values.min()) / 2 for values in (upper @ across[:, best], upper @ along[:, best])]
    x, y = across[:, best] * middle[0] + along[:, best] * middle[1]
    return Grasp(np.array([x, y, height]), float(yaws[best]), float(widths[best]), top)


def hand_rotation(yaw: float, pitch: float) -> np.ndarray:
    """Rotation [3, 3] of a hand that points down by `pitch` and heads to `yaw`; its fingers close along its y axis."""
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    sideways = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    return np.stack([forward, sideways, np.cross(forward, sideways)], 1)
