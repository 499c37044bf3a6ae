"""Image and label map move as one, each image on its own, and nothing is lost on the way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eisen_ray.learning.augment import augment
from tests.layouts import seeded

SIZE = 24
IDS = [1, 7, 300, 65535, 2**24 - 1]


def enlarge(labels: Tensor) -> Tensor:
    """Every node as 4 x 4 pixels: [B, H, W] to [B, 1, 4H, 4W]."""
    return labels.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)[:, None]


def squares(batch: int) -> tuple[Tensor, Tensor]:
    """A bright square off the middle on a dark ground, and its label; colours that no recolouring clips."""
    labels = torch.zeros(batch, SIZE, SIZE, dtype=torch.long)
    labels[:, 8:15, 9:17] = 3
    colours = torch.where(enlarge(labels) > 0, 120, 50).expand(-1, 3, -1, -1)
    return colours.to(torch.uint8).contiguous(), labels


def cells(images: Tensor) -> Tensor:
    """Red values of the 4 x 4 pixels of every node: [B, H, W, 16]."""
    return images[:, 0].unflatten(2, (SIZE, 4)).unflatten(1, (SIZE, 4)).permute(0, 1, 3, 2, 4).flatten(3)


def test_image_and_label_map_move_together() -> None:
    images, labels = squares(32)
    moved, named = augment(images, labels, seeded())
    assert (moved.shape, moved.dtype) == (images.shape, torch.float32)
    assert (named.shape, named.dtype) == (labels.shape, torch.int64)
    red = cells(moved)
    middle = (red.amax(dim=(1, 2, 3)) + red.amin(dim=(1, 2, 3)))[:, None, None, None] / 2
    bright, dark = (red > middle).all(-1), (red < middle).all(-1)
    assert (named[bright] == 3).all()
    assert (named[dark] == 0).all()
    assert (bright | dark).float().mean() > 0.85, "only the square's rim is undecided"
    sizes = (named > 0).sum(dim=(1, 2))
    assert (bright.sum(dim=(1, 2)) > 0.5 * sizes).all()
    assert len(sizes.unique()) > 5, "images are zoomed differently"
    assert sizes.max() > 1.5 * (labels[0] > 0).sum()
    assert sizes.min() >= (labels[0] > 0).sum() * 0.8, "a window never lies outside the image"


def test_flips_occur_both_ways_and_never_upside_down() -> None:
    labels = torch.ones(64, SIZE, SIZE, dtype=torch.long)
    labels[:, :, SIZE // 2 :] = 2
    labels[:, SIZE // 2 :] += 2  # 1 2 above 3 4
    images = (40 * enlarge(labels)).expand(-1, 3, -1, -1).to(torch.uint8)
    moved, named = augment(images, labels, seeded())
    corner = named[:, 0, 0]
    assert set(corner.tolist()) == {1, 2}
    assert 16 <= (corner == 1).sum() <= 48
    assert (named[:, -1, 0] == corner + 2).all()
    brighter_right = moved[:, 0, 0, 0] < moved[:, 0, 0, -1]
    assert torch.equal(brighter_right, corner == 1)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_values_stay_in_range_and_change(kind: torch.dtype) -> None:
    images = torch.randint(0, 2, (16, 3, 32, 48), generator=seeded()).mul(255).to(kind)
    before = images.clone()
    moved, _ = augment(images, torch.zeros(16, 8, 12, dtype=torch.long), seeded())
    assert moved.isfinite().all()
    assert (moved.min(), moved.max()) == (0, 255)
    assert torch.equal(images, before), "the batch is not changed in place"


def test_colours_change_image_by_image_and_channel_by_channel() -> None:
    images = torch.full((16, 3, 16, 16), 100, dtype=torch.uint8)
    moved, _ = augment(images, torch.zeros(16, 4, 4, dtype=torch.long), seeded())
    assert (moved - moved[:, :, :1, :1]).abs().max() < 1e-3, "a grey wall stays even"
    colours = moved[:, :, 0, 0]
    assert colours.min() > 100 * 0.7 * 0.85 - 1e-3
    assert colours.max() < 100 * 1.3 * 1.15 + 1e-3
    assert len(colours.flatten().round(decimals=3).unique()) > 40


def test_contrast_changes_too() -> None:
    images, labels = squares(32)
    moved, _ = augment(images, labels, seeded())
    low, high = moved[:, 0].amin(dim=(1, 2)), moved[:, 0].amax(dim=(1, 2))
    ratio = high / low  # brightness leaves it alone
    assert ratio.max() / ratio.min() > 1.3


def test_names_of_segments_survive() -> None:
    labels = torch.tensor([0, *IDS])[torch.randint(0, 6, (8, SIZE, SIZE), generator=seeded(1))]
    _, named = augment(torch.zeros(8, 3, 4 * SIZE, 4 * SIZE, dtype=torch.uint8), labels, seeded())
    assert set(named.unique().tolist()) == {0, *IDS}


def test_draws_come_from_the_generator_alone() -> None:
    images, labels = squares(4)
    torch.manual_seed(1)
    one = augment(images, labels, seeded(5))
    torch.manual_seed(2)
    same, other = augment(images, labels, seeded(5)), augment(images, labels, seeded(6))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(one[0][0], one[0][1]), "images of a batch change differently"
