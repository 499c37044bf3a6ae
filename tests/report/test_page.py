from __future__ import annotations

import base64

import pytest

from eisen_ray.report.page import Heading, Listing, Paragraph, Part, Picture, Table, code, html_page, markdown_page

PARTS: list[Part] = [
    Heading(1, "Study <x> & y"),
    Paragraph(f"**Bold** and {code('a**b** <c>')}"),
    Listing("python -m x --y '<z>'"),
    Table(["name", "score"], [["a|b*", "<5"]], frozenset({0})),
    Picture("plot.png", "a plot", "What it **shows**."),
]


def test_markdown() -> None:
    blocks = markdown_page(PARTS).split("\n\n")
    assert blocks[0] == r"# Study \<x> & y"
    assert blocks[1] == "**Bold** and `a**b** <c>`"
    assert blocks[2] == "```\npython -m x --y '<z>'\n```"
    assert blocks[3].splitlines() == ["|   name | score |", "| :----- | ----: |", r"| a\|b\* |   \<5 |"]
    assert blocks[4:] == ["![a plot](plot.png)", "What it **shows**.\n"]


def test_html_needs_nothing_else() -> None:
    page = html_page(PARTS, {"plot.png": b"\x89PNG bytes"})
    assert "<title>Study &lt;x&gt; &amp; y</title>" in page
    assert "<p><strong>Bold</strong> and <code>a**b** &lt;c&gt;</code></p>" in page
    assert "<pre>python -m x --y &#x27;&lt;z&gt;&#x27;</pre>" in page
    assert '<tr><td class="text">a|b*</td><td>&lt;5</td></tr>' in page
    assert f'src="data:image/png;base64,{base64.b64encode(bytes.fromhex("89") + b"PNG bytes").decode()}"' in page
    for outside in ("<script", "http:", "https:", "<link", "@import", "url("):
        assert outside not in page


def test_a_fence_is_longer_than_the_backticks_inside() -> None:
    assert markdown_page([Listing("````")]) == "`````\n````\n`````\n"


def test_code_cannot_end_early() -> None:
    assert code("a`b\nc") == "`a'b c`"


def test_a_picture_must_be_given() -> None:
    with pytest.raises(KeyError, match=r"plot\.png"):
        html_page(PARTS, {})
