"""DETR with masks (transformers), from a random config: boxes, classes and masks of a fixed set of queries."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from eisen_ray.baselines.instances import instances_of, painted
from eisen_ray.baselines.peer import Picture, Segmentation, TrainablePeer, need
from eisen_ray.model.backbone import normalize_images

_SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "small": {
        "backbone": {
            "embedding_size": 32,
            "hidden_sizes": [32, 64, 96, 128],
            "depths": [1, 1, 1, 1],
            "layer_type": "basic",
        },
        "transformer": {
            "d_model": 128,
            "encoder_layers": 2,
            "decoder_layers": 3,
            "encoder_ffn_dim": 256,
            "decoder_ffn_dim": 256,
            "encoder_attention_heads": 8,
            "decoder_attention_heads": 8,
            "num_queries": 24,
        },
    },
    # The library's defaults are the paper's network: ResNet-50, 6 and 6 layers of width 256, 100 queries.
    "full": {"backbone": {}, "transformer": {}},
}


class DetrPeer(TrainablePeer):
    """One class, `object`. Detector and mask head learn together, in one stage [Decision 123].

    Args:
        size: `small`: a narrow network for CPUs. `full`: the library's defaults.
    """

    learning_rate = 2e-4

    def __init__(self, size: Literal["small", "full"]) -> None:
        super().__init__()
        transformers = need("transformers")
        parts = _SIZES[size]
        stages = ["stage1", "stage2", "stage3", "stage4"]
        backbone = transformers.ResNetConfig(out_features=stages, **parts["backbone"])
        config = transformers.DetrConfig(
            backbone_config=backbone, use_timm_backbone=False, dropout=0.0, auxiliary_loss=False, num_labels=1,
            **parts["transformer"],
        )  # fmt: skip
        self.network = transformers.DetrForSegmentation(config)
        thaw(self.network)

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """The library's matching loss: class, box and mask."""
        targets = []
        height, width = images.shape[-2:]
        size = torch.tensor([width, height, width, height], device=images.device, dtype=torch.float32)
        for each in labels:
            found = instances_of(each, height, width)
            corners = found.boxes / size
            boxes = torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], dim=1)
            names = torch.zeros(len(boxes), dtype=torch.int64, device=labels.device)
            targets.append({"class_labels": names, "boxes": boxes, "masks": found.masks.float()})
        total: Tensor = self.network(pixel_values=normalize_images(images), labels=targets).loss
        return total

    @torch.no_grad()
    def segment(self, picture: Picture, generator: torch.Generator) -> Segmentation:
        """Each pixel goes to the query with the largest class score times mask probability, among masks above one half.

        No score is too low, as in the authors' evaluation: segments that are too many cost nothing in mIoU.
        """
        found = self.network(pixel_values=normalize_images(self.as_batch(picture.image)))
        scores = found.logits[0].softmax(-1)[:, 0]
        masks = interpolate(found.pred_masks, picture.image.shape[:2], mode="bilinear", align_corners=False)[
            0
        ].sigmoid()
        weight = torch.where(masks > 0.5, masks * scores[:, None, None], 0.0)
        best, owner = weight.max(dim=0)
        owned = (owner[None] == torch.arange(len(scores), device=owner.device)[:, None, None]) & (best > 0)
        return painted(owned, scores)


def thaw(network: nn.Module) -> None:
    """Let everything learn: the library freezes batch statistics and early layers for pretrained weights."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child).__name__ == "DetrFrozenBatchNorm2d":
                setattr(module, name, nn.BatchNorm2d(len(child.get_buffer("weight"))))
    network.requires_grad_(requires_grad=True)
