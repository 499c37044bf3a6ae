"""What a run is doing, told from storage alone: works while it runs, after it died, and from another machine.

Imports neither torch nor Ray, and talks to no process. What it gives is plain JSON, of which
`report.status_page` makes text.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from eisen_ray.config import RunConfig
from eisen_ray.data.index import Index
from eisen_ray.errors import ConfigError, StorageError
from eisen_ray.runtime.events import Event, read_events, read_heartbeats, seconds_since
from eisen_ray.runtime.layout import (
    CONFIG,
    RoundWork,
    Teacher,
    evaluation_file,
    promotion_file,
    reading_file,
    stored_fragments,
    training_index_file,
)
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import from_dict

# A driver is taken for dead when it has missed so many heartbeats: storage may be slow, clocks a little apart.
MISSED_BEATS = 4
# Told steps whose median gives the time of a step: the first ones of a start are slow.
TIMED_STEPS = 5


def run_status(root: str, now: float | None = None) -> dict[str, Any]:
    """All that can be said of a run.

    Args:
        root: its storage root, a folder or URL.
        now: seconds since the epoch; None: this machine's clock.

    Returns:
        `state` and `sign` (the driver), `now` (what is done), `rounds`, `fragments`, `steps`, `left` (time, and how it
        was estimated), `quarantine`.

    Raises:
        StorageError: no such root, or no run of ours there, or it cannot be read.
    """
    store = Store(root)
    try:
        config, flow_identity = _claimed(store)
        events = list(read_events(store))
        rounds = [_round(store, number) for number in range(1, config.rounds.num_rounds + 1)]
        fragments = _fragments(store, config, flow_identity, rounds)
        quarantine = _quarantine(store, config)
        beats = read_heartbeats(store)
    except OSError as error:
        raise StorageError(f"{root} cannot be read: {error}. Check the address and your rights.") from error
    clock = time.time() if now is None else now
    steps = _steps(events, config, rounds)
    finished = all(each["state"] == "promoted" for each in rounds)
    return {
        "root": root,
        **_driver(beats, events, finished, clock),
        "now": _current(events, clock),
        "rounds": rounds,
        "fragments": fragments,
        "steps": steps,
        "left": _time_left(events, config, rounds, fragments, steps),
        "quarantine": quarantine,
    }


def _claimed(store: Store) -> tuple[RunConfig, str]:
    if not store.exists(CONFIG):
        if not store.exists(""):
            raise StorageError(
                f"{store.root} does not exist; expected the root of a run (--root of the bootstrap job)."
            )
        raise StorageError(f"{store.root} holds no {CONFIG}: it is not the root of a run. Give the run's --root.")
    found = store.read_json(CONFIG)
    try:
        return from_dict(RunConfig, found["config"]), str(found["flow_identity"])
    except (KeyError, TypeError, ConfigError) as error:
        raise StorageError(f"{store.uri(CONFIG)} is not the config of a run of this version: {error}.") from error


def _driver(beats: list[dict[str, Any]], events: list[Event], finished: bool, now: float) -> dict[str, Any]:
    """Whether a driver lives, by its heartbeat."""
    alive = [beat for beat in beats if beat["alive"] and _age(beat, now) <= MISSED_BEATS * beat["every_s"]]
    last = max(alive or beats, key=lambda beat: str(beat["time"]), default=None)
    sign = {"host": last["host"], "age_s": round(_age(last, now), 1)} if last else None
    if alive:
        return {"state": "running", "reason": "", "sign": sign}
    if finished:
        return {"state": "finished", "reason": "", "sign": sign}
    if last is None:
        return {"state": "never started", "reason": "no driver has left a sign under this root", "sign": None}
    if last["alive"]:
        return {"state": "died", "reason": "no heartbeat any more, and no word of an end", "sign": sign}
    ends = [event["message"] for event in events if event["event"] == "ended" and event.get("stage") == "run"]
    return {"state": "stopped", "reason": ends[-1] if ends else "", "sign": sign}


def _age(beat: dict[str, Any], now: float) -> float:
    return max(0.0, seconds_since(beat["time"], now))


def _current(events: list[Event], now: float) -> dict[str, Any] | None:
    """The newest event, with its age."""
    if not events:
        return None
    last = events[-1]
    kept: dict[str, Any] = {
        key: last[key] for key in ("event", "stage", "round", "epoch", "step", "message") if key in last
    }
    return {**kept, "age_s": round(max(0.0, seconds_since(last["time"], now)), 1)}


def _round(store: Store, number: int) -> dict[str, Any]:
    record: dict[str, Any] = {"round": number, "state": "waiting", "scores": {}, "health": {}}
    if store.exists(promotion_file(number)):
        found = store.read_json(promotion_file(number))
        uri = store.uri(found["checkpoint"])
        record.update(
            state="promoted", checkpoint=uri, teacher={"path": found["checkpoint"], "sha256": found["sha256"]}
        )
    elif store.exists(evaluation_file(number)):
        record["state"], found = "evaluated", store.read_json(evaluation_file(number))
    elif store.exists(reading_file(number)):
        return {**record, "state": "training"}
    else:
        return record
    return {**record, "scores": found.get("scores", {}), "health": found.get("health", {})}


def _open_round(rounds: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((each for each in rounds if each["state"] != "promoted"), None)


def _fragments(
    store: Store, config: RunConfig, flow_identity: str, rounds: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """Training fragments with stored motion, and with stored segments of the newest round that needs them."""
    path = training_index_file(config.data)
    if not store.exists(path):
        return None
    wanted = {fragment.fragment_id for fragment in Index.from_json(store.read(path)).fragments}
    number = (_open_round(rounds) or rounds[-1])["round"]
    before = rounds[number - 2].get("teacher") if number > 1 else None
    teacher = Teacher(**before) if before else None
    work = RoundWork(config=config, flow_identity=flow_identity, round_number=number, teacher=teacher)
    flow = wanted & stored_fragments(work.targets, work.motion_folder)
    found = {"round": number, "total": len(wanted), "flow": len(flow)}
    if teacher:
        found["teacher"] = len(wanted & stored_fragments(work.targets, work.segments_folder))
    return found


def _steps(events: list[Event], config: RunConfig, rounds: list[dict[str, Any]]) -> dict[str, int]:
    """Steps done in the round that is open, as last told."""
    current = _open_round(rounds) or rounds[-1]
    total = config.train.num_steps
    if current["state"] in ("promoted", "evaluated"):
        return {"round": current["round"], "done": total, "total": total}
    told = [event["step"] for event in events if event.get("round") == current["round"] and "step" in event]
    return {"round": current["round"], "done": told[-1] if told else 0, "total": total}


def _quarantine(store: Store, config: RunConfig) -> list[dict[str, str]]:
    notes = [store.read_json(f"quarantine/{name}") for name in sorted(store.files("quarantine"))]
    path = training_index_file(config.data)
    clips = Index.from_json(store.read(path)).quarantine if store.exists(path) else ()
    return [*({"uri": clip.uri, "reason": clip.reason} for clip in clips), *notes]


def _time_left(
    events: list[Event],
    config: RunConfig,
    rounds: list[dict[str, Any]],
    fragments: dict[str, Any] | None,
    steps: dict[str, int],
) -> dict[str, Any]:
    """Seconds left: units left of each stage, times the seconds that a unit took last. [Decision 66]"""
    units = dict.fromkeys(("flow", "teacher", "student", "evaluation"), 0)
    for each in rounds:
        _add_left(units, each, config, fragments, steps)
    seconds_of = _unit_seconds(events, config)
    known = {stage: count * seconds_of[stage] for stage, count in units.items() if count and stage in seconds_of}
    unknown = [stage for stage, count in units.items() if count and stage not in seconds_of]
    timed = {stage: round(seconds_of[stage], 4) for stage in known}
    # Without the student's pace the sum would say next to nothing.
    complete = "student" not in unknown
    return {
        "seconds": round(sum(known.values()), 1) if complete else None,
        "units": {stage: count for stage, count in units.items() if count},
        "seconds_per_unit": timed,
        "not_counted": unknown,
    }


def _add_left(
    units: dict[str, int],
    each: dict[str, Any],
    config: RunConfig,
    fragments: dict[str, Any] | None,
    steps: dict[str, int],
) -> None:
    if each["state"] == "promoted":
        return
    is_open = each["round"] == steps["round"]
    total = fragments["total"] if fragments else 0
    # Labels of a round whose training has begun are made, or come with the training.
    if each["state"] == "waiting":
        done = fragments if fragments and is_open else {}
        units["flow"] += total - done.get("flow", 0) if is_open else 0
        units["teacher"] += total - done.get("teacher", 0) if each["round"] > 1 else 0
    units["student"] += steps["total"] - steps["done"] if is_open else config.train.num_steps
    units["evaluation"] += each["state"] != "evaluated"


def _unit_seconds(events: list[Event], config: RunConfig) -> dict[str, float]:
    """Seconds per fragment, step and evaluation, as last measured."""
    found: dict[str, float] = {}
    paces: list[float] = []
    for event in events:
        stage, kind = event.get("stage"), event["event"]
        if kind == "progress" and stage in ("flow", "teacher") and event.get("done"):
            found[stage] = event["elapsed_s"] / event["done"]
        elif kind == "evaluated" and event.get("elapsed_s"):
            found["evaluation"] = event["elapsed_s"]
        elif kind == "step" and event["values"].get("train/images_per_s"):
            paces.append(config.train.batch_size / event["values"]["train/images_per_s"])
    if paces:
        found["student"] = median(paces[-TIMED_STEPS:])
    return found
