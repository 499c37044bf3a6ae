"""Stepping a simulation until it is at rest, and which geom belongs to which instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eisen_ray.worlds.engine import load_mujoco

CHECK_S = 0.1


class SceneError(Exception):
    """A drawn scene is of no use; its text says why, and the next attempt draws another."""


def settle(model: Any, data: Any, bodies: Sequence[str], speed: float = 0.003, spin: float = 0.04) -> None:
    """Step until every free body is at rest in two checks in a row, then set all velocities to 0.

    Args:
        model: MuJoCo model.
        data: its state; changed.
        bodies: names of the free bodies.
        speed: m/s below which a body rests.
        spin: rad/s below which a body rests.

    Raises:
        SceneError: the simulation blew up, or something still moves after four seconds.
    """
    mujoco = load_mujoco()
    starts = [model.jnt_dofadr[model.body(name).jntadr[0]] for name in bodies]
    quiet = 0
    for check in range(1, 41):
        for _ in range(round(CHECK_S / model.opt.timestep)):
            mujoco.mj_step(model, data)
        require_stable(data)
        velocity = np.abs(np.array([data.qvel[start : start + 6] for start in starts]))
        is_quiet = check >= 6 and velocity[:, :3].max() < speed and velocity[:, 3:].max() < spin
        quiet = quiet + 1 if is_quiet else 0
        if quiet == 2:
            data.qvel[:] = 0
            mujoco.mj_forward(model, data)
            return
        if check > 16:  # what still rolls or rocks after 1.6 s loses energy
            data.qvel[:] *= 0.5
    raise SceneError("not at rest")


def require_stable(data: Any) -> None:
    """Refuse a state that is not finite.

    Raises:
        SceneError: the simulation blew up.
    """
    if not np.isfinite(data.qpos).all():
        raise SceneError("unstable")


def instance_table(model: Any, roots: Mapping[str, int]) -> np.ndarray:
    """Instance id by geom id, uint8 [geoms + 1]; the last entry, also reached by -1, is 0.

    Args:
        model: MuJoCo model.
        roots: name of a body -> id of everything that hangs on it.
    """
    ids = {model.body(name).id: instance for name, instance in roots.items()}
    table = np.zeros(model.ngeom + 1, np.uint8)
    for geom in range(model.ngeom):
        body = int(model.geom_bodyid[geom])
        while body > 0 and body not in ids:
            body = int(model.body_parentid[body])
        table[geom] = ids.get(body, 0)
    return table
