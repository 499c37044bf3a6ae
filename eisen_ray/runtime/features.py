"""A network's features of some images, kept, and grouped again and again under other settings.

Everything random is drawn from generators of (image, seed, purpose), so a score does not depend on what was asked
before, on how images are dealt to processes, or on what is still in the cache. [Decision 70]
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eisen_ray.build import build_grouping
from eisen_ray.config import GroupingConfig, ModelConfig
from eisen_ray.measures.agreement import segment_agreement
from eisen_ray.measures.mean_iou import MeanIou, image_iou
from eisen_ray.model.affinity_graph import AffinityGraph
from eisen_ray.model.best_segments import best_segments
from eisen_ray.model.eisen import Eisen
from eisen_ray.model.neighbors import NeighborSampler
from eisen_ray.model.outlines import outlined
from eisen_ray.model.precision import product_dtype
from eisen_ray.runtime.layout import stable_seed
from eisen_ray.runtime.study_images import StudyImage
from eisen_ray.settings import digest, to_dict

# Settings of grouping that act after message passing: plateaus are shared by all their values.
_READOUT = (
    "num_iterations",
    "readout",
    "rule",
    "num_slots",
    "num_rounds",
    "overlap",
    "min_region_nodes",
    "snap_to_edges",
    "min_edge_share",
)

ImageFacts = dict[str, float]
"""What is known of one image under one setting; means over images are the scores."""


class Features:
    """Queries and keys of images, on one device, with a cache of plateau maps.

    Args:
        network: in evaluation mode; its own grouping and pairs are not used.
        images: all of one size.
        cache_bytes: plateau maps that are kept; the least recently used go first.
    """

    def __init__(self, network: Eisen, images: Sequence[StudyImage], cache_bytes: int = 512 * 1024**2) -> None:
        self.images = list(images)
        self.device = next(network.parameters()).device
        self._network = network
        self._embedded: dict[tuple[float, bool, int], tuple[Tensor, Tensor, tuple[int, int]]] = {}
        self._cache: OrderedDict[tuple[str, int], dict[int, Tensor]] = OrderedDict()
        self._cache_bytes = cache_bytes
        self.num_propagations = 0
        """Runs of message passing so far: what the cache has saved is the rest."""

    def score(
        self, model: ModelConfig, grouping: GroupingConfig, iterations: Sequence[int], seed: int, passes: int = 1
    ) -> dict[int, list[ImageFacts]]:
        """Facts of every image after each number of KProp iterations.

        Args:
            model: which pairs have affinities; the rest of it is not used.
            grouping: from affinities to segments; its number of iterations is not used.
            iterations: ascending; only the largest one costs message passing.
            seed: of all draws.
            passes: with two, their agreement is among the facts.
        """
        found: dict[int, list[ImageFacts]] = {count: [] for count in iterations}
        for place in range(len(self.images)):
            plateaus = self._plateaus(place, model, grouping, iterations, seed, passes * grouping.num_passes)
            for count in iterations:
                runs = self._read(place, grouping, plateaus[count], seed)
                found[count].append(_facts(self.images[place], runs, grouping))
        return found

    def label_maps(
        self, model: ModelConfig, grouping: GroupingConfig, count: int, seed: int, passes: int, wanted: int
    ) -> list[np.ndarray]:
        """Label maps [h, w] of the first `wanted` images after `count` KProp iterations, of the first pass.

        After `score` with the same arguments no messages are passed again.
        """
        found = []
        for place in range(min(wanted, len(self.images))):
            plateaus = self._plateaus(place, model, grouping, [count], seed, passes * grouping.num_passes)
            labels = self._read(place, grouping, plateaus[count], seed)[0]
            found.append(_outlined(labels, self.images[place], grouping))
        return found

    @torch.no_grad()
    def _embed(self, place: int, grouping: GroupingConfig) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Queries, keys and grid of an image; worked out once for each way to look at it."""
        views = (grouping.enlarge, grouping.mirror)
        found = self._embedded.get((*views, place))
        if found is None:
            batch = torch.from_numpy(np.array(self.images[place].image))[None].permute(0, 3, 1, 2).to(self.device)
            found = self._embedded[(*views, place)] = self._network.embed_views(batch, *views)
        return found

    @torch.no_grad()
    def _plateaus(
        self,
        place: int,
        model: ModelConfig,
        grouping: GroupingConfig,
        iterations: Sequence[int],
        seed: int,
        passes: int,
    ) -> dict[int, Tensor]:
        name = (_plateau_key(model, grouping, seed, passes), place)
        kept = self._cache.get(name, {})
        if not set(iterations) <= kept.keys():
            kept = self._propagate(place, model, grouping, {*iterations, *kept}, seed, passes)
            self._keep(name, kept)
        else:
            self._cache.move_to_end(name)
        return kept

    def _propagate(
        self, place: int, model: ModelConfig, grouping: GroupingConfig, wanted: set[int], seed: int, passes: int
    ) -> dict[int, Tensor]:
        self.num_propagations += 1
        query, key, grid = self._embed(place, grouping)
        sampler = NeighborSampler(model.scope, model.window, model.num_far, model.sampling, model.tile_size)
        graph = AffinityGraph(query, key, sampler(*grid, 1, self._generator("pairs", place, seed)))
        built = build_grouping(grouping)
        start, active = built.starts(1, grid[0] * grid[1], self._generator("start", place, seed), passes)
        edges = graph.edges(grouping.threshold, product_dtype(built.precision, self.device), built.mutual)
        kprop = built.kprop
        kprop.num_iterations = max(wanted)
        states = enumerate(kprop.iterate(edges, start, active), start=1)
        return {count: state for count, state in states if count in wanted}

    @torch.no_grad()
    def _read(self, place: int, grouping: GroupingConfig, plateau: Tensor, seed: int) -> np.ndarray:
        """Label maps [R, h, w] of the runs, on the nodes."""
        grid, built = self._embed(place, grouping)[2], build_grouping(grouping)
        generator = self._generator("readout", place, seed)
        read = [built.read(plateau[:, :, number], *grid, generator)[0] for number in range(plateau.shape[2])]
        passes = torch.stack(read).cpu().numpy()
        if grouping.num_passes == 1:
            return passes
        picture, reach = self.images[place].image, grouping.snap_to_edges
        runs = passes.reshape(-1, grouping.num_passes, *grid)
        return np.stack([best_segments(run, picture, reach, grouping.min_region_nodes) for run in runs])

    def _generator(self, purpose: str, place: int, seed: int) -> torch.Generator:
        image = self.images[place]
        generator = torch.Generator(self.device)
        return generator.manual_seed(stable_seed("study", purpose, seed, image.name, image.frame))

    def _keep(self, name: tuple[str, int], plateaus: dict[int, Tensor]) -> None:
        self._cache[name] = plateaus
        self._cache.move_to_end(name)
        while len(self._cache) > 1 and sum(map(_num_bytes, self._cache.values())) > self._cache_bytes:
            self._cache.popitem(last=False)


