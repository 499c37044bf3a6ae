"""Between label maps and what detectors speak of: one mask and one box for each object."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from eisen_ray.baselines.peer import Segmentation


class Instances(NamedTuple):
    """The objects of one picture.

    Attributes:
        masks: bool [n, H, W].
        boxes: float32 [n, 4], left, top, right, bottom, px; the right and bottom edges lie outside the object.
    """

    masks: Tensor
    boxes: Tensor


def instances_of(labels: Tensor, height: int, width: int, min_pixels: int = 4) -> Instances:
    """The objects of a label map.

    Args:
        labels: int64 [h, w], 0 = none.
        height, width: of the picture; the map is enlarged by nearest neighbour.
        min_pixels: objects smaller than this in the picture are left out: a box needs an area.
    """
    rows = torch.arange(height, device=labels.device) * labels.shape[0] // height
    columns = torch.arange(width, device=labels.device) * labels.shape[1] // width
    names, place = torch.unique(labels[rows[:, None], columns[None, :]], return_inverse=True)
    masks = one_hot(place, len(names)).permute(2, 0, 1).bool()[names > 0]
    masks = masks[masks.flatten(1).sum(1) >= min_pixels]
    return Instances(masks, boxes_of(masks))


def boxes_of(masks: Tensor) -> Tensor:
    """The smallest box around each mask, bool [n, H, W], none empty: float32 [n, 4]."""
    found = []
    for mask in masks:
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        found.append(torch.stack([columns[0, 0], rows[0, 0], columns[-1, 0] + 1, rows[-1, 0] + 1]))
    return torch.stack(found).float() if found else torch.zeros(0, 4, device=masks.device)


def painted(masks: Tensor, scores: Tensor) -> Segmentation:
    """Masks that may overlap as one label map: the more confident mask lies on top.

    Args:
        masks: bool [n, H, W].
        scores: [n].

    Returns:
        Labels 1, 2, ... in the order of falling score; masks of which nothing is to be seen have none.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    labels = np.zeros(tuple(masks.shape[1:]), np.int32)
    confidences: dict[int, float] = {}
    for place in order.tolist():
        free = masks[place].cpu().numpy() & (labels == 0)
        if free.any():
            name = len(confidences) + 1
            labels[free] = name
            confidences[name] = float(scores[place])
    return Segmentation(labels, confidences)
