from __future__ import annotations

import numpy as np

from eisen_ray.worlds.arm import add_arm
from eisen_ray.worlds.arm_control import ArmControl
from eisen_ray.worlds.arm_links import HOME, LINKS
from eisen_ray.worlds.scene import Scene


def test_thinking_about_a_pose_does_not_move_the_arm(mujoco) -> None:
    scene = Scene(np.random.default_rng(0), extent=1.5, picture_px=64)
    add_arm(scene, "")
    model = scene.compile()
    data = mujoco.MjData(model)
    arm = ArmControl(model, data)
    arm.place(HOME, 0.02)
    mujoco.mj_forward(model, data)
    before = data.qpos.copy()
    found = arm.reach(arm.tip + np.array([0, 0.1, 0]), arm.pose(HOME)[1], HOME, steps=50)
    np.testing.assert_array_equal(data.qpos, before)
    assert found.distance_m < 0.01
    low, high = (np.array([getattr(link, end) for link in LINKS]) for end in ("low", "high"))
    assert ((found.joints > low) & (found.joints < high)).all()
