from __future__ import annotations

from pathlib import Path

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.presets import quickstart
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.studies import _domain, _points, claim_study, record_file
from eisen_ray.spaces import Choice, Range, Space


def test_a_root_belongs_to_one_study(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "study"))
    claim_study(store, {"space": {"a": [1, 2]}, "seed": 0})
    claim_study(store, {"space": {"a": (1, 2)}, "seed": 0})
    with pytest.raises(ConfigError, match="seed: 0 -> 1"):
        claim_study(store, {"space": {"a": [1, 2]}, "seed": 1})


def test_records_are_named_by_setting_and_seed() -> None:
    assert record_file({"a": 1, "b": 2}, 0) == record_file({"b": 2, "a": 1}, 0)
    assert len({record_file({"a": 1}, 0), record_file({"a": 1}, 1), record_file({"a": 2}, 0)}) == 3


def test_rows_that_leave_something_open_take_it_from_the_base() -> None:
    space = Space(kind="grouping", rows=({"grouping.overlap": 0.4}, {"model.scope": "local"}))
    first, second = _points(space, quickstart(), ())
    assert first == {"grouping.overlap": 0.4, "model.scope": "full"}
    assert second == {"grouping.overlap": quickstart().grouping.overlap, "model.scope": "local"}


def test_seeds_are_points_of_their_own() -> None:
    space = Space(kind="training", parameters={"train.num_steps": Choice((1, 2))})
    assert _points(space, quickstart(), (5, 6)) == [
        {"train.num_steps": count, "seed": seed} for count in (1, 2) for seed in (5, 6)
    ]


@pytest.mark.parametrize("log", [False, True])
def test_both_ends_of_a_range_of_whole_numbers_are_drawn(log: bool) -> None:
    drawn = {_domain(Range(1, 3, log)).sample() for _ in range(200)}
    assert drawn == {1, 2, 3}


def test_a_range_of_numbers() -> None:
    drawn = [_domain(Range(1e-4, 1e-2, log=True)).sample() for _ in range(300)]
    assert all(1e-4 <= value <= 1e-2 for value in drawn)
    assert 0.3 < sum(value < 1e-3 for value in drawn) / 300 < 0.7
