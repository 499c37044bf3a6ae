from __future__ import annotations

import dataclasses
import json

import pytest

from eisen_ray.data.clips import Clip, problem_clip
from eisen_ray.data.frames import Probe, Quarantined
from eisen_ray.errors import DataError

FOLDER = Clip(
    "a/b é",
    "frames",
    tuple(f"s3://bucket/a/{number}.png" for number in range(6)),
    ("", "", "s3://bucket/masks/2.png", "s3://bucket/masks/3.png"),
    "val",
    {"bytes": 7, "zone_id": None, "arm_id": 1, "nested": {"list": [1, 2.5, "x", True]}},
)
FILM = Clip("film", "video", ("file:///film.mp4",), ("file:///film_masks.NPZ",))


@pytest.mark.parametrize(
    "item",
    [
        FOLDER,
        FILM,
        FOLDER.narrowed(2, 5),
        problem_clip("empty", "frames", "no picture"),
        Probe("a", 6, 48, 64),
        Probe("a", 60, 48, 64, anchors=((20, 1000), (40, 2000))),
        Quarantined("a", "file:///a.mp4", 'zero-length "file"\n'),
    ],
    ids=lambda item: type(item).__name__,
)
def test_json_gives_back_what_it_was_given(item) -> None:
    text = item.to_json()
    assert "\n" not in text, "one row of a table"
    assert type(item).from_json(text) == item
    assert type(item).from_dict(item.to_dict()) == item
    assert type(item).from_json(text).to_json() == text
    assert json.loads(text) == item.to_dict()


def test_tuples_come_back_as_tuples() -> None:
    again = Clip.from_json(FOLDER.to_json())
    assert isinstance(again.uris, tuple)
    assert isinstance(again.masks, tuple)
    assert hash(again) == hash(FOLDER)
    assert Probe.from_json(Probe("a", 9, 1, 1, ((3, 4),)).to_json()).anchors == ((3, 4),)


def test_the_dictionary_given_is_not_changed() -> None:
    values = FOLDER.to_dict()
    before = json.dumps(values)
    Clip.from_dict(values)
    assert json.dumps(values) == before


@pytest.mark.parametrize(
    ("cls", "change"),
    [(Clip, {"uris": None}), (Clip, {"color": "red"}), (Probe, {"anchors": 3}), (Quarantined, {"why": "x"})],
)
def test_other_fields_are_refused_by_name(cls, change) -> None:
    good = {Clip: FOLDER, Probe: Probe("a", 2, 1, 1), Quarantined: Quarantined("a", "b", "c")}[cls].to_dict()
    with pytest.raises(DataError, match=rf"{cls.__name__} cannot be built .*another version"):
        cls.from_dict({**good, **change})
    missing = dict(list(good.items())[1:])
    with pytest.raises(DataError, match="clip_id"):
        cls.from_dict(missing)


def test_a_narrowed_folder_carries_its_window_and_keeps_numbers() -> None:
    part = FOLDER.narrowed(2, 5)
    assert part.uris == FOLDER.uris[2:5]
    assert part.masks == FOLDER.masks[2:5]
    assert (part.first_frame, part.clip_id, part.split, part.meta) == (2, FOLDER.clip_id, "val", FOLDER.meta)
    again = part.narrowed(3, 5)
    assert again.uris == FOLDER.uris[3:5]
    assert (again.first_frame, again.masks) == (3, FOLDER.masks[3:5])


@pytest.mark.parametrize("clip", [FOLDER, FOLDER.narrowed(2, 5), FOLDER.narrowed(1, 6).narrowed(2, 6)])
def test_masks_are_found_by_the_number_in_the_whole_clip(clip) -> None:
    assert clip.mask_of(2) == "s3://bucket/masks/2.png"
    assert clip.mask_of(3) == "s3://bucket/masks/3.png"
    assert clip.mask_of(0) == clip.mask_of(4) == clip.mask_of(99) == clip.mask_of(-1) == ""


def test_a_narrowed_video_keeps_the_seek_point_it_starts_from() -> None:
    film = dataclasses.replace(FILM, meta={"bytes": 9, "anchors": [[20, 200], [40, 400], [60, 600]]})
    anchors = {start: film.narrowed(start, start + 5).meta.get("anchors") for start in (0, 19, 20, 45, 60, 99)}
    assert anchors == {0: None, 19: None, 20: [[20, 200]], 45: [[40, 400]], 60: [[60, 600]], 99: [[60, 600]]}
    part = film.narrowed(45, 50)
    assert (part.uris, part.masks, part.first_frame, part.meta["bytes"]) == (film.uris, film.masks, 0, 9)
    assert film.meta["anchors"][0] == [20, 200], "the whole clip stays whole"


def test_masks_of_a_video_are_not_shifted() -> None:
    film = Clip("film", "video", ("film.mp4",), ("", "1.png", "2.png"))
    assert film.narrowed(1, 3).mask_of(2) == "2.png"
    assert film.mask_of(3) == ""


def test_an_archive_of_masks_is_known_by_its_ending() -> None:
    assert FILM.has_mask_archive
    assert FILM.mask_of(0) == ""
    assert not FOLDER.has_mask_archive
    assert not Clip("a", "frames", ("0.png", "1.png"), ("0.png",)).has_mask_archive
    archived = dataclasses.replace(FOLDER, masks=("masks.npz",))
    assert archived.narrowed(3, 5).masks == ("masks.npz",)


def test_addresses_for_messages() -> None:
    assert FILM.address == "file:///film.mp4"
    assert FOLDER.narrowed(2, 5).address == "s3://bucket/a/2.png"
    broken = problem_clip("dir/empty", "video", "no video here")
    assert (broken.address, broken.uris, broken.meta) == ("dir/empty", (), {"problem": "no video here"})
