from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eisen_ray.worlds.physics import SceneError, instance_table, require_stable, settle

SCENE = """<mujoco><worldbody>
<geom type="plane" size="0 0 1"/>
<body name="cube" pos="0 0 0.3"><freejoint/><geom type="box" size=".1 .1 .1"/></body>
<body name="base"><geom type="sphere" size=".1" pos="2 0 1"/>
  <body name="tip" pos="2 0 1.5"><joint type="hinge"/><geom type="sphere" size=".1"/></body></body>
</worldbody></mujoco>"""


def simulation(mujoco: Any, xml: str = SCENE) -> tuple[Any, Any]:
    model = mujoco.MjModel.from_xml_string(xml)
    return model, mujoco.MjData(model)


def test_things_fall_and_rest(mujoco) -> None:
    model, data = simulation(mujoco)
    settle(model, data, ["cube"])
    assert data.body("cube").xpos[2] == pytest.approx(0.1, abs=2e-3)
    assert not data.qvel.any()


def test_what_never_rests_is_rejected(mujoco) -> None:
    bottomless = SCENE.replace('<geom type="plane" size="0 0 1"/>', "")
    model, data = simulation(mujoco, bottomless)
    with pytest.raises(SceneError, match="not at rest"):
        settle(model, data, ["cube"])


def test_a_state_that_blew_up_is_rejected(mujoco) -> None:
    _, data = simulation(mujoco)
    require_stable(data)
    data.qpos[0] = np.nan
    with pytest.raises(SceneError, match="unstable"):
        require_stable(data)


def test_an_instance_is_a_body_with_all_that_hangs_on_it(mujoco) -> None:
    model, _ = simulation(mujoco)
    table = instance_table(model, {"cube": 5, "base": 1})
    assert table.tolist() == [0, 5, 1, 1, 0]
    assert table[-1] == 0
