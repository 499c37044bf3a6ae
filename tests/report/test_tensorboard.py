"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from eisen_ray.report.tensorboard import SHEET_TAG, flat, write_trial


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_a_trial_has_settings_curve_scores_and_sheet(tmp_path: Path) -> None:
    picture = np.zeros((8, 12, 3), np.uint8)
    picture[:, :6] = (200, 10, 60)
    Image.fromarray(picture).save(tmp_path / "sheet.png")
    params = {"train": {"learning_rate": 0.001, "augment": True}, "seed": 3, "offsets": [1, 2]}
    curve = [(10, {"train/loss": 2.0}), (20, {"train/loss": 1.5})]
    write_trial(tmp_path / "trial-7", params, {"val/mean_iou": 0.25}, curve, tmp_path / "sheet.png")

    events = read(tmp_path / "trial-7")
    assert [(point.step, point.value) for point in events.Scalars("train/loss")] == [(10, 2.0), (20, 1.5)]
    assert [(point.step, point.value) for point in events.Scalars("val/mean_iou")] == [(20, 0.25)]
    (image,) = events.Images(SHEET_TAG)
    assert image.step == 20
    with Image.open(io.BytesIO(image.encoded_image_string)) as shown:
        assert np.array_equal(np.asarray(shown), picture)

    plugin = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    started = metadata.parse_session_start_info_plugin_data(plugin).hparams
    assert started["train.learning_rate"].number_value == 0.001
    assert started["train.augment"].string_value == "True"
    assert started["offsets"].string_value == "[1, 2]"
    plugin = events.summary_metadata["_hparams_/experiment"].plugin_data.content
    shown_beside = metadata.parse_experiment_plugin_data(plugin).metric_infos
    assert [info.name.tag for info in shown_beside] == ["val/mean_iou"]


def test_a_trial_that_failed_early_is_written_too(tmp_path: Path) -> None:
    write_trial(tmp_path / "trial-8", {"seed": 1}, {})
    assert read(tmp_path / "trial-8").Tags()["scalars"] == []


def test_nested_settings_get_dotted_names() -> None:
    assert flat({"a": {"b": {"c": 1}}, "d": None}) == {"a.b.c": 1, "d": "None"}
