"""What a teacher tells: by default everything, in all rounds."""

from __future__ import annotations

from eisen_ray.presets import PRESETS
from eisen_ray.teaching import TeacherConfig


def test_nothing_is_left_out_unless_asked() -> None:
    default = TeacherConfig()
    assert (default.agreement, default.min_moving_share, default.max_area) == (1.0, 0.0, 1.0)
    assert default.explaining_away
    assert default.last_explaining_round == 0


def test_presets_for_processors_explain_away_in_the_second_round_alone_and_the_papers_in_all() -> None:
    """[Decision 144]."""
    found = {name: preset().teacher.last_explaining_round for name, preset in PRESETS.items()}
    assert found == {name: 2 if preset().model.backbone == "small" else 0 for name, preset in PRESETS.items()}
    assert all(preset().teacher.explaining_away for preset in PRESETS.values())


def test_teachers_have_plateaus_of_their_own() -> None:
    """A single pass is better on a wide plateau; readings choose from several narrow ones [Decision 145]."""
    widths = {
        name: (preset().teacher.plateau_width, preset().grouping.plateau_width) for name, preset in PRESETS.items()
    }
    small = {"bridge_small": (64, 64), "davis_small": (64, 64), "playroom_small": (64, 64), "tiny": (32, 32)}
    expected = {name: (32, 32) for name in PRESETS} | small | {"quickstart": (128, 64)}
    assert widths == expected
