"""Runs a script: a path of joint angles every 40 ms, and the hold on the grasped object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eisen_ray.worlds.arm import GRIPPER
from eisen_ray.worlds.arm_control import ArmControl
from eisen_ray.worlds.crowd import Thing
from eisen_ray.worlds.engine import load_mujoco
from eisen_ray.worlds.geometry import mix_rotations, quaternion
from eisen_ray.worlds.grasps import find_grasp
from eisen_ray.worlds.physics import SceneError
from eisen_ray.worlds.scripts import Script, Waypoint

STEP_S = 0.04
MISS_M = 0.035
"""A grasp whose tips are farther than this from the object has missed."""


@dataclass(frozen=True)
class Step:
    """Set points for 40 ms."""

    joints: np.ndarray
    opening_m: float
    phase: str


def plan_path(arm: ArmControl, waypoints: list[Waypoint], start: np.ndarray) -> list[Step]:
    """Straight ways between the waypoints, slow at both ends, by inverse kinematics.

    Raises:
        SceneError: a waypoint is out of reach.
    """
    path, joints = [], start.copy()
    place, turn = arm.pose(start)
    opening = waypoints[0].opening_m
    for goal in waypoints:
        count = max(1, round(goal.seconds / STEP_S))
        distance = 0.0
        for number in range(1, count + 1):
            share = number / count
            share = share * share * (3 - 2 * share)
            between = place * (1 - share) + goal.place * share
            found = arm.reach(between, mix_rotations(turn, goal.turn, share), joints, steps=25)
            joints, distance = found.joints, found.distance_m
            path.append(Step(joints, opening * (1 - share) + goal.opening_m * share, goal.phase))
        if distance > 0.03:
            raise SceneError("a waypoint is out of reach")
        place, turn, opening = goal.place, goal.turn, goal.opening_m
    return path


def phase_starts(path: list[Step]) -> dict[str, float]:
    """When each phase begins, seconds."""
    starts: dict[str, float] = {}
    for number, step in enumerate(path):
        starts.setdefault(step.phase, number * STEP_S)
    return starts


def hold_name(body: str) -> str:
    """Name of the (inactive) weld between the hand and an object."""
    return f"hold_{body}"


class Playback:
    """Steps the simulation along a path.

    When the lift of a grasp begins and the tips are at the object, a weld holds it in its present pose relative to the
    hand, until the release: by friction alone one carried object in seven slips.

    Args:
        model: MuJoCo model.
        data: its state; changed.
        arm: the arm.
        path: from `plan_path`.
        held: the object of a grasp; None for other scripts.
    """

    def __init__(self, model: Any, data: Any, arm: ArmControl, path: list[Step], held: Thing | None) -> None:
        self._mujoco = load_mujoco()
        self.path = path
        self._model, self._data, self._arm, self._thing = model, data, arm, held
        self._weld = None if held is None else int(model.equality(hold_name(held.body)).id)
        self._now = 0.0
        self._has_tried = False

    @property
    def phase(self) -> str:
        """Of the script, now."""
        return self.path[self._position()].phase

    def run_for(self, seconds: float) -> None:
        """Step on.

        Raises:
            SceneError: the grasp missed.
        """
        step_s = float(self._model.opt.timestep)
        for _ in range(round(seconds / step_s)):
            position = self._position()
            step, following = self.path[position], self.path[min(position + 1, len(self.path) - 1)]
            share = float(np.clip(self._now / STEP_S - position, 0, 1))
            joints = step.joints * (1 - share) + following.joints * share
            self._arm.command(joints, step.opening_m * (1 - share) + following.opening_m * share)
            self._hold_or_release(step.phase)
            self._mujoco.mj_step(self._model, self._data)
            self._now += step_s

    def _position(self) -> int:
        return min(int(self._now / STEP_S), len(self.path) - 1)

    def _hold_or_release(self, phase: str) -> None:
        if self._weld is None or self._thing is None:
            return
        if phase == "lift" and not self._has_tried:
            self._has_tried = True
            self._hold(self._thing)
        elif phase in ("release", "retreat"):
            self._data.eq_active[self._weld] = 0

    def _hold(self, thing: Thing) -> None:
        if np.linalg.norm(self._arm.tip - find_grasp(thing, self._data).place) >= MISS_M:
            raise SceneError("the grasp missed")
        hand, body = self._data.body(GRIPPER), self._data.body(thing.body)
        turn = hand.xmat.reshape(3, 3)
        relative = self._model.eq_data[self._weld]
        relative[0:3] = 0
        relative[3:6] = turn.T @ (body.xpos - hand.xpos)
        relative[6:10] = quaternion(turn.T @ body.xmat.reshape(3, 3))
        self._data.eq_active[self._weld] = 1


def first_frame_time(rng: np.random.Generator, script: Script, path: list[Step], length_s: float) -> float:
    """When the camera starts: half of the grasps are filmed at the lift and the carry."""
    starts, latest = phase_starts(path), len(path) * STEP_S - length_s
    if script.kind == "grasp":
        phase, low, high = (("lift", -0.25, 0.7), ("reach", 0.0, 0.5), ("close", -0.5, 0.0), ("lower", -0.2, 0.4))[
            int(rng.choice(4, p=[0.5, 0.22, 0.14, 0.14]))
        ]
        time_s = starts[phase] + rng.uniform(low, high)
    elif script.kind == "push":
        time_s = starts["push"] + rng.uniform(-0.35, 0.35)
    else:
        time_s = rng.uniform(0, max(0.01, latest))
    return float(np.clip(time_s, 0, max(0.0, latest - 0.05)))
