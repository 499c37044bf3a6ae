"""One optimisation step of the student (Section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed
from torch import Tensor, nn

from eisen_ray.errors import ConfigError
from eisen_ray.learning.augment import augment
from eisen_ray.learning.drawn_loss import drawn_loss
from eisen_ray.learning.pair_loss import pair_loss
from eisen_ray.learning.static_loss import static_loss
from eisen_ray.model.eisen import Level
from eisen_ray.model.precision import Precision, product_dtype


class StepSettings(NamedTuple):
    """How a step is taken.

    Attributes:
        num_levels: resolutions at which the loss is taken.
        clip_norm: limit of the gradient's norm.
        precision: `bf16` runs the network, not the loss, under autocast; `auto`: see `product_dtype`.
        augmented: change images at random first.
        labelled_rows: rows of labelled nodes drawn from each image for `drawn_loss`; 0 = all of them (release).
        segment_balance: how they are drawn; 0: every node alike, 1: every segment alike.
        static_rows: rows of unlabelled nodes drawn from each image for `static_loss`; 0 = none (release).
        world_size: number of workers.
    """

    num_levels: int = 1
    clip_norm: float = 1.0
    precision: Precision = "fp32"
    augmented: bool = False
    labelled_rows: int = 0
    segment_balance: float = 0.0
    static_rows: int = 0
    world_size: int = 1


RELEASE = StepSettings()
"""All labelled rows, and no others."""


class Batch(NamedTuple):
    """Images and their supervision.

    Attributes:
        images: uint8 [B, 3, 4H, 4W], RGB.
        labels: int64 [B, H, W]; segment of each node, 0 = no information.
    """

    images: Tensor
    labels: Tensor


def batch_loss(
    levels: list[Level],
    labels: Tensor,
    settings: StepSettings = RELEASE,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The loss of a batch, summed over the levels (release).

    Each level is averaged over the supervised rows of all workers, so that N workers on parts of a batch compute the
    gradient of one worker on the whole of it (DDP averages over workers, hence the factor).

    Args:
        levels: from `Eisen.forward`.
        labels: int64 [B, H, W] at the finest level.
        settings: which rows, and how many workers.
        generator: draws rows; needed where the settings want any drawn.

    Returns:
        This worker's share, times the number of workers.
    """
    total = labels.new_zeros((), dtype=torch.float32)
    for level in levels:
        thin = labels[:, :: level.stride, :: level.stride].flatten(1)
        if settings.labelled_rows:
            rows, balance = settings.labelled_rows, settings.segment_balance
            part = drawn_loss(level.query, level.key, thin, level.neighborhood, _given(generator), rows, balance)
        else:
            part = pair_loss(level.query, level.key, thin, level.neighborhood)
        total = total + _average(*part, settings.world_size)
    if settings.static_rows:
        finest = levels[0]
        part = static_loss(finest.query, finest.key, labels.flatten(1), _given(generator), settings.static_rows)
        total = total + _average(*part, settings.world_size)
    return total


def _average(total: Tensor, rows: Tensor, world_size: int) -> Tensor:
    if world_size > 1:
        torch.distributed.all_reduce(rows)
    return total * world_size / rows.clamp(min=1)


def _given(generator: torch.Generator | None) -> torch.Generator:
    if generator is None:
        raise ConfigError("Rows are to be drawn, but there is no generator; expected one.")
    return generator


def train_step(
    model: nn.Module,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    settings: StepSettings,
) -> dict[str, float]:
    """Forward, backward, clip, update. The schedule is the caller's.

    Args:
        model: `Eisen`, possibly wrapped for DDP.
        batch: images and labels on the model's device.
        optimizer: stepped unless the loss or the gradient is not finite.
        generator: draws the long-range pairs, dropout and augmentation.
        settings: how.

    Returns:
        `train/loss`, `train/grad_norm` before clipping, `train/supervised_share` (of the nodes, that have a label).

    Raises:
        FloatingPointError: on every worker alike, before the update, when loss or gradient is not finite.
    """
    model.train()
    if settings.augmented:
        batch = Batch(*augment(batch.images, batch.labels, generator))
    optimizer.zero_grad(set_to_none=True)
    device = batch.images.device
    reduced = product_dtype(settings.precision, device) == torch.bfloat16
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=reduced):
        levels = model(batch.images, generator, settings.num_levels)
    loss = batch_loss(levels, batch.labels, settings, generator)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
    reported = torch.stack([loss.detach(), norm.detach(), (batch.labels > 0).float().mean()])
    if settings.world_size > 1:
        torch.distributed.all_reduce(reported)
        reported /= settings.world_size
    loss_value, norm_value, share = reported.tolist()
    if not torch.isfinite(reported).all():
        raise FloatingPointError(
            f"Training diverged: loss {loss_value}, gradient norm {norm_value}; nothing was updated."
        )
    optimizer.step()
    return {"train/loss": loss_value, "train/grad_norm": norm_value, "train/supervised_share": share}
