"""Mask R-CNN (torchvision), from scratch: no weights are downloaded, nothing is frozen."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

from eisen_ray.baselines.instances import instances_of, painted
from eisen_ray.baselines.peer import Picture, Segmentation, TrainablePeer

# The library's anchors, 32 to 512 px for pictures of 800 px, as shares of the picture's shorter side.
_ANCHOR_SHARES = (1 / 25, 2 / 25, 4 / 25, 8 / 25, 16 / 25)
_ASPECTS = (0.5, 1.0, 2.0)


# Widths of the small network's pyramid and heads; the library's are 256 and 1024.
_WIDTH, _BOX_WIDTH = 64, 256
# Proposals: fewer than for COCO's pictures of 800 px, on which the library's defaults were chosen.
_PROPOSALS = {
    "rpn_pre_nms_top_n_train": 500,
    "rpn_post_nms_top_n_train": 200,
    "rpn_pre_nms_top_n_test": 300,
    "rpn_post_nms_top_n_test": 100,
    "rpn_batch_size_per_image": 64,
    "box_batch_size_per_image": 64,
}


class MaskRcnnPeer(TrainablePeer):
    """One class, `object`; what no label names is background, also where the truth is merely unknown.

    Args:
        size: `small`: ResNet-18 with narrow heads, for CPUs. `full`: ResNet-50 and the library's heads.
        height, width: of the pictures, px.
        score_threshold: boxes less sure than this are dropped (the library's 0.05; the paper tuned for recall).
    """

    learning_rate = 5e-4

    def __init__(self, size: Literal["small", "full"], height: int, width: int, score_threshold: float = 0.05) -> None:
        super().__init__()
        side = min(height, width)
        anchors = tuple((max(4, round(side * share)),) for share in _ANCHOR_SHARES)
        parts = _small_parts() if size == "small" else _full_parts()
        self.detector = MaskRCNN(
            min_size=side,
            max_size=max(height, width),
            rpn_anchor_generator=AnchorGenerator(anchors, (_ASPECTS,) * len(anchors)),
            box_score_thresh=score_threshold,
            **parts,
        )

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """The sum of the library's five losses; its samplers draw from torch's global generator."""
        targets = []
        for each in labels:
            found = instances_of(each, *images.shape[-2:])
            names = torch.ones(len(found.boxes), dtype=torch.int64, device=labels.device)
            targets.append({"boxes": found.boxes, "labels": names, "masks": found.masks.to(torch.uint8)})
        losses: dict[str, Tensor] = self.detector(list(images.float() / 255), targets)
        return torch.stack(list(losses.values())).sum()

    @torch.no_grad()
    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """Masks above one half, the surer ones on top."""
        found = self.detector(list(self.as_batch(picture.image).float() / 255))[0]
        return painted(found["masks"][:, 0] > 0.5, found["scores"])


def _full_parts() -> dict[str, Any]:
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, trainable_layers=5, norm_layer=nn.BatchNorm2d
    )
    return {"backbone": backbone, "num_classes": 2}


def _small_parts() -> dict[str, Any]:
    layers = {f"layer{level + 1}": str(level) for level in range(4)}
    backbone = BackboneWithFPN(resnet18(weights=None), layers, [64, 128, 256, 512], _WIDTH)
    return {
        "backbone": backbone,
        "box_head": TwoMLPHead(_WIDTH * 7**2, _BOX_WIDTH),
        "box_predictor": FastRCNNPredictor(_BOX_WIDTH, 2),
        "mask_head": MaskRCNNHeads(_WIDTH, (_WIDTH,) * 4, 1),
        "mask_predictor": MaskRCNNPredictor(_WIDTH, _WIDTH, 2),
        **_PROPOSALS,
    }
