from __future__ import annotations

import time
from pathlib import Path

import pytest
import ray

from eisen_ray.runtime.lines import table_row, tell_evaluation, train_lines
from eisen_ray.runtime.progress import Pace, ProgressBoard, StopAnswer, new_board
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.storage import Store

RECORD = {
    "round": 2,
    "step": 6,
    "scores": {"num_images": 4.0, "mean_iou": 0.25, "mean_iou_arm": 0.5, "mean_iou_objects": 0.1, "recall_50": 0.2},
    "health": {"segments_per_image": 3.0, "coverage": 0.75, "agreement": 0.5},
}


def test_pace_tells_at_the_end_and_not_too_often() -> None:
    pace = Pace(5, every_s=1000)
    assert [pace.advance() for _ in range(5)] == [False, False, False, False, True]
    eager = Pace(3, every_s=0)
    assert [eager.advance() for _ in range(3)] == [True, True, True]


def test_board_hands_out_each_record_once() -> None:
    board = ProgressBoard()
    board.add({"step": 1})
    board.add({"step": 2})
    assert [record["step"] for record in board.take()] == [1, 2]
    assert board.take() == []


def test_board_passes_one_word_to_the_workers() -> None:
    board = ProgressBoard()
    assert not board.stopping()
    board.stop()
    assert board.stopping()


@pytest.mark.usefixtures("ray_cluster")
def test_answer_is_looked_at_and_never_waited_for() -> None:
    board = new_board()
    answer = StopAnswer(board, every_s=0.01)

    def said_within(seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if answer():
                return True
            time.sleep(0.01)
        return False

    assert not said_within(0.5)
    ray.get(board.stop.remote())
    assert said_within(20)
    ray.kill(board)
    time.sleep(0.2)
    assert not said_within(0.5)


def test_training_lines_read_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell = train_lines(600, Reporter(Store(str(tmp_path))))
    tell({"event": "started", "round": 1, "step": 100})
    metrics = {"train/loss": 0.5, "train/images_per_s": 12.0}
    tell({"event": "step", "round": 1, "step": 150, "metrics": metrics})
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("round 1  student starts at step 100 of 600")
    assert "round 1  student  150/600  loss 0.500  12.0 images/s" in second


def test_evaluation_line_names_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(Store(str(tmp_path)))
    tell_evaluation(RECORD, reporter)
    line = capsys.readouterr().out
    assert "round 2  evaluated: mean IoU all 0.250, arm 0.500, objects 0.100; 3.00 segments per image" in line
    tell_evaluation({**RECORD, "scores": {}}, reporter)
    assert "evaluated: 3.00 segments per image" in capsys.readouterr().out


def test_table_row_has_the_reports_titles() -> None:
    row = table_row(RECORD)
    assert (row["round"], row["steps"], row["all"], row["objects"], row["agreement"]) == (2, 6, 0.25, 0.1, 0.5)
    assert table_row({**RECORD, "scores": {}})["all"] is None


def test_events_go_under_the_root(tmp_path: Path) -> None:
    reporter = Reporter(Store(str(tmp_path)))
    reporter.open_round(1)
    reporter.scalars({"train/loss": 1.0}, 1)
    reporter.close_round()
    reporter.close_round()
    assert len(list((tmp_path / "tensorboard" / "round-1").iterdir())) == 1


def test_events_reach_an_object_store() -> None:
    store = Store("memory://events")
    reporter = Reporter(store)
    reporter.open_round(2)
    reporter.scalars({"train/loss": 1.0}, 1)
    reporter.close_round()
    assert len(store.files("tensorboard/round-2")) == 1
