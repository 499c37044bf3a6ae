"""Simulated data sets: clips made by tasks in parallel, each written once; what is there already is skipped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ray

from eisen_ray.errors import ConfigError
from eisen_ray.runtime.cluster import capacity, connect
from eisen_ray.runtime.progress import Pace
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import differences
from eisen_ray.worlds.arm_links import check_meshes
from eisen_ray.worlds.clip_settings import ClipSettings
from eisen_ray.worlds.clips import make_clip
from eisen_ray.worlds.engine import load_mujoco
from eisen_ray.worlds.layouts import check_frames, clip_folders, finished_mark, split_files
from eisen_ray.worlds.splits import Split, World

CLIPS_PER_PROCESS = 100
"""Graphics contexts are not freed wholly: with Filament a process grows by some 10 MB a clip [Decision 83]."""
RECORD = "simulation.json"


@dataclass(frozen=True)
class Plan:
    """A data set: which clips, and where they go."""

    world: World
    root: str
    """Folder or URL; the splits become folders below it."""
    clips: Mapping[Split, int]
    seed: int
    settings: ClipSettings

    def check(self) -> None:
        """Refuse what no task could do.

        Raises:
            ConfigError: a setting is out of range.
            DataError: a mesh of the arm is missing.
        """
        check_frames(self.world, self.settings.frames)
        if not any(self.clips.values()) or min(self.clips.values()) < 0:
            raise ConfigError(f"clips are {dict(self.clips)}; expected at least one, none below 0.")
        if self.settings.arm_meshes:
            if self.world != "bridge":
                raise ConfigError("arm-meshes is set; expected it for the world 'bridge' only: no arm is elsewhere.")
            check_meshes(self.settings.arm_meshes)


def simulate(plan: Plan, workers: int = 0) -> None:
    """Make a data set or what is missing of it, on the cluster of RAY_ADDRESS or on this machine.

    Args:
        plan: what to make.
        workers: clips at one time; 0: one per CPU.

    Raises:
        ConfigError: a setting is out of range, or another data set lies at the root.
        DataError: a clip cannot be made.
    """
    plan.check()
    store = Store(plan.root)
    store.check_writable()
    reporter = Reporter(store)
    connect()
    try:
        generate(plan, workers, reporter)
    except KeyboardInterrupt:
        reporter.say("stopped; run the same command to continue")
        raise
    finally:
        ray.shutdown()
    for split, count in plan.clips.items():
        if count:
            reporter.say(f"{split:<9} {count} clips  {store.uri(split)}")


def generate(plan: Plan, workers: int, reporter: Reporter) -> int:
    """The same on a cluster that is joined already; the number of clips made now.

    Raises:
        ConfigError: another data set lies at the root.
        DataError: a clip cannot be made.
    """
    store = Store(plan.root)
    _claim(store, plan)
    missing = [(split, index) for split, count in plan.clips.items() for index in _missing(store, plan, split, count)]
    total = sum(plan.clips.values())
    reporter.say(f"{plan.world}  {total} clips, {len(missing)} to make")
    pace = Pace(len(missing))
    attempts = 0
    for rejected in _run(plan, missing, workers or max(1, int(capacity().cpus))):
        attempts += 1 + rejected
        if pace.advance():
            rate = pace.done / max(pace.elapsed_s, 1e-9)
            reporter.progress("clips", pace.done, len(missing), pace.elapsed_s, **{"clips/s": round(rate, 2)})
    if missing:
        reporter.say(f"made {len(missing)} clips in {attempts} attempts, {len(missing) / pace.elapsed_s:.2f} clips/s")
    return len(missing)


def make_and_store(plan: Plan, split: Split, index: int) -> int:
    """One clip, from its number to its files; how many attempts were rejected on the way."""
    film, facts = make_clip(plan.world, split, index, plan.seed, plan.settings)
    store = Store(plan.root)
    for folder in clip_folders(plan.world, index, film, facts):
        store.write_folder(f"{split}/{folder.path}", folder.files)
    return len(facts["rejected"])


def recorded_renderer(root: str) -> str | None:
    """The renderer of the data set at the root, None if there is none: a run goes on as it began."""
    store = Store(root)
    return store.read_json(RECORD)["settings"]["renderer"] if store.exists(RECORD) else None


def settled_root(root: str) -> str:
    """An absolute path for a local root: tasks have working folders of their own."""
    return root if "://" in root else str(Path(root).expanduser().resolve())


def _claim(store: Store, plan: Plan) -> None:
    """Write down what lies at the root, and refuse to mix it with something else."""
    settings = asdict(plan.settings)
    # Where the meshes lie on this machine does not change a clip; whether there are any does.
    settings["arm_meshes"] = bool(plan.settings.arm_meshes)
    wanted = {
        "world": plan.world,
        "seed": plan.seed,
        "settings": settings,
        "mujoco": str(load_mujoco().__version__),
    }
    if store.create_json_once(RECORD, wanted):
        return
    changed = differences(store.read_json(RECORD), wanted)
    if changed:
        raise ConfigError(
            f"{store.uri(RECORD)} describes another data set ({'; '.join(changed)}). Use the settings it was begun "
            "with, or another root."
        )


def _missing(store: Store, plan: Plan, split: Split, count: int) -> Sequence[int]:
    """Numbers of the clips that are not complete; the split's own files are written meanwhile."""
    frames = plan.settings.frames
    if not count:
        return []
    for name, content in split_files(plan.world, count, frames).items():
        path = f"{split}/{name}"
        # A smaller number than last time must not take the others' entries away.
        known: dict[str, Any] = store.read_json(path) if store.exists(path) else {}
        store.write_json(path, known | json.loads(content))
    there = store.files(split)
    return [index for index in range(count) if finished_mark(plan.world, index, frames) not in there]


def _run(plan: Plan, missing: Sequence[tuple[Split, int]], workers: int) -> Iterator[int]:
    """Results as they come; never more than `workers` tasks under way."""
    task = ray.remote(num_cpus=1, max_calls=CLIPS_PER_PROCESS)(make_and_store)
    shared = ray.put(plan)
    waiting = list(reversed(missing))
    running: list[Any] = []
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(task.remote(shared, *waiting.pop()))
        done, running = ray.wait(running)
        yield from ray.get(done)
