"""Ray Data's pipeline: its rate against its slowest stage alone, later epochs against the first, bytes on the way.

    python -m benchmarks.pipeline

Bundled clips, DIS flow, a teacher with random weights whose passes are the slowest stage; every actor has one
thread, so that on two cores the slowest stage has a core and all others share the other one.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measuring import Comparison, of_times, report
from eisen_ray.build import build_eisen
from eisen_ray.config import RunConfig
from eisen_ray.data.clips import Clip
from eisen_ray.data.frames import probe_clip
from eisen_ray.data.index import Fragment, build_index
from eisen_ray.data.layouts import list_clips
from eisen_ray.learning.checkpoint import save_checkpoint
from eisen_ray.presets import quickstart, tiny
from eisen_ray.runtime.environment import prepare_environment
from eisen_ray.runtime.layout import RoundWork, Teacher, reading_file
from eisen_ray.runtime.reading import NONE_USED
from eisen_ray.supervision.flow import DisFlow

NUM_CLIPS = 24
REPEATS = 7
# The pipeline fills while the first part of the fragments runs through.
STEADY_FROM = 0.25
FLOOR_PIPELINE, FLOOR_SECOND_EPOCH, FLOOR_BYTES = 0.92, 3.0, 100.0


def main() -> None:
    """Print one table and write one JSON file."""
    prepare_environment()
    from eisen_ray.runtime.cluster import connect

    connect()
    with tempfile.TemporaryDirectory() as folder:
        work, fragments = make_work(Path(folder))
        streamed, stored, alone, loaded = [], [], [], []
        for _ in range(REPEATS):
            for made in ("flow", "motion", "segments"):
                work.store.delete(made)
            alone.append(slowest_stage(work, fragments))
            for made in ("flow", "motion", "segments"):
                work.store.delete(made)
            streamed.append(seconds_per_sample(streamed_rows(work)))
            stored.append(seconds_per_sample(stored_rows(work)))
            loaded.append(seconds_per_sample(loader_rows(work, fragments)))
        rows = [
            of_times("streamed epoch, slowest stage alone", streamed, alone, FLOOR_PIPELINE),
            of_times("stored epoch, streamed epoch", stored, streamed, FLOOR_SECOND_EPOCH),
            of_times("stored epoch, torch DataLoader of 1 worker", stored, loaded),
            bytes_on_the_way(work, fragments[0]),
        ]
    settings = {"clips": NUM_CLIPS, "images": 4 * NUM_CLIPS, "px": 128, "cores": os.cpu_count(), "threads an actor": 1}
    report("pipeline", settings, rows)


def make_work(folder: Path) -> tuple[RoundWork, list[Fragment]]:
    """A second round with a teacher of random weights, and its fragments."""
    base = quickstart()
    config: RunConfig = replace(
        base,
        root=str(folder / "run"),
        flow=replace(base.flow, estimator="dis"),
        data=replace(base.data, max_clips=NUM_CLIPS),
        teacher=replace(base.teacher, num_runs=4),
        resources=replace(tiny().resources, actor_threads=1),
    )
    clips: list[Clip] = list_clips("sample", "")[:NUM_CLIPS]
    index = build_index(clips, {clip.clip_id: probe_clip(clip) for clip in clips}, fragment_frames=8)
    work = RoundWork(config=config, flow_identity=DisFlow().identity)
    torch.manual_seed(0)
    sha256 = save_checkpoint(folder / "teacher", build_eisen(config.model, config.grouping), {"step": 0})
    work.store.upload(folder / "teacher", "rounds/1/checkpoint")
    taught = replace(work, round_number=2, teacher=Teacher(path="rounds/1/checkpoint", sha256=sha256))
    taught.store.write_json(reading_file(2), {"fragments": [one.to_json() for one in index.fragments]})
    return taught, list(index.fragments)


def seconds_per_sample(rows: Iterator[Any]) -> float:
    """Of the samples after the first part, when every stage is at work."""
    arrived = []
    for _ in rows:
        arrived.append(time.perf_counter())
    first = int(STEADY_FROM * len(arrived))
    return (arrived[-1] - arrived[first]) / (len(arrived) - 1 - first)


def streamed_rows(work: RoundWork) -> Iterator[Any]:
    """The first epoch: everything is computed."""
    from eisen_ray.runtime.datasets import streamed_samples

    return streamed_samples(work, np.arange(NUM_CLIPS), NONE_USED, on_gpu=False, with_flow=True).iter_rows()


def stored_rows(work: RoundWork) -> Iterator[Any]:
    """Any later epoch."""
    from eisen_ray.runtime.datasets import stored_samples

    return stored_samples(work, np.arange(NUM_CLIPS), NONE_USED).iter_rows()


def slowest_stage(work: RoundWork, fragments: list[Fragment]) -> float:
    """Seconds per sample of the teacher in this process, with one thread, storing included."""
    from eisen_ray.runtime.decoding import DecodeFragment
    from eisen_ray.runtime.stages import TeacherStage

    data = work.config.data
    decode = DecodeFragment(
        flow_size=None, image_size=(data.image_height, data.image_width), pair_stride=data.pair_stride
    )
    rows = [decode({"fragment": one.to_json(), "error": ""}) for one in fragments[: NUM_CLIPS // 4]]
    threads = torch.get_num_threads()
    stage = TeacherStage(work, num_threads=1)
    began = time.perf_counter()
    made = sum(stage(row)["segments_computed"] for row in rows)
    took = time.perf_counter() - began
    torch.set_num_threads(threads)
    return took / made


def loader_rows(work: RoundWork, fragments: list[Fragment]) -> Iterator[Any]:
    """The same stored samples through torch's DataLoader: one worker process beside this one."""
    loader = torch.utils.data.DataLoader(_Stored(work, fragments), batch_size=None, num_workers=1)
    return (sample for fragment in loader for sample in fragment)


