"""Contact sheets: one row per example, one column per thing to compare, as one PNG that reads without a manual."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eisen_ray.errors import DataError
from eisen_ray.report.panels import match_labels, overlay_labels

EXAMPLE_TITLES = ("image", "motion target", "teacher segments", "prediction", "ground truth")
SCORED_TITLES = ("image", "prediction", "ground truth")

PAPER, INK, QUIET, _EMPTY = (252, 252, 250), (32, 34, 40), (112, 116, 124), (232, 233, 230)
_MARGIN, _GAP, _HEADER, _CAPTION, _HEADING = 16, 8, 28, 26, 38


class SheetRow(NamedTuple):
    """One line of a contact sheet."""

    caption: str
    """Text under the row, left: clip and frame."""
    panels: Sequence[np.ndarray | None]
    """Pictures uint8 [H, W, 3], one per column; None is drawn as an empty cell that says so."""
    score: str = ""
    """Text under the row, right: what the prediction scored."""


def example_row(
    image: np.ndarray,
    *,
    caption: str,
    motion: np.ndarray | None = None,
    teacher: np.ndarray | None = None,
    prediction: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    mean_iou: float | None = None,
) -> SheetRow:
    """The row under `EXAMPLE_TITLES`: label maps over the picture, equal things in equal colours.

    Args:
        image: uint8 [H, W, 3].
        caption: such as `clip_003, frame 4`.
        motion, teacher, prediction, truth: label maps [h, w] of any size, 0 = unassigned; None = not there.
            Beside a truth, segments that match none of its objects are pale.
        mean_iou: the prediction's score; None or NaN = not scored.
    """
    reference = truth if truth is not None else prediction
    maps = (motion, teacher, prediction, truth)
    panels = [image, *_label_panels(image, maps, reference, quiet=truth is not None)]
    scored = mean_iou is not None and math.isfinite(mean_iou)
    return SheetRow(caption, panels, f"mean IoU {mean_iou:.2f}" if scored else "")


def scored_row(
    image: np.ndarray,
    *,
    caption: str,
    prediction: np.ndarray,
    truth: np.ndarray | None,
    mean_iou: float | None = None,
) -> SheetRow:
    """The row under `SCORED_TITLES`; arguments as for `example_row`."""
    row = example_row(image, caption=caption, prediction=prediction, truth=truth, mean_iou=mean_iou)
    return row._replace(panels=[row.panels[EXAMPLE_TITLES.index(title)] for title in SCORED_TITLES])


def compared_row(
    image: np.ndarray, *, caption: str, truth: np.ndarray, predictions: Sequence[np.ndarray | None]
) -> SheetRow:
    """The picture, its truth, then the segments of several methods; pictures and colours as for `example_row`."""
    return SheetRow(caption, [image, *_label_panels(image, (truth, *predictions), truth, quiet=True)])


def contact_sheet(
    rows: Sequence[SheetRow], titles: Sequence[str] = EXAMPLE_TITLES, *, heading: str = "", cell_px: int = 192
) -> Image.Image:
    """Lay out rows of panels under column titles.

    Args:
        rows: at least one; each with as many panels as there are titles.
        titles: text over the columns.
        heading: one line over everything, such as `runs/quickstart, round 2`.
        cell_px: width of a cell; its height follows the shape of the first panel there is.

    Raises:
        DataError: no rows, or a row whose panels do not fit the titles.
    """
    if not rows:
        raise DataError("A contact sheet needs at least one row; got none.")
    for row in rows:
        if len(row.panels) != len(titles):
            raise DataError(f"Row '{row.caption}' has {len(row.panels)} panels; expected {len(titles)}: {titles}.")
    cell = (cell_px, _cell_height(rows, cell_px))
    top = _MARGIN + (_HEADING if heading else 0) + _HEADER
    row_height = cell[1] + _CAPTION + _GAP
    width = 2 * _MARGIN + len(titles) * (cell_px + _GAP) - _GAP
    sheet = Image.new("RGB", (width, top + len(rows) * row_height - _GAP + _MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    if heading:
        _write(draw, (_MARGIN, _MARGIN), heading, size=20, room=width - 2 * _MARGIN)
    for column, title in enumerate(titles):
        _write(draw, (_MARGIN + column * (cell_px + _GAP), top - _HEADER + 4), title, size=15, room=cell_px)
    for index, row in enumerate(rows):
        _draw_row(sheet, draw, row, top + index * row_height, cell)
    return sheet


def png_bytes(picture: Image.Image) -> bytes:
    """The picture as a PNG file's content, for storage that is not a local folder."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _label_panels(
    image: np.ndarray, maps: Sequence[np.ndarray | None], reference: np.ndarray | None, quiet: bool
) -> list[np.ndarray | None]:
    height, width = image.shape[:2]
    # Drawn at twice the size of small pictures, so that borders stay thin beside 32x32 blocks.
    zoom = max(1, math.ceil(384 / max(height, width)))
    large = np.asarray(Image.fromarray(image).resize((zoom * width, zoom * height), Image.Resampling.BICUBIC))
    return [None if labels is None else _label_panel(large, labels, reference, quiet) for labels in maps]


def _label_panel(image: np.ndarray, labels: np.ndarray, reference: np.ndarray | None, quiet: bool) -> np.ndarray:
    if reference is None or labels is reference:
        return overlay_labels(image, labels, border=2)
    renamed = match_labels(labels, reference)
    others = set(np.unique(renamed).tolist()) - set(np.unique(reference).tolist())
    return overlay_labels(image, renamed, border=2, pale=others if quiet else ())


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: SheetRow, top: int, cell: tuple[int, int]) -> None:
    width, height = cell
    for column, panel in enumerate(row.panels):
        left = _MARGIN + column * (width + _GAP)
        if panel is None:
            draw.rectangle((left, top, left + width - 1, top + height - 1), fill=_EMPTY)
            draw.text((left + width / 2, top + height / 2), "none", fill=QUIET, font=_font(14), anchor="mm")
        else:
            fitted = _fitted(panel, cell)
            place = (left + (width - fitted.width) // 2, top + (height - fitted.height) // 2)
            sheet.paste(fitted, place)
    line, right = top + height + 4, sheet.width - _MARGIN
    score_px = draw.textlength(row.score, font=_font(14)) if row.score else 0
    _write(draw, (_MARGIN, line), row.caption, size=14, room=right - _MARGIN - score_px - _GAP, fill=QUIET)
    draw.text((right, line), row.score, fill=INK, font=_font(14), anchor="ra")


def _cell_height(rows: Sequence[SheetRow], cell_px: int) -> int:
    panel = next((panel for row in rows for panel in row.panels if panel is not None), None)
    # Between 1/2 and 2: one very long picture must not stretch the sheet.
    share = 1.0 if panel is None else float(np.clip(panel.shape[0] / panel.shape[1], 0.5, 2.0))
    return round(cell_px * share)


def _fitted(panel: np.ndarray, cell: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(np.asarray(panel, dtype=np.uint8))
    scale = min(cell[0] / picture.width, cell[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    # Enlarging keeps the blocks of a 32x32 grid sharp; shrinking averages.
    return picture.resize(size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    *,
    size: int,
    room: float,
    fill: tuple[int, int, int] = INK,
) -> None:
    """Text of at most `room` px; what does not fit ends in dots."""
    font = _font(size)
    shown = text
    while len(shown) > 1 and draw.textlength(shown, font=font) > room:
        shown = shown.removesuffix("...")[:-1] + "..."
        if shown == "...":
            break
    draw.text(place, shown, fill=fill, font=font)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
