"""The loss of a batch from 256 drawn rows of each image, forward and backward, against that of all rows.

    python -m benchmarks.drawn_loss

Two cases of 8 images of 64x64 nodes: objects labelled, as motion gives them in a first round, and every node labelled,
as teachers come close to.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.graphs import WIDTH, Scene, make_scene
from benchmarks.measuring import alternate, of_times, report
from eisen_ray.learning.drawn_loss import drawn_loss
from eisen_ray.learning.pair_loss import pair_loss

SIDE, BATCH, ROWS, BALANCE = 64, 8, 256, 0.5


def main() -> None:
    """Print one table and write one JSON file."""
    scene = make_scene(SIDE, BATCH)
    rows = []
    for name, labels in (("objects labelled", scene.labels), ("every node labelled", scene.labels + 1)):
        times = alternate({"drawn": lambda at=labels: drawn(scene, at), "all": lambda at=labels: every(scene, at)})
        rows.append(of_times(name, times["drawn"], times["all"]))
    settings = {"nodes": f"{SIDE}x{SIDE}", "images": BATCH, "rows drawn": ROWS, "D": WIDTH}
    report("drawn_loss", settings, rows)


def drawn(scene: Scene, labels: Tensor) -> Tensor:
    """Some rows of each image: gradient of the queries."""
    query, key = (tensor.clone().requires_grad_() for tensor in (scene.query, scene.key))
    total, rows = drawn_loss(query, key, labels, scene.neighborhood, torch.Generator().manual_seed(0), ROWS, BALANCE)
    (total / rows).backward()
    return query.grad


def every(scene: Scene, labels: Tensor) -> Tensor:
    """All labelled rows: gradient of the queries."""
    query, key = (tensor.clone().requires_grad_() for tensor in (scene.query, scene.key))
    total, rows = pair_loss(query, key, labels, scene.neighborhood)
    (total / rows).backward()
    return query.grad


if __name__ == "__main__":
    main()
