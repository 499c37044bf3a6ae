from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eisen_ray.runtime.layout import (
    RoundWork,
    Teacher,
    digest_of,
    fragment_file,
    stable_seed,
    stored_fragments,
)


def changed(work: RoundWork, room: str, **fields: object) -> RoundWork:
    config = work.config
    return replace(work, config=replace(config, **{room: replace(getattr(config, room), **fields)}))


@pytest.mark.parametrize(
    ("room", "fields"),
    [
        ("flow", {"height": 256}),
        ("data", {"image_height": 128}),
        ("data", {"frame_stride": 2}),
        ("data", {"pair_stride": 1}),
        ("motion", {"offsets": (1, 2)}),
    ],
)
def test_flow_has_another_name_when_its_bytes_would_differ(work: RoundWork, room: str, fields: dict) -> None:
    assert changed(work, room, **fields).flow_folder != work.flow_folder


@pytest.mark.parametrize(
    ("room", "fields"),
    [
        ("train", {"num_steps": 7}),
        ("resources", {"flow_batch": 3, "max_flow_actors": 4}),
        ("motion", {"threshold_px": 3.0}),
        ("teacher", {"num_runs": 9}),
        ("data", {"max_clips": 3}),
        ("grouping", {"num_iterations": 3}),
    ],
)
def test_flow_keeps_its_name_when_its_bytes_would_not_differ(work: RoundWork, room: str, fields: dict) -> None:
    assert changed(work, room, **fields).flow_folder == work.flow_folder


def test_flow_depends_on_the_estimator_and_not_on_the_round(work: RoundWork) -> None:
    assert replace(work, flow_identity="other").flow_folder != work.flow_folder
    later = replace(work, round_number=3, teacher=Teacher(path="p", sha256="s"))
    assert later.flow_folder == work.flow_folder
    assert later.motion_folder == work.motion_folder


def test_motion_depends_on_flow_its_settings_and_the_seed(work: RoundWork) -> None:
    assert changed(work, "motion", threshold_px=3.0).motion_folder != work.motion_folder
    assert changed(work, "flow", height=256).motion_folder != work.motion_folder
    assert replace(work, config=replace(work.config, seed=1)).motion_folder != work.motion_folder


def test_segments_depend_on_the_teacher_and_how_it_groups(work: RoundWork) -> None:
    taught = replace(work, round_number=2, teacher=Teacher(path="p", sha256="s"))
    assert replace(taught, teacher=Teacher(path="p", sha256="t")).segments_folder != taught.segments_folder
    assert replace(taught, teacher=Teacher(path="q", sha256="s")).segments_folder == taught.segments_folder
    for room, fields in (("grouping", {"num_iterations": 9}), ("teacher", {"num_runs": 5}), ("model", {"window": 5})):
        assert changed(taught, room, **fields).segments_folder != taught.segments_folder
    # How labels are merged later does not change what the teacher says.
    merged: tuple[dict[str, Any], ...] = (
        {"min_moving_share": 0.01},
        {"explaining_away": False},
        {"last_explaining_round": 3},
        {"split_by_motion": True},
        {"heal_rims": False},
    )
    for overlay in merged:
        other = changed(taught, "teacher", **overlay)
        assert other.config != taught.config
        assert other.segments_folder == taught.segments_folder


@pytest.mark.parametrize(
    ("last", "explains"), [(0, [True, True, True]), (1, [True, False, False]), (2, [True, True, False])]
)
def test_explaining_away_ends_with_its_last_round(work: RoundWork, last: int, explains: list[bool]) -> None:
    asked = changed(work, "teacher", last_explaining_round=last, heal_rims=True)
    rounds = [replace(asked, round_number=number).teaching for number in (1, 2, 3)]
    assert [teaching.explaining_away for teaching in rounds] == explains
    assert all(replace(teaching, explaining_away=True) == asked.config.teacher for teaching in rounds)
    never = changed(asked, "teacher", explaining_away=False)
    assert not replace(never, round_number=2).teaching.explaining_away


def test_stored_fragments_are_found_by_id(work: RoundWork) -> None:
    for name in ("clip-000000-8x1-aa", "clip-000007-8x1-bb"):
        work.store.write(fragment_file("flow/x", name), b"")
    assert stored_fragments(work.store, "flow/x") == {"clip-000000-8x1-aa", "clip-000007-8x1-bb"}
    assert stored_fragments(work.store, "flow/y") == set()


def test_digest_of_a_folder_is_its_last_part() -> None:
    assert digest_of("flow/0123") == "0123"


def test_stable_seed_is_stable_positive_and_distinguishes() -> None:
    assert stable_seed("motion", 0, "a") == 3809585809287905542
    assert 0 <= stable_seed("motion", 0, "b") < 2**63
    assert stable_seed("motion", 0, "a") != stable_seed("motion", 0, "b")
