"""One optimisation step of the student (Section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed
from torch import Tensor, nn

from eisen_ray.learning.augment import augment
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
        static_rows: rows of unlabelled nodes drawn from each image for `static_loss`; 0 = none (release).
        world_size: number of workers.
    """

    num_levels: int = 1
    clip_norm: float = 1.0
    precision: Precision = "fp32"
    augmented: bool = False
    static_rows: int = 0
    world_size: int = 1


class Batch(NamedTuple):
    """Images and their supervision.

    Attributes:
        images: uint8 [B, 3, 4H, 4W], RGB.
        labels: int64 [B, H, W]; segment of each node, 0 = no information.
    """

    images: Tensor
    labels: Tensor


def batch_loss(levels: list[Level], labels: Tensor, world_size: int = 1) -> tuple[Tensor, Tensor]:
    """The loss of a batch, summed over the levels (release).

    Each level is averaged over the supervised rows of all workers, so that N workers on parts of a batch compute the
    gradient of one worker on the whole of it (DDP averages over workers, hence the factor).

    Args:
        levels: from `Eisen.forward`.
        labels: int64 [B, H, W] at the finest level.
        world_size: number of workers.

    Returns:
        The loss (this worker's share, times world_size) and the number of supervised rows of the finest level.
    """
    total = labels.new_zeros((), dtype=torch.float32)
    finest = labels.new_zeros(())
    for level in levels:
        thin = labels[:, :: level.stride, :: level.stride].flatten(1)
        divergence, rows = pair_loss(level.query, level.key, thin, level.neighborhood)
        if world_size > 1:
            torch.distributed.all_reduce(rows)
        if level.stride == 1:
            finest = rows
        total = total + divergence * world_size / rows.clamp(min=1)
    return total, finest


def _static_part(level: Level, labels: Tensor, generator: torch.Generator, settings: StepSettings) -> Tensor:
    """The loss of nodes at rest, averaged like that of `batch_loss`."""
    total, rows = static_loss(level.query, level.key, labels.flatten(1), generator, settings.static_rows)
    if settings.world_size > 1:
        torch.distributed.all_reduce(rows)
    return total * settings.world_size / rows.clamp(min=1)


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
    loss, rows = batch_loss(levels, batch.labels, settings.world_size)
    if settings.static_rows:
        loss = loss + _static_part(levels[0], batch.labels, generator, settings)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
    reported = torch.stack([loss.detach(), norm.detach()])
    if settings.world_size > 1:
        torch.distributed.all_reduce(reported)
        reported /= settings.world_size
    loss_value, norm_value = reported.tolist()
    if not torch.isfinite(reported).all():
        raise FloatingPointError(
            f"Training diverged: loss {loss_value}, gradient norm {norm_value}; nothing was updated."
        )
    optimizer.step()
    share = rows.item() / (settings.world_size * batch.labels.numel())
    return {"train/loss": loss_value, "train/grad_norm": norm_value, "train/supervised_share": share}