def summed_facts(images: Sequence[ImageFacts], objective: str) -> dict[str, float]:
    """Means over the images that have each fact, by name; `motion_iou` is the best IoU with what moves.

    Args:
        images: facts of each image.
        objective: of the study; says whether the truth is motion.
    """
    names = dict.fromkeys(name for facts in images for name in facts)
    found = {}
    for name in names:
        values = [facts[name] for facts in images if name in facts]
        found[name] = float(np.mean(values))
    if objective == "motion_iou":
        found[objective] = found.get("best_iou", float("nan"))
    return found


def _facts(image: StudyImage, runs: np.ndarray, grouping: GroupingConfig) -> ImageFacts:
    facts = {"segments": float(len(np.unique(runs[0][runs[0] > 0]))), "coverage": float((runs[0] > 0).mean())}
    if len(runs) > 1:
        # Two passes without any segment agree on nothing: that counts as 0, not as unknown.
        facts["agreement"] = float(np.nan_to_num(segment_agreement(runs[0], runs[1])))
    if image.truth is None:
        return facts
    labels = _outlined(runs[0], image, grouping)
    scores = MeanIou([image_iou(labels, image.truth, image.arm_id)]).compute()
    return {**facts, **{name: value for name, value in scores.items() if value == value and name != "num_images"}}


def _outlined(labels: np.ndarray, image: StudyImage, grouping: GroupingConfig) -> np.ndarray:
    return outlined(labels, image.image, grouping.snap_to_edges, grouping.min_edge_share)


def _plateau_key(model: ModelConfig, grouping: GroupingConfig, seed: int, passes: int) -> str:
    settings: dict[str, Any] = {name: value for name, value in to_dict(grouping).items() if name not in _READOUT}
    pairs = [model.scope, model.window, model.num_far, model.sampling, model.tile_size]
    # All pairs have no window and no samples.
    return digest(settings, pairs[:1] if model.scope == "full" else pairs, seed, passes)


def _num_bytes(plateaus: dict[int, Tensor]) -> int:
    return sum(plateau.nbytes for plateau in plateaus.values())
