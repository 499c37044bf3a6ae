"""How good are motion targets on DAVIS-2016? Their IoU with the annotated object, per sequence.

    python benchmarks/davis_motion_targets.py DAVIS2016 --weights raft-small.pth --json result.json

The paper-time figure is 0.40 over the official val sequences with RAFT-large and single frame pairs (algorithm.md,
6.4). Frames are resized to 270x480 and cropped to 264x480. Flow is kept in --cache and computed once. No mask is
looked at before a target is finished, and one setting serves all sequences.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, interpolate

from eisen_ray.data.clips import Clip
from eisen_ray.data.davis import held_out, list_clips
from eisen_ray.data.frames import count_frames, read_frames, resize
from eisen_ray.data.masks import read_masks
from eisen_ray.supervision.flow import FlowEstimator, load_flow
from eisen_ray.supervision.motion import MotionSegmenter

HEIGHT, WIDTH, CROPPED = 270, 480, 264
MARGIN = (HEIGHT - CROPPED) // 2
MIN_AREA = 0.001  # of the image; smaller moving regions are dropped (algorithm.md, 6.4)
PLACES = ("source", "weights", "cache", "json")  # paths of one machine; the flow's identity names the weights
Target = Callable[[torch.Tensor], torch.Tensor]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table and write one JSON file."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    estimator = load_flow(options.estimator, weights=options.weights, num_updates=options.updates)
    rows = []
    for clip in annotated_clips(options.source, options.sequences):
        started = time.monotonic()
        row = score(clip, estimator, options)
        rows.append(row)
        print(line([row["sequence"], row["frames"], *row["iou"].values()]), f"  {time.monotonic() - started:.0f} s")
    columns = list(rows[0]["iou"])
    mean = {name: float(np.mean([row["iou"][name] for row in rows])) for name in columns}
    print(line(["sequence", "frames", *columns]))
    print(line(["mean", sum(row["frames"] for row in rows), *mean.values()]))
    result = {
        "benchmark": "davis_motion_targets",
        "settings": {key: str(value) for key, value in vars(options).items() if key not in PLACES},
        "flow": estimator.identity,
        "machine": f"{platform.machine()}, torch {torch.__version__}",
        "mean": mean,
        "sequences": rows,
    }
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="folder or URL with JPEGImages/480p and Annotations/480p")
    parser.add_argument("--estimator", default="raft-small", choices=["raft-large", "raft-small", "dis"])
    parser.add_argument("--weights", default="", help="RAFT weights; empty: EISEN_RAFT_WEIGHTS or torchvision")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--offsets", type=int, nargs="+", default=[1], help="frame offsets to pool, e.g. 1 -1 2 -2")
    parser.add_argument("--sequences", nargs="+", default=[], help="only these")
    parser.add_argument("--every", type=int, default=1, help="score every n-th frame")
    parser.add_argument("--threshold-px", type=float, default=1.0)
    parser.add_argument("--grid-stride", type=int, default=1, help="segment on a grid n times coarser (student: 4)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", default="", help="folder for flow")
    parser.add_argument("--json", default="", help="result file")
    return parser.parse_args(arguments)


def annotated_clips(source: str, only: Sequence[str] = ()) -> list[Clip]:
    """Sequences of either split that are there and have masks, by name; `only` these, if any are named."""
    clips = {clip.clip_id: clip for clip in [*list_clips(source), *held_out(source)] if clip.masks}
    return [clips[name] for name in sorted(clips) if not only or name in only]


def score(clip: Clip, estimator: FlowEstimator, options: argparse.Namespace) -> dict:
    """Mean IoU of one sequence for every kind of target."""
    total = count_frames(clip)
    frames = [index for index in range(0, total, options.every) if 0 <= index + options.offsets[0] < total]
    flow = sequence_flow(clip, total, frames, estimator, options)
    truth = read_masks(clip, frames)
    ious: dict[str, list[float]] = {}
    for index, mask in zip(frames, truth, strict=True):
        shown = interpolate(torch.from_numpy((mask > 0).astype(np.uint8))[None, None], (HEIGHT, WIDTH))
        annotated = shown[0, 0, MARGIN : MARGIN + CROPPED].bool()
        for name, target in targets(options, index).items():
            found = target(torch.from_numpy(flow[:, index]).float()[None])
            ious.setdefault(name, []).append(intersection_over_union(found, annotated))
    return {
        "sequence": clip.clip_id,
        "frames": len(frames),
        "iou": {name: float(np.nanmean(values)) for name, values in ious.items()},
    }


def targets(options: argparse.Namespace, seed: int) -> dict[str, Target]:
    """Kinds of target: flow [1, O, 2, H, W] -> bool [H, W]."""
    nodes = CROPPED * WIDTH // options.grid_stride**2
    common = {"min_region_nodes": int(MIN_AREA * nodes), "largest_only": True, "threshold_px": options.threshold_px}

    def segmented(method: str, num_offsets: int) -> Target:
        def target(flow: torch.Tensor) -> torch.Tensor:
            flow = avg_pool2d(flow[0, :num_offsets], options.grid_stride)[None]
            generator = torch.Generator().manual_seed(options.seed + seed)
            segments = MotionSegmenter(method, **common)(flow, generator)
            return interpolate(segments[:, None].float(), (CROPPED, WIDTH))[0, 0] > 0

        return target

    kinds = {"threshold": segmented("threshold", 1), "plateau": segmented("plateau", 1)}
    if len(options.offsets) > 1:
        kinds["pooled"] = segmented("plateau", len(options.offsets))
    return kinds


def sequence_flow(
    clip: Clip, total: int, frames: list[int], estimator: FlowEstimator, options: argparse.Namespace
) -> np.ndarray:
    """Flow float16 [O, n, 2, H, W] of a sequence; NaN where it was not asked for or there is no such frame."""
    images: torch.Tensor | None = None
    found = []
    for offset in options.offsets:
        stored = Path(options.cache or ".") / f"{clip.clip_id}_{offset:+d}.npy"
        if options.cache and stored.exists():
            flow = np.load(stored)
        else:
            flow = np.full((total, 2, CROPPED, WIDTH), np.nan, np.float16)
        missing = [i for i in frames if 0 <= i + offset < total and np.isnan(flow[i, 0, 0, 0])]
        if missing and images is None:
            images = cropped_frames(clip, total)
        for index in missing:
            pair = images[index : index + 1], images[index + offset : index + offset + 1]
            flow[index] = estimator(*pair)[0].numpy()
        if options.cache and missing:
            stored.parent.mkdir(parents=True, exist_ok=True)
            np.save(stored, flow)
        found.append(flow)
    return np.stack(found)


def cropped_frames(clip: Clip, total: int) -> torch.Tensor:
    """uint8 [n, 3, 264, 480]."""
    frames = resize(read_frames(clip, 0, total), HEIGHT, WIDTH)[:, MARGIN : MARGIN + CROPPED]
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)


def intersection_over_union(found: torch.Tensor, annotated: torch.Tensor) -> float:
    """IoU of two masks; NaN for a frame without an object."""
    if not annotated.any():
        return float("nan")
    return float((found & annotated).sum() / (found | annotated).sum())


def line(cells: Sequence[object]) -> str:
    """One row of the table."""
    texts = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
    return " ".join([texts[0].ljust(16), *(text.rjust(9) for text in texts[1:])])


if __name__ == "__main__":
    main()
