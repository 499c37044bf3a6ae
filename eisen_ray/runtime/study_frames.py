"""Images for the objectives that need no masks: held-out fragments, and their motion."""

from __future__ import annotations

from dataclasses import replace

from eisen_ray.build import build_flow
from eisen_ray.config import DataConfig
from eisen_ray.data.index import Fragment
from eisen_ray.errors import DataError
from eisen_ray.runtime.indexing import held_out_index, training_index
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.passes import make_flow
from eisen_ray.runtime.reading import spread
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.student import best_device
from eisen_ray.runtime.study_images import StudyFrame, moving_study_frames

# Some fragments show no motion: more are looked at than images are wanted.
_SPARE = 2


def held_out_fragments(store: Store, data: DataConfig) -> list[Fragment]:
    """Held-out fragments; where a layout holds none out, the training ones."""
    index = held_out_index(store, data) or training_index(store, data)
    return list(index.fragments)


def unmasked_frames(fragments: list[Fragment], wanted: int) -> list[StudyFrame]:
    """The first frames of at most `wanted` fragments (0 = all), evenly spread."""
    chosen = [fragments[place] for place in spread(len(fragments), wanted or len(fragments))]
    return [StudyFrame(fragment.clip, fragment.start) for fragment in chosen]


def moving_frames(
    work: RoundWork, fragments: list[Fragment], wanted: int, on_gpu: bool, reporter: Reporter
) -> tuple[list[StudyFrame], RoundWork]:
    """Frames with motion, which is made and stored where it is missing, and the work under which it lies.

    Raises:
        DataError: nothing moves.
    """
    flow = build_flow(work.config.flow, best_device())
    config = work.config
    if flow.name == "dis":
        # After a fallback no actor shall look for the missing weights again.
        config = replace(config, flow=replace(config.flow, estimator="dis"))
    work = replace(work, config=config, flow_identity=flow.identity)
    chosen = [fragments[place] for place in spread(len(fragments), _SPARE * wanted or len(fragments))]
    make_flow(work, chosen, on_gpu, reporter)
    frames = moving_study_frames(work, chosen, wanted)
    if not frames:
        raise DataError(
            f"Nothing moves in {len(chosen)} held-out fragments (motion.threshold_px {config.motion.threshold_px:g}, "
            f"min_area {config.motion.min_area:g}); lower these, or choose another objective."
        )
    return frames, work
