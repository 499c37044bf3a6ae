"""Training one peer: a single task, on a GPU where there is one, that goes on from its last checkpoint."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from torch import Tensor

from eisen_ray.baselines.training import PeerTraining, TrainSettings, one_object
from eisen_ray.build_peers import build_trainable
from eisen_ray.compare_config import CompareConfig, learning_shape, supervision_of
from eisen_ray.learning.checkpoint import load_checkpoint, save_checkpoint
from eisen_ray.runtime.checkpoints import MANIFEST
from eisen_ray.runtime.layout import stable_seed
from eisen_ray.runtime.peer_samples import Labelled, Reading, endless
from eisen_ray.runtime.progress import BoardReader, Record, new_board
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.student import best_device
from eisen_ray.settings import digest

# Beside the training, decoding must find room on a machine of two cores.
TRAIN_CPUS = 0.5


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training task is given."""

    config: CompareConfig
    row: str
    reading: Reading

    @property
    def folder(self) -> str:
        """Where the peer's files lie under the root; a digest covers all that shapes its weights."""
        names = [self.reading.work.flow_identity] if supervision_of(self.row) == "motion" else []
        return f"peers/{self.row.replace(':', '-')}-{digest(learning_shape(self.row, self.config), names)[:8]}"

    @property
    def weights(self) -> str:
        """Folder of the finished peer."""
        return f"{self.folder}/weights"


def train_peer(training: Training, on_gpu: bool, tell: Callable[[Record], None]) -> str:
    """Train a peer unless that is done; the folder of its weights.

    Args:
        training: what.
        on_gpu: whether the task gets a GPU.
        tell: takes records of progress: `step`, `loss`, `seconds`.
    """
    if not Store(training.config.root).exists(f"{training.weights}/{MANIFEST}"):
        board = new_board()
        task = ray.remote(num_cpus=TRAIN_CPUS, num_gpus=1 if on_gpu else 0, max_retries=0)(run_training)
        with BoardReader(board, tell):
            ray.get(task.remote(training, board))
    return training.weights


def run_training(training: Training, board: Any) -> None:
    """The task: steps, checkpoints, and the weights at the end."""
    if not torch.cuda.is_available():
        torch.set_num_threads(os.cpu_count() or 1)
    config, learn = training.config, training.config.learn
    # Layers, and what libraries draw while they learn, come from torch's global generator.
    torch.manual_seed(stable_seed("peer", config.seed, training.row))
    peer = build_trainable(training.row, config).to(best_device())
    loop = PeerTraining(
        peer, TrainSettings(learn.num_steps, learn.learning_rate, learn.warmup_steps, learn.clip_norm, learn.augment)
    )
    files = _Files(training, loop)
    seconds, step = files.resume()
    generator = torch.Generator(peer.device)
    # A training that goes on draws anew: it is as random as one that was never stopped, not the same.
    generator.manual_seed(stable_seed("peer draws", config.seed, training.row, step))
    seed = stable_seed("peer order", config.seed, training.row, step)
    began = time.monotonic() - seconds
    found = batches(training.reading, learn.batch_size, seed, peer.device)
    merges = supervision_of(training.row) == "motion" and not training.row.startswith("eisen")
    for images, labels in itertools.islice(found, learn.num_steps - step):
        loss = loop.step(images, one_object(labels) if merges else labels, generator)
        step += 1
        at_end, elapsed = step == learn.num_steps, time.monotonic() - began
        if at_end or step % learn.log_every_steps == 0:
            board.add.remote({"step": step, "loss": loss, "seconds": elapsed})
        if at_end or step % learn.checkpoint_every_steps == 0:
            files.save(step, elapsed, loss, at_end)


def batches(reading: Reading, batch_size: int, seed: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Images uint8 [B, 3, H, W] and labels int64 [B, h, w] on the device, without end; see `endless`."""
    batch: list[Labelled] = []
    for sample in endless(reading, seed):
        batch.append(sample)
        if len(batch) == batch_size:
            images = torch.from_numpy(np.stack([each.image for each in batch])).to(device)
            labels = torch.from_numpy(np.stack([each.labels for each in batch]).astype(np.int64)).to(device)
            yield images.permute(0, 3, 1, 2).contiguous(), labels
            batch = []


class _Files:
    """The checkpoints of a training: `<folder>/steps/<step>` on the way, `<folder>/weights` at the end."""

    def __init__(self, training: Training, loop: PeerTraining) -> None:
        self.store, self.training, self.loop = Store(training.config.root), training, loop
        self.steps = f"{training.folder}/steps"

    def resume(self) -> tuple[float, int]:
        """Load the last checkpoint, if there is one: the seconds and the steps before it."""
        found = self._found()
        if not found:
            return 0.0, 0
        loop = self.loop
        with tempfile.TemporaryDirectory() as folder:
            place = self.store.download(f"{self.steps}/{max(found)}", Path(folder))
            meta = load_checkpoint(place, loop.peer, optimizer=loop.optimizer, scheduler=loop.scheduler).meta
        return float(meta["seconds"]), int(meta["step"])

    def save(self, step: int, seconds: float, loss: float, at_end: bool) -> None:
        """Write a checkpoint, then remove older ones; the finished weights keep no optimizer."""
        meta = {"row": self.training.row, "step": step, "seconds": seconds, "loss": loss}
        loop, older = self.loop, self._found()
        with tempfile.TemporaryDirectory() as folder:
            if at_end:
                save_checkpoint(folder, loop.peer, meta)
            else:
                save_checkpoint(folder, loop.peer, meta, optimizer=loop.optimizer, scheduler=loop.scheduler)
            # The manifest last: in an object store it says that the others are there.
            names = sorted((path.name for path in Path(folder).iterdir()), key=lambda name: name == MANIFEST)
            content = {name: (Path(folder) / name).read_bytes() for name in names}
            self.store.write_folder(self.training.weights if at_end else f"{self.steps}/{step}", content)
        for old in older:
            self.store.delete(f"{self.steps}/{old}")

    def _found(self) -> set[int]:
        names = [name.split("/") for name in self.store.files(self.steps)]
        return {int(step) for step, file in names if file == MANIFEST}
