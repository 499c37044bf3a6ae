"""What the driver's machine does for a long list of fragments: seconds and memory of listing, planning, manifests.

    python -m benchmarks.head_load [FRAGMENTS ...]

No video is read and nothing is computed; local files, nine frames a fragment, eight images each. Each number of
fragments has a process of its own. Writes benchmarks/results/head_load.json.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import RESULTS, machine
from eisen_ray.data.clips import Clip
from eisen_ray.data.frames import Probe
from eisen_ray.data.index import Index, build_index
from eisen_ray.presets import tiny
from eisen_ray.runtime.environment import prepare_environment

NUMBERS = (100_000, 1_000_000)
FRAGMENTS_A_CLIP, FRAMES = 20, 9
IMAGES = FRAMES - 1


class Steps:
    """Seconds, resident memory afterwards and its peak meanwhile, of one step after the other."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def measure(self, name: str, work: Callable[[], Any]) -> Any:
        """Do a step and note what it took."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, began = _status("VmRSS"), time.perf_counter()
        made = work()
        seconds = time.perf_counter() - began
        row = {"step": name, "seconds": seconds, "peak_mib": _status("VmHWM") - before}
        self.rows.append({**row, "kept_mib": _status("VmRSS") - before})
        return made


def main() -> None:
    """Measure each number in a process of its own; print a table, write JSON."""
    numbers = [int(word) for word in sys.argv[1:]] or list(NUMBERS)
    results = {}
    for number in numbers:
        code = f"from benchmarks.head_load import load; load({number})"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        results[number] = json.loads(done.stdout.splitlines()[-1])
        print(f"\n{number:,} fragments, {number * IMAGES:,} pairs")
        print(f"{'':34} {'s':>8} {'peak MiB':>9} {'kept MiB':>9}")
        for row in results[number]["steps"]:
            print(f"{row['step']:34} {row['seconds']:>8.2f} {row['peak_mib']:>9.0f} {row['kept_mib']:>9.0f}")
        for name, value in results[number]["sizes"].items():
            print(f"{name:34} {value:>18,} bytes")
    RESULTS.mkdir(exist_ok=True)
    content = {"benchmark": "head_load", "machine": machine(), "numbers": results}
    (RESULTS / "head_load.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(number: int) -> None:
    """All steps for one number of fragments; prints one line of JSON."""
    prepare_environment()
    steps = Steps()
    with tempfile.TemporaryDirectory() as folder:
        sizes = _listing(steps, number, folder)
        sizes |= _planning(steps, folder)
        _rows(steps, folder)
    print(json.dumps({"steps": steps.rows, "sizes": sizes}))


def made_clips(number: int) -> tuple[list[Clip], dict[str, Probe]]:
    """Video clips of 161 frames, as a bucket of trajectories lists them, and what a look at them finds."""
    places = [f"day_{one // 100:05d}/traj_{one:07d}" for one in range(number)]
    uris = [(f"s3://bucket/video/train/{place}.mp4",) for place in places]
    clips = [Clip(place, "video", uri, meta={"bytes": 500_000}) for place, uri in zip(places, uris, strict=True)]
    anchors = tuple((frame, frame * 512) for frame in range(0, 161, 20))
    return clips, {clip.clip_id: Probe(clip.clip_id, 161, 512, 512, anchors) for clip in clips}


def _listing(steps: Steps, number: int, folder: str) -> dict[str, int]:
    from eisen_ray.runtime.layout import fragment_file, reading_file, stored_fragments
    from eisen_ray.runtime.storage import Store

    store = Store(folder)
    clips, probes = made_clips(number // FRAGMENTS_A_CLIP)
    index = steps.measure("cut clips into fragments", lambda: build_index(clips, probes, fragment_frames=FRAMES))
    steps.measure("write the index", lambda: store.write("index.json", index.to_json().encode()))
    again = steps.measure("read the index", lambda: Index.from_json(store.read("index.json")))
    same = again == index
    del again
    for fragment in index.fragments:
        path = Path(folder, fragment_file("motion/one", fragment.fragment_id))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def missing() -> int:
        stored = stored_fragments(store, "motion/one")
        return sum(fragment.fragment_id not in stored for fragment in index.fragments)

    left = steps.measure("list what is stored", missing)
    if not same or left or len(index.fragments) != number:
        raise SystemExit(f"{number} fragments: {len(index.fragments)} made, {left} missing, index kept: {same}")

    def write_reading() -> None:
        fragments = [fragment.to_json() for fragment in index.fragments]
        store.create_json_once(reading_file(1), {"fragments": fragments})

    steps.measure("write the reading list", write_reading)
    paths = {"index file": "index.json", "reading list file": reading_file(1)}
    return {name: Path(folder, path).stat().st_size for name, path in paths.items()}


def _planning(steps: Steps, folder: str) -> dict[str, int]:
    from eisen_ray.runtime.layout import RoundWork, reading_file
    from eisen_ray.runtime.positions import PositionSource
    from eisen_ray.runtime.reading import NONE_USED, num_positions, sample_id, unused_positions, used_of
    from eisen_ray.runtime.samples import images_per_fragment, reading_list

    work = RoundWork(config=replace(tiny(), root=folder, data=replace(tiny().data, pair_stride=1)), flow_identity="dis")
    steps.measure("read the reading list", lambda: reading_list(work.store, reading_file(1)))
    images = steps.measure("count its images", lambda: images_per_fragment(work))
    # One epoch of images, and the one to spare.
    end = num_positions(int(images.sum()), images)

    def plan(used: Any) -> int:
        return len(PositionSource(unused_positions(0, end, used)).get_read_tasks(20_000))

    steps.measure("plan the reading", lambda: plan(NONE_USED))
    # Stopped after nine tenths of an epoch; every thousandth image still waited in a buffer.
    positions = np.arange(int(0.9 * len(images)))
    ids = (sample_id(positions[:, None], 0) + np.arange(IMAGES)).ravel()
    ids = np.delete(ids, np.arange(len(ids) - 4096, len(ids), 16))
    used = steps.measure("resume: used images to spans", lambda: used_of(ids, images, 0))
    steps.measure("resume: plan what is left", lambda: plan(used))
    return {"used images as ids": ids.nbytes, "used images as kept and sent": len(pickle.dumps(used))}


def _rows(steps: Steps, folder: str) -> None:
    import ray

    from eisen_ray.runtime.datasets import flow_pass
    from eisen_ray.runtime.layout import RoundWork, reading_file
    from eisen_ray.runtime.samples import reading_list

    ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=2 * 1024**3, log_to_driver=False)
    work = RoundWork(config=replace(tiny(), root=folder), flow_identity="dis")
    fragments = reading_list(work.store, reading_file(1))
    steps.measure("rows of a flow pass", lambda: flow_pass(work, fragments, on_gpu=False))
    ray.shutdown()


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


if __name__ == "__main__":
    main()
