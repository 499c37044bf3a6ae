from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from eisen_ray.worlds.crowd import Thing
from eisen_ray.worlds.grasps import find_grasp, hand_rotation
from eisen_ray.worlds.shapes.parts import rotation
from eisen_ray.worlds.shapes.primitives import box
from eisen_ray.worlds.splits import Kind


def lying(size: tuple[float, float, float], yaw: float) -> tuple[Thing, SimpleNamespace]:
    thing = Thing("brick", Kind("box", 0.1, False), 0.05, box(*size).vertices)
    body = SimpleNamespace(xpos=np.array([0.3, 0.1, size[2] / 2]), xmat=rotation("z", yaw).ravel())
    return thing, SimpleNamespace(body=lambda name: body)


@pytest.mark.parametrize("yaw_steps", [0, 3, 7])
def test_a_brick_is_held_across_its_narrow_side(yaw_steps: int) -> None:
    yaw = yaw_steps * np.pi / 18
    grasp = find_grasp(*lying((0.12, 0.04, 0.06), yaw))
    assert grasp.width_m == pytest.approx(0.04)
    assert grasp.yaw == pytest.approx((yaw + np.pi / 2) % np.pi)
    assert grasp.top_m == pytest.approx(0.06)
    np.testing.assert_allclose(grasp.place, [0.3, 0.1, 0.038], atol=1e-9)


def test_flat_things_are_held_above_the_table() -> None:
    assert find_grasp(*lying((0.1, 0.04, 0.01), 0)).place[2] == pytest.approx(0.014)


def test_the_hand_points_down() -> None:
    turn = hand_rotation(0.4, np.pi / 2)
    np.testing.assert_allclose(turn[:, 0], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
