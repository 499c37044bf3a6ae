"""The moving region itself: what the training signal alone gives. It sees two frames, the other peers one."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from eisen_ray.baselines.peer import Picture, Segmentation
from eisen_ray.errors import DataError
from eisen_ray.supervision.flow import FlowEstimator
from eisen_ray.supervision.motion import MotionSegmenter


class MovingRegion:
    """Motion segments of a frame, as training uses them, as its segmentation.

    Args:
        estimator: optical flow.
        segmenter: from flow to motion segments, for one frame offset.
        grid: (height, width) of the label map: the student's grid, to which flow is averaged.
    """

    needs_neighbour = True

    def __init__(self, estimator: FlowEstimator, segmenter: MotionSegmenter, grid: tuple[int, int]) -> None:
        self.estimator, self.segmenter, self.grid = estimator, segmenter, grid

    @torch.no_grad()
    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """What moves between the frame and its neighbour.

        Raises:
            DataError: the picture has no neighbour.
        """
        if picture.pair is None:
            raise DataError("The moving region was asked for a single picture; expected a frame and its neighbour.")
        frames = torch.from_numpy(np.array(picture.pair)).permute(0, 3, 1, 2).to(generator.device)
        flow = adaptive_avg_pool2d(self.estimator.between(frames, [0], [1], 1), self.grid)
        labels = self.segmenter(flow[:, None], generator)[0]
        return Segmentation(labels.cpu().numpy().astype(np.int32), {})
