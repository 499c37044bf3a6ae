"""Both sides of a benchmark do the same work: equal results on small graphs and clips."""

from __future__ import annotations

import pytest
import torch

from benchmarks import affinity_loss, flow, kprop
from benchmarks.graphs import WIDTH, make_scene, row_indices
from eisen_ray.model.kprop import initial_plateau
from eisen_ray.supervision.raft import RaftFlow
from tests.layouts import assert_close, seeded

SIDE = 32


def test_row_indices_are_the_pairs_of_the_tiles() -> None:
    scene = make_scene(SIDE, batch=2)
    indices = row_indices(scene)
    assert indices.shape == (2, SIDE**2, 1024)
    counted = torch.zeros(2, SIDE**2, SIDE**2 + 1)
    counted.scatter_add_(2, indices, torch.ones(indices.shape))
    state = torch.eye(SIDE**2)[None].expand(2, -1, -1)
    pairs = scene.neighborhood
    edges = pairs.inside().expand(2, -1, -1, -1).float()
    assert torch.equal(pairs.send(edges, state).transpose(1, 2), counted[..., :-1])


def test_message_passing_is_the_same() -> None:
    scene = make_scene(SIDE)
    start = initial_plateau(1, SIDE**2, WIDTH, seeded())
    for index_dtype in (torch.int64, torch.int32):
        sparse = kprop.csr(scene, row_indices(scene), start, index_dtype, num_iterations=3)
        assert_close(kprop.tiles(scene, start, torch.float32, num_iterations=3), sparse, 1e-4)


@pytest.mark.parametrize("everywhere", [False, True])
def test_loss_is_the_same(everywhere: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affinity_loss, "SIDE", SIDE)
    problem = affinity_loss.Problem(everywhere)
    for ours, theirs in zip(affinity_loss.blocks(problem), affinity_loss.gather(problem), strict=True):
        assert_close(ours, theirs, 1e-5)


def test_flow_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "UPDATES", 2)
    torch.manual_seed(0)
    raft = RaftFlow("small", 2)
    frames = flow.bundled_frames()[:3]
    assert_close(raft.between(frames, [0, 1], [1, 2]), flow.one_by_one(raft, frames), 1e-3)
