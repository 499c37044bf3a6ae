"""From slot labels to regions: 8-connected components, small ones dropped, unique names (Section 3.1)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor


def connected_regions(labels: Tensor, min_nodes: int = 20, max_regions: int = 256) -> Tensor:
    """Split every label into its 8-connected components.

    Args:
        labels: int64 [B, H, W]; negative = belongs to no region.
        min_nodes: components smaller than this are dropped (release: 20 at 128x128).
        max_regions: at most this many of the largest are kept (release: 256).

    Returns:
        int64 [B, H, W]: 1 for the largest region of each image, then 2, 3, ...; 0 = unassigned. Unlike the
        release, two regions never share a name and 0 is never a segment [Decision 8].
    """
    names = _components(labels.cpu().numpy())
    kept = _rank_by_size(names, min_nodes, max_regions)
    return torch.from_numpy(kept).to(labels.device)


def region_components(mask: Tensor, min_nodes: int = 20) -> Tensor:
    """8-connected components of a bool mask [B, H, W], largest first: int64 [B, H, W], 0 outside."""
    return connected_regions(mask.long() - 1, min_nodes)


def to_grid(labels: Tensor, height: int, width: int) -> Tensor:
    """Label maps [B, H, W] at another size, by nearest neighbour at the centres: int64 [B, height, width]."""
    rows = ((torch.arange(height, device=labels.device) + 0.5) * labels.shape[1] / height).long()
    columns = ((torch.arange(width, device=labels.device) + 0.5) * labels.shape[2] / width).long()
    return labels[:, rows[:, None], columns[None, :]]


def _components(labels: np.ndarray) -> np.ndarray:
    """Names [B, H, W], unique over the batch, of the components of equal non-negative labels; -1 elsewhere."""
    index = np.arange(labels.size).reshape(labels.shape)
    pairs = [
        (np.s_[:, :, :-1], np.s_[:, :, 1:]),  # right
        (np.s_[:, :-1, :], np.s_[:, 1:, :]),  # down
        (np.s_[:, :-1, :-1], np.s_[:, 1:, 1:]),  # down right
        (np.s_[:, :-1, 1:], np.s_[:, 1:, :-1]),  # down left
    ]
    edges = []
    for here, there in pairs:
        same = (labels[here] == labels[there]) & (labels[here] >= 0)
        edges.append((index[here][same], index[there][same]))
    start, end = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    graph = coo_array((np.ones(len(start), dtype=bool), (start, end)), shape=(labels.size, labels.size))
    _, names = connected_components(graph, directed=False)
    return np.where(labels >= 0, names.reshape(labels.shape), -1)


def _rank_by_size(names: np.ndarray, min_nodes: int, max_regions: int) -> np.ndarray:
    """Components renamed 1, 2, ... by falling size within each image; 0 for what is dropped."""
    if not (names >= 0).any():
        return np.zeros(names.shape, dtype=np.int64)
    size = np.bincount(names[names >= 0], minlength=names.max() + 1)
    image_of = np.zeros(len(size), dtype=np.int64)
    image = np.broadcast_to(np.arange(len(names))[:, None, None], names.shape)
    image_of[names[names >= 0]] = image[names >= 0]  # names that stand for nothing keep image 0 and size 0
    order = np.lexsort((-size, image_of))
    first = np.searchsorted(image_of[order], np.arange(len(names)))
    rank = np.empty(len(size), dtype=np.int64)
    rank[order] = np.arange(len(size)) - first[image_of[order]] + 1
    rank[(size < max(min_nodes, 1)) | (rank > max_regions)] = 0
    return np.where(names >= 0, rank[names], 0)
