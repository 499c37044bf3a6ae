from __future__ import annotations

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.worlds.clip_settings import ClipSettings


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"size": 16}, "size is 16; expected 32 to 1024"), ({"frames": 1}, "frames is 1"), ({"hz": 0.0}, "hz is 0.0")],
)
def test_ranges(fields: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ClipSettings(**fields)
