"""From student to teacher: the gate, the promotion file, and the way back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eisen_ray.build import build_eisen
from eisen_ray.config import RoundsConfig, RunConfig
from eisen_ray.errors import PromotionError, StorageError
from eisen_ray.learning.checkpoint import load_checkpoint, save_checkpoint
from eisen_ray.runtime.layout import (
    RoundWork,
    Teacher,
    evaluation_file,
    promotion_file,
    reading_file,
    round_folder,
    training_folder,
)
from eisen_ray.runtime.storage import Store


def promoted(store: Store, round_number: int) -> Teacher | None:
    """The student that a round has promoted, or None."""
    path = promotion_file(round_number)
    if not store.exists(path):
        return None
    record = store.read_json(path)
    return Teacher(path=record["checkpoint"], sha256=record["sha256"])


def copy_out(work: RoundWork, trained: Path) -> Teacher:
    """Copy a finished student's weights out of the training folder to their own place.

    Args:
        work: the round.
        trained: local folder of the last checkpoint.

    Raises:
        PromotionError: it did not train as many steps as planned.
        WeightsError: it is damaged, does not fit the network, or holds values that are not finite.
    """
    model = build_eisen(work.config.model, work.config.grouping)
    meta = load_checkpoint(trained, model).meta
    planned = work.config.train.num_steps
    if meta["step"] != planned:
        raise PromotionError(
            f"Round {work.round_number} stopped at step {meta['step']} of {planned}; run the same command to finish."
        )
    with tempfile.TemporaryDirectory() as folder:
        sha256 = save_checkpoint(Path(folder), model, meta)
        path = f"{round_folder(work.round_number)}/checkpoint-{sha256[:8]}"
        work.store.upload(Path(folder), path)
    return Teacher(path=path, sha256=sha256)


def check_health(health: Mapping[str, float], rounds: RoundsConfig, round_number: int) -> None:
    """The gate's label-free part: a student that has collapsed must not become a teacher.

    Raises:
        PromotionError: with the numbers, and what to do.
    """
    limits = {"segments_per_image": rounds.min_segments, "agreement": rounds.min_agreement}
    names = {"segments_per_image": "rounds.min_segments", "agreement": "rounds.min_agreement"}
    for key, least in limits.items():
        if not health[key] >= least:
            numbers = ", ".join(f"{name} {value:.3f}" for name, value in sorted(health.items()))
            raise PromotionError(
                f"Round {round_number}'s student has collapsed and is not promoted: {key} is {health[key]:.3f}, "
                f"{names[key]} asks for {least:g} ({numbers}). Look at rounds/{round_number}/contact_sheet.png; "
                "train longer, lower train.learning_rate, or check the motion targets, under a new root."
            )


def promote(work: RoundWork, candidate: Teacher, record: Mapping[str, Any]) -> Teacher:
    """Make a student the teacher of the next round. The file's existence is the promotion; it is written once.

    Returns:
        The promoted student: another driver's, if that one was faster.
    """
    content = {"checkpoint": candidate.path, "sha256": candidate.sha256, "round": work.round_number, **record}
    work.store.create_json_once(promotion_file(work.round_number), content)
    winner = promoted(work.store, work.round_number)
    if winner is None:
        raise StorageError(f"{work.store.uri(promotion_file(work.round_number))} vanished after it was written.")
    # Checkpoints with optimizer state are large, and after the promotion nothing reads them.
    work.store.delete(training_folder(work.round_number))
    return winner


def rollback(config: RunConfig) -> int | None:
    """Take back the newest promotion, so that the next run trains that round again.

    Flow, motion and older rounds stay. What the withdrawn teacher has segmented stays too, under its own digest.

    Args:
        config: the run.

    Returns:
        The number of the round taken back; None when nothing is promoted.
    """
    store = Store(config.root)
    numbers = [number for number in range(1, config.rounds.num_rounds + 1) if promoted(store, number)]
    if not numbers:
        return None
    newest = numbers[-1]
    # The promotion goes first: whatever is interrupted afterwards, the round counts as not done.
    for path in (promotion_file(newest), evaluation_file(newest), reading_file(newest), training_folder(newest)):
        store.delete(path)
    store.delete(round_folder(newest))
    return newest
