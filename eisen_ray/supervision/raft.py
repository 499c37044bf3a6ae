"""The frozen RAFT of Section 3.1, with torchvision's network and weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.optical_flow import raft_large, raft_small
from torchvision.models.optical_flow._utils import make_coords_grid, upsample_flow

from eisen_ray.errors import DataError
from eisen_ray.model.precision import Precision, product_dtype
from eisen_ray.supervision.flow import check_frames
from eisen_ray.supervision.raft_weights import check_fits, load_raft_state, state_digest

_STRIDE = 8
_MIN_SIDE = 128  # RAFT's correlation pyramid: four levels of at least two cells, at an eighth of the image


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
        check_frames(frame, next_frame)
        pairs = range(len(frame))
        return self.between(torch.cat([frame, next_frame]), pairs, [len(frame) + i for i in pairs], max(1, len(frame)))

    def between(self, frames: Tensor, first: Sequence[int], second: Sequence[int], batch: int = 16) -> Tensor:
        """See `FlowEstimator.between`; raises as `forward`."""
        check_frames(frames, frames)
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


def _split_padding(side: int) -> tuple[int, int]:
    missing = -side % _STRIDE
    return missing // 2, missing - missing // 2
