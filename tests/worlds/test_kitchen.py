from __future__ import annotations

import numpy as np

from eisen_ray.worlds.kitchen import add_kitchen
from eisen_ray.worlds.scene import Scene


def test_the_table_top_lies_at_height_zero_under_the_work_space(mujoco) -> None:
    for seed in range(5):
        scene = Scene(np.random.default_rng(seed), extent=1.5, picture_px=64)
        add_kitchen(scene, "train")
        model = scene.compile()
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        down, found = np.array([0.0, 0, -1]), np.zeros(1, np.int32)
        distance = mujoco.mj_ray(model, data, np.array([0.3, 0.0, 0.5]), down, None, 1, -1, found, None)
        assert 0.4 < distance <= 0.5 + 1e-3, "nothing stands in the middle but flat cloth"
