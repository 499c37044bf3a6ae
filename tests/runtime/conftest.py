"""A run so small that every stage of it takes well under a second: two bundled clips, 16x16 nodes, DIS flow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eisen_ray.config import RunConfig
from eisen_ray.data.frames import probe_clip
from eisen_ray.data.index import Index, build_index, select_clips
from eisen_ray.data.layouts import list_clips, list_held_out
from eisen_ray.presets import tiny
from eisen_ray.runtime.checkpoints import StoredCheckpoint, find_checkpoint
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.supervision.flow import DisFlow
from tests.runtime.networks import store_network

NUM_CLIPS = 2


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """The preset `tiny` on two clips, in a folder of the test's own."""
    base = tiny()
    data = replace(base.data, max_clips=NUM_CLIPS, pair_stride=2)
    return replace(base, root=str(tmp_path / "run"), data=data)


@pytest.fixture
def work(config: RunConfig) -> RoundWork:
    """Round 1 of it."""
    return RoundWork(config=config, flow_identity=DisFlow().identity)


@pytest.fixture(scope="session")
def index() -> Index:
    """Its fragments: two clips of 8 frames."""
    clips = select_clips(list_clips("sample", ""), NUM_CLIPS)
    return build_index(clips, {clip.clip_id: probe_clip(clip) for clip in clips}, fragment_frames=8)


@pytest.fixture(scope="session")
def held_out() -> Index:
    """Two evaluation clips with masks."""
    clips = list_held_out("sample", "")[:2]
    return build_index(clips, {clip.clip_id: probe_clip(clip) for clip in clips}, fragment_frames=8)


@pytest.fixture
def checkpoint(tmp_path: Path) -> StoredCheckpoint:
    """A tiny network with random weights, as a checkpoint in a folder."""
    store_network(str(tmp_path / "weights"))
    return find_checkpoint(str(tmp_path / "weights/net"))
