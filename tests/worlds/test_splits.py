from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.worlds.shapes.families import MAKERS
from eisen_ray.worlds.splits import HELD_OUT, SEEN, SURFACES, draw_kind, draw_object_count, generator, surface_patterns

WORLDS = ("playroom", "bridge")


@pytest.mark.parametrize("world", WORLDS)
def test_families_are_either_seen_or_held_out_and_can_be_drawn(world: str) -> None:
    assert not set(SEEN[world]) & set(HELD_OUT[world])
    assert set(SEEN[world]) | set(HELD_OUT[world]) <= set(MAKERS)


def test_what_is_held_out_in_one_world_is_seen_in_none() -> None:
    seen, held_out = ({family for world in WORLDS for family in table[world]} for table in (SEEN, HELD_OUT))
    assert not seen & held_out


def test_every_family_is_used() -> None:
    used = {family for tables in (SEEN, HELD_OUT) for world in WORLDS for family in tables[world]}
    assert used == set(MAKERS)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("split", ["train", "val"])
def test_training_and_validation_never_show_a_held_out_family(world: str, split: str) -> None:
    rng = np.random.default_rng(0)
    kinds = [draw_kind(rng, world, split) for _ in range(2000)]
    assert {kind.family for kind in kinds} == set(SEEN[world])
    assert not any(kind.held_out for kind in kinds)


@pytest.mark.parametrize("world", WORLDS)
def test_two_thirds_of_the_test_objects_are_held_out(world: str) -> None:
    rng = np.random.default_rng(0)
    kinds = [draw_kind(rng, world, "test") for _ in range(2000)]
    assert {kind.family for kind in kinds if kind.held_out} == set(HELD_OUT[world])
    assert {kind.family for kind in kinds if not kind.held_out} == set(SEEN[world])
    assert 0.6 < sum(kind.held_out for kind in kinds) / 2000 < 0.7
    assert draw_object_count(rng, world, "test")[0] >= 5


@pytest.mark.parametrize("surface", SURFACES)
def test_surfaces_of_the_test_split_are_its_own(surface: str) -> None:
    assert not set(surface_patterns(surface, "train")) & set(surface_patterns(surface, "test"))
    assert surface_patterns(surface, "train") == surface_patterns(surface, "val")


def test_every_attempt_has_its_own_source_of_randomness() -> None:
    cases = [
        ("playroom", "train", 0, 0, 0), ("bridge", "train", 0, 0, 0), ("playroom", "val", 0, 0, 0),
        ("playroom", "train", 1, 0, 0), ("playroom", "train", 0, 1, 0), ("playroom", "train", 0, 0, 1),
    ]  # fmt: skip
    assert len({generator(*case).integers(1 << 60) for case in cases}) == len(cases)
    with pytest.raises(ConfigError, match="split is 'valid'; expected one of train, val, test"):
        generator("bridge", "valid", 0, 0, 0)
    with pytest.raises(ConfigError, match="world is 'kitchen'"):
        generator("kitchen", "val", 0, 0, 0)
