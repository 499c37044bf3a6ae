from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eisen_ray.measures.scores import evaluate_maps
from eisen_ray.report.comparison import chosen, comparison_page, comparison_table, title_of


def record(row: str, share: int, variant: dict[str, float] | None = None, **more: Any) -> dict[str, Any]:
    """A record of a row whose only segment covers `share` of the 8 columns of an object."""
    truth, found = np.zeros((16, 16), np.int64), np.zeros((16, 16), np.int64)
    truth[:, :8], found[:, :share] = 1, 1
    scores = evaluate_maps([found] * 2, [truth] * 2, arm_ids=[1, 1], clip_ids=["a", "b"]).to_dict()
    sets = {"test": {**scores, "left_out": []}, "val": {**scores, "left_out": []}}
    return {"row": row, "variant": variant or {}, "sets": sets, "trained": None, "seconds_per_image": 0.5, **more}


RECORDS = [
    record("felzenszwalb", 4, {"scale": 100.0}),
    record("felzenszwalb", 6, {"scale": 200.0}),
    record("detr:full", 2, trained={"step": 3000, "seconds": 125.0, "loss": 0.5}),
]


def test_the_best_variant_on_validation_is_chosen() -> None:
    best = chosen(RECORDS, "mean_iou")
    assert [title_of(each) for each in best] == ["felzenszwalb, scale 200", "detr:full"]
    unknown = record("network", 3)
    unknown["sets"]["val"]["parts"]["all"]["mean_iou"]["value"] = None
    assert chosen([unknown, record("network", 2, {"threshold": 0.5})], "mean_iou")[0]["variant"] == {"threshold": 0.5}


def test_table() -> None:
    lines = comparison_table(RECORDS, "test").splitlines()
    assert len(lines) == 2 + 3
    assert "mIoU arm" in lines[0]
    assert lines[3].split()[:4] == ["felzenszwalb,", "scale", "200", "0.750"]


@pytest.mark.parametrize("records", [RECORDS, RECORDS[1:]])
def test_page(records: list[dict[str, Any]]) -> None:
    page = comparison_page(records, {"seed": "7"}, "best_iou")
    assert "- seed: 7" in page
    assert page.index("## val") < page.index("## test"), "whatever order JSON keeps"
    assert "best IoU on the validation set" in page
    assert "  2m05s |" in page
    assert ("## All settings, val" in page) == (len(records) == 3)
    assert "Pictures" not in page
    assert comparison_page(records, {}, "best_iou", "x.png").endswith(
        "\n## Pictures\n\n![some pictures with the segments of every row](x.png)\n"
    )
