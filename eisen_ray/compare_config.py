"""What `jobs/compare.py` can be told: which peers, on which data. Imports no torch and no Ray: `--help` is quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from eisen_ray.config import DataConfig, FlowConfig, GroupingConfig, ModelConfig, MotionConfig, RunConfig
from eisen_ray.ranges import above_zero, at_least, require, within
from eisen_ray.resources import ResourcesConfig
from eisen_ray.settings import to_dict

Row = Literal[
    "felzenszwalb",
    "moving-region",
    "mask-rcnn:motion",
    "mask-rcnn:full",
    "detr:motion",
    "detr:full",
    "panoptic-deeplab:motion",
    "panoptic-deeplab:full",
    "ssap:motion",
    "ssap:full",
    "eisen:motion",
    "eisen:full",
    "network",
    "network/competition",
    "network/spectral",
    "network/affinity-propagation",
    "network/label-propagation",
    "dino/competition",
    "dino/spectral",
    "dino/affinity-propagation",
    "dino/label-propagation",
]
"""Rows of a table: `peer:supervision` learns first, `source/readout` reads given affinities, `network` is a checkpoint
as it is."""
ROWS: tuple[str, ...] = get_args(Row)


@dataclass(frozen=True, kw_only=True)
class LearnConfig:
    """How the peers that learn do so: all alike."""

    size: Literal["small", "full"] = "full"
    """`small`: narrow networks for CPUs. `full`: ResNet-50 everywhere, the libraries' own widths."""
    num_steps: int = 100_000
    """Optimizer steps (SSAP's authors 170k, the paper's other baselines up to 200k)."""
    batch_size: int = 8
    """Images in a batch."""
    learning_rate: float = 0.0
    """Adam's base rate; 0: each peer's own (2e-4 to 5e-4)."""
    warmup_steps: int = 1000
    """Steps of linear warm-up."""
    clip_norm: float = 1.0
    """Limit of the gradient's norm."""
    augment: bool = False
    """Flip, zoom and recolour training images at random, as the student's do with train.augment."""
    loss_levels: int = 3
    """Resolutions of our own network's loss."""
    labelled_rows: int = 0
    """Our own network: as train.labelled_rows of a run; 0: all labelled rows."""
    segment_balance: float = 0.0
    """Our own network: as train.segment_balance of a run; needs `labelled_rows`."""
    static_rows: int = 0
    """Our own network: as train.static_rows of a run; 0: with full supervision the background is one more label."""
    shuffle_images: int = 256
    """Images in the shuffle buffer, where the set is too large to be kept in memory."""
    checkpoint_every_steps: int = 1000
    """A stopped training goes on from the last of these."""
    log_every_steps: int = 100
    """A line of progress this often."""

    def __post_init__(self) -> None:
        at_least(self, num_steps=1, batch_size=1, warmup_steps=0, loss_levels=1, shuffle_images=1)
        at_least(self, checkpoint_every_steps=1, log_every_steps=1)
        at_least(self, labelled_rows=0, static_rows=0)
        above_zero(self, "clip_norm")
        within(self, learning_rate="[0, inf]", segment_balance="[0, 1]")
        wanted = self.labelled_rows > 0 or self.segment_balance == 0
        require(wanted, "learn.labelled_rows", self.labelled_rows, "1 or more, as segment_balance is not 0")


