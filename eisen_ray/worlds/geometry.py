"""Poses and the pinhole camera. Quaternions are (w, x, y, z); cameras look along -z with y up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A square pinhole camera in the world."""

    position: np.ndarray
    """float64 [3], m."""
    rotation: np.ndarray
    """float64 [3, 3]: columns are its right, up and backward."""
    fovy: float
    """Vertical field of view, degrees."""

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where points [..., 3] are seen: [..., 2] (right, down), 0..1 inside the image, and depth [...] in m."""
        seen = (np.asarray(points) - self.position) @ self.rotation
        depth = -seen[..., 2]
        ahead = np.where(depth > 1e-6, depth, 1e-6)
        focal = focal_length(self.fovy, 1.0)
        return np.stack([focal * seen[..., 0] / ahead + 0.5, 0.5 - focal * seen[..., 1] / ahead], -1), depth


def look_at(position: Sequence[float] | np.ndarray, target: np.ndarray, fovy: float, roll: float = 0.0) -> Camera:
    """A camera that sees `target` in the middle of its image, rolled by `roll` radians."""
    place = np.asarray(position, float)
    forward = np.asarray(target, float) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    c, s = np.cos(roll), np.sin(roll)
    return Camera(place, np.stack([c * right + s * up, c * up - s * right, -forward], 1), float(fovy))


def focal_length(fovy: float, size: float) -> float:
    """Focal length in pixels of an image `size` pixels high."""
    return 0.5 * size / float(np.tan(np.radians(fovy) / 2))


def yaw_quaternion(angle: float) -> np.ndarray:
    """Turn about z."""
    return np.array([np.cos(angle / 2), 0.0, 0.0, np.sin(angle / 2)])


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """Unit quaternion [4] of a rotation matrix [3, 3], by its largest component."""
    m = rotation
    squares = np.array(
        [
            1 + m[0, 0] + m[1, 1] + m[2, 2],
            1 + m[0, 0] - m[1, 1] - m[2, 2],
            1 - m[0, 0] + m[1, 1] - m[2, 2],
            1 - m[0, 0] - m[1, 1] + m[2, 2],
        ]
    )
    w, x, y = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    xy, xz, yz = m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
    k = int(squares.argmax())
    rows = [[squares[0], w, x, y], [w, squares[1], xy, xz], [x, xy, squares[2], yz], [y, xz, yz, squares[3]]]
    row = np.array(rows[k])
    return row / np.linalg.norm(row)


def rotation_matrix(quat: np.ndarray) -> np.ndarray:
    """Rotation matrix [3, 3] of a quaternion [4] of any length."""
    w, x, y, z = np.asarray(quat, float) / np.linalg.norm(quat)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def mix_rotations(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """The rotation between two rotation matrices, on the shorter way."""
    a, b = quaternion(first), quaternion(second)
    return rotation_matrix(a * (1 - share) + b * (share if a @ b >= 0 else -share))
