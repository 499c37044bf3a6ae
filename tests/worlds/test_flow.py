from __future__ import annotations

from dataclasses import replace

import numpy as np

from eisen_ray.worlds.flow import Poses, optical_flow, visible
from eisen_ray.worlds.geometry import Camera, focal_length
from eisen_ray.worlds.shapes.parts import rotation

SIZE, FOVY, DEPTH = 16, 60.0, 2.0
FOCAL = focal_length(FOVY, SIZE)
CAMERA = Camera(np.zeros(3), np.eye(3), FOVY)
WALL = np.full((SIZE, SIZE), DEPTH)
ONE = np.zeros((SIZE, SIZE), int)


def poses(position=(0, 0, -DEPTH), turn: np.ndarray | None = None, camera: Camera = CAMERA) -> Poses:
    """One geom, by default a wall in front of a camera that looks along -z."""
    return Poses(np.array([position], float), np.array([np.eye(3) if turn is None else turn]), camera)


def test_a_wall_that_moves_sideways() -> None:
    flow, depth = optical_flow(WALL, ONE, poses(), poses((0.3, 0.1, -DEPTH)))
    np.testing.assert_allclose(flow, np.broadcast_to([FOCAL * 0.3 / DEPTH, -FOCAL * 0.1 / DEPTH], flow.shape))
    np.testing.assert_allclose(depth, DEPTH)


def test_a_wall_that_comes_closer_expands() -> None:
    flow, depth = optical_flow(WALL, ONE, poses(), poses((0, 0, -1)))
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5 - SIZE / 2
    np.testing.assert_allclose(flow, np.stack([x, y], -1), atol=1e-12)
    np.testing.assert_allclose(depth, 1.0)


def test_a_wall_that_turns_about_the_axis() -> None:
    flow, _ = optical_flow(WALL, ONE, poses(), poses(turn=rotation("z", 0.2)))
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5 - SIZE / 2
    # Counter-clockwise with y up is clockwise in image coordinates.
    turned = np.stack([np.cos(0.2) * x + np.sin(0.2) * y, np.cos(0.2) * y - np.sin(0.2) * x], -1)
    np.testing.assert_allclose(flow, turned - np.stack([x, y], -1), atol=1e-12)


def test_a_camera_that_moves_sees_the_world_move() -> None:
    moved = poses(camera=replace(CAMERA, position=np.array([0.3, 0, 0])))
    flow, _ = optical_flow(WALL, ONE, poses(), moved)
    np.testing.assert_allclose(flow, np.broadcast_to([-FOCAL * 0.3 / DEPTH, 0], flow.shape), atol=1e-12)
    flow, _ = optical_flow(WALL, ONE - 1, poses(), moved)
    np.testing.assert_allclose(flow[..., 0], -FOCAL * 0.3 / DEPTH)


def test_what_does_not_move_has_exactly_no_flow() -> None:
    two_before = Poses(np.array([[0, 0, -DEPTH], [0, 0, -1.0]]), np.stack([np.eye(3)] * 2), CAMERA)
    two_after = replace(two_before, positions=two_before.positions + np.array([[0, 0, 0], [0.1, 0, 0]]))
    geoms = ONE.copy()
    geoms[:, 8:] = 1
    flow, _ = optical_flow(WALL + 0.123, geoms, two_before, two_after)
    assert not flow[:, :8].any()
    assert (flow[:, 8:, 0] > 0).all()


def test_visible_is_what_is_neither_hidden_nor_outside() -> None:
    labels = ONE.copy()
    flow = np.zeros((SIZE, SIZE, 2))
    assert visible(flow, WALL, labels, labels, WALL).all()
    flow[..., 0] = 4
    seen = visible(flow, WALL, labels, labels, WALL)
    assert seen[:, :-4].all()
    assert not seen[:, -4:].any()
    nearer = np.where(np.arange(SIZE) < 8, WALL, WALL / 2)
    seen = visible(np.zeros_like(flow), WALL, labels, labels, nearer)
    assert seen[:, :7].all()
    assert not seen[:, 8:].any()
    assert not visible(np.zeros_like(flow), WALL, labels, labels + 1, WALL).any()
