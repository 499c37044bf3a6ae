"""A page as a list of parts, written as Markdown with pictures beside it or as one HTML file that holds them."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eisen_ray.report.plots import hex_colour
from eisen_ray.report.sheet import INK, PAPER, QUIET
from eisen_ray.report.tables import format_table


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 (the page's title) or 2."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text; `**bold**` and code between backticks are the only marks."""

    text: str


@dataclass(frozen=True)
class Listing:
    """Text as it is, in lines of equal letters."""

    text: str


@dataclass(frozen=True)
class Table:
    """Cells of plain text. Numbers read best to the right, texts to the left."""

    titles: Sequence[str]
    lines: Sequence[Sequence[str]]
    left: frozenset[int] = frozenset()
    """Columns that are texts."""


@dataclass(frozen=True)
class Picture:
    """A PNG file beside the page."""

    file: str
    title: str
    """Read aloud or shown where the picture cannot be."""
    caption: str


Part = Heading | Paragraph | Listing | Table | Picture

_STYLE = f"""
body {{ margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: {hex_colour(PAPER)}; color: {hex_colour(INK)};
       font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }}
h1 {{ font-size: 1.6rem; }}
h2 {{ font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #e4e5e1; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .22rem .7rem; border-bottom: 1px solid #e4e5e1; text-align: right; vertical-align: top; }}
th {{ color: {hex_colour(QUIET)}; font-weight: 600; }}
th.text, td.text {{ text-align: left; overflow-wrap: anywhere; }}
code, pre {{ font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; background: #f0f0ec; border-radius: 3px; }}
code {{ padding: .05rem .25rem; }}
pre {{ padding: .6rem .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }}
figure {{ margin: 1rem 0; }}
img {{ max-width: 100%; }}
figcaption {{ color: {hex_colour(QUIET)}; font-size: 13.5px; }}
""".strip()


def code(text: str) -> str:
    """Text for a paragraph as code; backticks in it become apostrophes."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def markdown_page(parts: Sequence[Part]) -> str:
    """The page as Markdown; pictures are links to files beside it."""
    return "\n\n".join(_markdown(part) for part in parts) + "\n"


def html_page(parts: Sequence[Part], pictures: Mapping[str, bytes]) -> str:
    """The page as one HTML file without scripts that needs nothing from elsewhere.

    Args:
        parts: what stands on it.
        pictures: content of each PNG by the file name in `Picture`.
    """
    title = next((part.text for part in parts if isinstance(part, Heading)), "")
    body = "\n".join(_html(part, pictures) for part in parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _markdown(part: Part) -> str:
    match part:
        case Heading(level, text):
            return f"{'#' * level} {_escaped(text)}"
        case Paragraph(text):
            return text
        case Listing(text):
            # A fence is longer than any row of backticks inside it.
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
            return f"{fence}\n{text}\n{fence}"
        case Table(titles, lines, left):
            cells = [[_escaped(cell) for cell in line] for line in lines]
            rows = format_table([_escaped(title) for title in titles], cells, "markdown").splitlines()
            rule = rows[1].strip("| ").split(" | ")
            rows[1] = (
                "| " + " | ".join(":" + each[1:-1] + "-" if n in left else each for n, each in enumerate(rule)) + " |"
            )
            return "\n".join(rows)
        case Picture(file, title, caption):
            return f"![{_escaped(title)}]({file})\n\n{caption}"


def _html(part: Part, pictures: Mapping[str, bytes]) -> str:
    match part:
        case Heading(level, text):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{_inline(text)}</p>"
        case Listing(text):
            return f"<pre>{html.escape(text)}</pre>"
        case Table(titles, lines, left):
            rows = [_html_row("th", titles, left), *(_html_row("td", line, left) for line in lines)]
            return '<div class="wide"><table>\n' + "\n".join(rows) + "\n</table></div>"
        case Picture(file, title, caption):
            content = base64.b64encode(pictures[file]).decode()
            return (
                f'<figure><img src="data:image/png;base64,{content}" alt="{html.escape(title)}">'
                f"<figcaption>{_inline(caption)}</figcaption></figure>"
            )


def _html_row(tag: str, cells: Sequence[str], left: frozenset[int]) -> str:
    marked = [
        f"<{tag}" + (' class="text">' if number in left else ">") + f"{html.escape(cell)}</{tag}>"
        for number, cell in enumerate(cells)
    ]
    return f"<tr>{''.join(marked)}</tr>"


def _inline(text: str) -> str:
    """Escaped text with its code and bold marks as HTML; no bold inside code."""
    pieces = re.split(r"`([^`]*)`", html.escape(text))
    for place, piece in enumerate(pieces):
        pieces[place] = (
            f"<code>{piece}</code>" if place % 2 else re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", piece)
        )
    return "".join(pieces)


def _escaped(text: str) -> str:
    """Plain text for Markdown: nothing in it is taken as a mark, and it stays on its line."""
    return re.sub(r"([\\|`*<\[\]])", r"\\\1", " ".join(text.split()))
