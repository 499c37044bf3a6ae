"""Prompts: one point for each object, and the segment that lies under it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from eisen_ray.errors import DataError


def prompt_point(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Row and column of the pixel that lies deepest inside a mask; of several, the first in reading order.

    The image's border bounds the mask too. This is the point that a person would click at, and the one that
    evaluations of promptable networks start with. [Decision 88]

    Args:
        mask: bool [H, W].

    Raises:
        DataError: the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        raise DataError(f"A mask of shape {mask.shape} is empty; expected at least one pixel to point at.")
    window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    depth = distance_transform_edt(np.pad(window, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row + rows[0]), int(column + columns[0])
