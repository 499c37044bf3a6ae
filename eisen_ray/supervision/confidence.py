"""Confident segments: what several passes of the frozen teacher agree on (Section 3.2; algorithm.md, 7.1)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from eisen_ray.errors import ConfigError


def confident_segments(
    runs: Tensor, agreement: float = 1.0, min_nodes: int = 20, max_area: float = 1.0, unanimous: bool = True
) -> Tensor:
    """Segments on which passes with different random draws agree.

    A node is a candidate if every pass gives it a segment. Two candidates belong together if at least `agreement` of
    the passes put them into one segment. Nodes are scanned in order: the first candidate without a segment opens one,
    which takes all candidates that belong together with it. At 1.0 this is the common refinement of the passes.

    Args:
        runs: int64 [S, B, H, W], the label maps of S passes, 0 = unassigned.
        agreement: share of the passes, above 0, at most 1 (authors: 1.0).
        min_nodes: smaller segments are dropped.
        max_area: segments that cover more than this share of the image are dropped.
        unanimous: off: a node is a candidate if `agreement` of the passes give it a segment; used to pool motion,
            where something may rest in some of the frame pairs.

    Returns:
        int64 [B, H, W]: 1, 2, ... in scan order, 0 = not confident.

    Raises:
        ConfigError: `agreement` out of range, or no passes.
    """
    if not 0 < agreement <= 1 or runs.ndim != 4 or len(runs) == 0:
        raise ConfigError(f"agreement {agreement} of runs {tuple(runs.shape)}; expected 0 < agreement <= 1, [S,B,H,W].")
    num_runs, batch, height, width = runs.shape
    needed = math.ceil(agreement * num_runs - 1e-6)
    nodes = runs.flatten(2)
    candidates = (nodes > 0).sum(0) >= (num_runs if unanimous else needed)
    codes = _tuple_codes(nodes)
    if needed == num_runs:
        labels = torch.where(candidates, codes + 1, 0)
    else:
        grouped = [_scan(nodes[:, b], codes[b], candidates[b], needed) for b in range(batch)]
        labels = torch.stack(grouped).to(runs.device)
    return _rename(labels, min_nodes, max_area).unflatten(1, (height, width))


def _tuple_codes(nodes: Tensor) -> Tensor:
    """One number per distinct tuple of labels over the passes, [S, B, N] -> [B, N]; unique over the batch."""
    batch = nodes.shape[1]
    codes = torch.arange(batch, device=nodes.device)[:, None].expand(nodes.shape[1:])
    for labels in nodes:
        # Renumbering after every pass keeps the product small.
        _, codes = torch.unique(codes * (labels.max() + 1) + labels, return_inverse=True)
    return codes


def _scan(runs: Tensor, codes: Tensor, candidates: Tensor, needed: int) -> Tensor:
    """The scan over one image: labels [S, N], tuple codes [N], candidates [N] -> [N].

    Nodes with equal tuples always share their fate, so the scan goes over distinct tuples, not over nodes.
    """
    _, first, place = np.unique(codes.cpu().numpy(), return_index=True, return_inverse=True)
    order = np.argsort(first)
    tuples = runs[:, torch.from_numpy(first).to(runs.device)].cpu().numpy()
    open_to_all = candidates.cpu().numpy()[first]
    labels = np.zeros(len(first), dtype=np.int64)
    for opener in order:
        if labels[opener] or not open_to_all[opener]:
            continue
        together = ((tuples == tuples[:, opener, None]) & (tuples > 0)).sum(0) >= needed
        labels[together & open_to_all] = opener + 1
    return torch.from_numpy(labels[place.reshape(-1)])


def _rename(labels: Tensor, min_nodes: int, max_area: float) -> Tensor:
    """Labels [B, N] renamed 1, 2, ... per image in scan order, without segments of unfit size."""
    num_nodes = labels.shape[1]
    renamed = torch.zeros_like(labels)
    for image, out in zip(labels, renamed, strict=True):
        names, place, size = torch.unique(image, return_inverse=True, return_counts=True)
        first = torch.full_like(names, num_nodes).scatter_reduce_(
            0, place, torch.arange(num_nodes, device=labels.device), "amin"
        )
        kept = (names > 0) & (size >= min_nodes) & (size <= max_area * num_nodes)
        rank = torch.where(kept, first, num_nodes).argsort().argsort() + 1
        out.copy_(torch.where(kept, rank, 0)[place])
    return renamed
