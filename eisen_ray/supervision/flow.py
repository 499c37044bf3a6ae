"""Optical flow between two frames: the frozen RAFT of Section 3.1, and a classical estimator without weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.optical_flow import raft_large, raft_small
from torchvision.models.optical_flow._utils import make_coords_grid, upsample_flow

from eisen_ray.errors import DataError, WeightsError
from eisen_ray.model.precision import Precision, product_dtype
from eisen_ray.supervision.raft_weights import (
    check_fits,
    convert_princeton_state,
    load_raft_state,
    resolve_weights,
    state_digest,
)

__all__ = [
    "DisFlow",
    "FlowEstimator",
    "RaftFlow",
    "convert_princeton_state",
    "load_flow",
    "load_raft",
    "resolve_weights",
]

logger = logging.getLogger(__name__)

_STRIDE = 8
_MIN_SIDE = 128  # RAFT's correlation pyramid: four levels of at least two cells, at an eighth of the image


@runtime_checkable
class FlowEstimator(Protocol):
    """Flow from frames to other frames."""

    name: str
    """What made the flow, for reports: "raft-large", "raft-small", "dis"."""

    @property
    def identity(self) -> str:
        """Text that changes whenever the flow of the same frames would: part of the address of stored flow."""
        ...

    def __call__(self, frame: Tensor, next_frame: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] twice -> float32 [B, 2, H, W], px of the input, u to the right, v downwards."""
        ...

    def between(self, frames: Tensor, first: Sequence[int], second: Sequence[int], batch: int = 16) -> Tensor:
        """Flow of pairs of frames of one clip: what a frame needs is worked out once, whatever pairs it is in.

        Args:
            frames: uint8 [n, 3, H, W].
            first, second: numbers of the frames of each pair.
            batch: pairs worked on at a time.

        Returns:
            float32 [pairs, 2, H, W], as from `__call__`.
        """
        ...


class RaftFlow(nn.Module):
    """Frozen RAFT (torchvision's network and weights), always in evaluation mode.

    torchvision's own `forward` encodes both frames of every pair and upsamples every update; here a frame is encoded
    once and only the last update is upsampled. In fp32 the flow is the same to the last bits.

    Args:
        variant: "large" or "small".
        num_updates: recurrent updates (authors: 20).
        precision: of the convolutions; coordinates and correlations stay in fp32.
    """

    def __init__(
        self, variant: Literal["large", "small"] = "large", num_updates: int = 20, precision: Precision = "fp32"
    ) -> None:
        super().__init__()
        self.name = f"raft-{variant}"
        self.num_updates = num_updates
        self.precision: Precision = precision
        self.weights_digest = "random"
        self.raft = (raft_large if variant == "large" else raft_small)(weights=None)
        self.requires_grad_(requires_grad=False).eval()

    @property
    def identity(self) -> str:
        """Network, digest of its weights, number of updates, and the precision as it was asked for, unless fp32."""
        reduced = "" if self.precision == "fp32" else f":{self.precision}"
        return f"{self.name}:{self.weights_digest}:{self.num_updates}{reduced}"

    def train(self, mode: bool = True) -> RaftFlow:
        """Stay in evaluation mode: the flow network is frozen."""
        return super().train(mode=False)

    def forward(self, frame: Tensor, next_frame: Tensor) -> Tensor:
        """Estimate flow.

        Args:
            frame, next_frame: uint8 [B, 3, H, W], at least 128x128.

        Returns:
            float32 [B, 2, H, W], px.

        Raises:
            DataError: wrong dtype, shapes that differ, or frames that are too small.
        """
        _check_frames(frame, next_frame)
        pairs = range(len(frame))
        return self.between(torch.cat([frame, next_frame]), pairs, [len(frame) + i for i in pairs], max(1, len(frame)))

    def between(self, frames: Tensor, first: Sequence[int], second: Sequence[int], batch: int = 16) -> Tensor:
        """See `FlowEstimator.between`; raises as `forward`."""
        _check_frames(frames, frames)
        if min(frames.shape[-2:]) < _MIN_SIDE:
            height, width = frames.shape[-2:]
            raise DataError(f"Frames are {height}x{width}; RAFT needs at least {_MIN_SIDE}x{_MIN_SIDE}. Resize them.")
        # A copy made outside inference mode is an ordinary tensor, which later code may use in training.
        return self._between(frames, list(first), list(second), batch).clone()

    @torch.inference_mode()
    def _between(self, frames: Tensor, first: list[int], second: list[int], batch: int) -> Tensor:
        top, bottom = _split_padding(frames.shape[-2])
        left, right = _split_padding(frames.shape[-1])
        images = F.pad(frames.float() / 127.5 - 1.0, (left, right, top, bottom), mode="replicate")
        starts = sorted(set(first))
        features = self._encoded(self.raft.feature_encoder, images, batch)
        context = self._encoded(self.raft.context_encoder, images[starts], batch)
        place = {frame: index for index, frame in enumerate(starts)}
        found = [images.new_zeros(0, 2, *images.shape[-2:])]
        for begin in range(0, len(first), batch):
            some, others = first[begin : begin + batch], second[begin : begin + batch]
            found.append(self._refined(features[some], features[others], context[[place[frame] for frame in some]]))
        flow = torch.cat(found)
        return flow[..., top : flow.shape[-2] - bottom, left : flow.shape[-1] - right]

    def _encoded(self, encoder: nn.Module, images: Tensor, batch: int) -> Tensor:
        with self._reduced(images.device):
            return torch.cat([encoder(some) for some in images.split(batch)]).float()

    def _refined(self, features: Tensor, next_features: Tensor, context: Tensor) -> Tensor:
        """The recurrent updates, from no motion on: feature maps [B, C, h, w] to flow [B, 2, 8h, 8w]."""
        device = features.device
        self.raft.corr_block.build_pyramid(features, next_features)
        hidden_size = self.raft.update_block.hidden_state_size
        hidden, context = context.split([hidden_size, context.shape[1] - hidden_size], dim=1)
        hidden, context = hidden.tanh(), context.relu()
        start = make_coords_grid(len(features), *features.shape[-2:]).to(device)
        coords = start
        # Around all updates: autocast forgets its copies of the weights at the end of the outermost block.
        with self._reduced(device):
            for _ in range(self.num_updates):
                with torch.autocast(device.type, enabled=False):
                    correlation = self.raft.corr_block.index_pyramid(centroids_coords=coords)
                hidden, change = self.raft.update_block(hidden, context, correlation, coords - start)
                coords = coords + change.float()
        weights = None if self.raft.mask_predictor is None else self.raft.mask_predictor(hidden.float())
        return upsample_flow(coords - start, up_mask=weights)

    def _reduced(self, device: torch.device) -> torch.autocast:
        dtype = product_dtype(self.precision, device)
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)


