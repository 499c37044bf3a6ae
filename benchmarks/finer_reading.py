"""Reading a network out on more nodes and on the picture's edges: what it brings, and what it costs.

    python -m benchmarks.finer_reading [--checkpoint CHECKPOINT] [--max-images 64]

Bundled held-out clips. Every picture is segmented under all settings of `grouping.enlarge`, `grouping.snap_to_edges`
and `grouping.num_passes` in turn, with the same draws. Prints the authors' mIoU and milliseconds a picture beside those
of the nodes alone, from a single pass; writes benchmarks/results/finer_reading.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.measuring import RESULTS, machine
from eisen_ray.data.layouts import list_held_out
from eisen_ray.data.scored_frames import ScoredFrame, find_masked, read_scored
from eisen_ray.inference import load_segmenter
from eisen_ray.measures.mean_iou import MeanIou
from eisen_ray.weights import SMALL

NAMES = ("enlarge", "snap_to_edges", "num_passes")
SETTINGS = (
    (1.0, 0.0, 1), (1.0, 0.03, 1), (1.25, 0.03, 1), (1.5, 0.0, 1), (1.5, 0.03, 1), (1.5, 0.03, 2), (1.5, 0.03, 3),
    (1.5, 0.03, 6), (2.0, 0.03, 1),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table, write JSON."""
    options = parse(arguments)
    frames = pictures(options.max_images)
    rows = measured(options.checkpoint, options.device, frames)
    plain = rows[0]
    print(f"{len(frames)} pictures, {options.checkpoint}")
    titles = (
        ("enlarge", 8),
        ("snap", 6),
        ("passes", 7),
        ("mIoU", 8),
        ("arm", 8),
        ("objects", 9),
        ("gain", 8),
        ("ms", 8),
    )
    print("".join(f"{title:>{width}}" for title, width in (*titles, ("outlines ms", 13), ("times", 7))))
    for row in rows:
        three = f"{row['mean_iou']:8.3f}{row['mean_iou_arm']:8.3f}{row['mean_iou_objects']:9.3f}"
        row["gain"], row["times"] = row["mean_iou"] - plain["mean_iou"], row["ms"] / plain["ms"]
        cost = f"{row['ms']:8.0f}{row['outlines_ms']:13.1f}{row['times']:7.1f}"
        print(f"{row['enlarge']:8g}{row['snap_to_edges']:6g}{row['num_passes']:7g}{three}{row['gain']:+8.3f}{cost}")
    RESULTS.mkdir(exist_ok=True)
    content = {"benchmark": "finer_reading", "machine": machine(), "pictures": len(frames), "settings": rows}
    (RESULTS / "finer_reading.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def pictures(wanted: int) -> list[tuple[ScoredFrame, int]]:
    """Frames with masks, spread over the bundled held-out clips, and the arm's id."""
    clips = list_held_out("sample", "")
    each = max(1, wanted // len(clips))
    found = []
    for clip in clips:
        frames = find_masked(clip).frames
        read, _ = read_scored(clip, frames[:: max(1, len(frames) // each)][:each])
        found += [(frame, clip.meta["arm_id"]) for frame in read]
    return found


def measured(checkpoint: Path, device: str, frames: Sequence[tuple[ScoredFrame, int]]) -> list[dict[str, float]]:
    """Scores and milliseconds a picture of every setting, outlines also by themselves."""
    asked = [dict(zip(NAMES, setting, strict=True)) for setting in SETTINGS]
    segmenters = [load_segmenter(checkpoint, device=device, grouping=finer) for finer in asked]
    scores = [MeanIou() for _ in asked]
    whole, outlines = np.zeros((2, len(asked)))
    for segmenter in segmenters:
        segmenter(frames[0][0].image)  # the first picture pays for what is made once
    for frame, arm_id in frames:
        for place, segmenter in enumerate(segmenters):
            begun = time.perf_counter()
            labels = segmenter(frame.image)
            grouped = time.perf_counter()
            labels = segmenter.outlined(labels, frame.image)
            ended = time.perf_counter()
            whole[place] += ended - begun
            outlines[place] += ended - grouped
            scores[place].update(labels, frame.truth, arm_id)
    each = 1e3 / len(frames)
    return [
        {**finer, **score.compute(), "ms": float(all_ms * each), "outlines_ms": float(part * each)}
        for finer, score, all_ms, part in zip(asked, scores, whole, outlines, strict=True)
    ]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=SMALL, help="checkpoint, or root of a run")
    parser.add_argument("--max-images", type=int, default=64, help="pictures to segment")
    parser.add_argument("--device", default="auto", help="torch device")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
