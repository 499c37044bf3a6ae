"""Filming a simulation: pictures, instance ids, exact flow, and how much each instance moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from eisen_ray.worlds.engine import load_mujoco
from eisen_ray.worlds.flow import Poses, optical_flow, poses_of, visible
from eisen_ray.worlds.render import Studio

MOVING_PX = 0.5
SMALLEST_PX = 8


@dataclass(frozen=True)
class Film:
    """What a clip holds: T frames of N x N pixels."""

    frames: np.ndarray
    """uint8 [T, N, N, 3]."""
    instances: np.ndarray
    """uint8 [T, N, N], 0 = background."""
    flow: np.ndarray
    """float32 [T - 1, N, N, 2], pixels right and down from each frame to the next."""
    visible: np.ndarray
    """bool [T - 1, N, N]: the point is seen in the next frame too."""
    depth: np.ndarray
    """float32 [T, N, N], m."""
    geoms: np.ndarray
    """int32 [T, N, N], MuJoCo's geom ids."""
    poses: tuple[Poses, ...]
    """One for each frame."""

    def area(self, instance: int) -> float:
        """Mean share of the image that an instance covers."""
        return float((self.instances == instance).mean())

    def moving_share(self, instance: int) -> float:
        """Share of frame pairs in which the instance's median flow is above half a pixel."""
        moving = 0
        for labels, flow in zip(self.instances[:-1], self.flow, strict=True):
            inside = labels == instance
            if inside.sum() >= SMALLEST_PX:
                moving += bool(np.median(np.linalg.norm(flow[inside], axis=-1)) > MOVING_PX)
        return moving / len(self.flow)


def record(
    model: Any, data: Any, studio: Studio, table: np.ndarray, num_frames: int, advance: Callable[[], None]
) -> Film:
    """Film a running simulation.

    Args:
        model: MuJoCo model.
        data: its state; changed.
        studio: draws it.
        table: instance id by geom id.
        num_frames: T, at least 2.
        advance: moves the simulation on to the next frame.
    """
    mujoco = load_mujoco()
    frames, geoms, depth, poses = [], [], [], []
    for number in range(num_frames):
        if number:
            advance()
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)
        frames.append(studio.picture(data))
        ids, distance = studio.geoms_and_depth(data)
        geoms.append(ids)
        depth.append(distance)
        poses.append(poses_of(model, data))
    instances = [table[ids] for ids in geoms]
    flows, seen = [], []
    for now in range(num_frames - 1):
        flow, next_depth = optical_flow(depth[now], geoms[now], poses[now], poses[now + 1])
        flows.append(flow.astype(np.float32))
        seen.append(visible(flow, next_depth, instances[now], instances[now + 1], depth[now + 1]))
    return Film(
        np.stack(frames),
        np.stack(instances),
        np.stack(flows),
        np.stack(seen),
        np.stack(depth),
        np.stack(geoms),
        tuple(poses),
    )
