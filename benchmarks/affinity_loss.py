"""Affinities and loss of one image, forward and backward, against the gather of every row's keys and queries.

    python -m benchmarks.affinity_loss

The other side is the published way: [N, 1024, 32] queries and keys side by side, their products, softmax, masked
divergence, autograd. Time, peak memory, and the largest difference of value and gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.graphs import PAIRS_PER_NODE, WIDTH, make_scene, row_indices
from benchmarks.measuring import Comparison, alternate, of_times, peak_bytes, report
from eisen_ray.learning.pair_loss import pair_loss

SIDE = 128
FLOOR_TIME, FLOOR_MEMORY = 4.0, 20.0
Result = tuple[Tensor, Tensor, Tensor]


def main() -> None:
    """Print one table and write one JSON file."""
    whole, objects = Problem(everywhere=True), Problem(everywhere=False)
    times = alternate(
        {"whole": lambda: blocks(whole), "objects": lambda: blocks(objects), "gather": lambda: gather(whole)}
    )
    rows = [
        of_times("every node labelled", times["whole"], times["gather"], FLOOR_TIME),
        # A gather looks at every row, whatever is labelled.
        of_times("objects labelled", times["objects"], times["gather"], FLOOR_TIME),
    ]
    ours, other = peak_bytes(run_blocks), peak_bytes(run_gather)
    rows.append(Comparison("peak memory, every node labelled", ours, other, FLOOR_MEMORY, "bytes"))
    pairs = zip(blocks(whole), gather(whole), strict=True)
    errors = [float((one - same).abs().max() / same.abs().max()) for one, same in pairs]
    settings = {
        "nodes": f"{SIDE}x{SIDE}",
        "pairs a node": PAIRS_PER_NODE,
        "D": WIDTH,
        "largest relative difference of value, query and key gradient": " ".join(f"{error:.1e}" for error in errors),
    }
    report("affinity_loss", settings, rows)


class Problem:
    """One image with labels."""

    def __init__(self, everywhere: bool) -> None:
        self.scene = make_scene(SIDE)
        self.indices = row_indices(self.scene)[0]
        self.labels = self.scene.labels + everywhere


def blocks(problem: Problem) -> Result:
    """Ours."""
    query, key = (tensor.clone().requires_grad_() for tensor in (problem.scene.query, problem.scene.key))
    total, rows = pair_loss(query, key, problem.labels, problem.scene.neighborhood)
    (total / rows).backward()
    return total.detach() / rows, _gradient(query), _gradient(key)


def gather(problem: Problem) -> Result:
    """The published way."""
    query, key = (tensor.clone().requires_grad_() for tensor in (problem.scene.query, problem.scene.key))
    labels, columns = problem.labels[0], problem.indices
    padded = torch.cat([key[0], key.new_zeros(1, WIDTH)])
    queries = query[0][:, None].expand(-1, columns.shape[1], -1).contiguous()
    logits = (queries * padded[columns]).sum(-1) / WIDTH**0.5
    names = torch.cat([labels, labels.new_zeros(1)])[columns]
    positive = (names == labels[:, None]) & (labels[:, None] > 0)
    log_share = logits.log_softmax(dim=-1).clamp(min=-18.420680743952367)  # log(1e-8)
    count = positive.sum(-1)
    target = positive / count.clamp(min=1)[:, None]
    divergence = torch.where(positive, target * (target.clamp(min=1e-30).log() - log_share), 0).sum(-1)
    loss = divergence.sum() / (labels > 0).sum()
    loss.backward()
    return loss.detach(), _gradient(query), _gradient(key)


def run_blocks(prepare_only: bool = False) -> None:
    """For a process of its own: its peak memory is measured between the two calls."""
    problem = Problem(everywhere=True)
    if not prepare_only:
        blocks(problem)


def run_gather(prepare_only: bool = False) -> None:
    """As `run_blocks`."""
    problem = Problem(everywhere=True)
    if not prepare_only:
        gather(problem)


def _gradient(tensor: Tensor) -> Tensor:
    if tensor.grad is None:
        raise RuntimeError("no gradient reached this tensor")
    return tensor.grad


if __name__ == "__main__":
    main()
