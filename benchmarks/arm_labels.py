"""What a round's labels say of things at the robot's arm: one with it, apart, or nothing; by the way they are made.

    python benchmarks/arm_labels.py runs/bridge --round 2

ROOT is a run on clips of `python -m jobs.simulate bridge` that has reached the round: labels are put together again
from its stored motion and confident segments, and held against the clips' masks and exact flow, which training never
saw. Only pictures in which the arm moves count, and things within `--near` px of it: those that it carries (their
median flow is above 1 px) and those that rest (below 0.2 px).
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from eisen_ray.config import RunConfig
from eisen_ray.data.index import Fragment
from eisen_ray.data.masks import read_masks
from eisen_ray.data.pairs import decode_labels
from eisen_ray.measures.overlap import resize_labels
from eisen_ray.runtime.checkpoints import find_checkpoint
from eisen_ray.runtime.layout import RoundWork, Teacher, fragment_file, promotion_file, reading_file
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import from_dict
from eisen_ray.supervision.targets import split_by_motion, target_labels
from eisen_ray.teaching import TeacherConfig

ARM = 1
MOVES_PX, RESTS_PX = 1.0, 0.2
Labels = NDArray[np.int64]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table."""
    options = parse(arguments)
    work = read_work(options.root, options.round)
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    overlap: dict[tuple[str, str], list[float]] = defaultdict(list)
    for motion, confident, truth, speed in pictures(work):
        for name, labels in variants(motion, confident, work.config.teacher).items():
            for kind, fate, iou in judged(labels, truth, speed, options.near):
                counts[kind, name][fate] += 1
                overlap[kind, name].append(iou)
    print(f"{'things':10s}{'labels':40s}{'number':>8s}{'with arm':>10s}{'apart':>8s}{'none':>8s}{'IoU':>8s}")
    for (kind, name), fates in sorted(counts.items()):
        total = fates.total()
        shares = "".join(f"{fates[fate] / total:8.3f}" for fate in ("apart", "none"))
        mean = np.mean(overlap[kind, name])
        print(f"{kind:10s}{name:40s}{total:8d}{fates['with arm'] / total:10.3f}{shares}{mean:8.3f}")


def read_work(root: str, number: int) -> RoundWork:
    """The work of a finished or begun round of a run, its teacher included."""
    store = Store(root)
    stored = store.read_json("config.json")
    found = find_checkpoint(store.uri(store.read_json(promotion_file(number - 1))["checkpoint"]))
    return RoundWork(
        config=from_dict(RunConfig, stored["config"]),
        flow_identity=stored["flow_identity"],
        round_number=number,
        teacher=Teacher(path=found.path, sha256=found.sha256),
    )


def pictures(work: RoundWork) -> Iterator[tuple[Labels, Labels, Labels, NDArray[np.float32]]]:
    """Motion, confident segments [h, w], true ids and px of exact flow [H, W] of every training picture."""
    for text in work.store.read_json(reading_file(work.round_number))["fragments"]:
        fragment = Fragment.from_json(text)
        motion, confident = (
            decode_labels(work.targets.read(fragment_file(folder, fragment.fragment_id)))
            for folder in (work.motion_folder, work.segments_folder)
        )
        flow_file = Path(fragment.clip.masks[0].removeprefix("file://")).parents[1] / "images0_flow.npz"
        flow = np.load(flow_file)["flow"].astype(np.float32)
        for place, frame in enumerate(motion.frames.tolist()):
            truth = read_masks(fragment.clip, [frame])
            assert truth is not None, fragment.clip.address
            speed = np.hypot(flow[frame, ..., 0], flow[frame, ..., 1])
            yield motion.values[place], confident.values[place], truth[0], speed


def variants(motion: Labels, confident: Labels, teacher: TeacherConfig) -> dict[str, Labels]:
    """The ways to make labels [h, w] of the same motion and confident segments."""
    moving, segments = (torch.from_numpy(labels.astype(np.int64))[None] for labels in (motion, confident))
    least, heal = teacher.min_region_nodes, teacher.heal_rims
    found = {"motion alone": target_labels(moving)}
    for name, used in {"": segments, ", split by motion": split_by_motion(moving, segments)}.items():
        found[f"explaining away{name}"] = target_labels(moving, used, least, heal_rims=heal)
        found[f"no explaining away{name}"] = target_labels(moving, used, least, explaining_away=False)
    return {name: labels[0].numpy() for name, labels in found.items()}


def judged(labels: Labels, truth: Labels, speed: NDArray[np.float32], near: int) -> Iterator[tuple[str, str, float]]:
    """For each thing at a moving arm: `carried` or `at rest`, where most of it lies, IoU of that label with it."""
    arm = truth == ARM
    if arm.sum() < 100 or np.percentile(speed[arm], 80) < MOVES_PX:
        return
    labels = resize_labels(labels, *truth.shape)
    around = binary_dilation(arm, iterations=near)
    for thing in np.unique(truth[truth > ARM]):
        mask = truth == thing
        pace = np.median(speed[mask])
        if mask.sum() < 80 or not around[mask].any() or RESTS_PX <= pace <= MOVES_PX:
            continue
        sizes = np.bincount(labels[mask])
        label = int(sizes.argmax())
        inside = labels == label
        fate = "none" if label == 0 else "with arm" if (inside & arm).sum() > sizes[label] else "apart"
        iou = 0.0 if label == 0 else float(sizes[label] / (inside | mask).sum())
        yield "carried" if pace > MOVES_PX else "at rest", fate, iou


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="root of the run, a folder")
    parser.add_argument("--round", type=int, default=2, help="round whose labels are judged, from 2 on")
    parser.add_argument("--near", type=int, default=4, help="distance from the arm, px")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
