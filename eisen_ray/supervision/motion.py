"""From optical flow to motion: what moves, and as how many independent things (Section 3.2; algorithm.md, 6)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from eisen_ray.errors import DataError
from eisen_ray.model.competition import Competition
from eisen_ray.model.object_masks import RandomDraws
from eisen_ray.model.regions import connected_regions, region_components
from eisen_ray.supervision.camera import camera_flow
from eisen_ray.supervision.confidence import confident_segments

_SCALE_QUANTILE = 0.98  # of |u|, |v|: the flow that reaches the edge of the plateau map's grid
_SCALE_NODES = 1 << 14  # a quantile of this many nodes is as good as one of all
_MIN_SCALE_PX = 1.0
_FAST_QUANTILE = 0.8
_CHUNK_NODES = 1 << 18  # 64 channels of this many nodes are 64 MiB


def moving_by_threshold(flow: Tensor, threshold_px: float, relative: float = 0.0) -> Tensor:
    """What moves under a fixed camera: flow [B, 2, H, W] longer than a limit, bool [B, H, W]. NaN does not move.

    Args:
        flow: px.
        threshold_px: the limit.
        relative: a second limit, as a share of the picture's fast flow: of what is above the first, four fifths are
            slower. Flow networks smear motion over its edge, the wider the faster it is [Decision 132].
    """
    speed = flow.norm(dim=1)
    moving = speed > threshold_px
    if relative > 0:
        for one, above in zip(speed, moving, strict=True):
            if above.any():
                above &= one > relative * one[above].quantile(_FAST_QUANTILE)
    return moving


def gate_area(moving: Tensor, min_area: float, max_area: float) -> Tensor:
    """Discard implausible motion: bool [B, H, W], empty where the moving share is not strictly between the limits."""
    share = moving.float().mean(dim=(1, 2), keepdim=True)
    return moving & (share > min_area) & (share < max_area)


def flow_plateau(flow: Tensor, resolution: int = 8) -> Tensor:
    """Flow vectors as a plateau map: the soft one-hot of (v, u) on a grid, so that like motion is parallel.

    Args:
        flow: float [B, 2, H, W], px.
        resolution: bins per axis. The grid spans +- the 98th percentile of |u| and |v|, at least one px.

    Returns:
        float32 [B, H, W, resolution**2], unit vectors; neighbouring bins share a vector bilinearly.
    """
    flow = flow.float().nan_to_num()
    components = flow.abs().flatten(2)
    components = components[..., :: max(1, components.shape[-1] // _SCALE_NODES)].flatten(1)
    scale = components.quantile(_SCALE_QUANTILE, dim=1).clamp(min=_MIN_SCALE_PX)
    position = ((flow / scale[:, None, None, None]).clamp(-1, 1) + 1) / 2 * (resolution - 1)
    bins = torch.arange(resolution, device=flow.device, dtype=flow.dtype)
    u, v = (1 - (position[..., None] - bins).abs()).clamp(min=0).unbind(1)
    return torch.nn.functional.normalize((v[..., :, None] * u[..., None, :]).flatten(3), dim=-1)


def plateau_segments(
    flow: Tensor,
    generator: torch.Generator,
    *,
    threshold_px: float = 1.0,
    competition: Competition | None = None,
) -> Tensor:
    """Motion segments under a moving camera: Competition on the flow plateau map, background suppressed.

    The camera's own flow is subtracted first [Decision 11]. Background is the segment of largest area (of equal
    areas the one with more of the image border), and every other one that on average moves no more than
    `threshold_px` against it.

    Args:
        flow: float [B, 2, H, W], px; NaN counts as rest.
        generator: source of Competition's draws.
        threshold_px: mean relative motion below which a segment rests.
        competition: 32 masks and 3 rounds by default (authors: 32).

    Returns:
        int64 [B, H, W]: one positive number per Competition slot, 0 = background. A segment may have several parts.
    """
    competition = competition or Competition()
    flow = flow.float().nan_to_num()
    relative = flow - camera_flow(flow)
    chunk = max(1, _CHUNK_NODES // (flow.shape[-1] * flow.shape[-2]))
    slots = [competition(flow_plateau(part), RandomDraws(generator)).labels + 1 for part in relative.split(chunk)]
    labels = torch.cat(slots)
    rests = _resting(labels, relative.norm(dim=1), threshold_px)
    return torch.where(rests.gather(1, labels.flatten(1)).view_as(labels), 0, labels + 1)


def _resting(labels: Tensor, speed: Tensor, threshold_px: float) -> Tensor:
    """Which labels are background: bool [B, L], from labels and speeds [B, H, W]."""
    flat, num_labels = labels.flatten(1), int(labels.max()) + 1
    zeros = speed.new_zeros(len(labels), num_labels, dtype=torch.float64)
    area = zeros.scatter_add(1, flat, torch.ones_like(flat, dtype=torch.float64))
    total = zeros.scatter_add(1, flat, speed.flatten(1).double())
    border = torch.ones_like(labels, dtype=torch.float64)
    border[:, 1:-1, 1:-1] = 0
    contact = zeros.scatter_add(1, flat, border.flatten(1))
    largest = (area + contact / (2 * flat.shape[1])).argmax(dim=1, keepdim=True)
    rests = total <= threshold_px * area
    return rests.scatter(1, largest, torch.ones_like(largest, dtype=torch.bool))


class MotionSegmenter:
    """Flow of one or several frame pairs -> the motion segments of a frame.

    Args:
        method: "threshold" (fixed camera: all that moves is one segment) or "plateau" (moving camera).
        threshold_px: flow, with "plateau" mean relative flow of a segment, above which it moves.
        relative_threshold: with "threshold", see `moving_by_threshold`; 0 = no second limit.
        min_area, max_area: a pair's motion is discarded unless the moving share is strictly between them.
        split_components: with "threshold", each 8-connected moving region becomes a segment; with "plateau" it always
            does.
        min_region_nodes: smaller regions are dropped.
        largest_only: keep the largest connected moving region, as one segment, whatever moves inside it.
        agreement: share of the frame pairs that must agree that two nodes move together (6.5).
    """

    def __init__(
        self,
        method: Literal["threshold", "plateau"] = "threshold",
        threshold_px: float = 0.5,
        min_area: float = 0.0,
        max_area: float = 1.0,
        split_components: bool = False,
        min_region_nodes: int = 0,
        largest_only: bool = False,
        agreement: float = 0.5,
        relative_threshold: float = 0.0,
    ) -> None:
        self.method = method
        self.threshold_px = threshold_px
        self.relative_threshold = relative_threshold
        self.min_area = min_area
        self.max_area = max_area
        self.split_components = split_components or method == "plateau"
        self.min_region_nodes = min_region_nodes
        self.largest_only = largest_only
        self.agreement = agreement

    def __call__(self, flow: Tensor, generator: torch.Generator) -> Tensor:
        """Segment the motion of a batch of frames.

        Args:
            flow: float [B, O, 2, H, W], px, from the frame to each of O other frames; all NaN = there is no such frame.
            generator: source of all draws; equal generators give equal segments.

        Returns:
            int64 [B, H, W], 0 = static.

        Raises:
            DataError: flow of another shape.
        """
        if flow.ndim != 5 or flow.shape[2] != 2 or flow.shape[1] == 0:
            raise DataError(f"Flow is {tuple(flow.shape)}; expected [B, O, 2, H, W] with at least one offset.")
        pairs = torch.stack([self._one_pair(flow[:, offset], generator) for offset in range(flow.shape[1])])
        if self.largest_only:
            pairs = (pairs > 0).long()
        return self._regions(self._pool(pairs, ~flow.isnan().flatten(2).all(dim=2)))

    def _one_pair(self, flow: Tensor, generator: torch.Generator) -> Tensor:
        if self.method == "threshold":
            segments = moving_by_threshold(flow, self.threshold_px, self.relative_threshold).long()
        else:
            segments = plateau_segments(flow, generator, threshold_px=self.threshold_px)
        return torch.where(gate_area(segments > 0, self.min_area, self.max_area), segments, 0)

    def _pool(self, pairs: Tensor, present: Tensor) -> Tensor:
        """Label maps [O, B, H, W] of the pairs that exist, present [B, O], as one map [B, H, W]."""
        if len(pairs) == 1:
            return pairs[0]
        pooled = torch.zeros_like(pairs[0])
        for image, exists in enumerate(present):
            runs = pairs[exists, image][:, None]
            if len(runs):
                pooled[image] = confident_segments(runs, self.agreement, min_nodes=0, unanimous=False)[0]
        return pooled

    def _regions(self, segments: Tensor) -> Tensor:
        if self.largest_only:
            return (region_components(segments > 0, self.min_region_nodes) == 1).long()
        if self.split_components:
            return connected_regions(torch.where(segments > 0, segments, -1), self.min_region_nodes)
        if self.min_region_nodes > 1:
            return torch.where(region_components(segments > 0, self.min_region_nodes) > 0, segments, 0)
        return segments