@dataclass(frozen=True, kw_only=True)
class VariantsConfig:
    """Settings of peers that are tried one after the other; the best on the validation set is shown [Decision 127]."""

    felzenszwalb_scales: tuple[float, ...] = (100.0, 200.0, 400.0, 800.0)
    """Felzenszwalb: larger gives larger regions."""
    felzenszwalb_sigma: float = 0.3
    """Felzenszwalb: smoothing of the picture, px (the library's 0.8 is for larger pictures) [Decision 120]."""
    felzenszwalb_min_size: int = 20
    """Felzenszwalb: smaller regions join a neighbour, px."""
    thresholds: tuple[float, ...] = (0.25, 0.5, 0.7)
    """KProp and Competition among readouts: the affinity above which a pair excites, in place of the network's own."""
    num_clusters: tuple[int, ...] = (4, 8, 16)
    """Spectral clustering: segments in a picture."""
    preferences: tuple[float, ...] = (-10.0, 0.0, 0.5)
    """Affinity propagation: of a node to be an exemplar; affinities are 0 to 1."""
    edge_thresholds: tuple[float, ...] = (0.25, 0.5, 0.7)
    """Label propagation: affinities below it are no edges."""
    max_nodes: int = 4096
    """Readouts of a matrix: finer grids are averaged first (authors: 4096)."""
    dino_temperature: float = 0.1
    """DINO: a key whose cosine is this much below the best one has an affinity of 1/e."""

    def __post_init__(self) -> None:
        above_zero(self, "felzenszwalb_sigma", "dino_temperature")
        at_least(self, felzenszwalb_min_size=1, max_nodes=16)
        for name in ("felzenszwalb_scales", "thresholds", "num_clusters", "preferences", "edge_thresholds"):
            require(getattr(self, name), f"variants.{name}", (), "at least one value")


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """A table: rows, data, supervision."""

    root: str = "runs/compare"
    """Folder or s3:// URL of the results. The same root and settings go on where a run stopped."""
    targets: str = ""
    """Where flow and motion are stored; bootstrapping runs may share it. Empty: under `root`."""
    rows: tuple[Row, ...] = ("felzenszwalb", "moving-region", "network")
    """Rows of the table, in the order of the work."""
    checkpoint: str = ""
    """Our own network: a checkpoint's folder or the root of a run. Empty: rows that need one are left out."""
    dino: str = ""
    """Folder of a DINO transformer as `transformers` stores it. Empty: rows that need it are left out."""
    test_source: str = ""
    """Folder or URL of the test set, in the layout of `data`. Empty: only validation."""
    select_by: Literal["mean_iou", "best_iou"] = "mean_iou"
    """Measure on the validation set by which the best variant of a peer is chosen."""
    max_images: int = 256
    """Score at most so many images of each set, spread evenly; 0 = all."""
    seed: int = 0
    """Seed of every random draw."""
    data: DataConfig = field(default_factory=DataConfig)
    """Training video; `eval_source` is the validation set."""
    arm_id: int = 0
    """Mask value of the robot's arm; 0: what the layout says; -1: no arm."""
    flow: FlowConfig = field(default_factory=FlowConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    """Our own network, where it is trained as a peer."""
    grouping: GroupingConfig = field(default_factory=GroupingConfig)
    """Of our own network as a peer, and of `*/competition`; the row `network` keeps its checkpoint's."""
    learn: LearnConfig = field(default_factory=LearnConfig)
    variants: VariantsConfig = field(default_factory=VariantsConfig)
    resources: ResourcesConfig = field(default_factory=ResourcesConfig)

    def __post_init__(self) -> None:
        require(self.root != "", "root", self.root, "a folder or URL")
        require(self.rows, "rows", self.rows, f"at least one of {', '.join(ROWS)}")
        require(len(set(self.rows)) == len(self.rows), "rows", self.rows, "each row once")
        require(self.max_images >= 0, "max_images", self.max_images, "at least 0")
        require(self.arm_id >= -1, "arm_id", self.arm_id, "a mask value, 0 or -1")

    @property
    def grid(self) -> tuple[int, int]:
        """Nodes of the student's affinity grid, (height, width)."""
        return self.data.image_height // 4, self.data.image_width // 4

    @property
    def run(self) -> RunConfig:
        """The part that makes the student's motion targets, as a run."""
        return RunConfig(
            root=self.root,
            targets=self.targets,
            seed=self.seed,
            data=self.data,
            flow=self.flow,
            motion=self.motion,
            model=self.model,
            grouping=self.grouping,
            resources=self.resources,
        )


def supervision_of(row: str) -> str:
    """`motion` or `full` for a row that learns, "" for others."""
    return row.partition(":")[2]


def needs_network(row: str) -> bool:
    """Whether a row is read from a checkpoint of our own network."""
    return row.partition("/")[0] == "network"


def needs_dino(row: str) -> bool:
    """Whether a row is read from DINO's affinities."""
    return row.startswith("dino/")


def variants_of(row: str, variants: VariantsConfig) -> list[dict[str, float]]:
    """The settings that are tried for a row, by name; one empty set where there is nothing to try."""
    tried: dict[str, dict[str, tuple[float, ...]]] = {
        "felzenszwalb": {"scale": variants.felzenszwalb_scales},
        "competition": {"threshold": variants.thresholds},
        "spectral": {"clusters": variants.num_clusters},
        "affinity-propagation": {"preference": variants.preferences},
        "label-propagation": {"threshold": variants.edge_thresholds},
    }
    for name, values in tried.get(row.rpartition("/")[2], {}).items():
        return [{name: value} for value in values]
    return [{}]


def shaping(row: str, config: CompareConfig) -> dict[str, Any]:
    """The settings that shape a row's scores: what is not in it may change without the row being made again."""
    values, readout = to_dict(config), row.partition("/")[2]
    kept = {key: values["data"][key] for key in ("layout", "source", "eval_source", "image_height", "image_width")}
    kept |= {key: values[key] for key in ("seed", "arm_id", "max_images", "test_source")}
    fixed = values["variants"]
    if row == "felzenszwalb":
        kept |= {key: fixed[key] for key in ("felzenszwalb_sigma", "felzenszwalb_min_size")}
    if row == "moving-region":
        kept |= {"flow": values["flow"], "motion": values["motion"]}
    if needs_dino(row):
        kept |= {"dino": config.dino, "temperature": fixed["dino_temperature"]}
    if readout:
        kept |= {"max_nodes": fixed["max_nodes"]}
    if readout or row.startswith("eisen:"):
        kept |= {"grouping": values["grouping"]}
    return kept | (learning_shape(row, config) if supervision_of(row) else {})


def learning_shape(row: str, config: CompareConfig) -> dict[str, Any]:
    """The settings that shape a trained peer's weights."""
    values = to_dict(config)
    places = ("checkpoint_every_steps", "log_every_steps")
    data = {key: value for key, value in values["data"].items() if key not in ("max_bad_share", "eval_source")}
    kept = {"row": row, "seed": config.seed, "data": data}
    kept["learn"] = {key: value for key, value in values["learn"].items() if key not in places}
    if row.startswith("eisen:"):
        kept |= {"model": values["model"]}
    if supervision_of(row) == "motion":
        kept |= {"flow": values["flow"], "motion": values["motion"]}
    return kept
