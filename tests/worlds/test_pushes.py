from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eisen_ray.worlds.pushes import KINDS, Agent, Push, draw_push

SCENE = """<mujoco><option timestep="0.002"/><worldbody><geom type="plane" size="0 0 1" friction="0.3"/>
<body name="cube" pos="0 0 0.1"><freejoint/>
<geom type="box" size=".1 .1 .1" friction="0.3"/></body></worldbody></mujoco>"""


def run(mujoco: Any, kind: str, seconds: float = 0.5) -> Any:
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    push = Push(kind, np.array([1.0, 0, 0]), 1.0, 2.0, 0.1, 0.6, keeps_upright=True)
    agent = Agent(model, data, "cube", push)
    for step in range(round(seconds / 0.002)):
        agent.act(step * 0.002)
        mujoco.mj_step(model, data)
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_moves_the_object_as_its_name_says(mujoco, kind: str) -> None:
    data = run(mujoco, kind)
    place, turn = data.body("cube").xpos, data.body("cube").xmat.reshape(3, 3)
    assert place[0] > 0.02
    assert bool(place[2] > 0.15) is (kind == "lift")
    if kind == "spin":
        assert np.degrees(np.arccos(np.clip(turn[0, 0], -1, 1))) > 20
    if kind in ("push", "collide"):
        assert data.qvel[0] == pytest.approx(1.0, abs=0.3)


def test_nothing_happens_before_the_start(mujoco) -> None:
    data = run(mujoco, "push", seconds=0.09)
    assert abs(data.body("cube").xpos[0]) < 1e-3


def test_pushes_start_early_and_near_the_edge_go_inwards() -> None:
    rng = np.random.default_rng(0)
    pushes = [draw_push(rng, np.array([1.5, 0, 0.2]), [], 0.7) for _ in range(300)]
    assert {push.kind for push in pushes} == set(KINDS)
    assert np.mean([push.start_s < 0.12 for push in pushes]) > 0.75
    assert np.mean([push.heading[0] < 0 for push in pushes]) > 0.9


def test_collisions_aim_at_another_object() -> None:
    rng = np.random.default_rng(0)
    aimed = [draw_push(rng, np.zeros(3), [np.array([0, 1.0, 0])], 0.7) for _ in range(200)]
    headings = [push.heading[1] for push in aimed if push.kind == "collide"]
    assert min(headings) > 0.85
