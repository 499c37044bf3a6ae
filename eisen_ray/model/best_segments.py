"""One map from several passes: each thing as the pass has it in which it stands best on edges of the picture."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from eisen_ray.model.outlines import EDGE_POWER, edge_shares, snap_to_edges
from eisen_ray.model.regions import connected_regions, to_grid

_MAX_TAKEN = 0.3
"""A segment of which more than this share is taken already is another view of what has taken it."""


def best_segments(
    runs: NDArray[np.integer], picture: NDArray[np.uint8], reach: float, min_nodes: int
) -> NDArray[np.int64]:
    """Choose among the segments of passes with different draws. [Decision 145]

    A segment counts as much as the share of its outline that stands on edges of the picture, to the fourth power,
    times how well the passes have it on average (IoU with the best segment of each, its own included). They are
    taken in that order, each without what is taken already, unless that is more than three tenths of it. What no
    segment takes stays as the first pass has it.

    Args:
        runs: label maps [P, h, w] of one image, 0 = unassigned.
        picture: [H, W, 3], of any size.
        reach: of `snap_to_edges`: outlines are judged where it moves them; the map stays on nodes.
        min_nodes: smaller pieces become unassigned.

    Returns:
        [h, w], 0 = unassigned, 1 the largest.
    """
    masks, edges, owners = _candidates(runs, picture, reach)
    sizes = masks.sum(axis=1)
    counts = masks.astype(np.float32)
    shared = counts @ counts.T
    ious = shared / (sizes[:, None] + sizes - shared)
    support = np.mean([ious[:, owners == run].max(axis=1, initial=0) for run in range(len(runs))], axis=0)
    # A stable order: equal segments of several passes are taken as the first of them has them.
    order = np.argsort(-(edges**EDGE_POWER) * support, kind="stable")
    labels = np.zeros(masks.shape[1], dtype=np.int64)
    for name, place in enumerate(order, start=1):
        free = masks[place] & (labels == 0)
        if free.sum() >= (1 - _MAX_TAKEN) * sizes[place]:
            labels[free] = name
    first = runs[0].ravel()
    labels = np.where((labels == 0) & (first > 0), len(order) + first, labels)
    regions = connected_regions(torch.from_numpy(labels.reshape(1, *runs.shape[1:]) - 1), min_nodes)
    return np.asarray(regions[0].numpy())


def _candidates(
    runs: NDArray[np.integer], picture: NDArray[np.uint8], reach: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]]:
    """All segments of all passes: masks [S, h*w], shares of their outlines on edges [S], their passes' numbers [S]."""
    masks, edges, owners = [np.zeros((0, runs[0].size), dtype=bool)], [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
    for number, run in enumerate(runs):
        names = np.unique(run[run > 0])
        masks.append(run.ravel() == names[:, None])
        moved = torch.from_numpy(snap_to_edges(run, picture, reach))[None]
        # With a reach of 0 the map is still on nodes.
        edges.append(edge_shares(to_grid(moved, *picture.shape[:2])[0].numpy(), picture)[names])
        owners.append(np.full(len(names), number))
    return np.concatenate(masks), np.concatenate(edges), np.concatenate(owners)
