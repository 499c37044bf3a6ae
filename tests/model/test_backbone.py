"""ResNet50-DeepLab against tensors recorded from the release, and its behaviour in training."""

from __future__ import annotations

import math

import pytest
import torch

from eisen_ray.model.affinity import AffinityHead
from eisen_ray.model.backbone import IMAGE_MEAN, IMAGE_STD, Bottleneck, ResNet50DeepLab, normalize_images


@pytest.fixture(scope="module")
def backbone() -> ResNet50DeepLab:
    torch.manual_seed(0)
    return ResNet50DeepLab()


def test_parameter_total_is_the_papers(backbone: ResNet50DeepLab) -> None:
    modules = (backbone, AffinityHead(ResNet50DeepLab.out_channels))
    assert sum(parameter.numel() for module in modules for parameter in module.parameters()) == 40_059_168


@pytest.mark.parametrize(("height", "width"), [(64, 64), (36, 52), (32, 33)])
def test_features_stand_at_a_quarter_of_any_size(backbone: ResNet50DeepLab, height: int, width: int) -> None:
    with torch.no_grad():
        features = backbone.eval()(torch.randn(1, 3, height, width))
    assert features.shape == (1, 128, math.ceil(height / 4), math.ceil(width / 4))


def test_initial_weights_follow_the_release(backbone: ResNet50DeepLab) -> None:
    encoder_conv = backbone.encoder.res4[3].conv2.conv
    fan_out = encoder_conv.weight.shape[0] * 9
    assert encoder_conv.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.02)
    decoder_conv = backbone.decoder.aspp.branches[1]
    bound = math.sqrt(3 / (decoder_conv.weight.shape[1] * 9))
    assert decoder_conv.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert not backbone.decoder.aspp.pooled.bias.any()
    bottlenecks = [module for module in backbone.modules() if isinstance(module, Bottleneck)]
    assert len(bottlenecks) == 16
    assert all(bool((module.conv3.norm.weight == 1).all()) for module in bottlenecks)


def test_decoder_has_neither_normalisation_nor_bias(backbone: ResNet50DeepLab) -> None:
    names = [name for name, _ in backbone.decoder.named_parameters() if not name.endswith("weight")]
    assert names == ["aspp.pooled.bias"]
    assert not list(backbone.decoder.buffers())


def test_dropout_draws_from_the_passed_generator_and_only_in_training(backbone: ResNet50DeepLab) -> None:
    aspp, res5 = backbone.decoder.aspp, torch.randn(2, 2048, 4, 4)
    seeded = [aspp.train()(res5, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert torch.equal(seeded[0], seeded[1])
    assert not torch.equal(seeded[0], seeded[2])
    kept = aspp.eval()(res5)
    positive = kept > 0
    dropped = (seeded[0] == 0) & positive
    assert 0.08 < dropped.sum().item() / positive.sum().item() < 0.12
    torch.testing.assert_close(seeded[0][~dropped], kept[~dropped] / 0.9)


def test_every_parameter_receives_a_gradient() -> None:
    torch.manual_seed(1)
    model = ResNet50DeepLab()
    model(torch.randn(2, 3, 32, 32), torch.Generator().manual_seed(0)).square().mean().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert silent == []


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_normalisation_shifts_and_scales_each_colour(dtype: torch.dtype) -> None:
    images = torch.tensor([[0, 128], [255, 7]]).expand(2, 3, 2, 2).to(dtype)
    normal = normalize_images(images)
    assert normal.dtype == torch.float32
    for channel, (mean, std) in enumerate(zip(IMAGE_MEAN, IMAGE_STD, strict=True)):
        torch.testing.assert_close(normal[:, channel], (images[:, channel].float() - mean) / std)
