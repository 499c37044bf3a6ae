from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.measures.image_scores import ImageScores, score_image
from eisen_ray.measures.scores import Scores, summarize
from eisen_ray.report.evaluation import (
    ARM_MEASURE,
    MEASURES,
    console_text,
    evaluation_page,
    part_table,
    pick_images,
    picked_row,
)
from eisen_ray.report.sheet import SCORED_TITLES, contact_sheet


def images(count: int, per_clip: int = 1, arm_id: int | None = None) -> list[ImageScores]:
    """The larger the frame's number, the better the prediction."""
    found = []
    for number in range(count):
        truth, prediction = np.zeros((2, 20, 40), int)
        prediction[:] = np.arange(2, 42)
        truth[:, :30] = prediction[:, : number + 1] = 1
        truth[:3, 35:] = 2
        found.append(score_image(prediction, truth, clip_id=f"c{number // per_clip:02d}", frame=number, arm_id=arm_id))
    return found


@pytest.fixture(scope="module")
def scores() -> Scores:
    return summarize(images(9, 3, arm_id=1))


def test_every_measure_is_explained(scores: Scores) -> None:
    assert set(scores.parts["all"]) == set(MEASURES)
    page = evaluation_page(scores, {"checkpoint": "`x`"}, ["a.mp4: torn"], "sheet.png")
    for title, meaning in (*MEASURES.values(), ARM_MEASURE):
        assert f"| {title} |" in page
        assert meaning in page
    assert "- checkpoint: `x`\n- 9 images with objects, 18 objects, 3 clips" in page
    assert "- a.mp4: torn" in page
    assert "![best, median and worst images](sheet.png)" in page
    found = scores.parts["all"]["mean_iou"]
    assert f"| mIoU | {found.value:.3f} | {found.low:.3f} to {found.high:.3f} |" in page


def test_a_page_without_pictures_failures_and_intervals() -> None:
    page = evaluation_page(summarize(images(1)), {}, [], "")
    assert "Not scored" not in page
    assert "Pictures" not in page
    assert "| - | the authors'" in page


def test_parts_stand_in_rows(scores: Scores) -> None:
    lines = part_table(scores).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["all", "arm", "objects", "small", "medium", "large"]
    assert lines[2].split()[1:3] == ["18", f"{scores['mean_iou']:.3f}"]
    markdown = part_table(scores, "markdown")
    assert "mBO" in markdown
    assert "FG-ARI" not in markdown, "it has no parts"


def test_few_clips_are_named_in_the_terminal(scores: Scores) -> None:
    assert "c02" in console_text(scores)
    assert "c02" not in console_text(summarize(images(20)))


def test_best_median_and_worst() -> None:
    picks = pick_images(images(21), each=2)
    assert [(pick.kind, pick.image.frame) for pick in picks] == [
        ("best", 20), ("best", 19), ("median", 10), ("median", 11), ("worst", 0), ("worst", 1),
    ]  # fmt: skip


def test_clips_are_shown_once_where_there_are_enough() -> None:
    picks = pick_images(images(30, per_clip=5), each=2)
    assert [pick.image.frame for pick in picks if pick.kind == "best"] == [29, 24]
    assert [pick.image.frame for pick in pick_images(images(6, per_clip=6), each=2)] == [5, 4, 3, 2, 0, 1]


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_few_images_are_not_shown_twice(count: int) -> None:
    frames = [pick.image.frame for pick in pick_images(images(count))]
    assert len(frames) == len(set(frames)) == min(count, 3)


def test_images_without_objects_are_not_shown() -> None:
    empty = score_image(np.ones((4, 4), int), np.zeros((4, 4), int), clip_id="empty")
    assert {pick.image.clip_id for pick in pick_images([empty, *images(2)])} == {"c00", "c01"}


def test_rows_fit_the_sheet() -> None:
    (pick,) = pick_images(images(1))
    labels = np.ones((5, 10), int)
    row = picked_row(pick, np.zeros((20, 40, 3), np.uint8), labels, labels)
    assert (row.caption, len(row.panels)) == ("best: c00, frame 0", len(SCORED_TITLES))
    assert row.score == f"mean IoU {pick.image.ious.mean():.2f}"
    assert contact_sheet([row], SCORED_TITLES).width > 0
