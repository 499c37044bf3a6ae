"""Message passing, 25 iterations with set-up, against sparse CSR products over the same pairs.

    python -m benchmarks.kprop

The other side is how published code does it: affinities of every row's 1,024 pairs by a gather, the graph as sparse
matrices, made once and multiplied twice an iteration. Growth: 64x64, 128x128 and 256x256 nodes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.graphs import PAIRS_PER_NODE, WIDTH, Scene, make_scene, row_indices
from benchmarks.measuring import Comparison, alternate, of_times, report
from eisen_ray.model.kprop import KProp, initial_active, initial_plateau
from eisen_ray.model.precision import product_dtype

SIDE = 128
ITERATIONS = 25
THRESHOLD = 0.7
FLOOR_INT64, FLOOR_INT32 = 8.0, 4.0


def main() -> None:
    """Print one table and write one JSON file."""
    scene = make_scene(SIDE)
    indices = row_indices(scene)
    start = initial_plateau(1, SIDE**2, WIDTH, torch.Generator().manual_seed(1))
    dtype = product_dtype("auto", torch.device("cpu"))
    times = alternate(
        {
            "ours": lambda: tiles(scene, start, dtype),
            "fp32": lambda: tiles(scene, start, torch.float32),
            "int64": lambda: csr(scene, indices, start, torch.int64),
            "int32": lambda: csr(scene, indices, start, torch.int32),
        }
    )
    rows = [
        of_times("CSR int64", times["ours"], times["int64"], FLOOR_INT64),
        of_times("CSR int32", times["ours"], times["int32"], FLOOR_INT32),
        of_times("products in fp32, CSR int32", times["fp32"], times["int32"]),
    ]
    rows += growth(dtype)
    settings = {
        "nodes": f"{SIDE}x{SIDE}",
        "pairs a node": PAIRS_PER_NODE,
        "Q": WIDTH,
        "iterations": ITERATIONS,
        "products in": str(dtype).removeprefix("torch."),
        "largest difference of plateaus in fp32": f"{difference(scene, indices, start):.1e}",
    }
    report("kprop", settings, rows)


@torch.no_grad()
def tiles(scene: Scene, start: Tensor, dtype: torch.dtype, num_iterations: int = ITERATIONS) -> Tensor:
    """Ours: weights by receiver in tiles, dense products."""
    active = initial_active(len(start), start.shape[1], torch.Generator().manual_seed(2))
    kprop = KProp(num_iterations, THRESHOLD, start="all")
    return kprop.run(scene.graph.edges(THRESHOLD, dtype), start, active)


@torch.no_grad()
def csr(
    scene: Scene, indices: Tensor, start: Tensor, index_dtype: torch.dtype, num_iterations: int = ITERATIONS
) -> Tensor:
    """The other way: gather, threshold, two sparse matrices, products."""
    query, key, columns = scene.query[0], scene.key[0], indices[0]
    num_nodes = len(query)
    padded = torch.cat([key, key.new_zeros(1, WIDTH)])
    logits = torch.einsum("nd,ned->ne", query / WIDTH**0.5, padded[columns])
    affinity = (logits - logits.amax(dim=1, keepdim=True)).exp()
    owners = torch.arange(num_nodes)[:, None].expand_as(columns)
    inside = columns < num_nodes
    matrices = []
    for weights in (affinity, 1 - affinity):
        kept = inside & (weights > THRESHOLD)
        # Row = receiver: the transposed graph. Duplicates stay: a pair sampled twice counts twice.
        place = torch.stack([columns[kept], owners[kept]])
        matrix = torch.sparse_coo_tensor(place, weights[kept], (num_nodes, num_nodes)).coalesce().to_sparse_csr()
        matrices.append(
            torch.sparse_csr_tensor(
                matrix.crow_indices().to(index_dtype),
                matrix.col_indices().to(index_dtype),
                matrix.values(),
                (num_nodes, num_nodes),
            )
        )
    ones = torch.ones(num_nodes, 1)
    norms = [(matrix @ ones).clamp(min=1) for matrix in matrices]
    state = start[0]
    for _ in range(num_iterations):
        state = state + (matrices[0] @ state) / norms[0]
        state = (state - (matrices[1] @ state) / norms[1]).relu() + 1e-16
        state = state / state.norm(dim=-1, keepdim=True)
    return state[None]


def difference(scene: Scene, indices: Tensor, start: Tensor) -> float:
    """Largest difference of the two ways after three iterations in fp32: they do the same."""
    ours = tiles(scene, start, torch.float32, num_iterations=3)
    return float((ours - csr(scene, indices, start, torch.int64, num_iterations=3)).abs().max())


def growth(dtype: torch.dtype) -> list[Comparison]:
    """Time of 4 and of 16 times the nodes over the time of the smallest grid: linear growth gives 1 here."""
    sides = (64, 128, 256)
    scenes = {side: make_scene(side) for side in sides}
    starts = {side: initial_plateau(1, side**2, WIDTH, torch.Generator().manual_seed(1)) for side in sides}
    times = alternate({str(side): (lambda side=side: tiles(scenes[side], starts[side], dtype)) for side in sides})
    base = [seconds * 1.0 for seconds in times["64"]]
    return [
        of_times(f"{side}x{side} nodes against {(side // 64) ** 2} times 64x64", times[str(side)],
                 [seconds * (side // 64) ** 2 for seconds in base])
        for side in sides[1:]
    ]  # fmt: skip


if __name__ == "__main__":
    main()
