"""Set points and inverse kinematics of the arm in a compiled model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eisen_ray.worlds.arm import TIP
from eisen_ray.worlds.arm_links import LINKS, SIDES
from eisen_ray.worlds.engine import load_mujoco

ROTATION_WEIGHT_M = 0.25
"""A radian of wrong direction counts as so many metres."""


@dataclass(frozen=True)
class Reached:
    """Where inverse kinematics ended."""

    joints: np.ndarray
    """float64 [6], radians."""
    distance_m: float
    angle: float
    """About the angle to the wanted rotation, radians."""


class ArmControl:
    """The arm of one simulation.

    Args:
        model: MuJoCo model with the arm.
        data: its state.
    """

    def __init__(self, model: Any, data: Any) -> None:
        self._mujoco = load_mujoco()
        self._model, self._data = model, data
        self._scratch = self._mujoco.MjData(model)
        joints = [model.joint(link.name).id for link in LINKS]
        fingers = [model.joint(f"finger_{side}").id for side, _ in SIDES]
        self._positions = np.array([model.jnt_qposadr[joint] for joint in joints])
        self._speeds = np.array([model.jnt_dofadr[joint] for joint in joints])
        self._finger_positions = np.array([model.jnt_qposadr[finger] for finger in fingers])
        self._servos = np.array([model.actuator(link.name).id for link in LINKS])
        self._finger_servos = np.array([model.actuator(f"finger_{side}").id for side, _ in SIDES])
        self._tip = model.site(TIP).id
        self._low = np.array([link.low for link in LINKS]) + 0.02
        self._high = np.array([link.high for link in LINKS]) - 0.02

    def place(self, joints: np.ndarray, opening: float) -> None:
        """Put the arm there at once, at rest, and hold it."""
        self._data.qpos[self._positions] = joints
        self._data.qvel[self._speeds] = 0
        self._data.qpos[self._finger_positions] = [opening, -opening]
        self.command(joints, opening)

    def command(self, joints: np.ndarray, opening: float) -> None:
        """Set points of the servos: joint angles and the slide of each finger."""
        self._data.ctrl[self._servos] = joints
        self._data.ctrl[self._finger_servos] = [opening, -opening]

    @property
    def tip(self) -> np.ndarray:
        """Where the point between the finger tips is now, [3]."""
        return self._data.site_xpos[self._tip].copy()

    def pose(self, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Place [3] and rotation [3, 3] of the tip at other joint angles."""
        self._bend(joints)
        return self._scratch.site_xpos[self._tip].copy(), self._scratch.site_xmat[self._tip].reshape(3, 3).copy()

    def reach(self, place: np.ndarray, rotation: np.ndarray, start: np.ndarray, steps: int) -> Reached:
        """Inverse kinematics by damped least squares.

        Args:
            place: wanted place of the tip, [3].
            rotation: wanted rotation, [3, 3].
            start: joint angles to begin with.
            steps: most steps.
        """
        joints, missing, turning = start.copy(), np.zeros(3), np.zeros(3)
        moves, turns = np.zeros((3, self._model.nv)), np.zeros((3, self._model.nv))
        for _ in range(steps):
            at, now = self.pose(joints)
            missing = place - at
            turning = 0.5 * np.cross(now, rotation, axis=0).sum(1)
            if np.linalg.norm(missing) < 2e-3 and np.linalg.norm(turning) < 0.03:
                break
            self._mujoco.mj_comPos(self._model, self._scratch)
            self._mujoco.mj_jacSite(self._model, self._scratch, moves, turns, self._tip)
            jacobian = np.concatenate([moves[:, self._speeds], ROTATION_WEIGHT_M * turns[:, self._speeds]])
            error = np.concatenate([np.clip(missing, -0.08, 0.08), ROTATION_WEIGHT_M * np.clip(turning, -0.5, 0.5)])
            step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 2e-4 * np.eye(6), error)
            joints = np.clip(joints + np.clip(step, -0.3, 0.3), self._low, self._high)
        return Reached(joints, float(np.linalg.norm(missing)), float(np.linalg.norm(turning)))

    def _bend(self, joints: np.ndarray) -> None:
        self._scratch.qpos[:] = self._data.qpos
        self._scratch.qpos[self._positions] = joints
        self._mujoco.mj_kinematics(self._model, self._scratch)
