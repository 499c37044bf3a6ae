"""A grouping study on the session's cluster: its numbers, its memory of what is done, its refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eisen_ray.errors import ConfigError, DataError
from eisen_ray.report.study_pages import read_study
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.grouping_study import run_grouping_study
from eisen_ray.spaces import ITERATIONS, Choice, Space, table3
from eisen_ray.tune_config import GroupingStudyConfig
from jobs.bootstrap import parse as parse_bootstrap

SPACE = Space(
    kind="grouping",
    parameters={
        ITERATIONS: Choice((1, 3)),
        "grouping.threshold": Choice((0.3, 0.6)),
        "grouping.overlap": Choice((0.1, 0.4)),
    },
)


@pytest.fixture
def config(tmp_path: Path) -> GroupingStudyConfig:
    return GroupingStudyConfig(root=str(tmp_path / "study"), max_images=3, hosts=2)


def test_a_study_its_report_and_its_preset(
    checkpoint: StoredCheckpoint,
    config: GroupingStudyConfig,
    ray_cluster: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = run_grouping_study(checkpoint, replace(config, seeds=2), SPACE, "mine", "python -m jobs.tune")
    # 2 thresholds, 2 overlaps, 2 numbers of iterations, 2 seeds.
    assert len(study.trials) == 16
    assert {trial.state for trial in study.trials} == {"finished"}
    assert {trial.params[ITERATIONS] for trial in study.trials} == {1, 3}
    assert read_study(tmp_path / "study/report") == study
    assert all((tmp_path / "study" / trial.sheet).read_bytes().startswith(b"\x89PNG") for trial in study.trials)
    assert len(list((tmp_path / "study/tensorboard").iterdir())) == 8
    told = capsys.readouterr().out
    assert "features of 3 images in 2 processes" in told
    assert "16 trials, 16 finished" in told
    best = max(study.trials, key=lambda trial: trial.value or 0)
    preset = parse_bootstrap(["--config", str(tmp_path / "study/best.json"), "--root", "elsewhere"])
    assert preset.root == "elsewhere"
    assert preset.grouping.threshold in (0.3, 0.6)
    assert best.value is not None

    # What is recorded is not worked out again, whatever Ray Tune remembers.
    records = sorted((tmp_path / "study/trials").iterdir())
    made = [path.stat().st_mtime_ns for path in records]
    again = run_grouping_study(checkpoint, replace(config, seeds=2), SPACE, "mine", "python -m jobs.tune")
    assert [path.stat().st_mtime_ns for path in records] == made
    assert again.trials == study.trials

    with pytest.raises(ConfigError, match=r"begun as another study:\n.*study\.max_images: 3 -> 2"):
        run_grouping_study(checkpoint, replace(config, seeds=2, max_images=2), SPACE, "mine", "")


def test_scores_do_not_depend_on_the_number_of_hosts(
    checkpoint: StoredCheckpoint, config: GroupingStudyConfig, ray_cluster: None, tmp_path: Path
) -> None:
    space = Space(kind="grouping", parameters={"grouping.overlap": Choice((0.1, 0.4))})
    one = run_grouping_study(checkpoint, replace(config, hosts=1, root=str(tmp_path / "one")), space, "a", "")
    two = run_grouping_study(checkpoint, replace(config, hosts=2, root=str(tmp_path / "two")), space, "a", "")
    assert [trial.value for trial in one.trials] == pytest.approx([trial.value for trial in two.trials])


@pytest.mark.parametrize("objective", ["agreement", "motion_iou"])
def test_objectives_without_masks(
    checkpoint: StoredCheckpoint, config: GroupingStudyConfig, ray_cluster: None, objective: str
) -> None:
    small = replace(checkpoint.config.flow, estimator="dis", height=128, width=128)
    checkpoint = replace(checkpoint, config=replace(checkpoint.config, flow=small))
    space = Space(kind="grouping", parameters={"grouping.overlap": Choice((0.2, 0.4))})
    study = run_grouping_study(checkpoint, replace(config, objective=objective), space, "a", "")
    assert all(trial.value is not None and 0 <= trial.value <= 1 for trial in study.trials)


def test_a_failing_setting_is_kept_apart(
    checkpoint: StoredCheckpoint, config: GroupingStudyConfig, ray_cluster: None, tmp_path: Path
) -> None:
    # A root that cannot take one of the records: a folder lies at its place.
    space = Space(kind="grouping", parameters={"grouping.overlap": Choice((0.2, 0.4))})
    from eisen_ray.runtime.studies import record_file

    (tmp_path / "study" / record_file({"grouping.overlap": 0.4}, 0)).mkdir(parents=True)
    study = run_grouping_study(checkpoint, config, space, "a", "")
    states = {trial.params["grouping.overlap"]: trial.state for trial in study.trials}
    assert states == {0.2: "finished", 0.4: "failed"}
    assert next(trial.error for trial in study.trials if trial.state == "failed")


def test_rows_of_table_3_are_given_settings(
    checkpoint: StoredCheckpoint, config: GroupingStudyConfig, ray_cluster: None, tmp_path: Path
) -> None:
    space = replace(table3(), parameters={ITERATIONS: Choice((1, 2))}, rows=table3().rows[:3])
    study = run_grouping_study(checkpoint, config, space, "table3", "")
    assert [trial.params["model.scope"] for trial in study.trials[::2]] == ["local+far", "local", "full"]
    assert all("grouping.start" in trial.params for trial in study.trials)


def test_more_hosts_than_processors_are_refused(
    checkpoint: StoredCheckpoint, config: GroupingStudyConfig, ray_cluster: None
) -> None:
    with pytest.raises(ConfigError, match="99 hosts"):
        run_grouping_study(checkpoint, replace(config, hosts=99), SPACE, "a", "")


def test_images_without_masks_are_refused_with_a_reason(
    checkpoint: StoredCheckpoint, config: GroupingStudyConfig, ray_cluster: None, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    data = replace(config.data, layout="videos", source=str(tmp_path / "empty"))
    with pytest.raises(DataError):
        run_grouping_study(checkpoint, replace(config, data=data), SPACE, "a", "")


def test_the_study_says_what_it_is(
    checkpoint: StoredCheckpoint, config: GroupingStudyConfig, ray_cluster: None
) -> None:
    space = Space(kind="grouping", parameters={"grouping.overlap": Choice((0.2,))})
    study = run_grouping_study(checkpoint, config, space, "a", "python -m jobs.tune a")
    assert study.command == "python -m jobs.tune a"
    assert checkpoint.sha256[:12] in study.facts["checkpoint"]
    claimed = json.loads((Path(config.root) / "study.json").read_text())
    assert claimed["weights_sha256"] == checkpoint.sha256
