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


def test_presets_for_processors_teach_what_stands_best_on_edges_in_several_narrow_passes() -> None:
    """[Decision 147]; the paper's teach what all of several passes agree on."""
    for name, preset in PRESETS.items():
        teacher = preset().teacher
        small = preset().model.backbone == "small"
        assert (teacher.num_passes, teacher.threshold, teacher.enlarge) == ((3, 0.4, 1.25) if small else (1, 0.0, 1.0))
        if name != "tiny":
            assert (teacher.num_runs, teacher.num_iterations) == ((1, 20) if small else (4, 15)), name
    widths = {name: preset().teacher.plateau_width for name, preset in PRESETS.items()}
    tiny_or_paper = {"tiny": 32} | {name: 32 for name in PRESETS if PRESETS[name]().model.backbone != "small"}
    assert widths == {name: 64 for name in PRESETS} | tiny_or_paper
