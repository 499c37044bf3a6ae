"""Stages that run in actors: optical flow with motion segments, and the frozen teacher's confident segments.

Rows are described in `decoding.py`. What a stage makes it writes to storage under a name that covers its settings, and
loads from there if it is present: every stage is safe to run twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from eisen_ray.build import build_flow, build_motion
from eisen_ray.data.index import Fragment
from eisen_ray.data.packed import pack_labels
from eisen_ray.data.pairs import decode_flow, decode_labels, encode_flow, encode_labels
from eisen_ray.errors import WeightsError
from eisen_ray.model.outlines import majority_on_grid, snap_to_edges
from eisen_ray.runtime.decoding import Row, first_frames, stored_names
from eisen_ray.runtime.layout import RoundWork, fragment_file, stable_seed
from eisen_ray.runtime.metrics import meter_of
from eisen_ray.runtime.reading import pair_starts
from eisen_ray.runtime.student import best_device, load_teacher
from eisen_ray.supervision.confidence import confident_segments


class FlowStage:
    """1:1, in an actor. `frames` become stored flow and `motion`; both are loaded where they are stored already.

    Adds `flow_computed` and `motion_computed`: how many images were worked out rather than loaded.

    Raises:
        WeightsError: this machine's flow estimator is not the one the run began with.
    """

    def __init__(self, work: RoundWork, num_threads: int = 0) -> None:
        limit_threads(num_threads)
        self.work = work
        self.targets = work.targets
        self.device = best_device()
        self.meter = meter_of(work)
        self.estimator = build_flow(work.config.flow, self.device)
        if self.estimator.identity != work.flow_identity:
            raise WeightsError(
                f"This machine's flow estimator is {self.estimator.identity}; the run uses {work.flow_identity}. "
                "Give every machine the same flow.weights."
            )
        self.segment = build_motion(work.config.motion)

    def __call__(self, row: Row) -> Row:
        """Flow and motion of a fragment."""
        frames = row.pop("frames")
        if row["error"]:
            return {**row, "motion": [], "flow_computed": 0, "motion_computed": 0}
        fragment = Fragment.from_json(row["fragment"])
        flow, flow_computed = self._flow(fragment, frames)
        motion, motion_computed = self._motion(fragment, flow, row["images"])
        return {
            **row,
            "motion": pack_labels(motion),
            "flow_computed": flow_computed,
            "motion_computed": motion_computed,
        }

    def _flow(self, fragment: Fragment, frames: np.ndarray) -> tuple[np.ndarray, int]:
        path = fragment_file(self.work.flow_folder, fragment.fragment_id)
        names = stored_names(fragment, self.work.flow_folder)
        if self.targets.exists(path):
            return decode_flow(self.targets.read(path), **names, size=self.work.grid).values, 0
        with self.meter.busy("flow") as done:
            flow = self._estimate(torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2))
            done["pairs"] = len(flow)
        content = encode_flow(flow.numpy(), **names, frames=first_frames(fragment, self.work))
        self.targets.write(path, content)
        # As decoded, not as estimated: storage rounds, and a rerun that loads must see the same numbers.
        return decode_flow(content).values, len(flow)

    def _motion(self, fragment: Fragment, flow: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, int]:
        path = fragment_file(self.work.motion_folder, fragment.fragment_id)
        names = stored_names(fragment, self.work.motion_folder)
        if self.targets.exists(path):
            return decode_labels(self.targets.read(path), **names).values, 0
        generator = torch.Generator(self.device)
        generator.manual_seed(stable_seed("motion", self.work.config.seed, fragment.fragment_id))
        with self.meter.busy("motion") as done:
            labels = self.segment(torch.from_numpy(flow).to(self.device), generator).cpu().numpy().astype(np.uint16)
            if reach := self.work.config.motion.snap_to_edges:
                found = [snap_to_edges(*pair, reach) for pair in zip(labels, images, strict=True)]
                labels = np.stack([majority_on_grid(one, *self.work.grid) for one in found]).astype(np.uint16)
            done["pairs"] = len(labels)
        self.targets.write(path, encode_labels(labels, **names, frames=first_frames(fragment, self.work)))
        return labels, len(labels)

    @torch.no_grad()
    def _estimate(self, frames: Tensor) -> Tensor:
        """Frames uint8 [n, 3, H, W] to flow on the grid [m, O, 2, h, w]; NaN where a frame lies outside the fragment.

        The unit stays px at flow resolution, whatever the grid.
        """
        starts, offsets = pair_starts(len(frames), self.work.config.data.pair_stride), self.work.config.motion.offsets
        flow = torch.full((len(starts), len(offsets), 2, *self.work.grid), torch.nan)
        pairs = [
            (image, place, start, start + offset)
            for image, start in enumerate(starts)
            for place, offset in enumerate(offsets)
            if 0 <= start + offset < len(frames)
        ]
        if pairs:
            images, places, first, second = zip(*pairs, strict=True)
            batch = self.work.config.resources.flow_batch
            full = self.estimator.between(frames.to(self.device), first, second, batch)
            flow[list(images), list(places)] = adaptive_avg_pool2d(full, self.work.grid).cpu()
        return flow


class TeacherStage:
    """1:1, in an actor. `images` become stored confident segments, loaded where they are stored already.

    Adds `segments_computed`: how many images were worked out rather than loaded.

    Raises:
        WeightsError: the teacher's checkpoint is damaged or is not the promoted one.
    """

    def __init__(self, work: RoundWork, num_threads: int = 0) -> None:
        limit_threads(num_threads)
        self.work = work
        self.targets = work.targets
        self.device = best_device()
        self.meter = meter_of(work)
        self.teacher = load_teacher(work, teaching=True).to(self.device)

    def __call__(self, row: Row) -> Row:
        """Confident segments of a fragment."""
        if row["error"]:
            return {**row, "segments": [], "segments_computed": 0}
        fragment = Fragment.from_json(row["fragment"])
        path = fragment_file(self.work.segments_folder, fragment.fragment_id)
        names = stored_names(fragment, self.work.segments_folder)
        if self.targets.exists(path):
            segments = decode_labels(self.targets.read(path), **names).values
            return {**row, "segments": pack_labels(segments), "segments_computed": 0}
        with self.meter.busy("teacher") as done:
            segments = self._segment(row["images"], fragment)
            done["pairs"] = len(segments)
        self.meter.covered(float((segments > 0).mean()))
        self.targets.write(path, encode_labels(segments, **names, frames=first_frames(fragment, self.work)))
        return {**row, "segments": pack_labels(segments), "segments_computed": len(segments)}

    def _segment(self, images: np.ndarray, fragment: Fragment) -> np.ndarray:
        settings = self.work.config.teacher
        generator = torch.Generator(self.device)
        generator.manual_seed(stable_seed("teacher", self.work.config.seed, fragment.fragment_id))
        found = []
        for some in chunks(images, self.work.config.resources.teacher_batch):
            batch = torch.from_numpy(np.array(some)).permute(0, 3, 1, 2).to(self.device)
            runs = self.teacher.segment_runs(batch, generator, settings.num_runs)
            confident = confident_segments(runs, settings.agreement, settings.min_region_nodes, settings.max_area)
            found += [self.teacher.outlined(*pair) for pair in zip(confident.cpu().numpy(), some, strict=True)]
        # On the picture's pixels, or on the student's nodes already.
        labels = [majority_on_grid(one, *self.work.grid) for one in found]
        return np.stack(labels).astype(np.uint16)


def chunks(items: Any, size: int) -> Iterator[Any]:
    """Slices of at most `size` items."""
    return (items[begin : begin + size] for begin in range(0, len(items), size))


def limit_threads(num_threads: int) -> None:
    """Let torch use so many threads in this process; 0 leaves its own choice."""
    if num_threads:
        torch.set_num_threads(num_threads)
