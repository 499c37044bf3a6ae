from __future__ import annotations

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.spaces import Choice, Range, Space
from eisen_ray.vary import varied

SPACE = Space(kind="grouping", parameters={"grouping.threshold": Choice((0.5,)), "grouping.overlap": Choice((0.2,))})


def test_parameters_are_replaced_added_and_taken_out() -> None:
    changed = varied(SPACE, ("grouping.threshold=0.3,0.6", "grouping.num_slots=16..64", "grouping.overlap="))
    assert changed.parameters == {"grouping.threshold": Choice((0.3, 0.6)), "grouping.num_slots": Range(16, 64)}
    assert SPACE.parameters["grouping.threshold"] == Choice((0.5,))


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("a=local,full", Choice(("local", "full"))),
        ("a=true,false", Choice((True, False))),
        ("a=1,2.5", Choice((1, 2.5))),
        ("a=1e-4..1e-2:log", Range(1e-4, 1e-2, log=True)),
        ("a=0.1..0.5", Range(0.1, 0.5)),
    ],
)
def test_words_become_domains(text: str, domain: Choice | Range) -> None:
    assert varied(SPACE, (text,)).parameters["a"] == domain


def test_whole_ends_mean_whole_numbers() -> None:
    assert Range(1, 4).whole
    assert not Range(1, 4.0).whole


@pytest.mark.parametrize("text", ["grouping.threshold", "a=low..high", "a=1..x"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--vary got"):
        varied(SPACE, (text,))
