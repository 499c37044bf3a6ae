"""The look of all plots, and figures as PNG bytes: Agg without pyplot, so nothing global and no display."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from eisen_ray.report.panels import label_palette
from eisen_ray.report.sheet import INK, PAPER, QUIET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 110
"""A plot 9 inches wide fills a page column at its own size."""


def hex_colour(colour: tuple[int, int, int]) -> str:
    """Red, green and blue (0 to 255) as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def series_colour(number: int) -> str:
    """Colour of a series, from 0: those of the labels, so that plots and pictures go together."""
    red, green, blue = label_palette(number + 2)[number + 1].tolist()
    return hex_colour((red, green, blue))


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """An empty figure in the look of the contact sheets; draw and turn it into a PNG inside the block.

    Args:
        width, height: inches.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ink, quiet, paper = hex_colour(INK), hex_colour(QUIET), hex_colour(PAPER)
    look: Any = {
        # A user's dollar or underscore is no formula.
        "text.parse_math": False,
        "font.family": "DejaVu Sans",
        "font.size": 9.5,
        "axes.titlesize": 10.5,
        "axes.edgecolor": quiet,
        "axes.labelcolor": ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": paper,
        "figure.facecolor": paper,
        "savefig.facecolor": paper,
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "grid.color": "#e4e5e1",
        "legend.frameon": False,
    }
    with mpl.rc_context(look):
        figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
