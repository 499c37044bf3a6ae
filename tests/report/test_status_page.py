from __future__ import annotations

from typing import Any

from eisen_ray.report.status_page import NUM_REASONS, status_text

STATUS: dict[str, Any] = {
    "root": "s3://bucket/run",
    "state": "running",
    "reason": "",
    "sign": {"host": "head", "age_s": 12.0},
    "now": {"event": "step", "stage": "student", "round": 2, "message": "round 2  student  40/600", "age_s": 3.0},
    "rounds": [
        {
            "round": 1,
            "state": "promoted",
            "scores": {"mean_iou": 0.25},
            "health": {"segments_per_image": 3.5, "coverage": 0.5, "agreement": 0.75},
            "checkpoint": "s3://bucket/run/rounds/1/checkpoint-abc",
        },
        {"round": 2, "state": "training", "scores": {}, "health": {}},
    ],
    "fragments": {"round": 2, "total": 20, "flow": 20, "teacher": 15},
    "steps": {"round": 2, "done": 40, "total": 600},
    "left": {
        "seconds": 290.0,
        "units": {"student": 560, "evaluation": 1},
        "seconds_per_unit": {"student": 0.5},
        "not_counted": ["evaluation"],
    },
    "quarantine": [{"fragment_id": "f1", "uri": "a.mp4", "reason": "cut short"}, {"uri": "b.mp4", "reason": "empty"}],
}


def test_page_says_what_runs_what_is_done_and_what_is_left() -> None:
    lines = status_text(STATUS).splitlines()
    assert lines[:3] == ["root       s3://bucket/run", "state      running", "driver     last sign 12s ago, from head"]
    assert "last       round 2  student  40/600, 3s ago" in lines
    assert "fragments  flow 20 of 20, teacher 15 of 20 (round 2)" in lines
    assert "steps      40 of 600 (round 2)" in lines
    assert "left       560 steps, 1 evaluation" in lines
    (time_left,) = [line for line in lines if line.startswith("time left")]
    assert time_left.startswith("time left  4m50s  (0.5 s per step, as last measured; not counted: evaluation;")
    (first,) = [line.split() for line in lines if " promoted " in line]
    assert first == ["1", "promoted", "0.250", "3.500", "0.500", "0.750"]
    assert "round 1    s3://bucket/run/rounds/1/checkpoint-abc" in lines
    assert lines[-3:] == ["left out (2)", "  f1: cut short", "  b.mp4: empty"]


def test_what_is_not_known_is_said() -> None:
    unknown = {**STATUS["left"], "seconds": None}
    text = status_text({**STATUS, "state": "died", "reason": "no heartbeat", "left": unknown, "fragments": None})
    assert "state      died; the same command continues it\n           no heartbeat" in text
    assert "time left  not known" in text
    assert "fragments" not in text
    silent = status_text({**STATUS, "now": {"event": "started", "stage": "flow", "round": 1, "age_s": 2.0}})
    assert "last       round 1  flow started, 2s ago" in silent


def test_long_lists_are_cut_and_finished_runs_have_nothing_left() -> None:
    many = [{"uri": f"{number}.mp4", "reason": "empty"} for number in range(NUM_REASONS + 3)]
    text = status_text({**STATUS, "state": "finished", "quarantine": many})
    assert text.endswith("and 3 more (--json names all)")
    assert "time left" not in text
