from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from eisen_ray.learning.checkpoint import read_checkpoint
from eisen_ray.runtime import peer_training
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.peer_samples import Labelled, Reading
from eisen_ray.runtime.peer_training import Training, batches, run_training, train_peer
from tests.runtime.peers import fragments_of, small_table


def training(place: Path, row: str, **changes: Any) -> Training:
    """Four steps of a small peer."""
    config = replace(small_table(place), **changes)
    fragments = [fragment.to_json() for fragment in fragments_of(config)]
    work = RoundWork(config=config.run, flow_identity="none")
    return Training(config=config, row=row, reading=Reading(work, fragments, row.partition(":")[2], 8))


def steps_left(place: Path, work: Training) -> list[str]:
    """Checkpoints on the way that were not removed."""
    return sorted(path.parent.name for path in (place / "root" / work.folder / "steps").rglob("checkpoint.json"))


class Board:
    """Takes records as the actor's handle does."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.add = SimpleNamespace(remote=self.records.append)


def drawn(*_: object) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of noise with two objects."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(2, 64, 64, dtype=torch.int64)
    labels[:, 8:24, 8:24], labels[:, 40:60, 30:50] = 1, 2
    while True:
        yield torch.randint(0, 256, (2, 3, 64, 64), generator=generator, dtype=torch.uint8), labels


def test_a_task_trains_and_leaves_weights_only(tmp_path: Path, ray_cluster: None) -> None:
    work = training(tmp_path, "panoptic-deeplab:full")
    told: list[dict[str, Any]] = []
    folder = train_peer(work, False, told.append)
    assert folder == f"{work.folder}/weights"
    place = tmp_path / "root" / folder
    assert {path.name for path in place.iterdir()} == {"checkpoint.json", "model.safetensors"}
    assert read_checkpoint(place).meta["step"] == 4
    assert [record["step"] for record in told] == [1, 2, 3, 4]
    assert steps_left(tmp_path, work) == []
    again: list[dict[str, Any]] = []
    assert train_peer(work, False, again.append) == folder
    assert again == [], "what is done is not done again"


def test_a_stopped_training_goes_on_from_its_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = training(tmp_path, "ssap:full")

    def breaking(*arguments: object) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for count, batch in enumerate(drawn()):
            if count == 3:
                raise KeyboardInterrupt
            yield batch

    board = Board()
    monkeypatch.setattr(peer_training, "batches", breaking)
    with pytest.raises(KeyboardInterrupt):
        run_training(work, board)
    assert steps_left(tmp_path, work) == ["2"]
    monkeypatch.setattr(peer_training, "batches", drawn)
    run_training(work, board)
    assert [record["step"] for record in board.records] == [1, 2, 3, 3, 4]
    assert steps_left(tmp_path, work) == []
    assert read_checkpoint(tmp_path / "root" / work.weights).meta["step"] == 4


@pytest.mark.parametrize(("row", "most"), [("ssap:motion", 1), ("ssap:full", 2), ("eisen:motion", 2)])
def test_motion_is_one_object_for_peers_but_not_for_our_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, most: int
) -> None:
    seen: list[int] = []
    step = peer_training.PeerTraining.step

    def looked(self: Any, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator) -> float:
        seen.append(int(labels.max()))
        return step(self, images, labels, generator)

    monkeypatch.setattr(peer_training.PeerTraining, "step", looked)
    monkeypatch.setattr(peer_training, "batches", drawn)
    run_training(training(tmp_path, row), Board())
    assert seen == [most] * 4


def test_batches_are_stacked_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [Labelled(np.full((8, 12, 3), k, np.uint8), np.full((2, 3), k, np.uint16)) for k in range(5)]
    monkeypatch.setattr(peer_training, "endless", lambda *_: iter(samples))
    found = list(batches(training(tmp_path, "ssap:full").reading, 2, 0, torch.device("cpu")))
    assert len(found) == 2, "what does not fill a batch waits for the next epoch"
    images, labels = found[1]
    assert (images.shape, images.dtype) == ((2, 3, 8, 12), torch.uint8)
    assert (labels.shape, labels.dtype) == ((2, 2, 3), torch.int64)
    assert images[:, 0, 0, 0].tolist() == labels[:, 0, 0].tolist() == [2, 3]


def test_folders_are_named_for_what_shapes_the_weights(tmp_path: Path) -> None:
    first = training(tmp_path, "ssap:motion")
    other_flow = replace(first, reading=first.reading._replace(work=replace(first.reading.work, flow_identity="other")))
    names = {first.folder, other_flow.folder, training(tmp_path, "ssap:motion", seed=3).folder}
    assert len(names) == 3
    assert training(tmp_path, "ssap:motion", max_images=9).folder == first.folder
    assert first.folder.startswith("peers/ssap-motion-")
