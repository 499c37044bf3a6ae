"""The small backbone: size, shape, reach and sharpness."""

from __future__ import annotations

import math

import pytest
import torch

from eisen_ray.model.small_backbone import SmallBackbone


@pytest.fixture(scope="module")
def backbone() -> SmallBackbone:
    torch.manual_seed(0)
    return SmallBackbone().eval()


@pytest.mark.parametrize(("height", "width"), [(128, 128), (36, 52), (32, 33)])
def test_features_stand_at_a_quarter_of_any_size(backbone: SmallBackbone, height: int, width: int) -> None:
    with torch.no_grad():
        features = backbone(torch.randn(2, 3, height, width))
    assert features.shape == (2, backbone.out_channels, math.ceil(height / 4), math.ceil(width / 4))


def test_weights_stay_below_six_megabytes(backbone: SmallBackbone) -> None:
    assert sum(tensor.numel() * tensor.element_size() for tensor in backbone.state_dict().values()) < 6e6


def test_width_scales_the_channels() -> None:
    assert SmallBackbone(8).out_channels == 16


def test_a_node_sees_the_whole_image(backbone: SmallBackbone) -> None:
    image = torch.randn(1, 3, 128, 128, requires_grad=True)
    backbone(image)[0, :, 0, 0].sum().backward()
    far = image.grad[0, :, 96:, 96:]
    assert far.abs().max() > 0


def test_features_change_from_node_to_node_at_an_edge(backbone: SmallBackbone) -> None:
    image = torch.zeros(1, 3, 128, 128)
    image[..., 64:] = 2.0
    with torch.no_grad():
        features = backbone(image)[0]
    steps = (features[:, 16, 1:] - features[:, 16, :-1]).norm(dim=0)
    assert steps[15] == steps[8:24].max()


def test_memory_layout_of_images_does_not_change_the_result(backbone: SmallBackbone) -> None:
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(backbone(image), backbone(image.contiguous(memory_format=torch.channels_last)))


def test_every_parameter_receives_a_gradient() -> None:
    model = SmallBackbone(8)
    model(torch.randn(2, 3, 64, 64)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())