class _Stored(torch.utils.data.Dataset[list[Any]]):
    def __init__(self, work: RoundWork, fragments: list[Fragment]) -> None:
        self.work, self.fragments = work, fragments

    def __len__(self) -> int:
        return len(self.fragments)

    def __getitem__(self, index: int) -> list[Any]:
        from eisen_ray.runtime.samples import ExplodeSamples, LoadStored

        row = {"fragment": self.fragments[index].to_json(), "error": "", "position": index}
        return list(ExplodeSamples(self.work, NONE_USED)(LoadStored(self.work)(row)))


def bytes_on_the_way(work: RoundWork, fragment: Fragment) -> Comparison:
    """What travels per pair beside the image at 512 px, label maps of 128x128 nodes, against float32 flow."""
    from eisen_ray.runtime.decoding import DecodeFragment
    from eisen_ray.runtime.stages import FlowStage, TeacherStage

    side = 512
    config = work.config
    large = replace(
        work,
        config=replace(
            config,
            root=f"{config.root}-large",
            data=replace(config.data, image_height=side, image_width=side, pair_stride=7),
            flow=replace(config.flow, height=side, width=side),
            model=replace(config.model, scope="local+far"),
        ),
    )
    Path(f"{config.root}-large").mkdir()
    Path(f"{config.root}-large/rounds").symlink_to(Path(config.root) / "rounds")
    decode = DecodeFragment(flow_size=(side, side), image_size=(side, side), pair_stride=7)
    row = FlowStage(large)(decode({"fragment": fragment.to_json(), "error": ""}))
    row = TeacherStage(large)(row)
    travels = sum(len(one) for column in ("motion", "segments") for one in row[column]) / len(row["motion"])
    return Comparison("label maps a pair, raw float32 flow", travels, side * side * 2 * 4, FLOOR_BYTES, "bytes")


if __name__ == "__main__":
    main()
