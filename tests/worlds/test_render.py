from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eisen_ray.worlds.engine import has_software_vulkan
from eisen_ray.worlds.geometry import look_at
from eisen_ray.worlds.lighting import add_lights
from eisen_ray.worlds.render import Studio
from eisen_ray.worlds.scene import Box, Scene


@pytest.fixture(scope="module")
def world(mujoco) -> tuple[Any, Any]:
    """A red box of 1 m in the middle of the view, its front 2 m away; nothing behind it."""
    scene = Scene(np.random.default_rng(0), extent=2.0, picture_px=128)
    scene.add_box(Box((1, 1, 1), (0, 0, 0)), scene.painted((1, 0, 0), 0.9))
    scene.add_camera(look_at([2.5, 0, 0], np.zeros(3), fovy=90))
    add_lights(scene, np.zeros(3), 2.0)
    model = scene.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def test_ids_and_depth_are_exact(world) -> None:
    with Studio(world[0], 64) as studio:
        geoms, depth = studio.geoms_and_depth(world[1])
    # At 2 m a field of view of 90 degrees is 4 m wide: the front covers the middle quarter of each side.
    assert (geoms[24:40, 24:40] == 0).all()
    assert (geoms == 0).sum() == 256
    assert (geoms[geoms != 0] == -1).all()
    np.testing.assert_allclose(depth[24:40, 24:40], 2.0, atol=1e-3)


def test_pictures_show_what_the_ids_say_and_passes_do_not_disturb_each_other(world) -> None:
    with Studio(world[0], 64) as studio:
        first = studio.picture(world[1])
        studio.geoms_and_depth(world[1])
        again = studio.picture(world[1])
    assert first.shape == (64, 64, 3)
    np.testing.assert_array_equal(first, again)
    red = first[24:40, 24:40].astype(int)
    assert (red[..., 0] > red[..., 1] + 30).all()
    assert not first[:20].any(), "nothing is drawn there"


def test_filament_draws_the_same_silhouette(world) -> None:
    if not has_software_vulkan():
        pytest.skip("no Vulkan driver for the processor")
    with Studio(world[0], 64, "filament") as studio:
        picture = studio.picture(world[1]).astype(int)
    inside = picture[25:39, 25:39]
    assert (inside[..., 0] > inside[..., 1] + 20).mean() > 0.95
    assert abs(picture[:20].mean() - picture[40:].mean()) < 40
