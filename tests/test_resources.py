"""Resources: pools cannot shrink below their least size, and nothing here shapes results."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.presets import tiny
from eisen_ray.resources import ResourcesConfig
from eisen_ray.runtime.layout import RoundWork


@pytest.mark.parametrize("pool", ["flow", "teacher"])
def test_a_pool_is_at_least_as_large_at_most_as_at_least(pool: str) -> None:
    sizes = {f"{pool}_actors": 3, f"max_{pool}_actors": 2}
    with pytest.raises(ConfigError, match=f"{pool}_actors"):
        ResourcesConfig(**sizes)


def test_no_setting_changes_where_results_lie() -> None:
    work = RoundWork(config=tiny(), flow_identity="dis")
    for field in fields(ResourcesConfig):
        if field.type in ("int", "float"):
            most = {"flow_actors": {"max_flow_actors": 9}, "teacher_actors": {"max_teacher_actors": 9}}
            # Two of everything: a batch of the preset can be divided by it.
            changed = ResourcesConfig(**{field.name: 2, **most.get(field.name, {})})
            other = replace(work, config=replace(work.config, resources=changed))
            folders = ("flow_folder", "motion_folder", "segments_folder")
            assert [getattr(other, name) for name in folders] == [getattr(work, name) for name in folders], field.name
