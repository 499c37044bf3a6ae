from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.kitchen import add_kitchen
from eisen_ray.worlds.room import Wall, add_room
from eisen_ray.worlds.scene import COLLISION_GROUP, Scene


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("split", ["train", "test"])
def test_surroundings_are_all_background(mujoco, seed: int, split: str) -> None:
    room, kitchen = (Scene(np.random.default_rng(seed), extent=5.0, picture_px=64) for _ in range(2))
    add_room(room, (6.0, 7.0, 3.0), split)
    add_kitchen(kitchen, split)
    for scene, planes in ((room, 5), (kitchen, 1)):
        model = scene.compile()
        assert model.nv == 0
        assert (model.geom_group == COLLISION_GROUP).sum() == planes
        # Only the planes collide.
        assert (model.geom_contype[model.geom_group != COLLISION_GROUP] == 0).all()


def test_boxes_on_a_wall_stand_inside_the_room() -> None:
    for wall in (Wall(0, 3, True, 6), Wall(0, -3, True, 6), Wall(3, 0, False, 6), Wall(-3, 0, False, 6)):
        placed = wall.box(1.0, 0.1, 2.0, offset=0.5, z=1.0, lift=0.2)
        across, along = (1, 0) if wall.along_x else (0, 1)
        assert abs(placed.place[across]) == pytest.approx(2.8)
        assert placed.place[along] == 0.5
        assert (placed.size[along], placed.size[across], placed.size[2]) == (1.0, 0.1, 2.0)
