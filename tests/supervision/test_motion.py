"""Motion segments: the authors' thresholds and gate, the plateau map, moving cameras, several frame pairs."""

from __future__ import annotations

import pytest
import torch

from eisen_ray.errors import DataError
from eisen_ray.supervision.motion import (
    MotionSegmenter,
    flow_plateau,
    gate_area,
    moving_by_threshold,
    plateau_segments,
)
from tests.golden_cases import load


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two_movers(height: int = 32, width: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow [1, 2, H, W] seen by a panning and zooming camera, and the labels of two independent movers."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    flow = torch.stack([6 + 0.8 * x, -3 + 0.8 * y])
    labels = torch.zeros(height, width, dtype=torch.int64)
    labels[4:14, 6:18], labels[16:28, 28:42] = 1, 2
    flow[:, labels == 1] += torch.tensor([4.0, 0.0])[:, None]
    flow[:, labels == 2] += torch.tensor([-1.0, -4.0])[:, None]
    return flow[None] + 0.05 * torch.randn(1, 2, height, width, generator=seeded()), labels


def same_nodes(segments: torch.Tensor, truth: torch.Tensor) -> float:
    """Smallest best-match IoU over the true labels."""
    best = []
    for label in truth.unique()[1:]:
        found = segments[truth == label].mode().values
        one, other = segments == found, truth == label
        best.append(float((one & other).sum() / (one | other).sum()) if found > 0 else 0.0)
    return min(best)


def test_threshold_matches_case_12() -> None:
    case = load("12")
    moving = moving_by_threshold(torch.from_numpy(case["flow"]), 0.5)
    assert torch.equal(moving, torch.from_numpy(case["moving_thr05"]))


def test_area_gate_matches_case_12() -> None:
    case = load("12")
    moving = gate_area(moving_by_threshold(torch.from_numpy(case["bridge_flow"]), 1.0), 0.01, 0.5)
    assert torch.equal(moving.float(), torch.from_numpy(case["bridge_motion_thr1_area001_05"])[:, 0])
    segmenter = MotionSegmenter("threshold", 1.0, 0.01, 0.5)
    assert torch.equal(segmenter(torch.from_numpy(case["bridge_flow"])[:, None], seeded()), moving.long())


def test_plateau_map_is_a_soft_one_hot() -> None:
    flow = torch.randn(2, 2, 20, 20, generator=seeded()) * 3
    plateau = flow_plateau(flow)
    assert plateau.shape == (2, 20, 20, 64)
    torch.testing.assert_close(plateau.norm(dim=-1), torch.ones(2, 20, 20))
    assert ((plateau > 0).sum(-1) <= 4).all()


def test_plateau_map_puts_v_before_u() -> None:
    flow = torch.zeros(1, 2, 10, 10)
    flow[:, 0], flow[:, 1] = 5.0, -5.0  # to the right and up: last column, first row of bins
    assert flow_plateau(flow)[0, 0, 0].argmax() == 7


def test_plateau_map_aligns_like_motion_and_parts_unlike() -> None:
    flow = torch.zeros(1, 2, 1, 100)
    flow[..., 50:] = 6.0
    flow[..., 1] = 0.2
    plateau = flow_plateau(flow)[0, 0]
    assert plateau[0] @ plateau[1] > 0.9
    assert plateau[0] @ plateau[99] == 0


def test_moving_camera_two_movers() -> None:
    flow, truth = two_movers()
    segments = plateau_segments(flow, seeded())[0]
    assert same_nodes(segments, truth) > 0.9
    assert (segments[truth == 0] > 0).float().mean() < 0.02


def test_threshold_alone_fails_under_a_moving_camera() -> None:
    assert moving_by_threshold(two_movers()[0], 1.0).all()


def test_a_share_of_the_fast_flow_cuts_the_rim_of_what_moves() -> None:
    """Each picture has its own limit; a slow one keeps its slow nodes."""
    flow = torch.zeros(3, 2, 1, 20)
    flow[0, 0, 0, :10], flow[0, 0, 0, 10:13] = 10.0, 2.0  # a fast thing and its rim
    flow[1, 1, 0, :4] = 2.0
    flow[2] = torch.nan
    assert moving_by_threshold(flow, 1.0).sum(dim=(1, 2)).tolist() == [13, 4, 0]
    assert moving_by_threshold(flow, 1.0, 0.3).sum(dim=(1, 2)).tolist() == [10, 4, 0]
    segmenter = MotionSegmenter(relative_threshold=0.3)
    assert (segmenter(flow[:1, None], seeded()) > 0).sum() == 10


def test_camera_alone_moves_nothing() -> None:
    flow, truth = two_movers()
    flow[:, 0], flow[:, 1] = torch.where(truth > 0, 6.0, flow[:, 0]), torch.where(truth > 0, -3.0, flow[:, 1])
    assert not plateau_segments(flow, seeded(), threshold_px=1.5).any()


@pytest.mark.parametrize("method", ["threshold", "plateau"])
def test_equal_generators_give_equal_segments(method: str) -> None:
    flow = two_movers()[0][:, None].repeat(3, 2, 1, 1, 1)
    segmenter = MotionSegmenter(method, threshold_px=1.0)
    assert torch.equal(segmenter(flow, seeded(5)), segmenter(flow, seeded(5)))


def test_components_small_regions_and_largest_only() -> None:
    flow = torch.zeros(1, 1, 2, 20, 20)
    flow[..., :5, :5], flow[..., 10:14, 10:12], flow[..., 18, 18] = 3.0, 3.0, 3.0
    sizes = {
        "together": MotionSegmenter(),
        "large": MotionSegmenter(min_region_nodes=4),
        "split": MotionSegmenter(split_components=True, min_region_nodes=4),
        "largest": MotionSegmenter(largest_only=True),
    }
    found = {name: segmenter(flow, seeded()).flatten().bincount()[1:].tolist() for name, segmenter in sizes.items()}
    assert found == {"together": [34], "large": [33], "split": [25, 8], "largest": [25]}


def test_pooled_pairs_decide_by_majority() -> None:
    flow = torch.zeros(1, 3, 2, 16, 16)
    flow[:, :, :, 2:8, 2:8] = 4.0
    flow[:, 2, :, 2:8, 2:8] = 0.0  # rests in one of three pairs
    flow[:, 1, :, 10:14, 10:14] = 4.0  # seen in one of three pairs
    segments = MotionSegmenter()(flow, seeded())
    assert segments.sum() == 36
    assert (segments[0, 2:8, 2:8] == 1).all()


def test_pairs_that_do_not_exist_do_not_vote() -> None:
    flow = torch.zeros(2, 4, 2, 16, 16)
    flow[:, 0, :, 2:8, 2:8] = 4.0
    flow[:, 1:] = torch.nan
    flow[1] = torch.nan
    for method in ("threshold", "plateau"):
        segments = MotionSegmenter(method, threshold_px=1.0)(flow, seeded())
        assert (segments[0, 2:8, 2:8] > 0).all()
        assert (segments[0] > 0).sum() == 36
        assert not segments[1].any()


def test_pooling_mends_a_noisy_pair() -> None:
    flow, truth = two_movers()
    pairs = flow[:, None].repeat(1, 3, 1, 1, 1)
    pairs[:, 2, :, :16] = pairs[:, 2, :, :1, :1]  # one pair misses the first mover
    segments = MotionSegmenter("plateau", threshold_px=1.0, min_region_nodes=10)(pairs, seeded())[0]
    assert same_nodes(segments, truth) > 0.9


@pytest.mark.parametrize("shape", [(2, 16, 16), (1, 2, 16, 16), (1, 1, 3, 16, 16), (1, 0, 2, 16, 16)])
def test_refuses_flow_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="expected"):
        MotionSegmenter()(torch.zeros(shape), seeded())


def test_the_gate_is_strict() -> None:
    moving = torch.zeros(1, 10, 8, dtype=torch.bool)
    moving[:, :5] = True
    assert gate_area(moving, 0.49, 0.51).sum() == 40
    assert not gate_area(moving, 0.5, 1.0).any()
    assert not gate_area(moving, 0.0, 0.5).any()
