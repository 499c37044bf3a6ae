"""RAFT: shapes, equality with torchvision's, and the official weights' errors on real pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
import torch

from eisen_ray.errors import DataError
from eisen_ray.supervision.flow import FlowEstimator
from eisen_ray.supervision.raft import RaftFlow, load_raft
from tests.moving_pairs import textured_pair
from tests.shared import SHARED, needs_shared

WEIGHTS = "data/weights/raft-small/raft-small.pth"


@pytest.fixture(scope="module")
def raft() -> RaftFlow:
    torch.manual_seed(0)
    return RaftFlow("small", num_updates=2)


@pytest.mark.parametrize("size", [(128, 128), (131, 140)])
def test_raft_keeps_the_input_size(raft: RaftFlow, size: tuple[int, int]) -> None:
    frame = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    flow = raft(frame, frame.flip(0))
    assert flow.shape == (2, 2, *size)
    assert flow.dtype == torch.float32
    assert not flow.is_inference()
    assert torch.equal(flow, raft(frame, frame.flip(0)))


def test_raft_stays_frozen(raft: RaftFlow) -> None:
    raft.train()
    assert not any(module.training for module in raft.modules())
    assert not any(parameter.requires_grad for parameter in raft.parameters())


@pytest.mark.parametrize("variant", ["small", "large"])
def test_flow_is_torchvisions_own(variant: Literal["large", "small"]) -> None:
    torch.manual_seed(0)
    flow = RaftFlow(variant, num_updates=3)
    frames = torch.randint(0, 256, (3, 3, 128, 136), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    scaled = frames.float() / 127.5 - 1
    with torch.no_grad():
        expected = [flow.raft(scaled[[one]], scaled[[other]], 3)[-1] for one, other in ((0, 1), (1, 2), (2, 0))]
    found = flow.between(frames, [0, 1, 2], [1, 2, 0], batch=2)
    torch.testing.assert_close(found, torch.cat(expected), rtol=1e-4, atol=1e-3)


def test_a_frame_is_encoded_once(raft: RaftFlow) -> None:
    seen: dict[str, int] = {"features": 0, "context": 0}
    hooks = [
        module.register_forward_hook(
            lambda _module, given, _out, name=name: seen.update({name: seen[name] + len(given[0])})
        )
        for name, module in (("features", raft.raft.feature_encoder), ("context", raft.raft.context_encoder))
    ]
    frames = torch.randint(0, 256, (4, 3, 128, 128), dtype=torch.uint8)
    raft.between(frames, [0, 1, 2, 1], [1, 2, 3, 0])
    for hook in hooks:
        hook.remove()
    assert seen == {"features": 4, "context": 3}


def test_reduced_precision_is_close() -> None:
    torch.manual_seed(0)
    exact = RaftFlow("small", num_updates=2)
    reduced = RaftFlow("small", num_updates=2, precision="bf16")
    reduced.load_state_dict(exact.state_dict())
    pair = textured_pair(2, 1)
    difference = (exact(*pair) - reduced(*pair)).norm(dim=1)
    assert 0 < difference.mean() < 0.1


def test_raft_refuses_small_frames(raft: RaftFlow) -> None:
    small = torch.zeros(1, 3, 64, 128, dtype=torch.uint8)
    with pytest.raises(DataError, match="at least 128x128"):
        raft(small, small)


def read_flo(path: Path) -> np.ndarray:
    """The .flo format: magic, int32 width and height, float32 u and v interleaved."""
    content = path.read_bytes()
    width, height = np.frombuffer(content, np.int32, 2, 4)
    return np.frombuffer(content, np.float32, offset=12).reshape(height, width, 2)


def read_image(path: Path) -> torch.Tensor:
    return torch.from_numpy(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)).permute(2, 0, 1)[None]


def end_point_error(estimator: FlowEstimator, first: Path, second: Path, truth: Path) -> float:
    flow = estimator(read_image(first), read_image(second))[0].permute(1, 2, 0).numpy()
    return float(np.linalg.norm(flow - read_flo(truth), axis=-1).mean())


@needs_shared(WEIGHTS)
@pytest.mark.parametrize(
    ("number", "expected"),
    [pytest.param(0, 2.731, marks=pytest.mark.slow), (1, 0.967), pytest.param(2, 1.172, marks=pytest.mark.slow)],
)
def test_official_weights_on_flying_chairs(number: int, expected: float) -> None:
    chairs = SHARED / "data/flow/flyingchairs_examples"
    paths = [chairs / f"{number:07}-{part}" for part in ("img0.ppm", "img1.ppm", "gt.flo")]
    error = end_point_error(load_raft("small", str(SHARED / WEIGHTS), num_updates=24), *paths)
    assert error == pytest.approx(expected, rel=0.02)


@needs_shared(WEIGHTS)
def test_official_weights_in_bf16_lose_almost_nothing() -> None:
    chairs = SHARED / "data/flow/flyingchairs_examples"
    paths = [chairs / f"0000001-{part}" for part in ("img0.ppm", "img1.ppm", "gt.flo")]
    reduced = load_raft("small", str(SHARED / WEIGHTS), num_updates=20, precision="bf16")
    exact = load_raft("small", str(SHARED / WEIGHTS), num_updates=20)
    assert abs(end_point_error(reduced, *paths) - end_point_error(exact, *paths)) < 0.05


@needs_shared(WEIGHTS)
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clean", "final"])
def test_official_weights_on_sintel(kind: str) -> None:
    sintel = SHARED / "data/flow/sintel/training"
    frames = [sintel / kind / f"alley_1/frame_000{number}.png" for number in (2, 3)]
    raft = load_raft("small", str(SHARED / WEIGHTS), num_updates=32)
    error = end_point_error(raft, *frames, sintel / "flow/alley_1/frame_0002.flo")
    assert error == pytest.approx(0.274, rel=0.02)
