"""TensorBoard files: settings beside scores (the HPARAMS tab), pictures, and a whole trial in one call."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

SHEET_TAG = "contact_sheet"
"""Tag of a contact sheet in the IMAGES tab."""

Curve = Sequence[tuple[int, Mapping[str, float]]]
"""Points of a trial: step, and values by name."""


def write_trial(
    folder: Path | str,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    curve: Curve = (),
    sheet_png: Path | None = None,
) -> None:
    """Write a trial of a study as a TensorBoard run of its own.

    Args:
        folder: local folder of the run; its last part is the name that TensorBoard shows.
        params: the trial's settings, flat or nested; nested names are joined by dots.
        metrics: final values, shown beside the settings.
        curve: values on the way; `metrics` follow at the last step of it.
        sheet_png: a contact sheet.
    """
    last = max((step for step, _ in curve), default=0)
    with SummaryWriter(log_dir=str(folder)) as writer:
        for step, values in curve:
            write_scalars(writer, values, step)
        write_hparams(writer, params, metrics)
        write_scalars(writer, metrics, last)
        if sheet_png is not None:
            write_picture(writer, SHEET_TAG, sheet_png.read_bytes(), last)


def write_scalars(writer: SummaryWriter, values: Mapping[str, Any], step: int) -> None:
    """Points of one step."""
    for name, value in values.items():
        writer.add_scalar(name, float(value), step)


def write_hparams(writer: SummaryWriter, params: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Settings, and the names of the scalars to show beside them, into the writer's own run.

    torch's `add_hparams` makes a further run with a time in its name, in which scalars and pictures are missing.
    """
    named = {name: float(value) for name, value in metrics.items()}
    # Open from the constructor on; torch's annotation says None.
    events: Any = writer.file_writer
    # torch would write True as the number 1.
    shown = {key: str(value) if isinstance(value, bool) else value for key, value in flat(params).items()}
    for summary in hparams(shown, named):
        events.add_summary(summary)


def write_picture(writer: SummaryWriter, tag: str, png: bytes, step: int) -> None:
    """A PNG file's content as a picture."""
    with Image.open(io.BytesIO(png)) as picture:
        writer.add_image(tag, np.asarray(picture.convert("RGB")), step, dataformats="HWC")


def flat(params: Mapping[str, Any], where: str = "") -> dict[str, bool | int | float | str]:
    """Nested settings under dotted names; what is neither number nor text becomes text."""
    found: dict[str, bool | int | float | str] = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{where}{key}."))
        else:
            found[f"{where}{key}"] = value if isinstance(value, bool | int | float | str) else str(value)
    return found
