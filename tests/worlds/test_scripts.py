from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eisen_ray.worlds.arm import add_arm
from eisen_ray.worlds.arm_control import ArmControl
from eisen_ray.worlds.arm_links import HOME, OPEN_M, SHUT_M
from eisen_ray.worlds.grasps import Grasp
from eisen_ray.worlds.physics import SceneError
from eisen_ray.worlds.playback import STEP_S, Step, first_frame_time, phase_starts, plan_path
from eisen_ray.worlds.scene import Scene
from eisen_ray.worlds.scripts import Script, Stage, Waypoint, draw_script

SMALL = Grasp(np.array([0.28, 0.02, 0.03]), 0.5, 0.04, 0.05)
WIDE = Grasp(np.array([0.28, 0.02, 0.03]), 0.5, 0.09, 0.05)


@pytest.fixture(scope="module")
def arm(mujoco) -> ArmControl:
    scene = Scene(np.random.default_rng(0), extent=1.5, picture_px=64)
    add_arm(scene, "")
    model = scene.compile()
    data = mujoco.MjData(model)
    control = ArmControl(model, data)
    control.place(HOME, OPEN_M)
    return control


def scripts(arm: Any, grasps: dict[int, Grasp], count: int = 12) -> list[Script]:
    places = {number: grasp.place for number, grasp in grasps.items()}
    radii = dict.fromkeys(grasps, 0.03)
    drawn = []
    for seed in range(count):
        try:
            drawn.append(draw_script(Stage(np.random.default_rng(seed), arm, grasps, places, radii)))
        except SceneError:
            continue
    return drawn


def test_every_kind_occurs_and_a_grasp_closes_around_its_object(arm) -> None:
    drawn = scripts(arm, {4: SMALL})
    assert {script.kind for script in drawn} == {"arm", "grasp", "push"}
    for script in drawn:
        assert script.target == (None if script.kind == "arm" else 4)
        if script.kind == "grasp":
            phases = {point.phase: point for point in script.waypoints}
            assert list(phases) == ["reach", "descend", "close", "lift", "carry", "lower", "release", "retreat"]
            np.testing.assert_allclose(phases["close"].place, SMALL.place)
            assert phases["reach"].opening_m == OPEN_M
            assert SHUT_M <= phases["lift"].opening_m < SMALL.width_m / 2
            assert phases["carry"].place[2] > 0.1


def test_wide_things_are_pushed_and_with_nothing_in_view_the_arm_moves_alone(arm) -> None:
    assert {script.kind for script in scripts(arm, {0: WIDE})} == {"arm", "push"}
    assert {script.kind for script in scripts(arm, {}, 4)} == {"arm"}


def test_a_path_passes_its_waypoints(arm) -> None:
    place, turn = arm.pose(HOME)
    goal = Waypoint(place + np.array([0.02, 0.05, 0.03]), turn, 0.4, SHUT_M, "there")
    path = plan_path(arm, [goal, Waypoint(place, turn, 0.2, OPEN_M, "back")], HOME)
    assert len(path) == 15
    np.testing.assert_allclose(arm.pose(path[9].joints)[0], goal.place, atol=5e-3)
    np.testing.assert_allclose(arm.pose(path[-1].joints)[0], place, atol=5e-3)
    assert [path[number].opening_m for number in (9, -1)] == [SHUT_M, OPEN_M]
    assert phase_starts(path) == {"there": 0.0, "back": pytest.approx(10 * STEP_S)}


def test_a_waypoint_out_of_reach_is_refused(arm) -> None:
    with pytest.raises(SceneError, match="out of reach"):
        plan_path(arm, [Waypoint(np.array([2.0, 0, 0.2]), np.eye(3), 0.4, OPEN_M, "far")], HOME)


def test_the_film_lies_within_the_script() -> None:
    path = [Step(HOME, OPEN_M, phase) for phase in ("reach", "close", "lift", "carry", "lower") for _ in range(20)]
    times = [first_frame_time(np.random.default_rng(s), Script("grasp", [], 0), path, 0.7) for s in range(200)]
    assert min(times) >= 0
    assert max(times) <= 4.0 - 0.7
    lifts = np.mean([1.35 <= time <= 2.3 for time in times])
    assert lifts > 0.4
