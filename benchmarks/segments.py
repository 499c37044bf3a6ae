"""From affinities to segments, without the backbone, and the teacher's four passes, against doing them one by one.

    python -m benchmarks.segments

Other sides: message passing over sparse CSR matrices, one image at a time, with the same Competition and regions;
Competition and regions written as loops (tests/reference.py); four calls of `segment`.
"""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.graphs import PAIRS_PER_NODE, WIDTH, Scene, make_scene, row_indices
from benchmarks.kprop import csr
from benchmarks.measuring import Comparison, alternate, compare, of_times, report
from eisen_ray.build import build_eisen
from eisen_ray.config import GroupingConfig, ModelConfig
from eisen_ray.model.competition import Competition
from eisen_ray.model.eisen import Grouping
from eisen_ray.model.kprop import KProp, initial_plateau
from eisen_ray.model.object_masks import RandomDraws
from eisen_ray.model.regions import connected_regions
from tests import reference as loops
from tests.reference_competition import paper_competition

SIDE = 128
BATCH = 8
RUNS = 4
FLOOR_COMPETITION, FLOOR_SEGMENTS, FLOOR_TEACHER = 5.0, 5.0, 2.5


def main() -> None:
    """Print one table and write one JSON file."""
    rows = [competition_against_loops(), *segments_against_sparse(), teacher_against_calls()]
    report("segments", {"nodes": f"{SIDE}x{SIDE}", "pairs a node": PAIRS_PER_NODE, "Q": WIDTH}, rows)


def generator(seed: int = 0) -> torch.Generator:
    """A generator of its own for every run: equal draws on both sides."""
    return torch.Generator().manual_seed(seed)


def competition_against_loops() -> Comparison:
    """Competition on a plateau map and regions, paper's rule."""
    scene = make_scene(SIDE)
    start = initial_plateau(1, SIDE**2, WIDTH, generator())
    plateau = KProp().run(scene.graph.edges(0.7), start, torch.ones(1, SIDE**2, dtype=torch.bool))
    grid = plateau.unflatten(1, (SIDE, SIDE))
    pixels = np.random.default_rng(0).integers(0, SIDE, (3, 32, 2))

    def ours() -> None:
        connected_regions(Competition()(grid, RandomDraws(generator())).labels)

    def other() -> None:
        found = paper_competition(grid[0].double().numpy(), pixels)
        loops.connected_regions(found.labels, 20)

    return compare("Competition and regions, loops", ours, other, floor=FLOOR_COMPETITION)


def segments_against_sparse() -> list[Comparison]:
    """Batch 1 and 8: sparse matrices know no batch, so 8 images take 8 times one image there."""
    grouping = Grouping(KProp(), Competition(), precision="auto")
    single, many = make_scene(SIDE), make_scene(SIDE, BATCH)
    indices = row_indices(single)

    def sparse() -> None:
        plateau = csr(single, indices, initial_plateau(1, SIDE**2, WIDTH, generator()), torch.int64)
        grouping.read(plateau, SIDE, SIDE, generator())

    def ours(scene: Scene) -> None:
        grouping(scene.graph, (SIDE, SIDE), generator())

    with torch.no_grad():
        times = alternate({"one": lambda: ours(single), "many": lambda: ours(many), "sparse": sparse})
    eight = [seconds * BATCH for seconds in times["sparse"]]
    return [
        of_times("affinities to segments, batch 1, CSR", times["one"], times["sparse"], FLOOR_SEGMENTS),
        of_times(f"affinities to segments, batch {BATCH}, CSR", times["many"], eight, FLOOR_SEGMENTS),
    ]


def teacher_against_calls() -> Comparison:
    """Four passes over one picture of 512x512 with the small backbone: at once, and as four calls."""
    torch.manual_seed(0)
    model = build_eisen(ModelConfig(backbone="small"), GroupingConfig(num_iterations=15)).eval()
    image = torch.randint(0, 256, (1, 3, 4 * SIDE, 4 * SIDE), dtype=torch.uint8, generator=generator())

    def one_by_one() -> None:
        for run in range(RUNS):
            model.segment(image, generator(run))

    return compare(
        f"teacher, {RUNS} passes, {RUNS} calls of segment",
        lambda: model.segment_runs(image, generator(), RUNS),
        one_by_one,
        floor=FLOOR_TEACHER,
    )


if __name__ == "__main__":
    main()
