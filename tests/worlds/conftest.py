"""Small films, made once for all tests of the worlds; without MuJoCo these tests are skipped."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest

from eisen_ray.worlds.clip_settings import ClipSettings
from eisen_ray.worlds.clips import make_clip
from eisen_ray.worlds.recording import Film

SMALL = ClipSettings(size=64, frames=4)


@pytest.fixture(scope="session")
def mujoco() -> Any:
    """The module, or a skip."""
    if find_spec("mujoco") is None:
        pytest.skip("the extra `sim` (MuJoCo) is not installed")
    from eisen_ray.worlds.engine import load_mujoco

    return load_mujoco()


@cache
def _film(world: str, split: str, index: int) -> tuple[Film, dict[str, Any]]:
    return make_clip(world, split, index, 0, SMALL)


@pytest.fixture(scope="session")
def film_of(mujoco: Any) -> Any:
    """A function: world, split, number of the clip -> film and facts; 4 frames of 64x64, seed 0."""
    return _film


@pytest.fixture(params=["playroom", "bridge"])
def film(request: pytest.FixtureRequest, film_of: Any) -> Film:
    """Clip 0 of each world's training split."""
    return film_of(request.param, "train", 0)[0]
