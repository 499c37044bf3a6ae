from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from eisen_ray.data.packed import unpack_labels
from eisen_ray.data.pairs import encode_labels
from eisen_ray.errors import DataError
from eisen_ray.runtime import peer_samples
from eisen_ray.runtime.decoding import first_frames, stored_names
from eisen_ray.runtime.layout import RoundWork, fragment_file
from eisen_ray.runtime.peer_samples import Reading, ReadLabelled, endless
from tests.runtime.peers import fragments_of, small_table


@pytest.fixture
def work(tmp_path: Path) -> RoundWork:
    """A run on three small clips."""
    return RoundWork(config=small_table(tmp_path).run, flow_identity="none")


def reading(work: RoundWork, supervision: str, config_folder: Path) -> Reading:
    """All fragments of the run."""
    fragments = fragments_of(small_table(config_folder))
    return Reading(work, [fragment.to_json() for fragment in fragments], supervision, 4)


def store_motion(work: RoundWork, place: Path) -> None:
    """Motion of the first clip: in two of its three frames, half of the nodes move."""
    fragment = fragments_of(small_table(place))[0]
    labels = np.zeros((3, *work.grid), np.uint16)
    labels[:2, :, :8] = 1
    names = stored_names(fragment, work.motion_folder)
    content = encode_labels(labels, **names, frames=first_frames(fragment, work))
    work.targets.write(fragment_file(work.motion_folder, fragment.fragment_id), content)


def test_masks_come_with_the_frames_that_start_a_pair(work: RoundWork, tmp_path: Path) -> None:
    found = [
        list(ReadLabelled(work, "full")({"fragment": text, "error": ""}))
        for text in reading(work, "full", tmp_path).fragments
    ]
    assert [len(rows) for rows in found] == [3, 0, 3], "the clip without masks gives nothing"
    row = found[0][1]
    assert row["image"].shape == (64, 64, 3)
    labels = unpack_labels(row["labels"], tuple(row["size"]))
    assert labels.shape == (64, 64)
    assert set(np.unique(labels)) == {0, 2}
    inside = row["image"][labels == 2].mean() - row["image"][labels == 0].mean()
    assert inside > 60, "the mask lies on the bright square"


def test_motion_is_read_from_storage_on_the_grid(work: RoundWork, tmp_path: Path) -> None:
    store_motion(work, tmp_path)
    texts = reading(work, "motion", tmp_path).fragments
    rows = list(ReadLabelled(work, "motion")({"fragment": texts[0], "error": ""}))
    assert [unpack_labels(row["labels"], (16, 16)).sum() for row in rows] == [128, 128, 0]
    assert list(ReadLabelled(work, "motion")({"fragment": texts[2], "error": ""})) == [], "its motion is not stored"


@pytest.mark.parametrize("is_kept", [True, False])
def test_epochs_hold_each_image_once_in_new_orders(
    work: RoundWork, tmp_path: Path, ray_cluster: None, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    monkeypatch.setattr(peer_samples, "REPLAY_BYTES", 1e9 if is_kept else 0)
    read = reading(work, "full", tmp_path)
    assert read.is_kept == is_kept
    sums = [int(sample.image.sum()) for sample in itertools.islice(endless(read, seed=1), 18)]
    epochs = [sums[begin : begin + 6] for begin in (0, 6, 12)]
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len(set(epochs[0])) == 6
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_images_without_motion_are_left_out(work: RoundWork, tmp_path: Path, ray_cluster: None) -> None:
    store_motion(work, tmp_path)
    for sample in itertools.islice(endless(reading(work, "motion", tmp_path), seed=0), 7):
        assert sample.labels.sum() == 128


def test_nothing_to_learn_from(work: RoundWork, tmp_path: Path, ray_cluster: None) -> None:
    read = reading(work, "full", tmp_path)
    without = read._replace(fragments=read.fragments[1:2])
    with pytest.raises(DataError, match="has masks; expected some"):
        next(endless(without, 0))
    with pytest.raises(DataError, match="has motion"):
        next(endless(without._replace(supervision="motion"), 0))
