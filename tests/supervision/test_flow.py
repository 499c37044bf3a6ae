"""Flow: shapes, units, the classical estimator, and what happens without weights."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from eisen_ray.errors import DataError, WeightsError
from eisen_ray.supervision import raft_weights
from eisen_ray.supervision.flow import DisFlow, FlowEstimator, load_flow
from eisen_ray.supervision.raft import RaftFlow
from tests.moving_pairs import textured_pair


@pytest.fixture(scope="module")
def raft() -> RaftFlow:
    torch.manual_seed(0)
    return RaftFlow("small", num_updates=2)


def test_both_estimators_are_flow_estimators(raft: RaftFlow) -> None:
    assert isinstance(raft, FlowEstimator)
    assert isinstance(DisFlow(), FlowEstimator)


def test_identity_names_what_shapes_the_flow() -> None:
    one, other = RaftFlow("small", 4), RaftFlow("small", 5)
    assert one.identity != other.identity
    assert len({RaftFlow("small", 4, kind).identity for kind in ("fp32", "bf16", "auto")}) == 3
    assert "opencv" in DisFlow().identity


def test_no_pairs_give_no_flow(raft: RaftFlow) -> None:
    frames = torch.zeros(2, 3, 128, 128, dtype=torch.uint8)
    for estimator in (raft, DisFlow()):
        assert estimator.between(frames, [], []).shape == (0, 2, 128, 128)


@pytest.mark.parametrize("u", [-3, 0, 4])
def test_dis_finds_a_shift(u: int) -> None:
    flow = DisFlow()(*textured_pair(u, 2))[0, :, 20:-20, 20:-20]
    assert abs(float(flow[0].median()) - u) < 0.2
    assert abs(float(flow[1].median()) - 2) < 0.2


def test_dis_takes_a_batch() -> None:
    first, second = textured_pair(2, 0)
    both = DisFlow()(torch.cat([first, second]), torch.cat([second, first]))
    assert torch.equal(both[:1], DisFlow()(first, second))
    assert both.dtype == torch.float32


@pytest.mark.parametrize(
    ("frame", "next_frame"),
    [
        (torch.zeros(1, 3, 128, 128), torch.zeros(1, 3, 128, 128)),
        (torch.zeros(1, 3, 128, 128, dtype=torch.uint8), torch.zeros(1, 3, 128, 136, dtype=torch.uint8)),
        (torch.zeros(1, 1, 128, 128, dtype=torch.uint8), torch.zeros(1, 1, 128, 128, dtype=torch.uint8)),
    ],
)
def test_refuses_frames_it_cannot_use(raft: RaftFlow, frame: torch.Tensor, next_frame: torch.Tensor) -> None:
    for estimator in (raft, DisFlow()):
        with pytest.raises(DataError, match="expected"):
            estimator(frame, next_frame)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.delenv(raft_weights.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setattr(type(raft_weights.DOWNLOADS["small"]), "get_state_dict", refuse)
    monkeypatch.setattr(type(raft_weights.DOWNLOADS["large"]), "get_state_dict", refuse)


@pytest.mark.parametrize("estimator", ["raft-large", "raft-small"])
def test_without_network_raft_says_what_to_do(no_network: None, estimator: str) -> None:
    with pytest.raises(WeightsError, match=r"no route to host.*EISEN_RAFT_WEIGHTS"):
        load_flow(estimator)


def test_without_network_the_fallback_says_so_in_one_line(no_network: None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert isinstance(load_flow("raft-small", fallback=True), DisFlow)
    (record,) = caplog.records
    assert "DIS" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_the_fallback_does_not_hide_wrong_weights(no_network: None, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="Cannot open"):
        load_flow("raft-small", weights=str(tmp_path / "absent.pth"), fallback=True)


def test_dis_needs_no_torchvision() -> None:
    script = (
        "import sys; from eisen_ray.supervision.flow import load_flow; load_flow('dis'); "
        "sys.exit('torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
