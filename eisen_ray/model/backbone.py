"""ResNet50-DeepLab: an image becomes features at a quarter of its size (Section 3.1, Figure 2).

Widths, strides and the decoder without normalisation are those of the authors' release; layer by
layer they are checked against tensors recorded from it (`tests/golden/16_backbone_probe.npz`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGE_MEAN = (123.675, 116.28, 103.53)
"""RGB means of ImageNet, 0..255."""
IMAGE_STD = (58.395, 57.12, 57.375)
"""RGB standard deviations of ImageNet, 0..255."""

ASPP_DILATIONS = (6, 12, 18)
ASPP_DROPOUT = 0.1


def normalize_images(images: Tensor) -> Tensor:
    """Shift and scale colours as the backbone expects them.

    Args:
        images: [B, 3, H, W] RGB, uint8 or float, 0..255.

    Returns:
        float32 [B, 3, H, W], about zero mean and unit variance.
    """
    mean = torch.tensor(IMAGE_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(IMAGE_STD, device=images.device).view(3, 1, 1)
    return (images.float() - mean) / std


class ConvNorm(nn.Module):
    """Convolution without bias, then batch normalisation; `padding` keeps the size at stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, ceil(H/stride), ceil(W/stride)], no non-linearity."""
        return self.norm(self.conv(features))


def upsample_to(features: Tensor, like: Tensor) -> Tensor:
    """Bilinear upsampling of [B, C, h, w] to the grid of `like` (corners not aligned)."""
    return F.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride and the dilation), 1x1, added to a shortcut."""

    def __init__(self, inputs: int, width: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = ConvNorm(inputs, width, 1)
        self.conv2 = ConvNorm(width, width, 3, stride=stride, dilation=dilation)
        self.conv3 = ConvNorm(width, outputs, 1)
        self.shortcut = nn.Identity() if inputs == outputs else ConvNorm(inputs, outputs, 1, stride=stride)

    def forward(self, features: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, 4 * width, ceil(H/stride), ceil(W/stride)]."""
        update = F.relu(self.conv1(features))
        update = F.relu(self.conv2(update))
        return F.relu(self.conv3(update) + self.shortcut(features))


def _stage(inputs: int, width: int, stride: int, dilations: tuple[int, ...]) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride=stride, dilation=dilations[0])
    return nn.Sequential(first, *(Bottleneck(4 * width, width, dilation=dilation) for dilation in dilations[1:]))


class Encoder(nn.Module):
    """ResNet-50 with a stem of three 3x3 convolutions; the last stage dilates instead of striding."""

    def __init__(self) -> None:
        super().__init__()
        stem = {"conv1": ConvNorm(3, 64, stride=2), "conv2": ConvNorm(64, 64), "conv3": ConvNorm(64, 128)}
        self.stem = nn.ModuleDict(stem)
        self.res2 = _stage(128, 64, stride=1, dilations=(1,) * 3)
        self.res3 = _stage(256, 128, stride=2, dilations=(1,) * 4)
        self.res4 = _stage(512, 256, stride=2, dilations=(1,) * 6)
        self.res5 = _stage(1024, 512, stride=1, dilations=(2, 4, 8))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """[B, 3, H, W] -> 256 channels at H/4, 512 at H/8, 1024 at H/16, 2048 at H/16."""
        features = images
        for layer in self.stem.values():
            features = F.relu(layer(features))
        res2 = self.res2(F.max_pool2d(features, 3, stride=2, padding=1))
        res3 = self.res3(res2)
        res4 = self.res4(res3)
        return res2, res3, res4, self.res5(res4)


def _plain_conv(inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False)
    nn.init.kaiming_uniform_(conv.weight, a=1)
    return conv


class AtrousPyramid(nn.Module):
    """ASPP: context at four ranges and of the whole image, 2048 -> 256 channels, without normalisation."""

    def __init__(self, inputs: int = 2048, width: int = 256) -> None:
        super().__init__()
        dilated = (_plain_conv(inputs, width, 3, dilation) for dilation in ASPP_DILATIONS)
        self.branches = nn.ModuleList([_plain_conv(inputs, width), *dilated])
        self.pooled = nn.Conv2d(inputs, width, 1)
        nn.init.kaiming_uniform_(self.pooled.weight, a=1)
        nn.init.zeros_(self.pooled.get_parameter("bias"))
        self.project = _plain_conv((len(self.branches) + 1) * width, width)

    def forward(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """[B, inputs, H, W] -> [B, width, H, W]; drops a tenth of the values in training."""
        whole = self.pooled(features.mean((2, 3), keepdim=True)).expand(-1, -1, *features.shape[-2:])
        parts = [branch(features) for branch in self.branches]
        context = F.relu(self.project(F.relu(torch.cat([*parts, whole], dim=1))))
        return _dropout(context, ASPP_DROPOUT, generator) if self.training else context


def _dropout(features: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    # Not F.dropout: that one draws from torch's global state and cannot be replayed on resume.
    keep = torch.rand(features.shape, device=features.device, generator=generator) >= share
    return features * keep / (1 - share)


class Refine(nn.Module):
    """One step up of the decoder: a thinned encoder level joins the upsampled context."""

    def __init__(self, low_inputs: int, low_width: int, context_width: int, outputs: int = 128) -> None:
        super().__init__()
        self.project = _plain_conv(low_inputs, low_width)
        joined = _plain_conv(low_width + context_width, outputs, 3)
        self.fuse = nn.ModuleList([joined, _plain_conv(outputs, outputs, 3)])

    def forward(self, low: Tensor, context: Tensor) -> Tensor:
        """[B, low_inputs, H, W], [B, context_width, h, w] -> [B, outputs, H, W]."""
        low = F.relu(self.project(low))
        features = torch.cat([low, upsample_to(context, low)], dim=1)
        for conv in self.fuse:
            features = F.relu(conv(features))
        return features


class Decoder(nn.Module):
    """DeepLabV3+ decoder: context from res5, then edges from res3 and res2."""

    def __init__(self) -> None:
        super().__init__()
        self.aspp = AtrousPyramid()
        self.res3 = Refine(512, 64, context_width=256)
        self.res2 = Refine(256, 32, context_width=128)

    def forward(self, res2: Tensor, res3: Tensor, res5: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Encoder levels at H/4, H/8, H/16 -> [B, 128, H/4, W/4]."""
        context = self.aspp(res5, generator)
        return self.res2(res2, self.res3(res3, context))


class ResNet50DeepLab(nn.Module):
    """The paper's backbone, 40.05 M parameters, trained from scratch.

    Any image size works; the grid is a quarter of it, rounded up. Initial weights come from torch's
    global generator, as in every torch layer: seed it before building.
    """

    out_channels = 128

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Features for the affinity head.

        Args:
            images: float32 [B, 3, H, W] from `normalize_images`.
            generator: source of the dropout mask, on the images' device; only used in training mode.
                None: torch's default generator.

        Returns:
            [B, 128, ceil(H/4), ceil(W/4)].
        """
        res2, res3, _, res5 = self.encoder(images)
        return self.decoder(res2, res3, res5, generator)
