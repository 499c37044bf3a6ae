"""Every equation of the paper has one address in the package and a test; every decision tag has its entry."""

from __future__ import annotations

import pytest

from tests import paper_map
from tests.paper_map import DECISION_TAG, EQUATION_TAG, EQUATIONS


@pytest.mark.parametrize("number", EQUATIONS)
def test_equation_has_exactly_one_address(number: int) -> None:
    found = paper_map.places(EQUATION_TAG).get(number, [])
    assert len(found) == 1, f"[Eq. ({number})] stands {len(found)} times: {found}"


@pytest.mark.parametrize("number", EQUATIONS)
def test_equation_has_a_test(number: int) -> None:
    assert number in paper_map.equation_tests(), f"no test function has eq{number:02d} in its name"


def test_no_tag_names_an_unknown_equation() -> None:
    assert set(paper_map.places(EQUATION_TAG)) <= set(EQUATIONS)


def test_decision_tags_have_entries() -> None:
    tags = {**paper_map.places(DECISION_TAG), **paper_map.places(DECISION_TAG, "jobs")}
    missing = {number: places for number, places in tags.items() if number not in paper_map.decisions()}
    assert missing == {}


def test_decisions_are_numbered_once_and_in_order() -> None:
    numbers = [int(number) for number, _ in paper_map.DECISION_HEADING.findall(paper_map.DECISIONS.read_text())]
    assert numbers == sorted(set(numbers))
    assert numbers != []


def test_map_is_current() -> None:
    assert paper_map.MAP.read_text() == paper_map.render(), "run: python -m tests.paper_map"


SOURCE = '''"""Module [Eq. (1)]."""

class A:
    """Doc."""

    def f(self):
        x = 1  # [Eq. (2)] and [Eq. (3)]

        def inner():
            """[Eq. (4)]"""

# Eq. (5) and [Eq. 6] are no tags
'''


def test_tags_are_found_with_their_function() -> None:
    assert list(paper_map.tagged(SOURCE, EQUATION_TAG)) == [(1, ""), (2, "A.f"), (3, "A.f"), (4, "A.f.inner")]


def test_decision_tags_and_headings() -> None:
    assert list(paper_map.tagged("def f():\n    '''[Decision 12]'''\n", DECISION_TAG)) == [(12, "f")]
    text = "# Title\n\n## 1. One\n\n### 2. Not one\n\n## 12. Twelve words\n"
    assert paper_map.DECISION_HEADING.findall(text) == [("1", "One"), ("12", "Twelve words")]
