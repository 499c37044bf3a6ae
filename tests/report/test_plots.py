from __future__ import annotations

import matplotlib as mpl
import pytest

from eisen_ray.report.panels import label_palette
from eisen_ray.report.plots import DOTS_PER_INCH, hex_colour, new_figure, png, series_colour
from eisen_ray.report.sheet import PAPER
from tests.studies import opened


def test_a_figure_in_the_look_of_the_sheets() -> None:
    with new_figure(4, 2) as figure:
        figure.add_subplot().plot([1, 2, 3], linewidth=8)
        picture = opened(png(figure))
    assert picture.shape == (2 * DOTS_PER_INCH, 4 * DOTS_PER_INCH, 3)
    assert tuple(picture[0, 0]) == PAPER


def test_a_formula_is_text(recwarn: pytest.WarningsRecorder) -> None:
    with new_figure(3, 2) as figure:
        figure.add_subplot().set_title("cost_$ \\frac $x_{$")
        opened(png(figure))
    assert not recwarn.list


def test_nothing_global_changes() -> None:
    with new_figure(1, 1):
        assert not mpl.rcParams["text.parse_math"]
    assert mpl.rcParams["text.parse_math"]
    assert mpl.rcParams["axes.facecolor"] == "white"


def test_colours_are_those_of_the_labels() -> None:
    assert hex_colour((1, 2, 255)) == "#0102ff"
    assert [series_colour(number) for number in range(3)] == [hex_colour(tuple(each)) for each in label_palette(4)[1:]]
