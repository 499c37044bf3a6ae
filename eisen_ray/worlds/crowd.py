"""Objects that find a free place in view of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eisen_ray.worlds.geometry import Camera
from eisen_ray.worlds.shapes.parts import Shape
from eisen_ray.worlds.splits import Kind


@dataclass(frozen=True)
class Thing:
    """A free object of a scene."""

    body: str
    """Name of its body."""
    kind: Kind
    radius: float
    """About half its extent across the floor, m."""
    vertices: np.ndarray
    """float64 [V, 3] in the body's frame."""


class Places:
    """Circles on the floor that do not overlap by more than a given gap.

    Args:
        camera: sees every foot and every top.
        margin: share of the image that stays free at its edges.
        gap: metres between neighbours; negative: they may overlap a little.
    """

    def __init__(self, camera: Camera, margin: float, gap: float) -> None:
        self._camera, self._margin, self._gap = camera, margin, gap
        self._taken: list[tuple[np.ndarray, float]] = []

    def is_free(self, x: float, y: float, radius: float) -> bool:
        """Whether a circle of this radius may stand here."""
        here = np.array([x, y])
        return all(np.hypot(*(here - place)) >= radius + other + self._gap for place, other in self._taken)

    def is_in_view(self, x: float, y: float, height: float, nearest: float) -> bool:
        """Whether foot and top are in the image and at least `nearest` m away from the camera."""
        seen, depth = self._camera.project(np.array([[x, y, 0.0], [x, y, height]]))
        inside = (seen >= self._margin) & (seen <= 1 - self._margin)
        return bool((depth >= nearest).all() and inside.all())

    def take(self, x: float, y: float, radius: float) -> None:
        """From now on this circle is taken."""
        self._taken.append((np.array([x, y]), radius))


def floor_radius(shape: Shape, share: float) -> float:
    """Radius of the circle that a seated shape takes: `share` of half the diagonal of its footprint."""
    low, high = shape.bounds()
    return float(np.hypot(*(high - low)[:2])) / 2 * share


def image_areas(table: np.ndarray, geoms: np.ndarray, count: int) -> np.ndarray:
    """Share of the image of instances 1..count, float64 [count].

    Args:
        table: instance id by geom id.
        geoms: int [N, N] geom ids of a picture.
        count: number of instances.
    """
    return np.bincount(table[geoms].ravel(), minlength=count + 1)[1:] / geoms.size


def describe(things: list[Thing], first_id: int, film: Any) -> list[dict[str, Any]]:
    """What `clip.json` says about each object."""
    return [
        {
            "id": first_id + number,
            "family": thing.kind.family,
            "held_out": thing.kind.held_out,
            "moving": round(film.moving_share(first_id + number), 3),
            "area": round(film.area(first_id + number), 5),
        }
        for number, thing in enumerate(things)
    ]
