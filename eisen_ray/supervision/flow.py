"""Optical flow between two frames: the frozen RAFT of Section 3.1, and a classical estimator without weights."""

from __future__ import annotations

import logging
from typing import Literal, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.optical_flow import raft_large, raft_small

from eisen_ray.errors import DataError, WeightsError
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
    """Flow from one batch of frames to the next."""

    name: str
    """What made the flow, for reports: "raft-large", "raft-small", "dis"."""

    @property
    def identity(self) -> str:
        """Text that changes whenever the flow of the same frames would: part of the address of stored flow."""
        ...

    def __call__(self, frame: Tensor, next_frame: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] twice -> float32 [B, 2, H, W], px of the input, u to the right, v downwards."""
        ...


class RaftFlow(nn.Module):
    """Frozen RAFT (torchvision's), always in evaluation mode.

    Args:
        variant: "large" or "small".
        num_updates: recurrent updates (authors: 20).
        autocast: dtype of automatic mixed precision; None computes in float32.
    """

    def __init__(
        self, variant: Literal["large", "small"] = "large", num_updates: int = 20, autocast: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.name = f"raft-{variant}"
        self.num_updates = num_updates
        self.autocast = autocast
        self.weights_digest = "random"
        self.raft = (raft_large if variant == "large" else raft_small)(weights=None)
        self.requires_grad_(requires_grad=False).eval()

    @property
    def identity(self) -> str:
        """Network, digest of its weights, number of updates, and reduced precision if any."""
        reduced = f":{self.autocast}" if self.autocast is not None else ""
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
        height, width = frame.shape[-2:]
        if min(height, width) < _MIN_SIDE:
            raise DataError(f"Frames are {height}x{width}; RAFT needs at least {_MIN_SIDE}x{_MIN_SIDE}. Resize them.")
        # A copy made outside inference mode is an ordinary tensor, which later code may use in training.
        return self._estimate(frame, next_frame).clone()

    @torch.inference_mode()
    def _estimate(self, frame: Tensor, next_frame: Tensor) -> Tensor:
        top, bottom = _split_padding(frame.shape[-2])
        left, right = _split_padding(frame.shape[-1])
        first, second = (
            F.pad(image.float() / 127.5 - 1.0, (left, right, top, bottom), mode="replicate")
            for image in (frame, next_frame)
        )
        with torch.autocast(frame.device.type, dtype=self.autocast, enabled=self.autocast is not None):
            flow = self.raft(first, second, num_flow_updates=self.num_updates)[-1]
        return flow[..., top : flow.shape[-2] - bottom, left : flow.shape[-1] - right].float()


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
        pairs = zip(_gray(frame), _gray(next_frame), strict=True)
        flow = np.stack([self._pair(first, second) for first, second in pairs])
        return torch.from_numpy(flow).permute(0, 3, 1, 2).contiguous().to(frame.device)

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
    autocast: torch.dtype | None = None,
) -> RaftFlow:
    """RAFT with trained weights.

    Args:
        variant: "large" or "small".
        weights: path or URL in either layout, a torchvision weights name, or "" (see `load_raft_state`).
        num_updates: recurrent updates.
        device: where it runs.
        autocast: dtype of mixed precision, or None.

    Raises:
        WeightsError: no weights can be had, or they do not fit the variant.
    """
    state = load_raft_state(variant, weights)
    flow = RaftFlow(variant, num_updates, autocast)
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
    fallback: bool = False,
) -> FlowEstimator:
    """The flow estimator that settings ask for.

    Args:
        estimator: "raft-large", "raft-small" or "dis".
        weights, num_updates, device: see `load_raft`; unused by "dis".
        fallback: where no weights can be had, use "dis" and log one warning, instead of raising.

    Raises:
        WeightsError: no weights can be had, or they do not fit, and `fallback` is off.
    """
    if estimator == "dis":
        return DisFlow()
    try:
        return load_raft("large" if estimator == "raft-large" else "small", weights, num_updates, device)
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


def _gray(frame: Tensor) -> list[np.ndarray]:
    return [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in frame.permute(0, 2, 3, 1).cpu().contiguous().numpy()]


def _check_frames(frame: Tensor, next_frame: Tensor) -> None:
    if frame.shape != next_frame.shape or frame.ndim != 4 or frame.shape[1] != 3:
        raise DataError(
            f"Frames are {tuple(frame.shape)} and {tuple(next_frame.shape)}; expected [B, 3, H, W] twice, equal."
        )
    if frame.dtype != torch.uint8 or next_frame.dtype != torch.uint8:
        raise DataError(f"Frames are {frame.dtype} and {next_frame.dtype}; expected uint8 from 0 to 255.")
