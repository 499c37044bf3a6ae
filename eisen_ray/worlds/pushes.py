"""The invisible agent of the playroom: it pushes, kicks, spins or carries one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

KINDS = {"impulse": 0.22, "push": 0.38, "collide": 0.2, "spin": 0.08, "lift": 0.12}
GRAVITY = 9.81


@dataclass(frozen=True)
class Push:
    """What is done to the object, and when."""

    kind: str
    heading: np.ndarray
    """float64 [3], horizontal."""
    speed: float
    """m/s."""
    spin: float
    """rad/s about z."""
    start_s: float
    """Relative to the first frame; negative: before it."""
    duration_s: float
    keeps_upright: bool


def draw_push(rng: np.random.Generator, place: np.ndarray, others: list[np.ndarray], length_s: float) -> Push:
    """A push that stays in view.

    Args:
        rng: the scene's generator.
        place: of the object, [3].
        others: places of the other visible objects, for collisions.
        length_s: of the clip.
    """
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    angle = rng.uniform(0, 2 * np.pi)
    if kind == "collide" and others:
        x, y = (others[int(rng.integers(len(others)))] - place)[:2]
        angle = np.arctan2(y, x) + rng.normal(0, 0.12)
    elif np.hypot(*place[:2]) > 0.9:  # near the edge: inwards
        angle = np.arctan2(-place[1], -place[0]) + rng.normal(0, 0.7)
    return Push(
        kind=kind,
        heading=np.array([np.cos(angle), np.sin(angle), 0.0]),
        speed=float(rng.uniform(0.5, 1.5)),
        spin=float(rng.normal(0, 1.2)),
        start_s=float(rng.uniform(-0.15, 0.12) if rng.random() < 0.8 else rng.uniform(0.1, 0.4)),
        duration_s=float(rng.uniform(0.5, 1.1)) * max(length_s, 0.5),
        keeps_upright=bool(rng.random() < 0.35),
    )


class Agent:
    """Applies a push to a body, step by step.

    Args:
        model: MuJoCo model.
        data: its state.
        body: name of the free body.
        push: what to do.
    """

    def __init__(self, model: Any, data: Any, body: str, push: Push) -> None:
        self._data, self._push = data, push
        self._body = model.body(body).id
        self._first = int(model.jnt_dofadr[model.body(body).jntadr[0]])
        self._mass = float(model.body_mass[self._body])
        self._inertia = float(model.body_inertia[self._body].max())
        self._has_kicked = False

    def act(self, time_s: float) -> None:
        """Set velocity or force for the next step; `time_s` counts from the first frame."""
        push = self._push
        if time_s < push.start_s:
            return
        self._data.xfrc_applied[self._body] = 0
        if push.kind == "impulse":
            self._kick()
        elif time_s <= push.start_s + push.duration_s:
            self._pull((time_s - push.start_s) / push.duration_s)

    def _kick(self) -> None:
        if not self._has_kicked:
            self._has_kicked = True
            self._data.qvel[self._first : self._first + 3] = self._push.heading * self._push.speed * 1.6
            self._data.qvel[self._first + 3 : self._first + 6] = [0, 0, self._push.spin * 1.5]

    def _pull(self, share: float) -> None:
        """Forces of a velocity servo; `share` of the duration is over."""
        velocity = self._data.qvel[self._first : self._first + 3]
        rotation = self._data.xmat[self._body].reshape(3, 3)
        turning = rotation @ self._data.qvel[self._first + 3 : self._first + 6]
        wanted, wanted_turning = self._wanted(share)
        force = self._mass * np.clip(18 * (wanted - velocity), -30, 30)
        is_carried = self._push.kind == "lift"
        force[2] = force[2] + self._mass * GRAVITY if is_carried else 0.0
        torque = self._inertia * np.clip(20 * (wanted_turning - turning), -80, 80)
        if not self._push.keeps_upright and self._push.kind in ("push", "collide"):
            torque[:2] = 0  # it may topple
        self._data.xfrc_applied[self._body, :3] = force
        self._data.xfrc_applied[self._body, 3:] = torque

    def _wanted(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        push = self._push
        along, up = push.heading * push.speed, np.array([0.0, 0.0, 1.0])
        if push.kind == "spin":
            return along * 0.25, up * np.sign(push.spin) * (2.5 + abs(push.spin))
        if push.kind == "lift":
            return along * 0.7 + up * 0.88 * np.cos(np.pi * np.clip(share, 0, 1)), up * push.spin
        return along, up * push.spin * 0.6
