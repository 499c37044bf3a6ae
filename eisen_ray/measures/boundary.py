"""Boundary accuracy F, as DAVIS defines it; its region similarity J is the IoU.

After Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation (CVPR 2016).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

Mask = NDArray[np.bool_]

TOLERANCE = 0.008
"""Boundaries that lie closer than this share of the image's diagonal agree (DAVIS)."""


def boundary_f(prediction: Mask, truth: Mask, ignore: Mask | None = None, tolerance: float = TOLERANCE) -> float:
    """F: harmonic mean of the shares of both boundaries that lie near the other one.

    Args:
        prediction: bool [H, W].
        truth: bool [H, W].
        ignore: bool [H, W], pixels that belong to neither mask; None = there are none.
        tolerance: what is near, as a share of the image's diagonal, rounded up to whole pixels.

    Returns:
        0 to 1; 1 when neither mask has a boundary, 0 when only one has.
    """
    if ignore is not None:
        prediction, truth = prediction & ~ignore, truth & ~ignore
    found, wanted = mask_boundary(prediction), mask_boundary(truth)
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    reach = math.ceil(tolerance * math.hypot(*truth.shape))
    # Only distances between boundary pixels matter: what lies outside their common box can be left out.
    window = _box(found | wanted)
    found, wanted = found[window], wanted[window]
    precision = float((distance_transform_edt(~wanted)[found] <= reach).mean())
    recall = float((distance_transform_edt(~found)[wanted] <= reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def mask_boundary(mask: Mask) -> Mask:
    """Pixels [H, W] whose right, lower or lower right neighbour is on the other side of the mask's edge.

    The image's own border is no boundary: the last row and column look along themselves only.
    """
    # A pixel beyond the border repeats the one at the border, so nothing changes across it.
    wide = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here = wide[:-1, :-1]
    return (here != wide[:-1, 1:]) | (here != wide[1:, :-1]) | (here != wide[1:, 1:])


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
