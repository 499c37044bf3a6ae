"""Ray Data, composed: which stage runs where, and the reason for every resource number."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import ray.data
from ray.data import ActorPoolStrategy, Dataset

from eisen_ray.runtime.actors import FlowActor, TeacherActor
from eisen_ray.runtime.decoding import DecodeFragment
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.metrics import meter_of
from eisen_ray.runtime.positions import position_rows
from eisen_ray.runtime.reading import Used, pair_starts
from eisen_ray.runtime.samples import ExplodeSamples, LoadStored, ReadPosition, ReadSamples

# A block is what is retried and what waits between stages. A few MiB of frames: each block costs some 10 ms of
# scheduling, and several must fit in the object store for every stage.
BLOCK_BYTES = 4 * 1024**2
# With few fragments each is a block of its own, so that a short pass too is spread over all CPUs and actors.
MIN_BLOCKS = 64
# No more tasks than this in one dataset: the scheduler's own memory grows with them.
MAX_BLOCKS = 20_000


@dataclass(frozen=True)
class Pool:
    """An actor pool's size and share of a machine, as arguments of `Dataset.map`."""

    smallest: int
    largest: int
    gpus: float
    cpus: float
    threads: int

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `Dataset.map`."""
        # It starts at its smallest size: growth is one actor per tick, so a known need belongs into the minimum.
        pool = ActorPoolStrategy(min_size=self.smallest, max_size=self.largest, initial_size=self.smallest)
        # A GPU actor asks for no CPU: its host work is launching kernels. That must be said: left out, Ray Data takes a
        # whole one [Decision 113]. A CPU actor asks for a fraction, so that pools never hold all logical CPUs: decoding
        # would starve and everything would hang without an error.
        share = {"num_gpus": self.gpus, "num_cpus": 0} if self.gpus else {"num_cpus": self.cpus}
        return {"compute": pool, **share}

    @property
    def num_threads(self) -> int:
        """Torch threads of an actor; 0 = torch's own choice."""
        if self.gpus or self.threads:
            return self.threads
        return max(1, (os.cpu_count() or 1) // self.largest)


def flow_pool(work: RoundWork, on_gpu: bool) -> Pool:
    """The pool of flow actors."""
    resources = work.config.resources
    # A RAFT-large pass on 16 pairs of 512x512 fills most of a GPU: a whole one by default, a share for small frames.
    gpus = resources.flow_gpus if on_gpu else 0
    return Pool(resources.flow_actors, resources.max_flow_actors, gpus, resources.actor_cpus, resources.actor_threads)


def teacher_pool(work: RoundWork, on_gpu: bool) -> Pool:
    """The pool of teacher actors."""
    resources = work.config.resources
    gpus = resources.teacher_gpus if on_gpu else 0
    return Pool(
        resources.teacher_actors, resources.max_teacher_actors, gpus, resources.actor_cpus, resources.actor_threads
    )


def flow_pass(work: RoundWork, fragments: Sequence[str], on_gpu: bool) -> Dataset:
    """Decode, flow, motion; written through. Gives one small row per fragment: counts and `error`.

    Args:
        work: the round.
        fragments: JSON of the fragments to work on.
        on_gpu: whether actors run on GPUs.
    """
    # Only motion on edges looks at images.
    with_images = work.config.motion.snap_to_edges > 0
    decode = _decoder(work, with_frames=True, with_images=with_images)
    num_bytes = _frame_bytes(work) + with_images * _image_bytes(work)
    rows = _fragment_rows(fragments, num_bytes).map(decode, num_cpus=work.config.resources.decode_cpus)
    made = rows.map(FlowActor, **_placed(work, flow_pool(work, on_gpu)))
    return made.select_columns(["fragment", "error", "flow_computed", "motion_computed"])


def teacher_pass(work: RoundWork, fragments: Sequence[str], on_gpu: bool) -> Dataset:
    """Decode and the teacher's confident segments; written through. One small row per fragment."""
    decode = _decoder(work, with_frames=False, with_images=True)
    rows = _fragment_rows(fragments, _image_bytes(work)).map(decode, num_cpus=work.config.resources.decode_cpus)
    made = rows.map(TeacherActor, **_placed(work, teacher_pool(work, on_gpu)))
    return made.select_columns(["fragment", "error", "segments_computed"])


def streamed_samples(work: RoundWork, positions: np.ndarray, used: Used, *, on_gpu: bool, with_flow: bool) -> Dataset:
    """Samples of an epoch that flows through the pools, written through on the way.

    Args:
        work: the round.
        positions: what to read.
        used: samples to leave out.
        on_gpu: whether actors run on GPUs.
        with_flow: off: motion is stored already and only read, so that no flow actor holds a GPU.
    """
    cpus = work.config.resources.decode_cpus
    num_bytes = _image_bytes(work) + with_flow * _frame_bytes(work)
    rows = _positions(work, positions, num_bytes).map(ReadPosition(work), num_cpus=cpus)
    if with_flow:
        rows = rows.map(_decoder(work, with_frames=True, with_images=True), num_cpus=cpus)
        rows = rows.map(FlowActor, **_placed(work, flow_pool(work, on_gpu)))
    else:
        rows = rows.map(LoadStored(work, with_segments=False), num_cpus=cpus)
    if work.teacher:
        rows = rows.map(TeacherActor, **_placed(work, teacher_pool(work, on_gpu)))
    # Taking rows apart costs a few ms: a quarter of a CPU lets it run beside decoding.
    return rows.flat_map(ExplodeSamples(work, used), num_cpus=min(0.25, cpus))


def stored_samples(work: RoundWork, positions: np.ndarray, used: Used) -> Dataset:
    """Samples of all further epochs as one dataset: decode and read, nothing is computed, no actor is held."""
    rows = _positions(work, positions, _image_bytes(work))
    return rows.flat_map(ReadSamples(work, used), num_cpus=work.config.resources.decode_cpus)


def _placed(work: RoundWork, pool: Pool) -> dict[str, Any]:
    return {"fn_constructor_kwargs": {"work": work, "num_threads": pool.num_threads}, **pool.arguments()}


def _decoder(work: RoundWork, *, with_frames: bool, with_images: bool) -> DecodeFragment:
    config = work.config
    return DecodeFragment(
        flow_size=(config.flow.height, config.flow.width) if with_frames else None,
        image_size=(config.data.image_height, config.data.image_width) if with_images else None,
        pair_stride=config.data.pair_stride,
        meter=meter_of(work),
    )


def _frame_bytes(work: RoundWork) -> int:
    """Bytes of a full fragment's frames at flow size."""
    return work.config.data.fragment_frames * work.config.flow.height * work.config.flow.width * 3


def _image_bytes(work: RoundWork) -> int:
    """Bytes of a full fragment's images at the student's size."""
    data = work.config.data
    return len(pair_starts(data.fragment_frames, data.pair_stride)) * data.image_height * data.image_width * 3


def _fragment_rows(fragments: Sequence[str], num_bytes: int) -> Dataset:
    rows = [{"fragment": fragment, "error": ""} for fragment in fragments]
    return ray.data.from_items(rows, override_num_blocks=_num_blocks(len(rows), num_bytes))


def _positions(work: RoundWork, positions: np.ndarray, num_bytes: int) -> Dataset:
    num_blocks = _num_blocks(len(positions), num_bytes)
    return position_rows(positions, num_blocks, work.config.resources.decode_cpus)


def _num_blocks(num_rows: int, bytes_per_row: int) -> int:
    by_size = -(-num_rows * bytes_per_row // BLOCK_BYTES)
    return max(1, min(num_rows, MAX_BLOCKS, max(by_size, MIN_BLOCKS)))
