"""The process of a grouping study that keeps a share of the images and works on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eisen_ray.config import GroupingConfig, ModelConfig
from eisen_ray.errors import DataError
from eisen_ray.evaluate_config import ScoredDataConfig
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.study_images import StudyFrame, StudyImage, read_study_image

# Of a trial's contact sheet: what a look at it needs, and little beside the scoring.
SHEET_IMAGES = 4


@dataclass(frozen=True)
class ScoredBy:
    """What a host is made of: a network, what masks mean, bytes of cache, and torch's threads (0 = its choice)."""

    checkpoint: StoredCheckpoint
    data: ScoredDataConfig
    cache_bytes: int
    num_threads: int


class FeatureHost:
    """In an actor: the features of some images.

    Args:
        scored_by: the network.
        frames: its share; what cannot be read is left out.
        work: image size and stored motion.
    """

    def __init__(self, scored_by: ScoredBy, frames: Sequence[StudyFrame], work: RoundWork) -> None:
        # Here and not above: who only carries this class about needs no torch.
        from eisen_ray.runtime.features import Features
        from eisen_ray.runtime.segmenting import load_network
        from eisen_ray.runtime.stages import limit_threads
        from eisen_ray.runtime.student import best_device

        limit_threads(scored_by.num_threads)
        images: list[StudyImage] = []
        for frame in frames:
            try:
                images.append(read_study_image(frame, work, scored_by.data))
            except DataError:
                continue  # the number of images is told, and evaluation names what is damaged
        network = load_network(scored_by.checkpoint, scored_by.checkpoint.config.grouping).to(best_device())
        self._features = Features(network, images, scored_by.cache_bytes)

    def num_images(self) -> int:
        """Images that could be read."""
        return len(self._features.images)

    def score(
        self, model: ModelConfig, grouping: GroupingConfig, iterations: Sequence[int], seed: int, passes: int
    ) -> dict[int, list[dict[str, float]]]:
        """See `Features.score`."""
        return self._features.score(model, grouping, iterations, seed, passes)

    def sheet(self, model: ModelConfig, grouping: GroupingConfig, count: int, seed: int, passes: int) -> bytes:
        """A contact sheet of the first images as a PNG: image, segments, truth. Arguments as for `label_maps`."""
        from eisen_ray.report.sheet import SCORED_TITLES, contact_sheet, png_bytes, scored_row

        maps = self._features.label_maps(model, grouping, count, seed, passes, SHEET_IMAGES)
        rows = [
            scored_row(image.image, caption=f"{image.name}, frame {image.frame}", prediction=labels, truth=image.truth)
            for image, labels in zip(self._features.images, maps, strict=False)
        ]
        return png_bytes(contact_sheet(rows, SCORED_TITLES, cell_px=128))
