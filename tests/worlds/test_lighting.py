from __future__ import annotations

import numpy as np

from eisen_ray.worlds.lighting import add_lights
from eisen_ray.worlds.scene import Scene


def test_light_differs_between_scenes_and_repeats_by_seed(mujoco) -> None:
    def sun(seed: int) -> tuple[float, ...]:
        scene = Scene(np.random.default_rng(seed), extent=5.0, picture_px=64)
        add_lights(scene, np.zeros(3), 3.0)
        return tuple(scene.compile().light("sun").dir)

    assert sun(0) == sun(0) != sun(1)
    assert all(sun(seed)[2] < -0.5 for seed in range(5)), "the sun shines from above"
