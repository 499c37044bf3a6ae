"""Named runs. A preset is a function; its docstring holds command, hardware, hours and what to expect.

Presets derive from one another with `dataclasses.replace`; `PRESETS` is what `jobs/bootstrap.py` offers.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from eisen_ray.config import (
    DataConfig,
    FlowConfig,
    GroupingConfig,
    ModelConfig,
    MotionConfig,
    RoundsConfig,
    RunConfig,
    TrainConfig,
)
from eisen_ray.errors import ConfigError
from eisen_ray.resources import ResourcesConfig
from eisen_ray.settings import from_dict
from eisen_ray.teaching import TeacherConfig

# The two operating points of the method (docs/decisions.md, 1).
RELEASE = GroupingConfig()
PAPER = GroupingConfig(num_iterations=40, threshold=0.5, start="first")

# Few steps leave noisy affinities, against which a wide plateau helps, and the best of three passes; small grids have
# small regions, and are read out on more nodes than they are trained on, twice, with as many rounds as find them all
# [135, 136, 141, 143, 145].
YOUNG = GroupingConfig(
    num_iterations=20,
    threshold=0.5,
    mutual=True,
    plateau_width=64,
    num_rounds=8,
    min_region_nodes=6,
    snap_to_edges=0.03,
    enlarge=1.5,
    mirror=True,
    num_passes=3,
)


def quickstart() -> RunConfig:
    """Three rounds on the bundled Bridge-like clips, on a laptop's processor.

    Command: python jobs/bootstrap.py
    Hardware: 2 CPU cores, no GPU, 4 GB of memory.
    Time and expected mIoU: docs/results/quickstart.md.
    """
    return RunConfig(
        root="runs/quickstart",
        data=DataConfig(layout="sample", image_height=128, image_width=128, fragment_frames=8, pair_stride=2),
        flow=FlowConfig(estimator="raft-small", fallback=True, height=256, width=256),
        motion=MotionConfig(threshold_px=1.0, relative_threshold=0.3, min_area=0.01, max_area=0.5, min_region_nodes=6),
        model=ModelConfig(backbone="small", scope="full"),
        grouping=YOUNG,
        teacher=TeacherConfig(
            num_runs=1,
            num_iterations=20,
            threshold=0.4,
            plateau_width=64,
            num_passes=3,
            enlarge=1.25,
            min_region_nodes=8,
            max_area=0.3,
            snap_to_edges=0.05,
            min_edge_share=0.6,
            last_explaining_round=2,
            heal_rims=True,
        ),
        train=TrainConfig(
            num_steps=2000,
            learning_rate=1e-3,
            warmup_steps=50,
            loss_levels=1,
            labelled_rows=256,
            segment_balance=0.5,
            static_rows=256,
            augment=True,
            precision="auto",
            checkpoint_every_steps=500,
            log_every_steps=100,
        ),
        rounds=RoundsConfig(gate_images=16, eval_images=64),
    )


def playroom() -> RunConfig:
    """The release's operating point on TDW-Playroom: one object is invisibly pushed per scene (Table 1).

    Command: python jobs/bootstrap.py playroom --data.source /data/playroom
    Hardware: 4 GPUs with 24 GB, about 1 day for 100,000 steps at batch 8 (the authors' log).
    Expected mIoU: 0.73 on val (paper and release); not reproduced here, the data are not at hand.
    """
    return RunConfig(
        root="runs/playroom",
        data=DataConfig(layout="playroom", source="data/playroom", fragment_frames=2),
        motion=MotionConfig(threshold_px=0.5),
        grouping=RELEASE,
        rounds=RoundsConfig(num_rounds=1),
    )


def bridge_small() -> RunConfig:
    """Bridge-like video at a size that a laptop's processor trains in an hour or so: 64x64 nodes, 800 steps a round.

    Command: python jobs/bootstrap.py bridge_small --data.source SIM/bridge/train --data.eval-source SIM/bridge/val
    Hardware: 2 CPU cores, no GPU, 6 GB of memory; clips of `python -m jobs.simulate bridge --root SIM/bridge`.
    Time and expected mIoU: docs/results/table2-bridge.md.
    """
    base = quickstart()
    return replace(
        base,
        root="runs/bridge_small",
        data=replace(
            base.data, layout="bridge", source="data/bridge", image_height=256, image_width=256, pair_stride=4
        ),
        flow=replace(base.flow, fallback=False),
        motion=replace(base.motion, min_region_nodes=16),
        model=replace(base.model, scope="local+far"),
        grouping=replace(YOUNG, min_region_nodes=16),
        teacher=replace(base.teacher, min_region_nodes=16),
        train=replace(base.train, num_steps=800),
        rounds=replace(base.rounds, eval_images=240),
    )


def davis() -> RunConfig:
    """DAVIS-2016: moving cameras, so motion segments come from Competition on the flow plateau (Section 4.3).

    Command: python jobs/bootstrap.py davis --data.source /data/DAVIS2016
    Hardware: 1 GPU with 24 GB or more.
    Expected mIoU: 0.52 on held-out sequences (paper); not reproduced here.
    """
    return RunConfig(
        root="runs/davis",
        data=DataConfig(layout="davis", source="data/DAVIS2016", image_height=256, image_width=480),
        flow=FlowConfig(height=256, width=480),
        motion=MotionConfig(method="plateau", threshold_px=1.0, largest_only=True, min_region_nodes=20),
        grouping=PAPER,
        train=TrainConfig(num_steps=100_000),
        rounds=RoundsConfig(num_rounds=1),
    )


def davis_small() -> RunConfig:
    """DAVIS at a size for a laptop's processor: 32x60 nodes, one round on motion.

    Command: python jobs/bootstrap.py davis_small --data.source /data/DAVIS2016
    Hardware: 2 CPU cores, no GPU, 4 GB of memory.
    Expected mIoU and time: docs/results/davis.md, for seven sequences; flow of all 30 takes about ten minutes.
    """
    base, paper = bridge_small(), davis()
    return replace(
        base,
        root="runs/davis_small",
        data=replace(paper.data, image_height=128, image_width=240, pair_stride=1),
        flow=replace(paper.flow, estimator="raft-small"),
        motion=replace(paper.motion, min_region_nodes=8),
        model=replace(base.model, scope="full"),
        grouping=replace(base.grouping, min_region_nodes=8),
        train=replace(base.train, num_steps=1500),
        rounds=replace(base.rounds, num_rounds=1),
    )


def playroom_small() -> RunConfig:
    """Playroom-like pairs at a size for a laptop's processor: 64x64 nodes, one round on motion.

    Command: python jobs/bootstrap.py playroom_small --data.source SIM/playroom/train --data.eval-source
    SIM/playroom/val
    Hardware: 2 CPU cores, no GPU, 6 GB of memory; pairs of `python -m jobs.simulate playroom --root SIM/playroom`.
    Time and expected mIoU: docs/results/table1-playroom.md (0.535 on val).
    """
    base = bridge_small()
    return replace(
        base,
        root="runs/playroom_small",
        data=replace(base.data, layout="playroom", source="data/playroom", fragment_frames=2, pair_stride=1),
        motion=replace(base.motion, min_area=0.002),
        train=replace(base.train, num_steps=1500),
        rounds=replace(base.rounds, num_rounds=1),
    )


def bridge() -> RunConfig:
    """BridgeData v1, raw layout: a robot arm moves objects, three rounds (Table 2).

    Command: python jobs/bootstrap.py bridge --data.source /data/bridge_data_v1
    Hardware: 4 GPUs with 24 GB or more.
    Expected mIoU: 0.34, 0.45, 0.55 after rounds 1, 2, 3 (paper); the authors' masks were never released.
    """
    return RunConfig(
        root="runs/bridge",
        data=DataConfig(layout="bridge", source="data/bridge_data_v1"),
        motion=MotionConfig(threshold_px=1.0, min_area=0.01, max_area=0.5, min_region_nodes=20),
        grouping=PAPER,
        train=TrainConfig(num_steps=50_000),
    )


def folder() -> RunConfig:
    """Your own videos: a folder of video files from fixed cameras, at a size that one GPU trains in hours.

    Command: python jobs/bootstrap.py folder --data.source /data/videos
    Hardware: 1 GPU with 16 GB or more; for a trial on a CPU add `--model.backbone small --data.image-height 128
    --data.image-width 128 --train.num-steps 500`.
    Expected mIoU: depends on the video; without masks the report shows label-free measures.
    """
    base = bridge()
    return replace(
        base,
        root="runs/folder",
        data=DataConfig(layout="videos", source="data/videos", image_height=256, image_width=256),
        train=TrainConfig(num_steps=20_000),
    )


def tiny() -> RunConfig:
    """The whole story in under a minute, for tests: two rounds of a few steps on four bundled clips.

    Command: python jobs/bootstrap.py tiny
    Hardware: 2 CPU cores. Expected mIoU: none worth a name.
    """
    base = quickstart()
    return replace(
        base,
        root="runs/tiny",
        data=replace(base.data, max_clips=4, image_height=64, image_width=64, pair_stride=3),
        flow=replace(base.flow, estimator="dis", height=128, width=128),
        grouping=replace(base.grouping, plateau_width=32, num_iterations=5),
        teacher=replace(base.teacher, num_runs=2, num_iterations=5, plateau_width=32),
        train=replace(
            base.train, num_steps=6, batch_size=4, warmup_steps=2, checkpoint_every_steps=3, log_every_steps=2
        ),
        rounds=RoundsConfig(num_rounds=2, gate_images=2, min_segments=0.0, eval_images=4),
        # Sizes of their own: a test must not depend on the machine it runs on.
        resources=ResourcesConfig(
            flow_actors=1, max_flow_actors=1, teacher_actors=1, max_teacher_actors=1, train_workers=1
        ),
    )


PRESETS = {
    "quickstart": quickstart,
    "playroom": playroom,
    "bridge_small": bridge_small,
    "playroom_small": playroom_small,
    "davis": davis,
    "davis_small": davis_small,
    "bridge": bridge,
    "folder": folder,
    "tiny": tiny,
}


def load_preset(name: str) -> RunConfig:
    """A named preset, or the settings in a JSON file, such as a study's `best.json`.

    Raises:
        ConfigError: neither, or settings that this version does not know.
    """
    if name in PRESETS:
        return PRESETS[name]()
    path = Path(name).expanduser()
    if not path.is_file():
        raise ConfigError(f"No preset and no file {name!r}; expected one of {', '.join(PRESETS)}, or a JSON file.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{name} is not JSON: {error}.") from error
    return from_dict(RunConfig, values)
