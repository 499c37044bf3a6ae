"""What a teacher tells: by default everything, in all rounds."""

from __future__ import annotations

from eisen_ray.presets import PRESETS
from eisen_ray.teaching import TeacherConfig


def test_nothing_is_left_out_unless_asked() -> None:
    default = TeacherConfig()
    assert (default.agreement, default.min_moving_share, default.max_area) == (1.0, 0.0, 1.0)
    assert default.explaining_away
    assert default.last_explaining_round == 0


def test_every_preset_explains_away_in_the_second_round() -> None:
    for preset in PRESETS.values():
        teacher = preset().teacher
        assert teacher.explaining_away
        assert teacher.last_explaining_round != 1
