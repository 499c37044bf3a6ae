"""The camera's flow is found under moving objects and noise."""

from __future__ import annotations

import pytest
import torch

from eisen_ray.supervision.camera import camera_flow


def plane_flow(height: int, width: int, parameters: list[float]) -> torch.Tensor:
    """Flow [1, 2, H, W] of a plane, written out coordinate by coordinate."""
    a, b, c, d, e, f, g, h = parameters
    y = torch.linspace(-1, 1, height)[:, None].expand(height, width)
    x = torch.linspace(-1, 1, width)[None, :].expand(height, width) * width / height
    return torch.stack([a + b * x + c * y + g * x * x + h * x * y, d + e * x + f * y + g * x * y + h * y * y])[None]


@pytest.mark.parametrize("size", [(32, 32), (128, 128), (66, 120)])
def test_recovers_a_plane_under_an_object_and_noise(size: tuple[int, int]) -> None:
    truth = plane_flow(*size, [6.0, 0.5, -0.3, -2.0, 0.2, 0.8, 0.3, -0.2])
    flow = truth + 0.05 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    flow[..., size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] += 5.0
    error = (camera_flow(flow) - truth).norm(dim=1)
    assert error.max() < 0.1


def test_still_camera_and_missing_flow_give_zero() -> None:
    flow = torch.zeros(2, 2, 16, 16)
    flow[1] = torch.nan
    assert not camera_flow(flow).any()


def test_images_of_a_batch_do_not_mix() -> None:
    flow = torch.randn(3, 2, 24, 32, generator=torch.Generator().manual_seed(1))
    together = camera_flow(flow)
    for image in range(3):
        torch.testing.assert_close(together[image : image + 1], camera_flow(flow[image : image + 1]))
