"""What Ray Train's controller carries for a round: what is still to be read, and the way into the training process.

Light on purpose: the controller unpickles all of it before it starts the workers, and torch's networks are none of its
business.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ray.data import Dataset
from ray.train import Checkpoint, Result

from eisen_ray.data.index import Fragment
from eisen_ray.runtime.datasets import stored_samples, streamed_samples
from eisen_ray.runtime.idle import prepare_data_context
from eisen_ray.runtime.layout import RoundWork, promotion_file, reading_file, stored_fragments, training_folder
from eisen_ray.runtime.reading import NONE_USED, Used, num_positions, unused_positions, used_of, used_samples
from eisen_ray.runtime.samples import images_per_fragment, reading_list, reading_seed, replays
from eisen_ray.settings import to_dict


@dataclass(frozen=True)
class Reading:
    """What is still to be read, worked out anew at each start of the workers; called by Ray Train's controller.

    The last checkpoint says which samples are used. Whether a worker, a node or the driver was lost, the next start
    reads exactly the rest.

    Attributes:
        work: the round.
        part: `first`, the first epoch through the pools; `stored`, everything that is read from storage.
        streams: whether the first epoch belongs to `first`.
        on_gpu: whether actors run on GPUs.
    """

    work: RoundWork
    part: str
    streams: bool
    on_gpu: bool

    def __call__(self) -> Dataset:
        """The dataset of what is left."""
        prepare_data_context()
        used = _used(self.work)
        positions = self.positions(used)
        if self.part == "stored":
            return stored_samples(self.work, positions, used)
        with_flow = not _all_stored(self.work, self.work.motion_folder)
        return streamed_samples(self.work, positions, used, on_gpu=self.on_gpu, with_flow=with_flow)

    def positions(self, used: Used) -> np.ndarray:
        """Positions of this part that are not fully used."""
        sizes = images_per_fragment(self.work)
        train = self.work.config.train
        begin, end = 0, num_positions(train.num_steps * train.batch_size, sizes)
        if replays(self.work):
            # The rest of the epoch that is under way, then a whole one for the worker to keep.
            epochs = used.last_position // len(sizes) + 2 if used.last_position >= 0 else 1
            end = min(end, epochs * len(sizes))
        if self.streams:
            begin, end = (0, len(sizes)) if self.part == "first" else (len(sizes), end)
        return unused_positions(begin, end, used)


def worker_settings(work: RoundWork, names: tuple[str, ...], board: Any = None) -> dict[str, Any]:
    """What `train_worker` is given, in plain JSON but for the board.

    Args:
        work: the round.
        names: datasets in the order they are read; the last one is read again while steps remain.
        board: a `ProgressBoard`, or None.
    """
    return {
        "config": to_dict(work.config),
        "flow_identity": work.flow_identity,
        "round_number": work.round_number,
        "teacher": asdict(work.teacher) if work.teacher else None,
        "datasets": list(names),
        "board": board,
    }


def train_worker(settings: dict[str, Any]) -> int:
    """See `worker.train_student`, which is imported in the training process only."""
    from eisen_ray.runtime.worker import train_student

    return train_student(settings)


def last_checkpoint(work: RoundWork) -> Checkpoint | None:
    """The last checkpoint that Ray Train has committed in this round, or None."""
    snapshot = f"{training_folder(work.round_number)}/checkpoint_manager_snapshot.json"
    if not work.store.exists(snapshot):
        return None
    try:
        return Result.from_path(work.store.uri(training_folder(work.round_number))).checkpoint
    except (RuntimeError, OSError):
        # Another process may have ended the round meanwhile: after the promotion its folder goes, file by file.
        if work.store.exists(promotion_file(work.round_number)):
            return None
        raise


def _used(work: RoundWork) -> Used:
    checkpoint = last_checkpoint(work)
    if checkpoint is None:
        return NONE_USED
    with tempfile.TemporaryDirectory() as folder:
        ids = used_samples(Path(checkpoint.to_directory(folder)))
    return used_of(ids, images_per_fragment(work), reading_seed(work))


def _all_stored(work: RoundWork, folder: str) -> bool:
    stored = stored_fragments(work.targets, folder)
    fragments = reading_list(work.store, reading_file(work.round_number))
    return all(Fragment.from_json(fragment).fragment_id in stored for fragment in fragments)
