from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.errors import DataError
from eisen_ray.worlds.bridge import ARM_ID
from eisen_ray.worlds.clip_settings import ClipSettings
from eisen_ray.worlds.clips import make_clip
from eisen_ray.worlds.splits import HELD_OUT, SEEN
from tests.shared import SHARED, needs_shared

MESHES = "simulator/assets/wx250s"


def test_the_arm_moves_and_every_script_occurs(film_of) -> None:
    every = [film_of("bridge", "train", index) for index in range(8)]
    assert {facts["motion"] for _, facts in every} == {"arm", "grasp", "push"}
    for film, facts in every:
        speeds = np.linalg.norm(film.flow, axis=-1) * (film.instances[:-1] == ARM_ID)
        assert (speeds.max((1, 2)) > 0.2).mean() > 0.6
        assert film.area(ARM_ID) >= 0.02
        assert len(facts["phases"]) == len(film.frames)
        assert not any(each["held_out"] for each in facts["objects"])
        assert {each["family"] for each in facts["objects"]} <= set(SEEN["bridge"])
        assert [each["id"] for each in facts["objects"]] == list(range(2, 2 + len(facts["objects"])))


def test_a_carried_object_moves_with_the_arm(film_of) -> None:
    carried = [
        (film, facts)
        for film, facts in (film_of("bridge", "train", index) for index in range(8))
        if facts["motion"] == "grasp" and set(facts["phases"]) & {"carry"}
    ]
    assert carried
    for film, facts in carried:
        assert film.moving_share(facts["target"]) > 0, facts["phases"]


def test_test_scenes_mark_what_is_new(film_of) -> None:
    _, facts = film_of("bridge", "test", 0)
    assert len(facts["objects"]) >= 4
    for each in facts["objects"]:
        assert each["held_out"] is (each["family"] in HELD_OUT["bridge"])


@needs_shared(MESHES)
def test_real_meshes_change_the_look_of_the_arm(mujoco) -> None:
    settings = ClipSettings(size=64, frames=2, arm_meshes=str(SHARED / MESHES))
    film, facts = make_clip("bridge", "train", 0, 0, settings)
    assert facts["arm"]["meshes"]
    assert 0.02 < film.area(ARM_ID) < 0.55


def test_missing_meshes_are_named(mujoco, tmp_path) -> None:
    with pytest.raises(DataError, match=r"arm-meshes: .*wx250s_1_base\.stl does not exist"):
        make_clip("bridge", "train", 0, 0, ClipSettings(size=64, frames=2, arm_meshes=str(tmp_path)))
