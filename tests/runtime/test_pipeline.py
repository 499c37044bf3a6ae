"""The composed Ray Data pipelines on the session's cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from eisen_ray.build import build_eisen
from eisen_ray.config import DataConfig
from eisen_ray.data.index import Fragment, Index
from eisen_ray.learning.checkpoint import save_checkpoint
from eisen_ray.runtime.datasets import flow_pass, stored_samples, streamed_samples
from eisen_ray.runtime.evaluation import evaluate, gate_frames, scored_frames
from eisen_ray.runtime.indexing import held_out_index, training_index
from eisen_ray.runtime.layout import RoundWork, Teacher, reading_file, stored_fragments
from eisen_ray.runtime.passes import make_flow, make_segments
from eisen_ray.runtime.reading import NONE_USED, sample_id, used_of
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.samples import reading_list

pytestmark = pytest.mark.usefixtures("ray_cluster")

ALL_IDS = sorted(sample_id(position, frame) for position in (0, 1) for frame in (0, 2, 4, 6))


@pytest.fixture
def pinned(work: RoundWork, index: Index) -> Iterator[RoundWork]:
    """Round 2 with an untrained teacher; its reading is written."""
    folder = Path(work.config.root) / "teacher"
    torch.manual_seed(0)
    sha256 = save_checkpoint(folder, build_eisen(work.config.model, work.config.grouping), {"step": 0})
    fragments = [fragment.to_json() for fragment in index.fragments]
    work.store.write_json(reading_file(2), {"fragments": fragments})
    yield replace(work, round_number=2, teacher=Teacher(path="teacher", sha256=sha256))
    reading_list.cache_clear()


def damaged(fragment: Fragment) -> Fragment:
    return replace(fragment, fragment_id="damaged", clip=replace(fragment.clip, uris=("absent.mp4",)))


def test_flow_is_computed_once_ever_and_segments_once_a_round(pinned: RoundWork, index: Index) -> None:
    reporter = Reporter(pinned.store)
    assert make_flow(pinned, index.fragments, False, reporter) == (0, 2, 0, 8)
    assert make_flow(pinned, index.fragments, False, reporter) == (2, 0, 0, 0)
    assert make_segments(pinned, index.fragments, False, reporter) == (0, 2, 0, 8)
    assert make_segments(pinned, index.fragments, False, reporter) == (2, 0, 0, 0)
    # Even where a pass is run over stored fragments, as after a crash, nothing is computed again.
    rows = flow_pass(pinned, [fragment.to_json() for fragment in index.fragments], False).take_all()
    assert [(row["flow_computed"], row["motion_computed"]) for row in rows] == [(0, 0), (0, 0)]


def test_motion_on_edges_has_images_to_look_at(work: RoundWork, index: Index) -> None:
    motion = replace(work.config.motion, snap_to_edges=0.1)
    snapping = replace(work, config=replace(work.config, motion=motion))
    assert make_flow(snapping, index.fragments, False, Reporter(snapping.store)) == (0, 2, 0, 8)
    assert len(snapping.store.files(snapping.motion_folder)) == 2
    # Blocks are dealt out by what a fragment weighs: eight frames at flow size, and its four images.
    frames, images = 8 * 128 * 128 * 3, 4 * 64 * 64 * 3
    for asked, weight in ((snapping, frames + images), (work, frames)):
        with mock.patch("eisen_ray.runtime.datasets._fragment_rows") as rows:
            flow_pass(asked, ["{}"], False)
        assert rows.call_args.args[1] == weight


def test_runs_that_share_their_targets_compute_flow_once(work: RoundWork, index: Index, tmp_path: Path) -> None:
    shared = str(tmp_path / "shared")
    first, second = (
        replace(work, config=replace(work.config, root=str(tmp_path / name), targets=shared)) for name in ("a", "b")
    )
    assert make_flow(first, index.fragments, False, Reporter(first.store)) == (0, 2, 0, 8)
    assert make_flow(second, index.fragments, False, Reporter(second.store)) == (2, 0, 0, 0)
    assert not first.store.files(first.motion_folder)
    assert len(first.targets.files(first.motion_folder)) == 2
    # Both read them from there.
    second.store.write_json(reading_file(1), {"fragments": [fragment.to_json() for fragment in index.fragments]})
    rows = stored_samples(second, np.array([0, 1]), NONE_USED).take_all()
    reading_list.cache_clear()
    assert sorted(int(row["sample_id"]) for row in rows) == ALL_IDS


def test_bad_fragment_is_set_aside_and_the_rest_goes_on(work: RoundWork, index: Index) -> None:
    fragments = [damaged(index.fragments[0]), *index.fragments]
    made = make_flow(work, fragments, False, Reporter(work.store))
    assert (made.made, made.failed) == (2, 1)
    assert work.store.read_json("quarantine/damaged.json")["uri"] == "absent.mp4"
    assert stored_fragments(work.store, work.motion_folder) == {fragment.fragment_id for fragment in index.fragments}


def test_streamed_and_stored_epochs_hold_the_same_samples(pinned: RoundWork) -> None:
    positions = np.array([0, 1])
    streamed = streamed_samples(pinned, positions, NONE_USED, on_gpu=False, with_flow=True).take_all()
    stored = stored_samples(pinned, positions, NONE_USED).take_all()
    first, second = ({int(row["sample_id"]): row for row in rows} for rows in (streamed, stored))
    assert sorted(first) == sorted(second) == ALL_IDS
    for name, row in first.items():
        for column in ("image", "motion", "segments"):
            assert np.array_equal(row[column], second[name][column])


def test_stream_without_flow_reads_motion_and_leaves_out_what_is_used(pinned: RoundWork, index: Index) -> None:
    make_flow(pinned, index.fragments, False, Reporter(pinned.store))
    used = used_of(np.array(ALL_IDS[:3]), np.array([4, 4]), seed=2)
    rows = streamed_samples(pinned, np.array([0, 1]), used, on_gpu=False, with_flow=False).take_all()
    assert sorted(int(row["sample_id"]) for row in rows) == ALL_IDS[3:]


def test_evaluation_runs_on_the_cluster_and_says_how_far_it_is(
    pinned: RoundWork, index: Index, held_out: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = Reporter(pinned.store)
    found = evaluate(pinned, scored_frames(held_out.fragments, 3), gate_frames(index.fragments, 2), False, reporter)
    assert f"round {pinned.round_number}  evaluation  5/5" in capsys.readouterr().out
    assert found.scores["num_images"] == 3
    assert set(found.health) == {"segments_per_image", "coverage", "agreement"}
    assert len(found.predictions) == 5


def test_index_is_made_once(work: RoundWork, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    made = training_index(work.store, work.config.data)
    assert [fragment.fragment_id for fragment in made.fragments] == [one.fragment_id for one in index.fragments]
    monkeypatch.setattr("eisen_ray.runtime.indexing.probe_clips", None)
    assert training_index(work.store, work.config.data) == made


def test_held_out_index_is_absent_where_the_layout_has_none(work: RoundWork, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    data = DataConfig(layout="videos", source=str(tmp_path / "videos"))
    assert held_out_index(work.store, data) is None
