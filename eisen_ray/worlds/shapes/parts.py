"""What an object is made of: parts (triangle meshes) in a frame with z up, lengths in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Part:
    """One triangle mesh with texture coordinates; every method returns a changed copy."""

    vertices: np.ndarray
    """float64 [V, 3]."""
    faces: np.ndarray
    """int [F, 3], counter-clockwise seen from outside."""
    uvs: np.ndarray
    """float64 [V, 2]."""
    slot: int = 0
    """Which of the object's materials covers it."""
    solid: bool = True
    """Whether its convex hull takes part in collisions and has mass."""

    def at(self, x: float, y: float, z: float) -> Part:
        """Moved by (x, y, z)."""
        return replace(self, vertices=self.vertices + np.array([x, y, z]))

    def turned(self, axis: str, angle: float) -> Part:
        """Turned about an axis of the frame by `angle` radians."""
        return replace(self, vertices=self.vertices @ rotation(axis, angle).T)

    def scaled(self, factor: float) -> Part:
        """Scaled about the origin."""
        return replace(self, vertices=self.vertices * factor)

    def mirrored_y(self) -> Part:
        """Its mirror image in the xz plane, faces still outward."""
        return replace(self, vertices=self.vertices * np.array([1.0, -1.0, 1.0]), faces=self.faces[:, ::-1])

    def painted(self, slot: int) -> Part:
        """Covered by another material of the object."""
        return replace(self, slot=slot)

    def ghost(self) -> Part:
        """Drawn only: no collision, no mass."""
        return replace(self, solid=False)


@dataclass(frozen=True)
class Shape:
    """An object: its family, its parts, and a kind of texture ("any" or a pattern's name) for each material slot."""

    family: str
    parts: tuple[Part, ...]
    looks: tuple[str, ...]

    @property
    def vertices(self) -> np.ndarray:
        """All vertices, float64 [V, 3]."""
        return np.concatenate([part.vertices for part in self.parts])

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest corner, float64 [3] each."""
        return self.vertices.min(0), self.vertices.max(0)

    def turned(self, axis: str, angle: float) -> Shape:
        """Every part turned about an axis of the frame."""
        return replace(self, parts=tuple(part.turned(axis, angle) for part in self.parts))

    def seated(self, longest: float, height: float | None = None) -> Shape:
        """Scaled and put on z = 0, centred above the origin.

        Args:
            longest: largest extent along any axis; an upper bound where `height` is given.
            height: extent along z.
        """
        low, high = self.bounds()
        factor = longest / float((high - low).max())
        if height is not None:
            factor = min(factor, height / float(high[2] - low[2]))
        low, high = low * factor, high * factor
        x, y = -(low + high)[:2] / 2
        return replace(self, parts=tuple(part.scaled(factor).at(x, y, -low[2]) for part in self.parts))


def shape(family: str, parts: Sequence[Part], *looks: str) -> Shape:
    """A shape with one look per material slot."""
    return Shape(family, tuple(parts), looks)


def rotation(axis: str, angle: float) -> np.ndarray:
    """Rotation matrix [3, 3] about "x", "y" or "z" by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    rows = {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }
    return np.array(rows[axis], float)
