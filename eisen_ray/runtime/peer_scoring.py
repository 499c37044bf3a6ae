"""A peer on one set of pictures with masks: frames (and a neighbour of each), segments in actors, scores in tasks."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ray.data
import torch

from eisen_ray.baselines.peer import Peer, Picture, Segmentation, TrainablePeer
from eisen_ray.build_peers import build_peer
from eisen_ray.compare_config import CompareConfig, needs_network, supervision_of
from eisen_ray.data.clips import Clip
from eisen_ray.data.frames import Quarantined
from eisen_ray.data.packed import pack_labels
from eisen_ray.data.scored_frames import MaskedClip
from eisen_ray.evaluate_config import EvaluateConfig, ScoredDataConfig
from eisen_ray.learning.checkpoint import load_checkpoint
from eisen_ray.measures.image_scores import ImageScores
from eisen_ray.measures.overlap import resize_labels
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.datasets import Pool
from eisen_ray.runtime.decoding import Row
from eisen_ray.runtime.layout import stable_seed
from eisen_ray.runtime.neighbours import DecodeNeighbours
from eisen_ray.runtime.scoring import DecodeScored, ScoreMaps, scored_rows
from eisen_ray.runtime.segmenting import load_network
from eisen_ray.runtime.stages import limit_threads
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.student import best_device

ASKED = "asked"
"""Key of a clip's meta: for which set and which variant its frames are asked for."""

# As in `evaluate`: looking and decoding wait for storage half of the time, scoring is arithmetic on one core.
READ_CPUS, SCORE_CPUS = 0.5, 0.5


@dataclass(frozen=True, kw_only=True)
class PeerWork:
    """One row of a table with the variants of its settings; sent to every actor and task."""

    config: CompareConfig
    row: str
    variants: tuple[Mapping[str, float], ...]
    weights: str = ""
    """Folder of a trained peer's weights, relative to the root."""
    checkpoint: StoredCheckpoint | None = None
    """Our own network, for rows that are read from it."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width at which pictures are segmented, px: the size of training."""
        data = self.config.data
        if self.checkpoint is not None and needs_network(self.row):
            data = self.checkpoint.config.data
        return data.image_height, data.image_width


class SegmentByPeer:
    """1:1, in an actor. `images` become `labels` and `surety`, each picture alone and with draws of its own.

    Which variant is asked for, the clip says, see `asked_rows`.

    Raises:
        ConfigError: a library is not installed.
        WeightsError: weights are damaged or of another network.
    """

    def __init__(self, work: PeerWork, num_threads: int = 0) -> None:
        limit_threads(num_threads)
        self.work = work
        self.device = best_device()
        self.peers = load_peers(work, self.device)

    def __call__(self, row: Row) -> Row:
        """Segment the frames of a clip."""
        images, clip = row.pop("images"), Clip.from_json(row["clip"])
        peer = self.peers[clip.meta[ASKED]["variant"]]
        pairs = row.pop("pairs") if peer.needs_neighbour else [None] * len(images)
        labels: list[bytes] = []
        surety = []
        for image, pair, frame in zip(images, pairs, json.loads(row["frames"]), strict=True):
            generator = torch.Generator(self.device)
            generator.manual_seed(stable_seed("compare", self.work.config.seed, self.work.row, clip.clip_id, frame))
            found = peer.segment(Picture(np.array(image), None if pair is None else np.array(pair)), generator)
            labels += pack_labels(resize_labels(found.labels, *image.shape[:2])[None])
            surety.append(confidences_of(found))
        return {**row, "labels": labels, "surety": json.dumps(surety)}


def load_peers(work: PeerWork, device: torch.device) -> list[Peer]:
    """The peer of a row in all its variants, with its weights, ready to segment."""
    network = None
    if work.checkpoint is not None and needs_network(work.row):
        network = load_network(work.checkpoint, work.checkpoint.config.grouping)
    peers = [build_peer(work.row, work.config, variant, device, network) for variant in work.variants]
    for peer in peers:
        if supervision_of(work.row) and isinstance(peer, TrainablePeer):
            with tempfile.TemporaryDirectory() as folder:
                load_checkpoint(Store(work.config.root).download(work.weights, Path(folder)), peer)
    return peers


def confidences_of(found: Segmentation) -> dict[int, float]:
    """A confidence for each segment: the peer's, or where it gives none the segment's share of the picture."""
    if found.confidences:
        return found.confidences
    names, counts = np.unique(found.labels[found.labels > 0], return_counts=True)
    return dict(zip(names.tolist(), (counts / found.labels.size).tolist(), strict=True))


def scored_by_peer(work: PeerWork, rows: list[Row], on_gpu: bool) -> ray.data.Dataset:
    """The stages: one row per few frames of a clip, with `scores`, see `scoring`.

    Args:
        work: the row of the table.
        rows: from `asked_rows`.
        on_gpu: whether the actor gets a GPU.
    """
    config, size = work.config, work.image_size
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    dataset = dataset.map(DecodeScored(*size), num_cpus=READ_CPUS)
    if work.row == "moving-region":
        dataset = dataset.map(DecodeNeighbours(config.flow.height, config.flow.width), num_cpus=READ_CPUS)
    pool = Pool(1, 1, 1.0 if on_gpu else 0.0, config.resources.actor_cpus, config.resources.actor_threads)
    dataset = dataset.map(
        SegmentByPeer, fn_constructor_kwargs={"work": work, "num_threads": pool.num_threads}, **pool.arguments()
    )
    scored = ScoredDataConfig(layout=config.data.layout, source=config.data.source, arm_id=config.arm_id)
    return dataset.map(ScoreMaps(EvaluateConfig(data=scored), size), num_cpus=SCORE_CPUS)


def asked_rows(sets: Mapping[str, Sequence[MaskedClip]], max_images: int, num_variants: int) -> list[Row]:
    """Rows of every set for every variant: all of a table's row is one dataset, and starts its actor once.

    Args:
        sets: clips with masks, by the set's name.
        max_images: of each set; 0 = all.
        num_variants: how many.
    """
    return [
        row
        for name, clips in sets.items()
        for variant in range(num_variants)
        for row in scored_rows([_asked(found, name, variant) for found in clips], max_images)
    ]


def _asked(found: MaskedClip, name: str, variant: int) -> MaskedClip:
    meta = {**found.clip.meta, ASKED: {"set": name, "variant": variant}}
    return MaskedClip(replace(found.clip, meta=meta), found.frames)


class Came(NamedTuple):
    """What came out of the stages for some frames of a clip.

    Attributes:
        set_name: of which set they are.
        variant: number of the variant.
        images: their scores.
        labels: packed label map of each.
        left_out: frames that cannot be scored.
    """

    set_name: str
    variant: int
    images: list[ImageScores]
    labels: list[bytes]
    left_out: list[Quarantined]


def came_out(row: Mapping[str, Any]) -> Came:
    """The content of a row from `scored_by_peer`."""
    asked = Clip.from_json(row["clip"]).meta[ASKED]
    images = [ImageScores.from_dict(values) for values in json.loads(row["scores"])]
    left_out = [Quarantined.from_dict(item) for item in json.loads(row["failures"])]
    return Came(asked["set"], asked["variant"], images, list(row["labels"]), left_out)
