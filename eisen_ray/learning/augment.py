"""Random changes of training images, for small data sets; the authors used none [Decision 9]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

# Largest zoom, and largest relative change of brightness and contrast: enough that 160 clips are not learned by heart.
_ZOOM = 1.5
_COLOUR = 0.3


def augment(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Flip, zoom into and recolour every image on its own; label maps follow.

    Args:
        images: uint8 or float [B, 3, 4H, 4W], values 0 to 255.
        labels: int64 [B, H, W].
        generator: on the images' device.

    Returns:
        float32 images and int64 labels of the same shapes.
    """
    batch = len(images)
    place = _random_window(batch, generator)
    grid = affine_grid(place, list(images.shape), align_corners=False)
    moved = grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
    grid = affine_grid(place, [batch, 1, *labels.shape[1:]], align_corners=False)
    # Label ids fit float32 exactly; nearest sampling keeps them whole.
    named = grid_sample(labels[:, None].float(), grid, mode="nearest", padding_mode="border", align_corners=False)
    return _recolour(moved, generator), named[:, 0].round().long()


def _random_window(batch: int, generator: torch.Generator) -> Tensor:
    """Affine maps [B, 2, 3] to a random window inside the image, mirrored every other time."""
    draws = torch.rand(batch, 4, generator=generator, device=generator.device)
    scale = 1 / (1 + (_ZOOM - 1) * draws[:, 0])
    place = draws.new_zeros(batch, 2, 3)
    place[:, 0, 0] = torch.where(draws[:, 1] < 0.5, -scale, scale)
    place[:, 1, 1] = scale
    place[:, :, 2] = (2 * draws[:, 2:] - 1) * (1 - scale)[:, None]
    return place


def _recolour(images: Tensor, generator: torch.Generator) -> Tensor:
    """Contrast and brightness of the image, and half as much of each channel."""
    draws = 2 * torch.rand(5, len(images), 1, 1, 1, generator=generator, device=generator.device) - 1
    contrast, brightness = 1 + _COLOUR * draws[0], 1 + _COLOUR * draws[1]
    channels = 1 + _COLOUR / 2 * draws[2:, :, 0].permute(1, 0, 2, 3)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (((images - mean) * contrast + mean) * brightness * channels).clamp(0, 255)