class DisFlow:
    """OpenCV's dense inverse search: classical, no weights, tens of milliseconds a pair on a CPU.

    Less exact than RAFT (docs/results/davis-motion-targets.md); for machines that have no RAFT weights. The medium
    preset, carried down to full resolution: fewer errors than any preset, for about three times medium's time.
    """

    name = "dis"

    @property
    def identity(self) -> str:
        """Method, settings and library version."""
        return f"dis:medium-full:opencv-{cv2.__version__}"

    def __call__(self, frame: Tensor, next_frame: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] twice -> float32 [B, 2, H, W], px, on the frames' device.

        Raises:
            DataError: wrong dtype or shapes that differ.
        """
        _check_frames(frame, next_frame)
        pairs = range(len(frame))
        return self.between(torch.cat([frame, next_frame]), pairs, [len(frame) + i for i in pairs])

    def between(self, frames: Tensor, first: Sequence[int], second: Sequence[int], batch: int = 16) -> Tensor:
        """See `FlowEstimator.between`; raises as `__call__`."""
        _check_frames(frames, frames)
        gray = [
            cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in frames.permute(0, 2, 3, 1).cpu().contiguous().numpy()
        ]
        flow = np.zeros((len(first), *frames.shape[-2:], 2), np.float32)
        for pair, (one, other) in enumerate(zip(first, second, strict=True)):
            flow[pair] = self._pair(gray[one], gray[other])
        return torch.from_numpy(flow).permute(0, 3, 1, 2).contiguous().to(frames.device)

    @staticmethod
    def _pair(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        # The object keeps buffers between calls and is not safe to share between threads; making one costs nothing.
        estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        estimator.setFinestScale(0)
        return estimator.calc(first, second, np.zeros((*first.shape, 2), np.float32))


def load_raft(
    variant: Literal["large", "small"],
    weights: str = "",
    num_updates: int = 20,
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
) -> RaftFlow:
    """RAFT with trained weights.

    Args:
        variant: "large" or "small".
        weights: path or URL in either layout, a torchvision weights name, or "" (see `load_raft_state`).
        num_updates: recurrent updates.
        device: where it runs.
        precision: of the convolutions.

    Raises:
        WeightsError: no weights can be had, or they do not fit the variant.
    """
    state = load_raft_state(variant, weights)
    flow = RaftFlow(variant, num_updates, precision)
    check_fits(state, flow.raft.state_dict(), variant)
    flow.raft.load_state_dict(state, strict=True)
    flow.weights_digest = state_digest(state)
    return flow.to(device)


def load_flow(
    estimator: Literal["raft-large", "raft-small", "dis"],
    *,
    weights: str = "",
    num_updates: int = 20,
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
    fallback: bool = False,
) -> FlowEstimator:
    """The flow estimator that settings ask for.

    Args:
        estimator: "raft-large", "raft-small" or "dis".
        weights, num_updates, device, precision: see `load_raft`; unused by "dis".
        fallback: where no weights can be had, use "dis" and log one warning, instead of raising.

    Raises:
        WeightsError: no weights can be had, or they do not fit, and `fallback` is off.
    """
    if estimator == "dis":
        return DisFlow()
    try:
        variant: Literal["large", "small"] = "large" if estimator == "raft-large" else "small"
        return load_raft(variant, weights, num_updates, device, precision)
    except WeightsError as error:
        # Weights that were given but are wrong are a mistake to be told, not a missing network.
        if not fallback or resolve_weights(weights):
            raise
        logger.warning("No RAFT weights (%s): flow comes from OpenCV's DIS, which is less exact.", _reason(error))
        return DisFlow()


def _reason(error: WeightsError) -> str:
    return str(error.__cause__ or error)


def _split_padding(side: int) -> tuple[int, int]:
    missing = -side % _STRIDE
    return missing // 2, missing - missing // 2


def _check_frames(frame: Tensor, next_frame: Tensor) -> None:
    if frame.shape != next_frame.shape or frame.ndim != 4 or frame.shape[1] != 3:
        raise DataError(
            f"Frames are {tuple(frame.shape)} and {tuple(next_frame.shape)}; expected [B, 3, H, W] twice, equal."
        )
    if frame.dtype != torch.uint8 or next_frame.dtype != torch.uint8:
        raise DataError(f"Frames are {frame.dtype} and {next_frame.dtype}; expected uint8 from 0 to 255.")
