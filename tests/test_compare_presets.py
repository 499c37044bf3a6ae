from __future__ import annotations

import pytest

from eisen_ray.compare_config import ROWS, supervision_of
from eisen_ray.compare_presets import COMPARISONS, TABLE1, TABLE4


@pytest.mark.parametrize("name", COMPARISONS)
def test_presets_can_be_built_and_say_how_to_run_them(name: str) -> None:
    preset = COMPARISONS[name]
    config = preset()
    assert preset.__name__ == name
    assert f"jobs.compare {name}" in (preset.__doc__ or "")
    assert config.root == f"runs/{name}"
    assert set(config.rows) <= set(TABLE1 if name.startswith("table1") else TABLE4)


def test_every_row_is_in_a_preset_or_is_the_checkpoint_under_another_name() -> None:
    used = {row for preset in COMPARISONS.values() for row in preset().rows}
    assert set(ROWS) - used == {"eisen:motion"}, "the checkpoint, row `network`, is our network under motion"


def test_the_sample_has_no_masks_for_training() -> None:
    assert "full" not in {supervision_of(row) for row in COMPARISONS["table1_sample"]().rows}
