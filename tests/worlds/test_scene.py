from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.geometry import look_at
from eisen_ray.worlds.lighting import add_lights
from eisen_ray.worlds.physics import SceneError
from eisen_ray.worlds.scene import COLLISION_GROUP, Box, Scene
from eisen_ray.worlds.shapes.families import MAKERS
from eisen_ray.worlds.shapes.parts import Part, shape
from eisen_ray.worlds.shapes.primitives import box


@pytest.fixture
def scene(mujoco) -> Scene:
    return Scene(np.random.default_rng(0), extent=5.0, picture_px=64)


def test_objects_are_free_and_fixed_things_are_not(scene: Scene) -> None:
    cube = shape("box", [box(0.2, 0.2, 0.2), box(0.1, 0.1, 0.1).painted(1).ghost()], "any", "plain")
    body = scene.add_object(cube, scene.looks(cube), (0, 0, 1), density=1000, friction=0.5)
    scene.add_box(Box((1, 1, 0.1), (0, 0, 0), repeat=0.5), scene.painted((1, 0, 0), 0.5))
    scene.add_fixed(box(1, 1, 1), scene.painted((1, 0, 0), 0.5), (3, 0, 0))
    model = scene.compile()
    assert model.nv == 6
    assert model.body_mass[model.body(body).id] == pytest.approx(8.0, rel=1e-3), "the ghost has no mass"
    assert model.geom_contype[model.geom_bodyid == 0].tolist() == [0, 0]


def test_a_ball_rolls_on_a_true_sphere(scene: Scene, mujoco) -> None:
    ball = MAKERS["ball"](np.random.default_rng(0)).seated(0.2)
    body = scene.add_object(ball, scene.looks(ball), (0, 0, 0), density=200, friction=0.5)
    model = scene.compile()
    spheres = model.geom_type == mujoco.mjtGeom.mjGEOM_SPHERE
    assert model.geom_size[spheres, 0] == pytest.approx([0.1], rel=0.02)
    assert model.geom_group[spheres].tolist() == [COLLISION_GROUP]
    assert model.geom_contype[~spheres].tolist() == [0]
    assert model.body(body).jntnum[0] == 1


def test_a_mesh_that_mujoco_refuses_rejects_the_scene(scene: Scene) -> None:
    flat = Part(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]]), np.array([[0, 1, 2]]), np.zeros((3, 2)))
    scene.add_fixed(flat, scene.painted((1, 1, 1), 0.5), (0, 0, 0))
    with pytest.raises(SceneError, match="not compiled"):
        scene.compile()


def test_light_and_camera(scene: Scene) -> None:
    add_lights(scene, np.zeros(3), 3.0)
    scene.add_camera(look_at([2.0, 0, 1], np.zeros(3), 50))
    model = scene.compile()
    assert model.nlight in (1, 2)
    assert model.light("sun").castshadow[0]
    assert model.light("sun").dir[2] < -0.5, "from above"
    assert model.camera("camera").fovy[0] == 50
    assert model.numeric("filament.fallback.head_light_intensity").data[0] == 0
