"""How good a student is: scores against masks on held-out images, and health measures that need no masks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray.data
import torch

from eisen_ray.data.clips import Clip
from eisen_ray.data.index import Fragment
from eisen_ray.data.masks import masked_frames
from eisen_ray.measures.agreement import segment_agreement
from eisen_ray.measures.mean_iou import ImageIou, MeanIou, image_iou
from eisen_ray.runtime.datasets import teacher_pool
from eisen_ray.runtime.decoding import DecodeFrames, Row
from eisen_ray.runtime.layout import RoundWork, stable_seed
from eisen_ray.runtime.progress import Pace
from eisen_ray.runtime.reading import spread
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.stages import chunks, limit_threads
from eisen_ray.runtime.student import best_device, load_teacher


@dataclass(frozen=True)
class Evaluation:
    """A student's scores and health.

    Attributes:
        scores: from `MeanIou.compute`; empty when there are no masks.
        health: `segments_per_image`, `coverage` (share of nodes in a segment), `agreement` (of two passes).
        predictions: label maps int16 [h, w] of the scored images, by (clip id, frame).
        ious: mean IoU of each scored image, by (clip id, frame).
    """

    scores: dict[str, float]
    health: dict[str, float]
    predictions: dict[tuple[str, int], np.ndarray]
    ious: dict[tuple[str, int], float]


def scored_frames(fragments: Sequence[Fragment], wanted: int) -> list[tuple[Fragment, int]]:
    """Frames with masks, at most `wanted`, evenly spread over all fragments."""
    seen: dict[tuple[str, int], tuple[Fragment, int]] = {}
    for fragment in fragments:
        for frame in masked_frames(fragment.clip, fragment.frames):
            # Neighbouring fragments share a frame.
            seen.setdefault((fragment.clip.clip_id, frame), (fragment, frame))
    found = list(seen.values())
    return [found[place] for place in spread(len(found), wanted)]


def gate_frames(fragments: Sequence[Fragment], wanted: int) -> list[tuple[Fragment, int]]:
    """The first frames of `wanted` fragments, evenly spread."""
    return [(fragments[place], fragments[place].start) for place in spread(len(fragments), wanted)]


class ScoreStage:
    """1:1, in an actor. Segments `images` twice; gives `labels` int16 [p, h, w] and `facts`, JSON for each image."""

    def __init__(self, work: RoundWork, num_threads: int = 0) -> None:
        limit_threads(num_threads)
        self.work = work
        self.device = best_device()
        self.student = load_teacher(work).to(self.device)

    def __call__(self, row: Row) -> Row:
        """Segment and score the frames of a clip."""
        clip, frames = Clip.from_json(row["clip"]), json.loads(row["frames"])
        generator = torch.Generator(self.device)
        generator.manual_seed(stable_seed("score", self.work.config.seed, clip.clip_id, frames))
        # Scores need one pass; health compares two.
        num_runs = 1 if row["scored"] else 2
        runs = np.concatenate(
            [
                self._segment(some, generator, num_runs)
                for some in chunks(row["images"], self.work.config.resources.teacher_batch)
            ],
            axis=1,
        )
        outlined = [self.student.outlined(runs[0, place], row["images"][place]) for place in range(len(frames))]
        facts = [self._facts(row, clip, runs[:, place], outlined[place], place) for place in range(len(frames))]
        return {
            "clip_id": clip.clip_id,
            "frames": row["frames"],
            "scored": row["scored"],
            "labels": np.stack(outlined).astype(np.int16),
            "facts": json.dumps(facts),
        }

    def _segment(self, images: np.ndarray, generator: torch.Generator, num_runs: int) -> np.ndarray:
        batch = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).to(self.device)
        return self.student.segment_runs(batch, generator, num_runs).cpu().numpy().astype(np.int16)

    def _facts(self, row: Row, clip: Clip, runs: np.ndarray, outlined: np.ndarray, place: int) -> dict[str, Any]:
        if row["scored"]:
            score = image_iou(outlined, row["truth"][place], clip.meta.get("arm_id"))
            return {
                "object_ids": score.object_ids.tolist(),
                "ious": score.ious.tolist(),
                "best_ious": score.best_ious.tolist(),
                "arm_id": score.arm_id,
            }
        return {
            "segments_per_image": len(np.unique(runs[0][runs[0] > 0])),
            "coverage": float((runs[0] > 0).mean()),
            "agreement": segment_agreement(runs[0], runs[1]),
        }


def evaluate(
    candidate: RoundWork,
    scored: Sequence[tuple[Fragment, int]],
    gate: Sequence[tuple[Fragment, int]],
    on_gpu: bool,
    reporter: Reporter,
) -> Evaluation:
    """Segment images with a student, on the cluster, and sum up.

    Args:
        candidate: its `teacher` is the student to look at.
        scored: fragments and frames with masks.
        gate: fragments and frames whose masks, if any, are not looked at.
        on_gpu: whether actors run on GPUs.
        reporter: told how far it is.
    """
    rows = _rows(scored, True) + _rows(gate, False)
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    dataset = dataset.map(DecodeFrames(candidate), num_cpus=candidate.config.resources.decode_cpus)
    pool = teacher_pool(candidate, on_gpu)
    dataset = dataset.map(
        ScoreStage, fn_constructor_kwargs={"work": candidate, "num_threads": pool.num_threads}, **pool.arguments()
    )
    pace = Pace(len(scored) + len(gate))
    judged = []
    for row in dataset.iter_rows():
        judged.append(row)
        if pace.advance(len(json.loads(row["frames"]))):
            title = f"round {candidate.round_number}  evaluation"
            reporter.progress(title, pace.done, pace.total, pace.elapsed_s, stage="evaluation")
    return summed(judged)


def _rows(frames: Sequence[tuple[Fragment, int]], scored: bool) -> list[Row]:
    rows: dict[str, Row] = {}
    wanted: dict[str, list[int]] = {}
    for fragment, frame in frames:
        rows[fragment.fragment_id] = {"clip": fragment.clip.to_json(), "scored": scored}
        wanted.setdefault(fragment.fragment_id, []).append(frame)
    return [{**row, "frames": json.dumps(wanted[name])} for name, row in rows.items()]


def summed(rows: Sequence[Row]) -> Evaluation:
    """Scores and health from the rows of `ScoreStage`."""
    images = MeanIou()
    predictions: dict[tuple[str, int], np.ndarray] = {}
    ious: dict[tuple[str, int], float] = {}
    health: dict[str, list[float]] = {}
    for row in rows:
        frames, found = json.loads(row["frames"]), json.loads(row["facts"])
        for frame, facts, labels in zip(frames, found, row["labels"], strict=True):
            key = (str(row["clip_id"]), int(frame))
            if row["scored"]:
                score = _image_iou(facts)
                images.images.append(score)
                predictions[key] = labels
                ious[key] = float(score.ious.mean()) if len(score.ious) else float("nan")
            else:
                predictions.setdefault(key, labels)
                for name, value in facts.items():
                    health.setdefault(name, []).append(value)
    scores = images.compute() if images.images else {}
    # Two passes without any segment agree on nothing: that counts as 0, not as unknown.
    means = {name: float(np.nan_to_num(np.array(values)).mean()) for name, values in health.items()}
    return Evaluation(scores, means, predictions, ious)


def _image_iou(facts: dict[str, Any]) -> ImageIou:
    return ImageIou(
        np.array(facts["object_ids"], np.int64), np.array(facts["ious"]), np.array(facts["best_ious"]), facts["arm_id"]
    )
