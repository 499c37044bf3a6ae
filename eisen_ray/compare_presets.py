"""Named tables of peers. A preset is a function; its docstring holds command, hardware and what to expect."""

from __future__ import annotations

from dataclasses import replace

from eisen_ray import presets
from eisen_ray.compare_config import CompareConfig, LearnConfig, Row
from eisen_ray.config import DataConfig, FlowConfig, ModelConfig, MotionConfig

TABLE1: tuple[Row, ...] = (
    "felzenszwalb",
    "moving-region",
    "network",
    "panoptic-deeplab:motion",
    "panoptic-deeplab:full",
    "ssap:motion",
    "ssap:full",
    "mask-rcnn:motion",
    "mask-rcnn:full",
    "detr:motion",
    "detr:full",
    "eisen:full",
)
TABLE4: tuple[Row, ...] = (
    "network/competition",
    "network/spectral",
    "network/affinity-propagation",
    "network/label-propagation",
    "dino/competition",
    "dino/spectral",
    "dino/affinity-propagation",
    "dino/label-propagation",
)

# What a processor trains in minutes to hours; steps are for two cores.
SMALL_STEPS = LearnConfig(
    size="small", num_steps=3000, warmup_steps=100, augment=True, loss_levels=1,
    labelled_rows=256, segment_balance=0.5, static_rows=256, checkpoint_every_steps=500,
)  # fmt: skip


def table1_playroom() -> CompareConfig:
    """Table 1 on Playroom-like clips at 128 px, on a processor: all peers under motion and full supervision.

    Command: python -m jobs.compare table1_playroom --data.source SIM/playroom/train --data.eval-source
    SIM/playroom/val --test-source SIM/playroom/test --checkpoint RUN, with SIM from jobs/simulate.py.
    Hardware: 2 CPU cores; about 0.1 to 0.6 s a step, so one to six hours for all rows.
    """
    return CompareConfig(
        root="runs/table1_playroom",
        rows=TABLE1,
        data=DataConfig(
            layout="playroom", source="data/playroom", image_height=128, image_width=128, fragment_frames=2
        ),
        flow=FlowConfig(estimator="raft-small", fallback=True, height=256, width=256),
        motion=MotionConfig(threshold_px=1.0, relative_threshold=0.3, min_area=0.002, max_area=0.5, min_region_nodes=6),
        model=ModelConfig(backbone="small", scope="full"),
        grouping=presets.YOUNG,
        learn=SMALL_STEPS,
    )


def table1_bridge() -> CompareConfig:
    """Table 1's peers on Bridge-like clips at 128 px, on a processor.

    Command: python -m jobs.compare table1_bridge --data.source SIM/bridge/train --data.eval-source SIM/bridge/val
    --test-source SIM/bridge/test --checkpoint RUN, with SIM from jobs/simulate.py.
    Hardware: as table1_playroom. Expected: Felzenszwalb's best IoU about 0.50 on val, 0.47 on test.
    """
    quick = presets.quickstart()
    return replace(
        table1_playroom(),
        root="runs/table1_bridge",
        data=replace(quick.data, layout="bridge", source="data/bridge", fragment_frames=8, pair_stride=1),
        motion=quick.motion,
    )


def table1_sample() -> CompareConfig:
    """Table 1's peers that need no masks of training clips, on the clips inside the package.

    Command: python -m jobs.compare table1_sample
    Hardware: 2 CPU cores.
    """
    quick = presets.quickstart()
    without = [row for row in TABLE1 if not row.endswith(":full")]
    return replace(
        table1_bridge(), root="runs/table1_sample", rows=tuple(without), data=quick.data, motion=quick.motion
    )


def table1_full() -> CompareConfig:
    """Table 1 at the paper's size: TDW-Playroom, 512 px, ResNet-50 everywhere.

    Command: python -m jobs.compare table1_full --data.source /data/playroom --checkpoint RUN
    Hardware: one GPU with 24 GB or more, about a day for each row that learns; not tried.
    """
    paper = presets.playroom()
    return CompareConfig(
        root="runs/table1_full",
        rows=TABLE1,
        data=paper.data,
        flow=paper.flow,
        motion=paper.motion,
        model=paper.model,
        grouping=paper.grouping,
    )


def table4_playroom() -> CompareConfig:
    """Table 4: readouts of the affinities of one network, and of DINO where a folder is given, on Playroom-like clips.

    Command: python -m jobs.compare table4_playroom --data.source SIM/playroom/train --data.eval-source
    SIM/playroom/val --test-source SIM/playroom/test --checkpoint RUN [--dino FOLDER]
    Hardware: 2 CPU cores, about 1 s an image and variant at 128 px.
    """
    return replace(table1_playroom(), root="runs/table4_playroom", rows=TABLE4, max_images=64)


def table4_bridge() -> CompareConfig:
    """Table 4 on Bridge-like clips.

    Command: python -m jobs.compare table4_bridge --data.source SIM/bridge/train --data.eval-source SIM/bridge/val
    --test-source SIM/bridge/test --checkpoint RUN [--dino FOLDER]
    Hardware: as table4_playroom.
    """
    return replace(table1_bridge(), root="runs/table4_bridge", rows=TABLE4, max_images=64)


def table4_sample() -> CompareConfig:
    """Table 4 on the clips inside the package: `python -m jobs.compare table4_sample --checkpoint runs/quickstart`."""
    return replace(table1_sample(), root="runs/table4_sample", rows=TABLE4, max_images=64)


COMPARISONS = {
    "table1_playroom": table1_playroom,
    "table1_bridge": table1_bridge,
    "table1_sample": table1_sample,
    "table1_full": table1_full,
    "table4_playroom": table4_playroom,
    "table4_bridge": table4_bridge,
    "table4_sample": table4_sample,
}
