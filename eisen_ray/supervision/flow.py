"""Optical flow between two frames: what an estimator is, which one settings mean, and one without weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from torch import Tensor

from eisen_ray.errors import DataError, WeightsError
from eisen_ray.model.precision import Precision

logger = logging.getLogger(__name__)


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
        check_frames(frame, next_frame)
        pairs = range(len(frame))
        return self.between(torch.cat([frame, next_frame]), pairs, [len(frame) + i for i in pairs])

    def between(self, frames: Tensor, first: Sequence[int], second: Sequence[int], batch: int = 16) -> Tensor:
        """See `FlowEstimator.between`; raises as `__call__`."""
        check_frames(frames, frames)
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
    # Not above: torchvision brings torch's compiler along, a second of every start that DIS has no use for.
    from eisen_ray.supervision.raft import load_raft
    from eisen_ray.supervision.raft_weights import resolve_weights

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


def check_frames(frame: Tensor, next_frame: Tensor) -> None:
    """Both uint8 [B, 3, H, W], of the same shape.

    Raises:
        DataError: they are not.
    """
    if frame.shape != next_frame.shape or frame.ndim != 4 or frame.shape[1] != 3:
        raise DataError(
            f"Frames are {tuple(frame.shape)} and {tuple(next_frame.shape)}; expected [B, 3, H, W] twice, equal."
        )
    if frame.dtype != torch.uint8 or next_frame.dtype != torch.uint8:
        raise DataError(f"Frames are {frame.dtype} and {next_frame.dtype}; expected uint8 from 0 to 255.")
