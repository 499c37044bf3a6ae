"""What the arm does in a clip: grasp and carry an object, push one, or move alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from eisen_ray.worlds.arm_control import ArmControl
from eisen_ray.worlds.arm_links import HOME, OPEN_M, SHUT_M
from eisen_ray.worlds.grasps import WIDEST_M, Grasp, hand_rotation
from eisen_ray.worlds.physics import SceneError
from eisen_ray.worlds.shapes.parts import rotation

KINDS = {"arm": 0.28, "grasp": 0.52, "push": 0.20}
REACH_M = 0.42


@dataclass(frozen=True)
class Waypoint:
    """Where the finger tips are to be, how they are turned, how long the way takes and how far the fingers are open."""

    place: np.ndarray
    turn: np.ndarray
    seconds: float
    opening_m: float
    phase: str


@dataclass(frozen=True)
class Script:
    """A kind, its object (position in the list of things) and the way of the hand."""

    kind: str
    waypoints: list[Waypoint]
    target: int | None = None


@dataclass(frozen=True)
class Stage:
    """What a script is written for."""

    rng: np.random.Generator
    arm: ArmControl
    grasps: Mapping[int, Grasp]
    """Of every visible thing, by its position in the list of things."""
    places: Mapping[int, np.ndarray]
    radii: Mapping[int, float]
    tempo: float = field(default=1.0)
    """Above 1 the arm is quicker."""


def draw_script(stage: Stage) -> Script:
    """A script; a grasp becomes a push where nothing fits the hand, a push the arm alone where nothing is near.

    Raises:
        SceneError: the arm cannot do what was drawn.
    """
    kind = str(stage.rng.choice(list(KINDS), p=list(KINDS.values())))
    if kind == "grasp":
        fitting = [
            number
            for number, grasp in stage.grasps.items()
            if grasp.width_m < WIDEST_M and np.hypot(*grasp.place[:2]) < REACH_M
        ]
        if fitting:
            return _grasp(stage, int(stage.rng.choice(fitting)))
        kind = "push"
    near = [number for number, place in stage.places.items() if np.hypot(*place[:2]) < 0.4]
    return _push(stage, int(stage.rng.choice(near))) if kind == "push" and near else _alone(stage)


def free_pose(rng: np.random.Generator, arm: ArmControl) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A place, a rotation and joint angles for the hand above the work space.

    Raises:
        SceneError: none was found in 30 draws.
    """
    for _ in range(30):
        heading, distance = rng.uniform(-0.9, 0.9), rng.uniform(0.17, 0.38)
        place = np.array([distance * np.cos(heading), distance * np.sin(heading), rng.uniform(0.13, 0.28)])
        turn = hand_rotation(heading + rng.normal(0, 0.2), rng.uniform(0.9, 1.57)) @ rotation("x", rng.normal(0, 0.5))
        found = arm.reach(place, turn, HOME + np.array([heading, 0, 0, 0, 0, 0]), steps=150)
        if found.distance_m < 0.02 and found.angle < 0.3:
            return place, turn, found.joints
    raise SceneError("no pose for the arm")


def _grasp(stage: Stage, target: int) -> Script:
    rng, grasp, tempo = stage.rng, stage.grasps[target], stage.tempo
    place = grasp.place
    heading = np.arctan2(place[1], place[0])
    # The fingers may close either way around: the way that is nearer to the arm's own heading.
    yaw = min(
        (grasp.yaw - np.pi / 2, grasp.yaw + np.pi / 2),
        key=lambda each: abs((each - heading + np.pi) % (2 * np.pi) - np.pi),
    )
    pitch = np.pi / 2 if np.hypot(*place[:2]) < 0.36 else rng.uniform(1.25, 1.5)
    turn, new_turn = hand_rotation(yaw, pitch), hand_rotation(yaw + rng.normal(0, 0.7), pitch)
    above, lifted = (place + _up(rng.uniform(*heights)) for heights in ((0.07, 0.11), (0.09, 0.2)))
    goal = _goal(rng, place, float(lifted[2]))
    down = np.array([goal[0], goal[1], place[2] + 0.006])
    held = max(SHUT_M, float(np.clip(grasp.width_m / 2 + 0.004, SHUT_M, OPEN_M)) - 0.006)
    return Script(
        "grasp",
        [
            Waypoint(above, turn, 0.8 / tempo, OPEN_M, "reach"),
            Waypoint(place, turn, 0.45 / tempo, OPEN_M, "descend"),
            Waypoint(place, turn, 0.25, held, "close"),
            Waypoint(lifted, turn, 0.6 / tempo, held, "lift"),
            Waypoint(goal, new_turn, 0.8 / tempo, held, "carry"),
            Waypoint(down, new_turn, 0.5 / tempo, held, "lower"),
            Waypoint(down, new_turn, 0.2, OPEN_M, "release"),
            Waypoint(goal + _up(0.06), new_turn, 0.4 / tempo, OPEN_M, "retreat"),
        ],
        target,
    )


def _goal(rng: np.random.Generator, start: np.ndarray, height: float) -> np.ndarray:
    goal = start
    for _ in range(40):
        heading, distance = rng.uniform(-0.8, 0.8), rng.uniform(0.2, 0.4)
        goal = np.array([distance * np.cos(heading), distance * np.sin(heading), height])
        if np.hypot(*(goal - start)[:2]) > 0.08:
            break
    return goal


def _push(stage: Stage, target: int) -> Script:
    rng, tempo, place = stage.rng, stage.tempo, stage.places[target]
    heading = np.arctan2(place[1], place[0])
    angle = heading + rng.choice([-1, 1]) * rng.uniform(0.0, 2.0)  # sideways or away, never towards the base
    along = np.array([np.cos(angle), np.sin(angle), 0.0])
    height = max(0.03, min(0.05, stage.grasps[target].top_m * 0.6))
    begin, end = place - along * (stage.radii[target] * 1.1 + 0.03), place + along * rng.uniform(0.04, 0.14)
    begin[2] = end[2] = height
    if np.hypot(*begin[:2]) < 0.14 or np.hypot(*end[:2]) > 0.46:
        raise SceneError("push out of reach")
    turn = hand_rotation(heading, 1.45) @ rotation("x", rng.choice([0, np.pi / 2]) + rng.normal(0, 0.2))
    up = _up(0.12)
    return Script(
        "push",
        [
            Waypoint(begin + up, turn, 0.7 / tempo, SHUT_M, "reach"),
            Waypoint(begin, turn, 0.4 / tempo, SHUT_M, "descend"),
            Waypoint(end, turn, 1.0 / tempo, SHUT_M, "push"),
            Waypoint(end + up, turn, 0.6 / tempo, SHUT_M, "retreat"),
        ],
        target,
    )


def _alone(stage: Stage) -> Script:
    rng, waypoints = stage.rng, []
    opening = float(rng.choice([OPEN_M, SHUT_M, 0.025]))
    for _ in range(int(rng.integers(2, 5))):
        place, turn, _ = free_pose(rng, stage.arm)
        seconds = rng.uniform(0.5, 1.0) / stage.tempo
        waypoints.append(Waypoint(place, turn, seconds, opening if rng.random() < 0.7 else OPEN_M, "move"))
    return Script("arm", waypoints)


def _up(metres: float) -> np.ndarray:
    return np.array([0.0, 0.0, metres])
