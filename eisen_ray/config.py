"""Every knob of a run: frozen dataclasses with range checks. Imports no torch and no Ray: `--help` is quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eisen_ray.ranges import at_least, multiple, require, within
from eisen_ray.reporting import ReportConfig
from eisen_ray.resources import ResourcesConfig
from eisen_ray.teaching import TeacherConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which video, and the size at which the student sees it."""

    layout: Literal["sample", "videos", "frames", "davis", "bridge", "playroom"] = "sample"
    """How files lie under `source`; `sample` is the set of clips inside the package."""
    source: str = ""
    """Folder or URL (s3://, file://, memory://) of the training video; empty for `sample`."""
    eval_source: str = ""
    """Folder or URL of held-out video in the same layout; empty: the layout's own held-out split, if it has one."""
    image_height: int = 512
    """Height of the student's input, px; divisible by 4 (paper: 512)."""
    image_width: int = 512
    """Width of the student's input, px; divisible by 4 (paper: 512)."""
    fragment_frames: int = 9
    """Frames in a fragment, the unit of work, storage and retry; n frames give n-1 pairs."""
    frame_stride: int = 1
    """Keep every n-th frame of a clip: for cameras so fast that neighbouring frames barely differ."""
    pair_stride: int = 1
    """Use every n-th pair of a fragment: fewer, more different training images per clip."""
    max_clips: int = 0
    """Use at most this many clips, spread evenly over the sorted list; 0 = all."""
    max_bad_share: float = 0.2
    """Stop with an error when more than this share of the clips cannot be used."""

    def __post_init__(self) -> None:
        multiple(self, "image_height", "image_width", step=4, low=32)
        at_least(self, fragment_frames=2, frame_stride=1, pair_stride=1, max_clips=0)
        within(self, max_bad_share="[0, 1]")
        require(self.source or self.layout == "sample", "data.source", "", f"a folder or URL for {self.layout!r}")


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """Optical flow between neighbouring frames (Section 3.1: RAFT trained on Sintel)."""

    estimator: Literal["raft-large", "raft-small", "dis"] = "raft-large"
    """Flow network; `dis` is OpenCV's classical estimator and needs no weights."""
    weights: str = ""
    """File or URL of RAFT weights (torchvision's or princeton-vl's); empty: $EISEN_RAFT_WEIGHTS, else a download."""
    fallback: bool = False
    """When no weights can be had, use `dis` and say so, instead of stopping."""
    num_updates: int = 20
    """RAFT's recurrent updates (authors: 20)."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """RAFT's convolutions; `auto`: bf16 where the device has units for it."""
    height: int = 512
    """Height at which flow is estimated, px."""
    width: int = 512
    """Width at which flow is estimated, px."""

    def __post_init__(self) -> None:
        at_least(self, num_updates=1)
        multiple(self, "height", "width", step=8, low=128)


