"""Runs of a study, read back with TensorBoard's own reader."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from eisen_ray.report.study_trials import FAILED, FINISHED, Study, Trial
from eisen_ray.report.tensorboard import SHEET_TAG
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.study_runs import RUNS, write_runs

CURVE = ((5.0, 0.2), (10.0, 0.4), (20.0, 0.3))


def trial(number: int, value: float | None, **fields: object) -> Trial:
    plain = {"params": {"grouping.threshold": 0.5}, "state": FAILED if value is None else FINISHED}
    return Trial(number=number, value=value, **{**plain, **fields})


def study(*trials: Trial) -> Study:
    return Study(name="mine", objective="mean_iou", maximize=True, trials=trials, command="")


def runs(root: Path) -> dict[str, EventAccumulator]:
    found = {path.name: EventAccumulator(str(path)) for path in sorted((root / RUNS).iterdir())}
    for events in found.values():
        events.Reload()
    return found


def test_numbers_of_iterations_of_a_setting_are_one_run_with_its_sheet(tmp_path: Path) -> None:
    store, picture = Store(str(tmp_path)), np.full((6, 9, 3), (200, 10, 60), np.uint8)
    (tmp_path / "trials").mkdir()
    Image.fromarray(picture).save(tmp_path / "trials/a.png")
    trials = [
        trial(place, value, params={"kprop": count}, sheet="trials/a.png", curve=CURVE if place == 2 else ())
        for place, (count, value) in enumerate(CURVE)
    ]
    write_runs(store, study(*trials, trial(3, 0.1, sheet="trials/lost.png", seed=4)))
    found = runs(tmp_path)
    assert list(found) == ["0001", "0003"]

    curve = [(point.step, round(point.value, 5)) for point in found["0001"].Scalars("curve/mean_iou")]
    assert curve == [(5, 0.2), (10, 0.4), (20, 0.3)]
    assert [round(point.value, 5) for point in found["0001"].Scalars("mean_iou")] == [0.4]
    (shown,) = found["0001"].Images(SHEET_TAG)
    with Image.open(io.BytesIO(shown.encoded_image_string)) as image:
        assert np.array_equal(np.asarray(image), picture)
    assert SHEET_TAG not in found["0003"].Tags()["images"]

    plugin = found["0001"].summary_metadata["_hparams_/session_start_info"].plugin_data.content
    started = metadata.parse_session_start_info_plugin_data(plugin).hparams
    assert started["kprop"].number_value == 10


def test_trials_without_a_score_are_left_out_and_earlier_runs_replaced(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    write_runs(store, study(trial(0, 0.1), trial(1, 0.2)))
    write_runs(store, study(trial(0, None), trial(1, 0.2)))
    assert list(runs(tmp_path)) == ["0001"]
