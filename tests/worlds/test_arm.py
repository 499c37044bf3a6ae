from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eisen_ray.worlds.arm import BASE, GRIPPER, add_arm
from eisen_ray.worlds.arm_control import ArmControl
from eisen_ray.worlds.arm_links import HOME, OPEN_M, SHUT_M
from eisen_ray.worlds.grasps import hand_rotation
from eisen_ray.worlds.scene import Scene


@pytest.fixture(scope="session")
def model(mujoco) -> Any:
    scene = Scene(np.random.default_rng(0), extent=1.5, picture_px=64)
    add_arm(scene, "")
    return scene.compile()


def simulate(mujoco: Any, model: Any, data: Any, seconds: float) -> None:
    for _ in range(round(seconds / model.opt.timestep)):
        mujoco.mj_step(model, data)


def test_a_chain_of_six_joints_and_two_fingers(model) -> None:
    assert (model.nv, model.nu) == (8, 8)
    parents = model.body_parentid
    body = model.body(GRIPPER).id
    for _ in range(6):
        body = parents[body]
    assert body == model.body(BASE).id


def test_servos_hold_a_pose_against_gravity_and_fingers_close(mujoco, model) -> None:
    data = mujoco.MjData(model)
    arm = ArmControl(model, data)
    arm.place(HOME, OPEN_M)
    mujoco.mj_forward(model, data)
    before = arm.tip
    simulate(mujoco, model, data, 1.0)
    np.testing.assert_allclose(arm.tip, before, atol=5e-3)
    arm.command(HOME, SHUT_M)
    simulate(mujoco, model, data, 1.0)
    gap = data.body("arm_finger_left").xpos - data.body("arm_finger_right").xpos
    assert np.linalg.norm(gap) == pytest.approx(2 * SHUT_M, abs=3e-3)


@pytest.mark.parametrize("place", [(0.3, 0.0, 0.15), (0.2, 0.2, 0.2), (0.25, -0.15, 0.05)])
def test_the_tip_reaches_a_place_and_a_direction(mujoco, model, place) -> None:
    arm = ArmControl(model, mujoco.MjData(model))
    heading = float(np.arctan2(place[1], place[0]))
    turn = hand_rotation(heading, np.pi / 2)
    start = HOME + np.array([heading, 0, 0, 0, 0, 0])
    found = arm.reach(np.array(place), turn, start, steps=200)
    assert found.distance_m < 5e-3
    assert found.angle < 0.05
    at, now = arm.pose(found.joints)
    np.testing.assert_allclose(at, place, atol=6e-3)
    np.testing.assert_allclose(now, turn, atol=0.06)


def test_out_of_reach_is_reported(mujoco, model) -> None:
    arm = ArmControl(model, mujoco.MjData(model))
    found = arm.reach(np.array([2.0, 0, 0.2]), np.eye(3), HOME, steps=50)
    assert found.distance_m > 1
