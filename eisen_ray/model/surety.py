"""How sure a segment is, for measures that need an order of segments; the network itself gives none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eisen_ray.measures.agreement import segment_stability
from eisen_ray.model.outlines import EDGE_POWER, edge_shares


def segment_confidences(
    runs: NDArray[np.integer], outlined: NDArray[np.integer], picture: NDArray[np.uint8]
) -> dict[int, float]:
    """Of each segment of the first pass: its share of the image, times how well other passes find it again, times
    (how much of its outline stands on edges of the picture) ** 4, where outlines are on pixels. [Decisions 85, 140]

    Args:
        runs: label maps [P, h, w] on nodes; with a single pass nothing is known of other passes.
        outlined: the first pass with its outlines, [H, W]; on nodes still, [h, w], there are no edges to stand on.
        picture: [H, W, 3].
    """
    stability = segment_stability(runs[0], list(runs[1:]))
    sure = {segment: float((runs[0] == segment).mean()) * value for segment, value in stability.items()}
    if outlined.shape != picture.shape[:2]:
        return sure
    edges = edge_shares(outlined.astype(np.int64), picture) ** EDGE_POWER
    return {segment: sure[segment] * float(edges[segment]) for segment in np.unique(outlined[outlined > 0]).tolist()}
