"""Outlines of segments finer than the nodes: watershed from their cores up to the edges of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from eisen_ray.model.regions import to_grid

_CORE_DEPTH = 0.9
"""What lies at least this deep in a segment, as a share of its deepest pixel's depth, stays: nothing can vanish."""

EDGE_POWER = 4
"""How much a segment's share on edges counts: nine tenths against six, 0.66 against 0.13. [Decisions 140, 145]"""

_STRONG = 0.9
"""Neighbouring pixels that differ more than this share of a picture's neighbours have an edge between them."""


def outlined(
    labels: NDArray[np.integer], picture: NDArray[np.uint8], reach: float, min_edge_share: float
) -> NDArray[np.int64]:
    """Segments on nodes, [h, w], with outlines on edges of the picture: `snap_to_edges`, then `drop_faint`."""
    return drop_faint(snap_to_edges(labels, picture, reach), picture, min_edge_share)


def snap_to_edges(labels: NDArray[np.integer], picture: NDArray[np.uint8], reach: float) -> NDArray[np.int64]:
    """Move the outlines of segments to the edges of the picture (Meyer's marker-controlled watershed). [Decision 136]

    Whatever is deeper in its segment than `reach` keeps its label, and at least the core of every segment; the rest
    is dealt out anew, from like to like colours. The unassigned nodes count as one more segment: where they are but a
    gap between others it closes.

    Args:
        labels: [h, w], 0 = unassigned, of any size.
        picture: [H, W, 3], RGB.
        reach: how far an outline may move, as a share of the picture's shorter side; 0 = outlines stay on the nodes.

    Returns:
        [H, W], the same labels; with a reach of 0 the map as it came.
    """
    if reach == 0:
        return labels.astype(np.int64)
    height, width = picture.shape[:2]
    large = to_grid(torch.from_numpy(labels.astype(np.int64))[None], height, width)[0].numpy()
    depth = _depth(large)
    deepest = np.zeros(large.max() + 1)
    np.maximum.at(deepest, large.ravel(), depth.ravel())
    sure = depth >= np.minimum(reach * min(height, width), _CORE_DEPTH * deepest)[large]
    found = _flood(np.where(sure, large + 1, 0), picture) - 1
    return np.where(found >= 0, found, large)


def drop_faint(labels: NDArray[np.int64], picture: NDArray[np.uint8], min_share: float) -> NDArray[np.int64]:
    """Unassign segments of whose outline less than a share stands on edges of the picture. [Decision 138]

    Args:
        labels: [H, W], 0 = unassigned, with outlines on the picture's pixels, see `snap_to_edges`.
        picture: [H, W, 3].
        min_share: of `edge_shares`; 0 = all segments stay.

    Returns:
        [H, W], the same labels.
    """
    if min_share == 0:
        return labels
    return np.where(edge_shares(labels, picture)[labels] >= min_share, labels, 0)


def edge_shares(labels: NDArray[np.int64], picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """For each label, the share of its outline across which the picture has an edge.

    An outline are the pairs of neighbouring pixels with different labels, an edge those pairs whose colours differ
    more than nine tenths of the picture's: faint pictures have edges, too. [Decision 138]

    Args:
        labels: [H, W], 0 = unassigned, which has an outline, too.
        picture: [H, W, 3].

    Returns:
        Float [largest label + 1]; 0 for labels that no pixel has or that fill the picture.
    """
    colours = picture.astype(np.int16)
    differences = [np.abs(np.diff(colours, axis=axis)).sum(axis=2).ravel() for axis in (0, 1)]
    limit = np.quantile(np.concatenate(differences), _STRONG)
    ends = [(labels[:-1], labels[1:]), (labels[:, :-1], labels[:, 1:])]
    outline, strong = np.zeros((2, labels.max() + 1))
    for difference, (first, second) in zip(differences, ends, strict=True):
        apart = (first != second).ravel()
        for names in (first.ravel()[apart], second.ravel()[apart]):
            outline += np.bincount(names, minlength=len(outline))
            strong += np.bincount(names, difference[apart] > limit, minlength=len(outline))
    return strong / outline.clip(min=1)


def majority_on_grid(labels: NDArray[np.int64], height: int, width: int) -> NDArray[np.int64]:
    """The most frequent label of each node's pixels: [H, W] to [height, width], of which H and W are multiples.

    Of equally frequent ones the smallest.
    """
    rows, columns = labels.shape[0] // height, labels.shape[1] // width
    nodes = labels.reshape(height, rows, width, columns).transpose(0, 2, 1, 3).reshape(height, width, -1)
    names = np.unique(labels)
    counts = np.stack([(nodes == name).sum(axis=2) for name in names])
    return names[counts.argmax(axis=0)]


def _flood(markers: NDArray[np.int64], picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Markers [H, W], 0 = not known, grown over a picture [H, W, 3] until they meet."""
    # OpenCV leaves out the outermost pixels and a line, -1, between any two regions.
    around = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    grown = np.pad(markers, 1, mode="edge").astype(np.int32)
    cv2.watershed(around, grown)
    inner = grown[1:-1, 1:-1]
    lines = inner < 0
    # A pixel of such a line goes to the neighbour that it resembles most.
    height, width = inner.shape
    nearest, least = np.zeros_like(inner), np.full(inner.shape, np.inf)
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        beside = np.s_[down : down + height, right : right + width]
        unlike = np.abs(around[beside].astype(np.float32) - picture).sum(axis=2)
        better = (grown[beside] > 0) & (unlike < least)
        nearest, least = np.where(better, grown[beside], nearest), np.where(better, unlike, least)
    return np.where(lines, nearest, inner).astype(np.int64)


def _depth(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each pixel [H, W] from the rim of its segment, px: 0 on the rim. The picture's border is no rim."""
    padded = np.pad(labels, 1, mode="edge")
    height, width = labels.shape
    rim = np.zeros(labels.shape, dtype=bool)
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        rim |= padded[down : down + height, right : right + width] != labels
    if not rim.any():
        return np.ones(labels.shape)
    return np.asarray(distance_transform_edt(~rim), dtype=np.float64)
