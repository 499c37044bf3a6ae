"""RAFT over a fragment of nine frames against torchvision's RAFT called pair by pair.

    python -m benchmarks.flow [--weights raft-small.pth] [--truth FOLDER]

With weights and a folder of FlyingChairs examples (NNNNNNN-img0.ppm, -img1.ppm, -gt.flo) it also prints the end-point
errors of both; without weights the network is random, which costs the same time.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.measuring import compare, report
from eisen_ray.data import sample
from eisen_ray.data.frames import read_frames, resize
from eisen_ray.model.precision import product_dtype
from eisen_ray.supervision.raft import RaftFlow, load_raft

FRAMES, SIDE, UPDATES = 9, 256, 20
FLOOR_BF16, FLOOR_FP32 = 1.5, 1.05


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table and write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="", help="RAFT-small weights; empty: random ones")
    parser.add_argument("--truth", default="", help="folder of FlyingChairs examples with ground truth")
    options = parser.parse_args(arguments)
    exact, reduced = (_raft(options.weights, precision) for precision in ("fp32", "auto"))
    frames = bundled_frames()
    first, second = list(range(FRAMES - 1)), list(range(1, FRAMES))
    is_reduced = product_dtype("auto", torch.device("cpu")) == torch.bfloat16
    rows = [
        compare(
            "fp32", lambda: exact.between(frames, first, second), lambda: one_by_one(exact, frames), floor=FLOOR_FP32
        )
    ]
    if is_reduced:
        rows.append(
            compare("bf16 convolutions, fp32", lambda: reduced.between(frames, first, second),
                    lambda: one_by_one(exact, frames), floor=FLOOR_BF16)
        )  # fmt: skip
    settings = {"network": exact.name, "frames": FRAMES, "px": SIDE, "updates": UPDATES}
    if options.weights and options.truth:
        ways: dict[str, Callable[[Tensor], Tensor]] = {
            "torchvision": lambda pair: one_by_one(exact, pair),
            "fp32": lambda pair: exact.between(pair, [0], [1]),
            "as chosen": lambda pair: reduced.between(pair, [0], [1]),
        }
        for name, way in ways.items():
            settings[f"end-point error, {name}"] = f"{end_point_error(way, Path(options.truth)):.4f} px"
    report("flow", settings, rows)


def bundled_frames() -> Tensor:
    """Nine frames of two bundled clips, uint8 [9, 3, 256, 256]."""
    clips = [resize(read_frames(clip, 0, 8), SIDE, SIDE) for clip in sample.list_clips()[:2]]
    return torch.from_numpy(np.concatenate(clips)[:FRAMES]).permute(0, 3, 1, 2)


@torch.inference_mode()
def one_by_one(flow: RaftFlow, frames: Tensor) -> Tensor:
    """Pair by pair through torchvision's own forward."""
    images = frames.float() / 127.5 - 1
    return torch.cat([flow.raft(one[None], other[None], UPDATES)[-1] for one, other in itertools.pairwise(images)])


def end_point_error(way: Callable[[Tensor], Tensor], folder: Path) -> float:
    """Mean over the pixels of all pairs that have ground truth."""
    errors = []
    for truth in sorted(folder.glob("*-gt.flo")):
        content = truth.read_bytes()
        width, height = np.frombuffer(content, np.int32, 2, 4)
        expected = np.frombuffer(content, np.float32, offset=12).reshape(height, width, 2)
        names = [truth.with_name(truth.name.replace("gt.flo", f"img{number}.ppm")) for number in (0, 1)]
        images = [cv2.cvtColor(cv2.imread(str(name)), cv2.COLOR_BGR2RGB) for name in names]
        found = way(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2))[0].permute(1, 2, 0).numpy()
        errors.append(np.linalg.norm(found - expected, axis=-1).mean())
    return float(np.mean(errors))


def _raft(weights: str, precision: str) -> RaftFlow:
    if weights:
        return load_raft("small", weights, UPDATES, precision=precision)
    torch.manual_seed(0)
    return RaftFlow("small", UPDATES, precision)


if __name__ == "__main__":
    main()
