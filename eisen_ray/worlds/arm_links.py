"""The chain of a WidowX 250 S: six joints and a gripper, and how its links look without meshes.

Offsets and joint ranges are those of the manufacturer's description (WidowX 250 6DOF). With `--arm-meshes` the links
are drawn from the manufacturer's files `wx250s_<number>_<name>.stl` (millimetres), not part of this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eisen_ray.errors import DataError
from eisen_ray.worlds.shapes.parts import Part
from eisen_ray.worlds.shapes.primitives import box, cylinder

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
TURNED_Z: Quaternion = (np.sqrt(0.5), 0, 0, np.sqrt(0.5))


@dataclass(frozen=True)
class Link:
    """A link, its joint to the link before it, and where its mesh sits."""

    name: str
    offset: Vector
    """From the link before, m."""
    axis: Vector
    low: float
    high: float
    """Range of the joint, radians."""
    mesh: str
    mesh_turn: Quaternion = TURNED_Z
    mesh_offset: Vector = (0, 0, 0)


LINKS = (
    Link("shoulder", (0, 0, 0.072), (0, 0, 1), -3.14, 3.14, "2_shoulder", mesh_offset=(0, 0, -0.003)),
    Link("upper_arm", (0, 0, 0.03865), (0, 1, 0), -1.88, 1.98, "3_upper_arm"),
    Link("upper_forearm", (0.04975, 0, 0.25), (0, 1, 0), -2.14, 1.60, "4_upper_forearm", (1, 0, 0, 0)),
    Link("lower_forearm", (0.175, 0, 0), (1, 0, 0), -3.14, 3.14, "5_lower_forearm", (0, 1, 0, 0)),
    Link("wrist", (0.075, 0, 0), (0, 1, 0), -1.74, 2.14, "6_wrist"),
    Link("gripper", (0.065, 0, 0), (1, 0, 0), -3.14, 3.14, "7_gripper", mesh_offset=(-0.02, 0, 0)),
)
BASE_MESH, BAR_MESH, FINGER_MESH = "1_base", "9_gripper_bar", "10_gripper_finger"
SIDES = (("left", 1), ("right", -1))
FINGER_REACH_M = 0.066
"""From the gripper's frame to the fingers'."""
TIP_REACH_M = 0.103
"""From the gripper's frame to the point between the finger tips."""
OPEN_M, SHUT_M = 0.040, 0.011
"""Slide of each finger."""
HOME = np.array([0, -0.96, 1.16, 0, -0.3, 0])
"""A folded pose, radians."""


def mesh_file(folder: str, mesh: str) -> Path:
    """Where the mesh of a link lies.

    Raises:
        DataError: no such file.
    """
    path = Path(folder) / f"wx250s_{mesh}.stl"
    if not path.is_file():
        raise DataError(
            f"arm-meshes: {path} does not exist; expected the ten wx250s_*.stl files of the WidowX 250 S, on every "
            "machine. Check the folder, or leave it out for an arm of boxes."
        )
    return path


def check_meshes(folder: str) -> None:
    """Look for every mesh before any work is done.

    Raises:
        DataError: one is missing.
    """
    for mesh in (BASE_MESH, BAR_MESH, FINGER_MESH, *(link.mesh for link in LINKS)):
        mesh_file(folder, mesh)


def plain_parts(name: str) -> list[Part]:
    """Boxes and tubes about the size of a link ("base", "finger", or a link's name), dark and light in turn."""

    def across(radius: float, length: float) -> Part:
        return cylinder(radius, length).turned("x", np.pi / 2)

    every = {
        "base": [
            box(0.14, 0.12, 0.02).at(-0.03, 0, 0.01),
            box(0.09, 0.09, 0.06).at(0, 0, 0.04),
            cylinder(0.045, 0.02).at(0, 0, 0.065),
        ],
        "shoulder": [box(0.06, 0.075, 0.07).at(0, 0, 0.025), across(0.022, 0.09).at(0, 0, 0.0386)],
        "upper_arm": [
            box(0.045, 0.05, 0.24).at(0, 0, 0.13),
            box(0.09, 0.045, 0.045).at(0.025, 0, 0.25),
            across(0.022, 0.075).at(0.05, 0, 0.25),
            across(0.03, 0.06),
        ],
        "upper_forearm": [box(0.15, 0.04, 0.042).at(0.08, 0, 0), across(0.027, 0.056)],
        "lower_forearm": [box(0.07, 0.05, 0.055).at(0.035, 0, 0), across(0.018, 0.06).at(0.075, 0, 0)],
        "wrist": [box(0.06, 0.045, 0.05).at(0.035, 0, 0.008)],
        "gripper": [box(0.045, 0.05, 0.04).at(0.015, 0, 0), box(0.02, 0.13, 0.03).at(0.05, 0, 0)],
        "finger": [box(0.022, 0.012, 0.024).at(0.008, -0.006, 0), box(0.05, 0.008, 0.022).at(0.03, -0.013, 0)],
    }
    return [part.painted(number % 2) for number, part in enumerate(every[name])]
