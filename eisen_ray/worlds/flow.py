"""Exact optical flow from depth, geom ids and rigid poses: back-project, move with the geom, project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eisen_ray.worlds.geometry import Camera, focal_length


@dataclass(frozen=True)
class Poses:
    """Where everything is at one instant."""

    positions: np.ndarray
    """float64 [G, 3], of the geoms."""
    rotations: np.ndarray
    """float64 [G, 3, 3]."""
    camera: Camera


def poses_of(model: Any, data: Any, camera: str = "camera") -> Poses:
    """The present poses of a simulation."""
    number = model.camera(camera).id
    view = Camera(
        data.cam_xpos[number].copy(), data.cam_xmat[number].reshape(3, 3).copy(), float(model.cam_fovy[number])
    )
    return Poses(data.geom_xpos.copy(), data.geom_xmat.reshape(-1, 3, 3).copy(), view)


def optical_flow(depth: np.ndarray, geoms: np.ndarray, before: Poses, after: Poses) -> tuple[np.ndarray, np.ndarray]:
    """Where the point behind each pixel centre goes.

    Args:
        depth: [N, N] along the optical axis at `before`, m.
        geoms: int [N, N] geom ids at `before`, -1 where nothing is drawn: taken as unmoved.
        before: poses of the picture.
        after: poses of the next picture.

    Returns:
        Flow float64 [N, N, 2] in pixels (right, down), exactly 0 on unmoved geoms under a still camera, and the depth
        [N, N] that each point has in the next picture.
    """
    size = depth.shape[0]
    focal = focal_length(before.camera.fovy, size)
    y, x = np.mgrid[0:size, 0:size] + 0.5
    rays = np.stack([(x - size / 2) / focal, (size / 2 - y) / focal, -np.ones_like(x)], -1)
    points = (rays * depth[..., None]) @ before.camera.rotation.T + before.camera.position
    geom = np.maximum(geoms, 0)
    local = np.einsum("hwij,hwi->hwj", before.rotations[geom], points - before.positions[geom])
    moved = np.einsum("hwij,hwj->hwi", after.rotations[geom], local) + after.positions[geom]
    moved = np.where((geoms >= 0)[..., None], moved, points)
    seen, next_depth = after.camera.project(moved)
    flow = seen * size - np.stack([x, y], -1)
    if _is_still(before.camera, after.camera):
        shifts = np.abs(after.positions - before.positions).max(1)
        turns = np.abs(after.rotations - before.rotations).max((1, 2))
        flow[((shifts < 1e-9) & (turns < 1e-9))[geom] | (geoms < 0)] = 0.0
    return flow, next_depth


def visible(
    flow: np.ndarray, next_depth: np.ndarray, labels: np.ndarray, next_labels: np.ndarray, depth_after: np.ndarray
) -> np.ndarray:
    """Which points are seen in the next picture too: neither hidden nor outside it.

    Args:
        flow: [N, N, 2].
        next_depth: [N, N] depth of each point in the next picture.
        labels: [N, N] instance ids.
        next_labels: [N, N] instance ids of the next picture.
        depth_after: [N, N] depth map of the next picture.

    Returns:
        bool [N, N]: one of the four pixels around the point shows its instance at its depth, within 2 %.
    """
    size = labels.shape[0]
    y, x = np.mgrid[0:size, 0:size]
    u, v = x + flow[..., 0], y + flow[..., 1]
    found = np.zeros(labels.shape, bool)
    for right in (0, 1):
        for down in (0, 1):
            i = np.clip(np.floor(v).astype(int) + down, 0, size - 1)
            j = np.clip(np.floor(u).astype(int) + right, 0, size - 1)
            at_depth = np.abs(depth_after[i, j] - next_depth) < 0.02 * next_depth
            found |= (next_labels[i, j] == labels) & at_depth
    return found & (u > -0.5) & (u < size - 0.5) & (v > -0.5) & (v < size - 0.5)


def _is_still(before: Camera, after: Camera) -> bool:
    moved = max(np.abs(before.position - after.position).max(), np.abs(before.rotation - after.rotation).max())
    return bool(moved < 1e-12)
