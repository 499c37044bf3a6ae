"""The state of a run from its storage: in the middle, stopped, dead and finished."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eisen_ray.config import RunConfig
from eisen_ray.data.index import Index
from eisen_ray.errors import StorageError
from eisen_ray.runtime.claim import claim
from eisen_ray.runtime.events import EventLog
from eisen_ray.runtime.layout import (
    RoundWork,
    Teacher,
    evaluation_file,
    fragment_file,
    promotion_file,
    reading_file,
    training_index_file,
)
from eisen_ray.runtime.status import MISSED_BEATS, run_status
from eisen_ray.runtime.storage import Store

IDENTITY = "dis"
UNKNOWN_SETTING = '{"config": {"sed": 1}, "flow_identity": ""}'
SCORES = {"round": 1, "step": 6, "scores": {"mean_iou": 0.25}, "health": {"coverage": 0.5}}


@pytest.fixture
def store(config: RunConfig, index: Index) -> Store:
    """A claimed root with an index of two fragments."""
    store = Store(config.root)
    claim(store, config, IDENTITY)
    store.write_json(training_index_file(config.data), index.to_dict())
    return store


def promote(store: Store, number: int) -> None:
    record = {"checkpoint": f"rounds/{number}/checkpoint-abc", "sha256": "abc", **SCORES, "round": number}
    store.write_json(evaluation_file(number), {**SCORES, "round": number})
    store.write_json(promotion_file(number), record)


def timed(log: EventLog, batch: int) -> None:
    """What a round with known paces leaves: 2 s per fragment, 0.5 s per step, 7 s per evaluation."""
    log.write("progress", stage="flow", round=1, done=2, total=2, elapsed_s=4.0)
    log.write("step", stage="student", round=1, step=2, epoch=0, values={"train/images_per_s": batch / 0.5})
    log.write("evaluated", stage="evaluation", round=1, step=6, elapsed_s=7.0, values={})


def test_a_fresh_root_waits(store: Store, config: RunConfig) -> None:
    found = run_status(config.root)
    assert (found["state"], found["sign"], found["now"]) == ("never started", None, None)
    assert [each["state"] for each in found["rounds"]] == ["waiting", "waiting"]
    assert found["fragments"] == {"round": 1, "total": 2, "flow": 0}
    assert found["left"]["units"] == {"flow": 2, "teacher": 2, "student": 12, "evaluation": 2}
    assert found["left"]["seconds"] is None


def test_a_round_in_the_middle(store: Store, config: RunConfig, index: Index) -> None:
    work = RoundWork(config=config, flow_identity=IDENTITY)
    store.write(fragment_file(work.motion_folder, index.fragments[0].fragment_id), b"x")
    store.write(fragment_file(work.motion_folder, "a held-out one"), b"x")
    log = EventLog(store)
    timed(log, config.train.batch_size)
    log.write("step", stage="student", round=1, step=4, epoch=1, message="4 of 6", values={}, now=True)
    store.write_json(reading_file(1), {"fragments": []})
    found = run_status(config.root)
    assert found["state"] == "running"
    assert found["sign"]["age_s"] < 60
    assert (found["now"]["stage"], found["now"]["step"], found["now"]["epoch"]) == ("student", 4, 1)
    assert [each["state"] for each in found["rounds"]] == ["training", "waiting"]
    assert found["fragments"]["flow"] == 1
    assert found["steps"] == {"round": 1, "done": 4, "total": 6}
    # 2 + 6 steps of 0.5 s and two evaluations of 7 s; no teacher has been timed.
    assert found["left"]["units"] == {"teacher": 2, "student": 8, "evaluation": 2}
    assert found["left"]["seconds"] == 18.0
    assert found["left"]["not_counted"] == ["teacher"]
    log.close()


def test_round_two_counts_its_teachers_segments(store: Store, config: RunConfig, index: Index) -> None:
    promote(store, 1)
    teacher = Teacher(path="rounds/1/checkpoint-abc", sha256="abc")
    work = RoundWork(config=config, flow_identity=IDENTITY, round_number=2, teacher=teacher)
    for fragment in index.fragments:
        store.write(fragment_file(work.motion_folder, fragment.fragment_id), b"x")
    store.write(fragment_file(work.segments_folder, index.fragments[1].fragment_id), b"x")
    log = EventLog(store)
    timed(log, config.train.batch_size)
    log.write("progress", stage="teacher", round=2, done=1, total=2, elapsed_s=3.0)
    log.close()
    found = run_status(config.root)
    assert found["fragments"] == {"round": 2, "total": 2, "flow": 2, "teacher": 1}
    assert found["rounds"][0]["checkpoint"] == store.uri("rounds/1/checkpoint-abc")
    assert found["rounds"][0]["scores"] == {"mean_iou": 0.25}
    assert found["left"]["seconds"] == 3.0 + 6 * 0.5 + 7.0


def test_shared_targets_are_looked_up_where_they_lie(config: RunConfig, index: Index, tmp_path: Path) -> None:
    config = replace(config, targets=str(tmp_path / "shared"))
    store = Store(config.root)
    claim(store, config, IDENTITY)
    store.write_json(training_index_file(config.data), index.to_dict())
    work = RoundWork(config=config, flow_identity=IDENTITY)
    Store(config.targets).write(fragment_file(work.motion_folder, index.fragments[0].fragment_id), b"x")
    assert run_status(config.root)["fragments"] == {"round": 1, "total": 2, "flow": 1}


def test_ends_are_told_apart(store: Store, config: RunConfig) -> None:
    log = EventLog(store)
    log.write("started", stage="run")
    # Killed: the heartbeat stops without a word.
    later = time.time() + MISSED_BEATS * 15.0
    assert run_status(config.root, now=later - 10)["state"] == "running"
    assert run_status(config.root, now=later + 10)["state"] == "died"
    log.write("ended", stage="run", level="error", message="PromotionError: collapsed")
    log.close()
    stopped = run_status(config.root)
    assert (stopped["state"], stopped["reason"]) == ("stopped", "PromotionError: collapsed")
    promote(store, 1)
    promote(store, 2)
    finished = run_status(config.root)
    assert (finished["state"], finished["left"]["units"]) == ("finished", {})
    assert finished["steps"]["done"] == config.train.num_steps


def test_quarantine_has_clips_and_fragments(store: Store, config: RunConfig, index: Index) -> None:
    plain = index.to_dict()
    plain["quarantine"] = [{"clip_id": "bad", "uri": "/videos/bad.mp4", "reason": "no frames"}]
    store.write_json(training_index_file(config.data), plain)
    note = {"fragment_id": "f1", "uri": "/videos/f.mp4", "reason": "cut short"}
    store.write_json("quarantine/f1.json", note)
    assert run_status(config.root)["quarantine"] == [{"uri": "/videos/bad.mp4", "reason": "no frames"}, note]


def test_on_an_object_store_and_as_json(config: RunConfig, tmp_path: Path) -> None:
    root = f"memory://{tmp_path.name}-status"
    claim(Store(root), config, IDENTITY)
    found: dict[str, Any] = run_status(root)
    assert found["fragments"] is None
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda root: None, "does not exist; expected the root of a run"),
        (lambda root: root.mkdir(), "holds no config.json: it is not the root of a run"),
        (lambda root: (root.mkdir(), (root / "config.json").write_text("{}")), "is not the config of a run"),
        (lambda root: (root.mkdir(), (root / "config.json").write_text("{")), "is not JSON"),
        (
            lambda root: (root.mkdir(), (root / "config.json").write_text(UNKNOWN_SETTING)),
            "Did you mean seed",
        ),
    ],
)
def test_other_places_are_refused(prepare: Any, message: str, tmp_path: Path) -> None:
    prepare(tmp_path / "root")
    with pytest.raises(StorageError, match=message):
        run_status(str(tmp_path / "root"))


def test_it_needs_neither_torch_nor_ray() -> None:
    code = (
        "import sys, eisen_ray.runtime.status, eisen_ray.report.status_page\n"
        "sys.exit(bool({'torch', 'ray', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
