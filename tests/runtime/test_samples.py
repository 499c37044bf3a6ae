from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from eisen_ray.data.index import Fragment, Index
from eisen_ray.data.packed import unpack_labels
from eisen_ray.data.pairs import encode_labels
from eisen_ray.runtime.decoding import stored_names
from eisen_ray.runtime.layout import RoundWork, Teacher, fragment_file, reading_file
from eisen_ray.runtime.reading import NONE_USED, fragment_at, sample_id, used_of
from eisen_ray.runtime.samples import (
    ExplodeSamples,
    LoadStored,
    ReadPosition,
    ReadSamples,
    quarantine,
    reading_list,
    reading_seed,
)


def store_labels(work: RoundWork, folder: str, fragment: Fragment, value: int) -> None:
    labels = np.full((4, 16, 16), value)
    content = encode_labels(labels, **stored_names(fragment, folder), frames=[0, 2, 4, 6])
    work.store.write(fragment_file(folder, fragment.fragment_id), content)


@pytest.fixture
def stored(work: RoundWork, index: Index) -> Iterator[RoundWork]:
    """Round 2: both fragments have motion 1 and 2 and confident segments 7."""
    taught = replace(work, round_number=2, teacher=Teacher(path="p", sha256="s"))
    for number, fragment in enumerate(index.fragments):
        store_labels(taught, taught.motion_folder, fragment, number + 1)
        store_labels(taught, taught.segments_folder, fragment, 7)
    fragments = [fragment.to_json() for fragment in index.fragments]
    taught.store.write_json(reading_file(2), {"fragments": fragments})
    yield taught
    reading_list.cache_clear()


def test_positions_name_fragments_in_the_rounds_order(stored: RoundWork, index: Index) -> None:
    read = ReadPosition(stored)
    for position in (5, 2):
        row = read({"position": position})
        expected = index.fragments[fragment_at(position, 2, reading_seed(stored))]
        assert row["position"] == position
        assert Fragment.from_json(row["fragment"]) == expected


def test_rounds_read_in_orders_of_their_own(work: RoundWork) -> None:
    assert len({reading_seed(replace(work, round_number=number)) for number in (1, 2, 3)}) == 3


def test_stored_labels_are_loaded_beside_images(stored: RoundWork, index: Index) -> None:
    row = LoadStored(stored)({"fragment": index.fragments[1].to_json(), "error": ""})
    assert row["error"] == ""
    assert row["images"].shape == (4, 64, 64, 3)
    assert all((unpack_labels(one, stored.grid) == 2).all() for one in row["motion"])
    assert all((unpack_labels(one, stored.grid) == 7).all() for one in row["segments"])


def test_segments_are_left_to_the_teacher_that_follows(stored: RoundWork, index: Index) -> None:
    row = LoadStored(stored, with_segments=False)({"fragment": index.fragments[0].to_json(), "error": ""})
    assert "segments" not in row
    assert all((unpack_labels(one, stored.grid) == 1).all() for one in row["motion"])


def test_missing_and_damaged_labels_are_reasons_not_crashes(stored: RoundWork, index: Index) -> None:
    first, second = index.fragments
    stored.store.delete(fragment_file(stored.motion_folder, first.fragment_id))
    stored.store.write(fragment_file(stored.segments_folder, second.fragment_id), b"damaged")
    load = LoadStored(stored)
    assert "does not exist" in load({"fragment": first.to_json(), "error": ""})["error"]
    assert "cannot be read" in load({"fragment": second.to_json(), "error": ""})["error"]


def test_samples_carry_their_names_and_maps(stored: RoundWork, index: Index) -> None:
    samples = list(ReadSamples(stored, NONE_USED)({"position": 3}))
    assert [int(one["sample_id"]) for one in samples] == [sample_id(3, frame) for frame in (0, 2, 4, 6)]
    assert set(samples[0]) == {"sample_id", "image", "motion", "segments"}
    assert samples[0]["image"].shape == (64, 64, 3)
    expected = fragment_at(3, 2, reading_seed(stored)) + 1
    assert (unpack_labels(samples[0]["motion"], stored.grid) == expected).all()


def test_round_1_has_no_segments(stored: RoundWork) -> None:
    first = replace(stored, teacher=None)
    sample = next(iter(ReadSamples(first, NONE_USED)({"position": 0})))
    assert set(sample) == {"sample_id", "image", "motion"}


def test_used_samples_are_left_out(stored: RoundWork) -> None:
    used = used_of(np.array([sample_id(3, 2), sample_id(3, 6), sample_id(4, 0)]), np.array([4, 4]), seed=2)
    samples = list(ReadSamples(stored, used)({"position": 3}))
    assert [int(one["sample_id"]) for one in samples] == [sample_id(3, 0), sample_id(3, 4)]


def test_failed_fragment_gives_no_samples_and_one_note(stored: RoundWork, index: Index) -> None:
    row = {"fragment": index.fragments[0].to_json(), "error": "broken file", "position": 0}
    explode = ExplodeSamples(stored, NONE_USED)
    assert list(explode(row)) == []
    assert list(explode({**row, "error": "broken again"})) == []
    notes = stored.store.files("quarantine")
    assert len(notes) == 1
    note = json.loads(stored.store.read(f"quarantine/{notes.pop()}"))
    assert note["reason"] == "broken file"
    assert note["fragment_id"] == index.fragments[0].fragment_id


def test_quarantine_names_the_file(work: RoundWork, index: Index) -> None:
    quarantine(work, {"fragment": index.fragments[0].to_json(), "error": "x"})
    note = work.store.read_json(f"quarantine/{index.fragments[0].fragment_id}.json")
    assert note["uri"] == index.fragments[0].clip.address
