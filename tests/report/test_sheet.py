from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from eisen_ray.errors import DataError
from eisen_ray.report.panels import label_palette
from eisen_ray.report.sheet import EXAMPLE_TITLES, SheetRow, contact_sheet, example_row, png_bytes


def picture(height: int = 32, width: int = 32, value: int = 120) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_sheet_places_every_panel_and_text() -> None:
    rows = [SheetRow("clip_000, frame 3", [picture(value=90), None], "mean IoU 0.50"), SheetRow("b", [None, None])]
    sheet = contact_sheet(rows, ("image", "prediction"), heading="round 1", cell_px=192)
    pixels = np.asarray(sheet)
    assert sheet.width == 2 * 16 + 2 * 192 + 8
    assert (pixels == 90).all(axis=-1).sum() == 192 * 192
    assert (pixels[-60:-20] < 130).all(axis=-1).any()  # the caption of the last row
    assert (pixels[:40] < 60).all(axis=-1).any()  # the heading


def test_missing_cells_say_so() -> None:
    pixels = np.asarray(contact_sheet([SheetRow("", [None])], ("teacher segments",)))
    middle = pixels[-200:-40, 40:-40]
    assert (middle < 150).all(axis=-1).any()
    assert (middle == (232, 233, 230)).all(axis=-1).any()


def test_cells_follow_the_shape_of_the_pictures() -> None:
    wide = contact_sheet([SheetRow("", [picture(32, 64)])], ("image",), cell_px=200)
    square = contact_sheet([SheetRow("", [picture(32, 32)])], ("image",), cell_px=200)
    strip = contact_sheet([SheetRow("", [picture(4, 400)])], ("image",), cell_px=200)
    assert square.height - wide.height == 100
    assert strip.height == wide.height


def test_long_captions_end_in_dots_and_do_not_widen_the_sheet() -> None:
    short = contact_sheet([SheetRow("a", [None])], ("image",))
    long = contact_sheet([SheetRow("a" * 300, [None], "mean IoU 1.00")], ("t" * 300,), heading="h" * 300)
    assert long.width == short.width


def test_errors_name_the_row() -> None:
    with pytest.raises(DataError, match="at least one row"):
        contact_sheet([])
    with pytest.raises(DataError, match="'clip_7' has 1 panels"):
        contact_sheet([SheetRow("clip_7", [None])])


def test_example_row_gives_equal_things_equal_colours() -> None:
    truth = np.zeros((32, 32), dtype=np.uint8)
    truth[8:24, 8:24] = 2
    prediction = np.full((8, 8), 4)
    prediction[2:6, 2:6] = 9
    row = example_row(picture(), caption="x", prediction=prediction, truth=truth, mean_iou=0.5)
    assert len(row.panels) == len(EXAMPLE_TITLES)
    assert row.score == "mean IoU 0.50"
    assert row.panels[1] is None
    assert row.panels[2] is None
    predicted, true = row.panels[3], row.panels[4]
    assert predicted is not None
    assert true is not None
    assert predicted.shape == true.shape
    np.testing.assert_array_equal(predicted[200, 200], true[200, 200])
    expected = 0.4 * 120 + 0.6 * label_palette(3)[2].astype(float)
    np.testing.assert_allclose(true[200, 200], expected, atol=1)
    ground = 0.7 * 120 + 0.3 * label_palette(2)[1].astype(float)  # matches no object: pale
    np.testing.assert_allclose(predicted[10, 10], ground, atol=1)


def test_example_row_without_truth_or_score() -> None:
    labels = np.ones((8, 8), dtype=int)
    row = example_row(picture(), caption="x", motion=labels, prediction=labels, mean_iou=float("nan"))
    assert row.score == ""
    assert row.panels[4] is None
    only_motion = example_row(picture(), caption="x", motion=labels)
    assert only_motion.panels[1] is not None
    assert only_motion.panels[3] is None


def test_png_bytes_is_a_png() -> None:
    sheet = contact_sheet([SheetRow("", [picture()])], ("image",))
    with Image.open(io.BytesIO(png_bytes(sheet))) as read:
        assert read.format == "PNG"
        assert read.size == sheet.size
