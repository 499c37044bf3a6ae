"""A table so small that each of its rows takes a second or two: pictures of 64 px, a few steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eisen_ray.compare_config import CompareConfig, LearnConfig, VariantsConfig
from eisen_ray.config import DataConfig, FlowConfig, GroupingConfig, ModelConfig, MotionConfig
from eisen_ray.data.frames import probe_clip
from eisen_ray.data.index import Fragment, build_index
from eisen_ray.data.layouts import list_clips
from eisen_ray.resources import ResourcesConfig
from tests.video_files import archive_bytes, frame_files, write

NUM_CLIPS, NUM_FRAMES = 3, 4


def folder_with_masks(place: Path) -> str:
    """Three clips of four frames, 32x48 px: a bright square, id 2, slides over noise; the second clip has no masks."""
    files: dict[str, bytes] = {}
    for clip in range(NUM_CLIPS):
        rng = np.random.default_rng(clip)
        frames = np.repeat(rng.integers(0, 90, (1, 32, 48, 3), dtype=np.uint8), NUM_FRAMES, axis=0)
        masks = np.zeros((NUM_FRAMES, 32, 48), np.uint8)
        thing = rng.integers(120, 256, (12, 14, 3), dtype=np.uint8)
        for frame in range(NUM_FRAMES):
            spot = np.s_[frame, 8 : 8 + 12, 4 + 6 * frame : 4 + 6 * frame + 14]
            frames[spot], masks[spot] = thing, 2
        files |= frame_files(f"clip{clip}", frames)
        if clip != 1:
            files[f"clip{clip}_masks.npz"] = archive_bytes(masks=masks)
    return write(place, files)


def small_table(place: Path, **changes: object) -> CompareConfig:
    """A table on such a folder, under `place`."""
    source = folder_with_masks(place / "data")
    settings: dict[str, object] = {
        "root": str(place / "root"),
        "data": DataConfig(
            layout="frames", source=source, eval_source=source, image_height=64, image_width=64, fragment_frames=4
        ),
        "flow": FlowConfig(estimator="dis", height=128, width=128),
        "motion": MotionConfig(threshold_px=1.0),
        "model": ModelConfig(backbone="small", scope="full"),
        "grouping": GroupingConfig(num_iterations=3, num_slots=6, plateau_width=8, min_region_nodes=2),
        "learn": LearnConfig(
            size="small", num_steps=4, batch_size=2, warmup_steps=1, loss_levels=1, checkpoint_every_steps=2,
            log_every_steps=1,
        ),
        "variants": VariantsConfig(felzenszwalb_scales=(100.0, 400.0), num_clusters=(3,)),
        "max_images": 4,
        "resources": ResourcesConfig(
            flow_actors=1, max_flow_actors=1, teacher_actors=1, max_teacher_actors=1, train_workers=1
        ),
    }  # fmt: skip
    return CompareConfig(**{**settings, **changes})  # type: ignore[arg-type]


def fragments_of(config: CompareConfig) -> list[Fragment]:
    """Its training fragments."""
    clips = list_clips(config.data.layout, config.data.source)
    index = build_index(clips, {clip.clip_id: probe_clip(clip) for clip in clips}, fragment_frames=4)
    return list(index.fragments)
