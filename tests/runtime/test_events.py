from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from eisen_ray.errors import StorageError
from eisen_ray.runtime import events
from eisen_ray.runtime.events import EventLog, read_events, read_heartbeats, seconds_since
from eisen_ray.runtime.storage import Store


@pytest.mark.parametrize("place", ["local", "memory"])
def test_what_is_written_is_read_on_any_storage(place: str, tmp_path: Path) -> None:
    store = Store(str(tmp_path) if place == "local" else f"memory://{tmp_path.name}-events")
    log = EventLog(store)
    log.write("started", stage="flow", round=1, total=4, now=True)
    assert [event["event"] for event in read_events(store)] == ["started"]
    log.write("left_out", level="warning", stage="flow", fragment_id="a", message="broken", epoch=None)
    log.close()
    log.close()
    first, second = read_events(store)
    assert first == {
        "time": first["time"],
        "level": "info",
        "event": "started",
        "stage": "flow",
        "round": 1,
        "total": 4,
    }
    assert (second["level"], second["fragment_id"], second["message"]) == ("warning", "a", "broken")
    assert "epoch" not in second
    assert 0 <= seconds_since(second["time"], time.time()) < 60
    (beat,) = read_heartbeats(store)
    assert beat["alive"] is False


def test_files_stay_small_and_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVENTS_PER_FILE", 3)
    store = Store(str(tmp_path))
    log = EventLog(store)
    for step in range(8):
        log.write("step", step=step)
    log.close()
    assert [event["step"] for event in read_events(store)] == list(range(8))
    names = sorted(name.split("/")[1] for name in store.files("logs") if name.endswith("jsonl"))
    assert names == ["00000.jsonl", "00001.jsonl", "00002.jsonl"]


def test_waiting_lines_and_heartbeats_reach_storage_by_themselves(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    log = EventLog(store, flush_s=0.05)
    log.write("line", message="waits")
    deadline = time.monotonic() + 20
    while not list(read_events(store)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [event["message"] for event in read_events(store)] == ["waits"]
    assert read_heartbeats(store)[0]["alive"] is True
    log.close()


def test_each_driver_writes_files_of_its_own(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    logs = [EventLog(store), EventLog(store)]
    for number, log in enumerate(logs):
        log.write("line", step=number)
        log.close()
    assert sorted(event["step"] for event in read_events(store)) == [0, 1]
    assert len(read_heartbeats(store)) == 2


def test_threads_do_not_lose_lines(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    log = EventLog(store)
    threads = [threading.Thread(target=lambda: [log.write("step", step=step) for step in range(150)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert sorted(event["step"] for event in read_events(store)) == sorted(list(range(150)) * 4)


def test_storage_that_fails_does_not_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path))
    log = EventLog(store)

    def refuse(self: Store, path: str, content: bytes) -> None:
        raise StorageError("away")

    with monkeypatch.context() as broken:
        broken.setattr(Store, "write", refuse)
        log.write("line", step=1, now=True)
    log.write("line", step=2, now=True)
    log.close()
    assert [event["step"] for event in read_events(store)] == [1, 2]


def test_every_line_is_strict_json_and_damaged_ones_are_passed_over(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    log = EventLog(store)
    log.write("step", values={"train/loss": float("nan"), "x": 1.0})
    log.close()
    (name,) = [name for name in store.files("logs") if name.endswith("jsonl")]

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    content = store.read(f"logs/{name}").decode()
    assert json.loads(content, parse_constant=refuse)["values"] == {"train/loss": None, "x": 1.0}
    store.write(f"logs/{name}", (content + '{"event": "st').encode())
    assert len(list(read_events(store))) == 1


def test_reading_needs_neither_torch_nor_ray() -> None:
    code = "import sys, eisen_ray.runtime.events; sys.exit(bool({'torch', 'ray', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
