from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.geometry import (
    focal_length,
    look_at,
    mix_rotations,
    quaternion,
    rotation_matrix,
    yaw_quaternion,
)
from eisen_ray.worlds.shapes.parts import rotation


def any_rotation(seed: int) -> np.ndarray:
    angles = np.random.default_rng(seed).uniform(-np.pi, np.pi, 3)
    return rotation("x", angles[0]) @ rotation("y", angles[1]) @ rotation("z", angles[2])


@pytest.mark.parametrize("seed", range(20))
def test_quaternions_and_matrices_are_each_others_inverse(seed: int) -> None:
    matrix = any_rotation(seed)
    np.testing.assert_allclose(rotation_matrix(quaternion(matrix)), matrix, atol=1e-12)


def test_half_turns_have_quaternions_too() -> None:
    for axis in "xyz":
        matrix = rotation(axis, np.pi)
        np.testing.assert_allclose(rotation_matrix(quaternion(matrix)), matrix, atol=1e-12)


def test_quaternions_mean_what_mujoco_means(mujoco) -> None:
    expected = np.zeros(9)
    mujoco.mju_quat2Mat(expected, quaternion(any_rotation(3)))
    np.testing.assert_allclose(expected.reshape(3, 3), any_rotation(3), atol=1e-12)


def test_yaw_and_mixing() -> None:
    np.testing.assert_allclose(rotation_matrix(yaw_quaternion(0.3)), rotation("z", 0.3), atol=1e-12)
    half = mix_rotations(np.eye(3), rotation("y", 0.8), 0.5)
    np.testing.assert_allclose(half, rotation("y", 0.4), atol=1e-12)
    # Across the half turn the shorter way is taken.
    np.testing.assert_allclose(
        mix_rotations(rotation("z", 3), rotation("z", -3), 0.5), rotation("z", np.pi), atol=1e-12
    )


def test_the_camera_sees_its_target_in_the_middle_and_up_is_up() -> None:
    camera = look_at([2.0, 1, 1.5], np.array([0, 0, 0.5]), fovy=50)
    seen, depth = camera.project(np.array([[0, 0, 0.5], [0, 0, 0.8], [2.5, 1.25, 1.75]]))
    np.testing.assert_allclose(seen[0], [0.5, 0.5], atol=1e-12)
    assert seen[1, 1] < 0.5
    np.testing.assert_allclose(depth[0], np.sqrt(6))
    assert depth[2] < 0, "behind the camera"


def test_a_point_at_half_the_field_of_view_lies_on_the_edge() -> None:
    camera = look_at([0.0, -3, 0], np.zeros(3), fovy=40)
    seen, _ = camera.project(np.array([0, 0, 3 * np.tan(np.radians(20))]))
    np.testing.assert_allclose(seen, [0.5, 0], atol=1e-12)
    assert focal_length(90, 100) == pytest.approx(50)
