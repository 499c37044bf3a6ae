from __future__ import annotations

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch

from eisen_ray.build import build_eisen
from eisen_ray.data.index import Fragment, Index
from eisen_ray.data.packed import unpack_labels
from eisen_ray.data.pairs import decode_flow, encode_flow
from eisen_ray.errors import DataError, WeightsError
from eisen_ray.learning.checkpoint import save_checkpoint
from eisen_ray.runtime.decoding import DecodeFragment, stored_names
from eisen_ray.runtime.layout import RoundWork, Teacher, fragment_file, stored_fragments
from eisen_ray.runtime.stages import FlowStage, TeacherStage


def decoded(fragment: Fragment, work: RoundWork) -> dict:
    data, flow = work.config.data, work.config.flow
    decode = DecodeFragment(
        flow_size=(flow.height, flow.width),
        image_size=(data.image_height, data.image_width),
        pair_stride=data.pair_stride,
    )
    return decode({"fragment": fragment.to_json(), "error": ""})


def bright_square() -> tuple[np.ndarray, np.ndarray]:
    """A bright square on dark ground, and its nodes."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[16:40, 16:40] = 200
    return image, (image[::4, ::4, 0] > 0).astype(np.int64)


def unpacked(maps: list[bytes]) -> np.ndarray:
    return np.stack([unpack_labels(one, (16, 16)) for one in maps])


@pytest.fixture
def taught(work: RoundWork, tmp_path) -> RoundWork:
    torch.manual_seed(0)
    sha256 = save_checkpoint(tmp_path / "teacher", build_eisen(work.config.model, work.config.grouping), {"step": 0})
    work.store.upload(tmp_path / "teacher", "rounds/1/checkpoint")
    return replace(work, round_number=2, teacher=Teacher(path="rounds/1/checkpoint", sha256=sha256))


def test_flow_stage_stores_flow_and_motion(work: RoundWork, index: Index) -> None:
    fragment = index.fragments[0]
    made = FlowStage(work)(decoded(fragment, work))
    assert unpacked(made["motion"]).shape == (4, 16, 16)
    assert (made["flow_computed"], made["motion_computed"]) == (4, 4)
    assert "frames" not in made
    content = work.store.read(fragment_file(work.flow_folder, fragment.fragment_id))
    stored = decode_flow(content, **stored_names(fragment, work.flow_folder), size=work.grid)
    assert stored.values.shape == (4, 1, 2, 16, 16)
    assert stored.frames.tolist() == [0, 2, 4, 6]
    assert np.isfinite(stored.values).all()
    # Something moves in every bundled clip, and flow at grid resolution keeps the unit of flow resolution.
    assert stored.values.max() > 0.5


def test_motion_on_edges_stays_on_the_students_nodes(work: RoundWork, index: Index) -> None:
    image, square = bright_square()
    low = torch.from_numpy(np.roll(square, 1, axis=0))[None].expand(4, -1, -1)
    snapping = replace(work, config=replace(work.config, motion=replace(work.config.motion, snap_to_edges=0.2)))
    assert (snapping.motion_folder != work.motion_folder, snapping.flow_folder) == (True, work.flow_folder)
    row = {**decoded(index.fragments[0], work), "images": np.stack([image] * 4)}
    for asked, expected in ((snapping, square), (work, low[0].numpy())):
        stage = FlowStage(asked)
        with mock.patch.object(stage, "segment", return_value=low):
            made = unpacked(stage(dict(row))["motion"])
        assert np.array_equal(made, np.stack([expected] * 4))


def test_flow_stage_computes_once(work: RoundWork, index: Index) -> None:
    first = FlowStage(work)(decoded(index.fragments[0], work))
    again = FlowStage(work)(decoded(index.fragments[0], work))
    assert (again["flow_computed"], again["motion_computed"]) == (0, 0)
    assert again["motion"] == first["motion"]


def test_motion_follows_its_settings_and_flow_is_kept(work: RoundWork, index: Index) -> None:
    FlowStage(work)(decoded(index.fragments[0], work))
    other = replace(work, config=replace(work.config, motion=replace(work.config.motion, threshold_px=9.0)))
    made = FlowStage(other)(decoded(index.fragments[0], other))
    assert (made["flow_computed"], made["motion_computed"]) == (0, 4)
    assert len(stored_fragments(work.store, work.flow_folder)) == 1


def test_batch_size_of_flow_changes_nothing(work: RoundWork, index: Index) -> None:
    resources = replace(work.config.resources, flow_batch=3)
    first = FlowStage(work)(decoded(index.fragments[0], work))["motion"]
    work.store.delete("flow")
    work.store.delete("motion")
    small = replace(work, config=replace(work.config, resources=resources))
    assert FlowStage(small)(decoded(index.fragments[0], small))["motion"] == first


def test_offsets_outside_the_fragment_are_absent(work: RoundWork, index: Index) -> None:
    motion = replace(work.config.motion, offsets=(1, -1))
    both = replace(work, config=replace(work.config, motion=motion))
    fragment = index.fragments[0]
    FlowStage(both)(decoded(fragment, both))
    flow = decode_flow(both.store.read(fragment_file(both.flow_folder, fragment.fragment_id))).values
    assert flow.shape == (4, 2, 2, 16, 16)
    assert np.isnan(flow[0, 1]).all()
    assert np.isfinite(flow[0, 0]).all()
    assert np.isfinite(flow[1:]).all()


def test_failed_fragment_passes_through(work: RoundWork, taught: RoundWork, index: Index) -> None:
    row = {
        "fragment": index.fragments[0].to_json(),
        "error": "no such file",
        "frames": np.zeros((0, 1, 1, 3), np.uint8),
    }
    row = FlowStage(work)({**row, "images": row["frames"]})
    row = TeacherStage(taught)(row)
    assert row["error"] == "no such file"
    assert row["motion"] == row["segments"] == []
    assert (row["flow_computed"], row["segments_computed"]) == (0, 0)
    assert work.store.files("flow") == set()


def test_another_estimator_than_the_runs_is_refused(work: RoundWork) -> None:
    with pytest.raises(WeightsError, match=r"the run uses raft-small abc\. Give every machine"):
        FlowStage(replace(work, flow_identity="raft-small abc"))


def test_stored_flow_of_other_settings_is_refused(work: RoundWork, index: Index) -> None:
    fragment = index.fragments[0]
    stale = encode_flow(np.zeros((4, 1, 2, 8, 8)), **stored_names(fragment, work.flow_folder), frames=[0, 2, 4, 6])
    work.store.write(fragment_file(work.flow_folder, fragment.fragment_id), stale)
    with pytest.raises(DataError, match="Delete it, it will be made again"):
        FlowStage(work)(decoded(fragment, work))


def test_confident_segments_on_edges_stay_on_the_students_nodes(taught: RoundWork, index: Index) -> None:
    teacher = replace(taught.config.teacher, min_edge_share=0.0, enlarge=1.0)
    snapping, plain = (
        replace(taught, config=replace(taught.config, teacher=replace(teacher, snap_to_edges=reach)))
        for reach in (0.2, 0.0)
    )
    assert snapping.segments_folder != plain.segments_folder
    assert unpacked(TeacherStage(snapping)(decoded(index.fragments[0], snapping))["segments"]).shape == (4, 16, 16)
    # A bright square on dark ground, and a segment that is a node too low.
    image, square = bright_square()
    low = np.roll(square, 1, axis=0)
    for work, expected in ((snapping, square), (plain, low)):
        stage = TeacherStage(work)
        seen = torch.from_numpy(np.stack([low, low]))[None].expand(work.config.teacher.num_runs, -1, -1, -1)
        with mock.patch.object(stage.teacher, "segment_runs", return_value=seen):
            found = stage._segment(np.stack([image, image]), index.fragments[0])
        assert np.array_equal(found, np.stack([expected, expected]))


def test_confident_segments_of_finer_passes_come_back_to_the_students_nodes(taught: RoundWork, index: Index) -> None:
    image, square = bright_square()
    finer = square.repeat(2, axis=0).repeat(2, axis=1)
    teacher = replace(taught.config.teacher, enlarge=2.0, snap_to_edges=0.05, min_edge_share=0.0)
    stage = TeacherStage(replace(taught, config=replace(taught.config, teacher=teacher)))
    images = torch.from_numpy(image)[None].permute(0, 3, 1, 2)
    assert stage.teacher.segment_runs(images, torch.Generator(), 1).shape == (1, 1, 32, 32)
    runs = torch.from_numpy(finer)[None, None].expand(teacher.num_runs, -1, -1, -1)
    with mock.patch.object(stage.teacher, "segment_runs", return_value=runs):
        found = stage._segment(image[None], index.fragments[0])[0]
    assert np.array_equal(found, square)


def test_confident_segments_that_stand_on_no_edges_are_dropped(taught: RoundWork, index: Index) -> None:
    image, square = bright_square()
    seen = square.copy()
    seen[12:, :4] = 2  # a piece of ground
    runs = torch.from_numpy(seen)[None, None].expand(taught.config.teacher.num_runs, -1, -1, -1)
    for share, names in ((0.6, [0, 1]), (0.0, [0, 1, 2])):
        teacher = replace(taught.config.teacher, snap_to_edges=0.05, min_edge_share=share)
        stage = TeacherStage(replace(taught, config=replace(taught.config, teacher=teacher)))
        with mock.patch.object(stage.teacher, "segment_runs", return_value=runs):
            found = stage._segment(image[None], index.fragments[0])[0]
        assert np.unique(found).tolist() == names
        assert np.array_equal(found == 1, square == 1)


def test_teacher_stage_stores_segments_and_computes_once(taught: RoundWork, index: Index) -> None:
    fragment = index.fragments[0]
    first = TeacherStage(taught)(decoded(fragment, taught))
    again = TeacherStage(taught)(decoded(fragment, taught))
    assert unpacked(first["segments"]).shape == (4, 16, 16)
    assert (first["segments_computed"], again["segments_computed"]) == (4, 0)
    assert first["segments"] == again["segments"]


def test_teacher_gives_the_same_segments_in_any_actor(taught: RoundWork, index: Index) -> None:
    stage = TeacherStage(taught)
    stage(decoded(index.fragments[1], taught))
    second = stage(decoded(index.fragments[0], taught))["segments"]
    taught.store.delete("segments")
    assert TeacherStage(taught)(decoded(index.fragments[0], taught))["segments"] == second


def test_teacher_that_was_not_promoted_is_refused(taught: RoundWork) -> None:
    other = replace(taught, teacher=replace(taught.teacher, sha256="0" * 64))
    with pytest.raises(WeightsError, match="expected 000000000000"):
        TeacherStage(other)


def test_round_without_a_teacher_has_no_teacher_stage(work: RoundWork) -> None:
    with pytest.raises(WeightsError, match="Round 1 has no teacher"):
        TeacherStage(work)