@dataclass(frozen=True, kw_only=True)
class MotionConfig:
    """From flow to motion segments (Section 3.2; supplement as far as known)."""

    method: Literal["threshold", "plateau"] = "threshold"
    """`threshold`: |flow| above a limit (fixed camera). `plateau`: Competition on flow, less the background."""
    threshold_px: float = 0.5
    """A node moves when its flow is longer than this, px at flow resolution (Playroom 0.5, Bridge 1.0)."""
    relative_threshold: float = 0.0
    """`threshold`: a node moves only if its flow is longer than this share of the pair's fast flow too; 0 = off."""
    min_area: float = 0.0
    """Discard a frame's motion unless the moving share is above this (Bridge 0.01)."""
    max_area: float = 1.0
    """Discard a frame's motion unless the moving share is below this (Bridge 0.5)."""
    split_components: bool = False
    """Give each connected moving region its own segment instead of one for all that moves."""
    min_region_nodes: int = 0
    """Drop moving regions smaller than this many nodes."""
    snap_to_edges: float = 0.0
    """As `grouping.snap_to_edges`, for motion segments; they are brought back to the student's nodes."""
    largest_only: bool = False
    """Keep only the largest moving region (DAVIS: one annotated object)."""
    offsets: tuple[int, ...] = (1,)
    """Frame offsets whose motion is pooled for one image; (1,) is the single next frame."""
    agreement: float = 0.5
    """Share of the pooled pairs that must agree that two nodes move together."""

    def __post_init__(self) -> None:
        within(self, threshold_px="(0, inf]", agreement="(0, 1]", min_area="[0, 1)", max_area="(0, 1]")
        within(self, relative_threshold="[0, 1)", snap_to_edges="[0, 0.5]", min_region_nodes="[0, inf]")
        require(self.min_area < self.max_area, "motion.min_area", self.min_area, f"below max_area, {self.max_area}")
        require(len({0, *self.offsets}) > len(self.offsets) > 0, "motion.offsets", self.offsets, "different, none 0")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The trainable network: backbone and affinity head."""

    backbone: Literal["resnet50-deeplab", "small"] = "resnet50-deeplab"
    """`resnet50-deeplab`: the paper's, 40 M parameters. `small`: for CPUs."""
    embedding_width: int = 32
    """D, channels of keys and queries (authors: 32)."""
    scope: Literal["local", "local+far", "full"] = "local+far"
    """Which pairs have affinities (Table 3: Loc, Loc+Glob, Full)."""
    window: int = 25
    """Side of the local window, nodes; odd (paper: 25)."""
    num_far: int = 399
    """Random long-range samples beside the window (authors: 399, 1024 in all)."""
    sampling: Literal["tile", "row"] = "tile"
    """`tile`: nodes of one tile share their far samples (dense products). `row`: every node draws its own."""
    tile_size: int = 8
    """Side of a tile, nodes."""

    def __post_init__(self) -> None:
        at_least(self, embedding_width=1, num_far=0, tile_size=1)
        require(self.window >= 1 and self.window % 2 == 1, "model.window", self.window, "an odd number")


@dataclass(frozen=True, kw_only=True)
class GroupingConfig:
    """From affinities to segments, without weights: KProp, Competition, regions (Section 3.1)."""

    plateau_width: int = 32
    """Q, channels of the plateau map (release: 32)."""
    num_iterations: int = 25
    """KProp iterations (release 25, paper 40)."""
    threshold: float = 0.7
    """Affinities above t excite, below 1-t inhibit (release 0.7, paper 0.5)."""
    start: Literal["spread", "first", "all"] = "spread"
    """Which nodes send: one and all it reaches (`spread`, release); one, then all (`first`, paper); `all` at once."""
    mutual: bool = False
    """Join two nodes by the weaker of their two affinities, min(A_ij, A_ji), instead of by the sender's alone."""
    excite: bool = True
    """Send excitatory messages (off: Table 3, `Inb`)."""
    inhibit: bool = True
    """Send inhibitory messages (off: Table 3, `Ex`)."""
    norm: Literal["l2", "softmax"] = "l2"
    """Normalisation after each iteration (Table 3)."""
    inhibition: Literal["subtract", "project"] = "subtract"
    """Subtract the inhibitory message (paper), or remove the component along it (first release)."""
    readout: Literal["competition", "argmax"] = "competition"
    """How segments are read from the plateau map (Table 3)."""
    rule: Literal["paper", "release"] = "paper"
    """`paper`: larger mask weight wins, uniform placement. `release`: best local match wins, placement on edges."""
    num_slots: int = 32
    """K, object pointers."""
    num_rounds: int = 3
    """R, rounds of Competition (paper: 3)."""
    overlap: float = 0.2
    """Theta: masks whose Jaccard index is above it compete (paper: 0.2)."""
    min_region_nodes: int = 20
    """Regions smaller than this become unassigned, nodes (release: 20 at 128x128)."""
    num_passes: int = 1
    """Passes with different draws; of their segments those are taken that stand best on edges. 1: as it comes."""
    snap_to_edges: float = 0.0
    """Outlines move to edges of the picture within this share of its shorter side (watershed); 0: they run on nodes."""
    min_edge_share: float = 0.0
    """Segments of whose outline less than this share stands on edges of the picture become unassigned; 0: none."""
    enlarge: float = 1.0
    """Pictures are enlarged so many times before they are segmented, for finer nodes; training does not."""
    mirror: bool = False
    """Logits of pairs in pictures to be segmented are the mean with those in the mirror image; training does not."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Products in message passing; `auto`: bf16 where the device has units for it. Sums stay in fp32."""

    def __post_init__(self) -> None:
        at_least(self, plateau_width=1, num_iterations=1, num_slots=1, num_rounds=1, num_passes=1, min_region_nodes=0)
        within(self, threshold="[0, 1)", overlap="(0, 1)", enlarge="[1, 8]", snap_to_edges="[0, 0.5]")
        within(self, min_edge_share="[0, 1]")
        require(self.snap_to_edges or not self.min_edge_share, "grouping.snap_to_edges", 0, "above 0 (min_edge_share)")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Optimisation of one round's student (algorithm of Section 4.1; release)."""

    num_steps: int = 200_000
    """Optimizer steps in a round (release: 200,000)."""
    batch_size: int = 8
    """Images in an optimizer step, over all workers (release: 8)."""
    learning_rate: float = 5e-4
    """Adam's base learning rate (release: 5e-4)."""
    warmup_steps: int = 1000
    """Steps of linear warm-up (release: 1000)."""
    clip_norm: float = 1.0
    """Limit of the gradient's norm (release: 1.0)."""
    loss_levels: int = 3
    """Resolutions at which the loss is summed: strides 1, 2, 4 (release: 3)."""
    labelled_rows: int = 0
    """Rows of labelled nodes drawn from each image for the loss; 0: all of them (release)."""
    segment_balance: float = 0.0
    """How these are drawn: 0: every node alike, 1: every segment alike, whatever its size; needs `labelled_rows`."""
    static_rows: int = 0
    """Rows of unlabelled nodes, drawn from each image, that learn to keep away from labelled ones (release: none)."""
    augment: bool = False
    """Flip, zoom and recolour training images at random, for small data sets (authors: none)."""
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    """`bf16`: autocast of the backbone; loss and optimizer stay in fp32. `auto`: where the device has units."""
    shuffle_images: int = 256
    """Images in the local shuffle buffer of a worker."""
    checkpoint_every_steps: int = 1000
    """A checkpoint at least this often; a killed worker repeats no more than this."""
    log_every_steps: int = 50
    """A line of progress and a TensorBoard point this often."""

    def __post_init__(self) -> None:
        at_least(self, num_steps=1, batch_size=1, warmup_steps=0, loss_levels=1, shuffle_images=1, static_rows=0)
        at_least(self, checkpoint_every_steps=1, log_every_steps=1, labelled_rows=0)
        within(self, segment_balance="[0, 1]", learning_rate="(0, inf]", clip_norm="(0, inf]")
        require(self.labelled_rows or not self.segment_balance, "train.labelled_rows", 0, "above 0 (segment_balance)")


