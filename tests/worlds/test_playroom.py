from __future__ import annotations

import pytest

from eisen_ray.worlds.splits import HELD_OUT, SEEN


@pytest.mark.parametrize("index", [0, 1, 2])
def test_one_object_is_moved(film_of, index: int) -> None:
    film, facts = film_of("playroom", "train", index)
    moved = next(each for each in facts["objects"] if each["id"] == facts["moved"])
    assert moved["moving"] == pytest.approx(film.moving_share(facts["moved"]), abs=1e-3)
    assert moved["moving"] >= 0.4
    assert len(facts["objects"]) in range(3, 7)
    assert film.instances.max() <= len(facts["objects"])
    assert not any(each["held_out"] for each in facts["objects"])
    assert {each["family"] for each in facts["objects"]} <= set(SEEN["playroom"])


def test_test_scenes_are_crowded_and_mark_what_is_new(film_of) -> None:
    _, facts = film_of("playroom", "test", 0)
    assert len(facts["objects"]) in range(5, 10)
    assert any(each["held_out"] for each in facts["objects"])
    for each in facts["objects"]:
        assert each["held_out"] is (each["family"] in HELD_OUT["playroom"])
