"""EISEN: an image to affinities for training, and to a segment map at inference (Section 3.1)."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from eisen_ray.errors import ConfigError
from eisen_ray.model.affinity import AffinityHead, affinity_logits
from eisen_ray.model.affinity_graph import AffinityGraph
from eisen_ray.model.backbone import normalize_images
from eisen_ray.model.best_segments import best_segments
from eisen_ray.model.competition import Competition
from eisen_ray.model.kprop import KProp, initial_active, initial_plateau
from eisen_ray.model.neighbors import NeighborSampler
from eisen_ray.model.object_masks import RandomDraws
from eisen_ray.model.outlines import outlined
from eisen_ray.model.pair_layout import Neighborhood
from eisen_ray.model.precision import Precision, product_dtype
from eisen_ray.model.regions import connected_regions

# Pixels per node: the backbone's output stands at a quarter of the image.
STRIDE = 4


class Backbone(Protocol):
    """What EISEN asks of a backbone: normalised images [B, 3, H, W] to features [B, out_channels, H/4, W/4]."""

    out_channels: int

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Features of the images; the generator draws dropout while training."""


class Level(NamedTuple):
    """The pairs at one resolution and what their affinities come from.

    Attributes:
        query, key: [B, N, D].
        neighborhood: the pairs.
        stride: every how many nodes of the finest grid are kept.
    """

    query: Tensor
    key: Tensor
    neighborhood: Neighborhood
    stride: int

    @property
    def logits(self) -> Tensor:
        """Affinity logits of all pairs, [B, T, R, C]: large."""
        return affinity_logits(self.query, self.key, self.neighborhood)


class Grouping:
    """From affinities to segments, without weights: KProp, then a readout, then regions.

    Args:
        kprop: message passing.
        competition: winner-take-all.
        readout: `competition`, or `argmax` over the plateau's channels (Table 3).
        plateau_width: Q.
        min_region_nodes: smaller regions become unassigned.
        precision: of the products in message passing, see `product_dtype`.
        mutual: join two nodes by the weaker of their two affinities, see `AffinityGraph.edges`.
    """

    def __init__(
        self,
        kprop: KProp,
        competition: Competition,
        readout: Literal["competition", "argmax"] = "competition",
        plateau_width: int = 32,
        min_region_nodes: int = 20,
        precision: Precision = "fp32",
        mutual: bool = False,
    ) -> None:
        if plateau_width < 1:
            raise ConfigError(f"The plateau map needs at least one channel; got {plateau_width}.")
        self.kprop = kprop
        self.competition = competition
        self.readout = readout
        self.plateau_width = plateau_width
        self.min_region_nodes = min_region_nodes
        self.precision: Precision = precision
        self.mutual = mutual

    def plateaus(self, graph: AffinityGraph, generator: torch.Generator, num_runs: int = 1) -> Tensor:
        """The final plateau maps of passes with different draws over one graph: [B, N, P, Q]."""
        device = graph.query.device
        dtype = product_dtype(self.precision, device)
        start, active = self.starts(graph.batch, graph.neighborhood.num_nodes, generator, num_runs)
        # A processor's caches hold the states of one image; a GPU wants all at once.
        parts = graph.images() if device.type == "cpu" else [graph]
        begun = zip(parts, start.split(parts[0].batch), active.split(parts[0].batch), strict=True)
        threshold, mutual = self.kprop.threshold, self.mutual
        return torch.cat([self.kprop.run(part.edges(threshold, dtype, mutual), *begin) for part, *begin in begun])

    def starts(self, batch: int, num_nodes: int, generator: torch.Generator, num_runs: int) -> tuple[Tensor, Tensor]:
        """Random plateaus [B, N, P, Q] to start from, and who is active first, bool [B, N, P]."""
        start = initial_plateau(batch, num_nodes, self.plateau_width, generator, num_runs)
        active = torch.stack([initial_active(batch, num_nodes, generator) for _ in range(num_runs)], dim=-1)
        return start, active

    def read(self, plateau: Tensor, height: int, width: int, generator: torch.Generator) -> Tensor:
        """A plateau map [B, N, Q] to segments: int64 [B, H, W], 0 = unassigned."""
        plateau = plateau.unflatten(1, (height, width))
        if self.readout == "argmax":
            labels = plateau.argmax(dim=-1)
        else:
            labels = self.competition(plateau, RandomDraws(generator)).labels
        return connected_regions(labels, self.min_region_nodes)

    def __call__(
        self, graph: AffinityGraph, grid: tuple[int, int], generator: torch.Generator, num_runs: int = 1
    ) -> Tensor:
        """From affinities to the segments of passes with different draws.

        Returns:
            int64 [P, B, H, W], 0 = unassigned, 1 the largest. The passes share weights and products.
        """
        plateaus = self.plateaus(graph, generator, num_runs)
        # One pass at a time: masks of all passes at once would need P times the memory of the largest tensor here.
        return torch.stack([self.read(plateaus[:, :, run], *grid, generator) for run in range(num_runs)])


