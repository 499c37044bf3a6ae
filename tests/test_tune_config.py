from __future__ import annotations

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.tune_config import GroupingStudyConfig, TrainingStudyConfig


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (GroupingStudyConfig, "seeds", 0),
        (GroupingStudyConfig, "trials", -2),
        (GroupingStudyConfig, "cache_mib", 0),
        (GroupingStudyConfig, "hosts", -1),
        (TrainingStudyConfig, "concurrent", -1),
        (TrainingStudyConfig, "grace_steps", 0),
        (TrainingStudyConfig, "num_rounds", 0),
    ],
)
def test_what_is_out_of_range_is_named(kind: type, field: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"{field} is {value}"):
        kind(**{field: value})
