from __future__ import annotations

from dataclasses import dataclass

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.ranges import above_zero, at_least, multiple, require, within


@dataclass
class RoomConfig:
    size: float = 1


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_above_zero_refuses(value: float) -> None:
    with pytest.raises(ConfigError, match=r"room\.size is .*; expected a number in \(0, inf\]"):
        above_zero(RoomConfig(value), "size")


@pytest.mark.parametrize(
    ("interval", "good", "bad"),
    [("[0, 1]", [0, 0.5, 1], [-0.1, 1.1]), ("(0, 1)", [0.5], [0, 1]), ("(0, 1]", [1], [0]), ("[0, 1)", [0], [1])],
)
def test_ends_of_an_interval(interval: str, good: list[float], bad: list[float]) -> None:
    for value in good:
        within(RoomConfig(value), size=interval)
    for value in bad:
        with pytest.raises(ConfigError, match=r"room\.size"):
            within(RoomConfig(value), size=interval)


def test_at_least() -> None:
    at_least(RoomConfig(2), size=2)
    with pytest.raises(ConfigError, match=r"room\.size is 1; expected at least 2"):
        at_least(RoomConfig(1), size=2)


def test_multiple() -> None:
    multiple(RoomConfig(8), "size", step=4, low=8)
    for value in (4, 10):
        with pytest.raises(ConfigError, match="a multiple of 4, at least 8"):
            multiple(RoomConfig(value), "size", step=4, low=8)


def test_require_says_value_and_expectation() -> None:
    require(True, "a.b", 1, "anything")
    with pytest.raises(ConfigError, match=r"a\.b is 1; expected more\."):
        require(False, "a.b", 1, "more")
