from __future__ import annotations

import pytest
import torch

from eisen_ray.baselines.peer import draw_seed, need
from eisen_ray.errors import ConfigError


def test_a_missing_library_is_named_with_its_command() -> None:
    assert need("math").pi > 3
    with pytest.raises(ConfigError, match=r"no_such_library is not installed.*pip install 'eisen-ray\[baselines\]'"):
        need("no_such_library")


def test_seeds_come_from_the_generator() -> None:
    first, again = (torch.Generator().manual_seed(3) for _ in range(2))
    seeds = [draw_seed(first) for _ in range(3)]
    assert seeds == [draw_seed(again) for _ in range(3)]
    assert len(set(seeds)) == 3
    assert all(0 <= seed < 2**31 for seed in seeds)
