from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eisen_ray.worlds.arm import GRIPPER, add_arm
from eisen_ray.worlds.arm_control import ArmControl
from eisen_ray.worlds.arm_links import HOME, OPEN_M, SHUT_M
from eisen_ray.worlds.crowd import Thing
from eisen_ray.worlds.engine import load_mujoco
from eisen_ray.worlds.physics import SceneError
from eisen_ray.worlds.playback import Playback, Step, hold_name
from eisen_ray.worlds.scene import Scene
from eisen_ray.worlds.shapes.parts import shape
from eisen_ray.worlds.shapes.primitives import box
from eisen_ray.worlds.splits import Kind

TURN = np.array([0.6, 0, 0, 0, 0, 0])


def playback(place: np.ndarray) -> tuple[Any, ArmControl, str, Playback]:
    """A cube that floats (weightless) at `place`, and an arm that "lifts" it by turning at its base, then releases."""
    mujoco = load_mujoco()
    scene = Scene(np.random.default_rng(0), extent=1.5, picture_px=64)
    scene.spec.option.gravity = [0, 0, 0]
    add_arm(scene, "")
    cube = shape("box", [box(0.03, 0.03, 0.03)], "plain")
    body = scene.add_object(cube, scene.looks(cube), place, density=300, friction=0.5)
    scene.spec.add_equality(
        name=hold_name(body), type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY, name1=GRIPPER,
        name2=body, active=False, solref=[0.006, 1],
    )  # fmt: skip
    model = scene.compile()
    data = mujoco.MjData(model)
    arm = ArmControl(model, data)
    arm.place(HOME, OPEN_M)
    mujoco.mj_forward(model, data)
    path = [Step(HOME + TURN * share, SHUT_M, "lift") for share in np.linspace(0, 1, 25)]
    path += [Step(HOME + TURN, OPEN_M, "release")] * 10
    thing = Thing(body, Kind("box", 0.03, False), 0.02, cube.vertices)
    return data, arm, body, Playback(model, data, arm, path, thing)


def tip_at_home() -> np.ndarray:
    return playback(np.array([3.0, 0, 0]))[1].tip


def test_what_is_held_comes_along_and_is_let_go(mujoco) -> None:
    start = tip_at_home()
    data, arm, body, player = playback(start)
    assert player.phase == "lift"
    player.run_for(0.9)
    assert np.linalg.norm(arm.tip - start) > 0.08
    assert np.linalg.norm(data.body(body).xpos - arm.tip) < 0.02
    assert data.eq_active.any()
    player.run_for(0.2)
    assert player.phase == "release"
    assert not data.eq_active.any()


def test_a_hand_that_is_not_there_has_missed(mujoco) -> None:
    with pytest.raises(SceneError, match="missed"):
        playback(tip_at_home() + np.array([0.1, 0, 0]))[3].run_for(0.1)