@dataclass(frozen=True, kw_only=True)
class RoundsConfig:
    """Bootstrapping: students become teachers (Section 3.2; paper: 3 rounds)."""

    num_rounds: int = 3
    """Rounds of bootstrapping."""
    gate_images: int = 32
    """Images on which a student's label-free health is measured before promotion."""
    min_segments: float = 0.5
    """Refuse a student that finds fewer segments per image than this on average (collapse)."""
    min_agreement: float = 0.0
    """Refuse a student whose passes agree less than this (mean best-match IoU between two passes)."""
    eval_images: int = 256
    """Held-out images with masks that are scored after each round; 0 = none."""

    def __post_init__(self) -> None:
        at_least(self, num_rounds=1, gate_images=1, min_segments=0, eval_images=0)
        within(self, min_agreement="[0, 1]")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """A whole run: what, how, and where its results go."""

    root: str = "runs/quickstart"
    """Storage root of the run: a folder or s3:// URL. The same root and config continue a run."""
    targets: str = ""
    """Where flow, motion and confident segments are stored; runs may share it. Empty: under `root`."""
    seed: int = 0
    """Seed of every random draw."""
    data: DataConfig = field(default_factory=DataConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    grouping: GroupingConfig = field(default_factory=GroupingConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    rounds: RoundsConfig = field(default_factory=RoundsConfig)
    resources: ResourcesConfig = field(default_factory=ResourcesConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def __post_init__(self) -> None:
        require(self.root != "", "root", self.root, "a folder or URL")
        workers, batch = self.resources.train_workers, self.train.batch_size
        require(batch % (workers or batch) == 0, "train.batch_size", batch, f"a multiple of train_workers ({workers})")