class Eisen(nn.Module):
    """The network.

    Images are [B, 3, H, W] in RGB, uint8 or float with values 0 to 255, of any size from 32 px; sides that are not
    multiples of 4 are padded at the right and bottom, and label maps have ceil(H/4) x ceil(W/4) nodes.

    Args:
        backbone: the convolutional feature extractor.
        head: keys and queries.
        sampler: draws the pairs.
        grouping: segments from affinities; holds no weights.
        enlarge: pictures to be segmented are made so many times larger first, see `enlarged`; those to train on, not.
        mirror: they are looked at in a mirror, too, see `embed_views`.
        snap: how far outlines may move to edges of the picture, see `outlines.snap_to_edges`.
        min_edge_share: segments that stand less on edges are left out, see `outlines.drop_faint`.
        num_passes: a run's segments are chosen from so many passes, see `best_segments`.
    """

    def __init__(
        self,
        backbone: nn.Module,
        head: AffinityHead,
        sampler: NeighborSampler,
        grouping: Grouping,
        enlarge: float = 1.0,
        mirror: bool = False,
        snap: float = 0.0,
        min_edge_share: float = 0.0,
        num_passes: int = 1,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.sampler = sampler
        self.grouping = grouping
        self.enlarge, self.mirror = enlarge, mirror
        self.snap, self.min_edge_share, self.num_passes = snap, min_edge_share, num_passes

    def embed(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Queries and keys [B, N, D] of all nodes, and the grid (H/4, W/4); the generator draws dropout."""
        features = self.backbone(_pad_to_stride(normalize_images(images)), generator)
        query, key = self.head(features)
        return query.float(), key.float(), (features.shape[-2], features.shape[-1])

    @torch.no_grad()
    def embed_views(self, images: Tensor, enlarge: float, mirror: bool) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Queries and keys of images to be segmented, and the grid of the enlarged images.

        With `mirror` every node has those of the mirror image behind its own, [B, N, 2D], scaled so that the logit of
        a pair is the mean of what it is in the image and in the mirror [Decision 143].
        """
        images = enlarged(images, enlarge)
        query, key, grid = self.embed(images)
        if not mirror:
            return query, key, grid
        # What fills up the last nodes must be the same in the mirror, or its nodes would lie between the image's.
        mirrored = self.embed(_pad_to_stride(images.float()).flip(-1))[:2]
        other_query, other_key = (nodes.unflatten(1, grid).flip(2).flatten(1, 2) for nodes in mirrored)
        return torch.cat([query, other_query], -1) / math.sqrt(2), torch.cat([key, other_key], -1), grid

    def forward(self, images: Tensor, generator: torch.Generator, num_levels: int = 1) -> list[Level]:
        """Keys, queries and pairs at strides 1, 2, 4, ... of the grid, each with fresh far samples (release: 3 levels).

        Args:
            images: [B, 3, H, W].
            generator: draws the far samples.
            num_levels: how many strides.
        """
        query, key, (height, width) = self.embed(images, generator)
        levels = []
        for stride in (2**level for level in range(num_levels)):
            rows, columns = len(range(0, height, stride)), len(range(0, width, stride))
            neighborhood = self.sampler(rows, columns, images.shape[0], generator)
            thin_query, thin_key = (_thin(nodes, height, width, stride) for nodes in (query, key))
            levels.append(Level(thin_query, thin_key, neighborhood, stride))
        return levels

    @torch.no_grad()
    def graph(self, images: Tensor, generator: torch.Generator) -> tuple[AffinityGraph, tuple[int, int]]:
        """Everything that grouping needs of the images, and the grid: of the enlarged images, (H/4, W/4) without."""
        query, key, grid = self.embed_views(images, self.enlarge, self.mirror)
        return AffinityGraph(query, key, self.sampler(*grid, images.shape[0], generator)), grid

    @torch.no_grad()
    def segment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Segments of still images: int64 [B, h, w] on the grid that `graph` names, 0 = unassigned, 1 the largest."""
        return self.segment_runs(images, generator, 1)[0]

    @torch.no_grad()
    def segment_runs(self, images: Tensor, generator: torch.Generator, num_runs: int) -> Tensor:
        """Segments of `num_runs` runs with different draws over the same affinities: int64 [R, B, h, w].

        A run is a single pass, or with `num_passes` what is best in so many.
        """
        graph, grid = self.graph(images, generator)
        passes = self.grouping(graph, grid, generator, num_runs * self.num_passes)
        if self.num_passes == 1:
            return passes
        maps = passes.unflatten(0, (num_runs, self.num_passes)).cpu().numpy()
        pictures = images.byte().permute(0, 2, 3, 1).cpu().numpy()
        chosen = [[self.chosen(run[:, place], picture) for place, picture in enumerate(pictures)] for run in maps]
        return torch.from_numpy(np.array(chosen)).to(passes.device)

    def chosen(self, passes: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """The best segments of the passes [P, h, w] over a picture uint8 [H, W, 3]: [h, w], see `best_segments`."""
        return best_segments(passes, picture, self.snap, self.grouping.min_region_nodes)

    def outlined(self, labels: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """Segments [h, w] of a picture uint8 [H, W, 3] with its outlines, see `outlines.outlined`."""
        return outlined(labels, picture, self.snap, self.min_edge_share)


def enlarged(images: Tensor, factor: float) -> Tensor:
    """Images [B, 3, H, W] so many times larger, bilinearly, with sides rounded to whole nodes; unchanged at 1.

    A node is 4x4 px of the enlarged picture, so that small things have more of them. [Decision 135]
    """
    if factor == 1:
        return images
    height, width = node_grid(images.shape[-2], images.shape[-1], factor)
    size = (height * STRIDE, width * STRIDE)
    return nn.functional.interpolate(images.float(), size=size, mode="bilinear", align_corners=False)


def node_grid(height: int, width: int, enlarge: float = 1.0) -> tuple[int, int]:
    """Nodes (h, w) of a picture of so many pixels, made so many times larger first."""
    if enlarge == 1:
        return -(-height // STRIDE), -(-width // STRIDE)
    return round(height * enlarge / STRIDE), round(width * enlarge / STRIDE)


def _pad_to_stride(images: Tensor) -> Tensor:
    bottom, right = -images.shape[-2] % STRIDE, -images.shape[-1] % STRIDE
    return nn.functional.pad(images, (0, right, 0, bottom), mode="replicate") if bottom or right else images


def _thin(nodes: Tensor, height: int, width: int, stride: int) -> Tensor:
    """Every `stride`-th node of the grid in both directions: [B, N, D] to [B, N', D]."""
    if stride == 1:
        return nodes
    return nodes.unflatten(1, (height, width))[:, ::stride, ::stride].flatten(1, 2)
