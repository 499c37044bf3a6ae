"""Affinities of a self-supervised transformer: keys of DINO's last attention (transformers), weights given by path."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from eisen_ray.baselines.peer import need
from eisen_ray.errors import WeightsError
from eisen_ray.model.affinity_graph import AffinityGraph
from eisen_ray.model.backbone import normalize_images
from eisen_ray.model.eisen import STRIDE
from eisen_ray.model.neighbors import full_neighborhood


class DinoAffinities:
    """Cosine similarity of keys, made an affinity as equation (1) makes one [Decision 126].

    The picture is enlarged until its patches stand as densely as our own network's nodes.

    Args:
        folder: with `config.json` and weights of a ViT as transformers stores it, such as a copy of `dino-vits8`.
        temperature: a key whose cosine is this much below the best one has an affinity of 1/e.

    Raises:
        WeightsError: there is no such network in the folder.
    """

    def __init__(self, folder: str, temperature: float = 0.1) -> None:
        transformers = need("transformers")
        if not (Path(folder) / "config.json").is_file():
            raise WeightsError(
                f"No config.json in {folder!r}; expected a folder as transformers' save_pretrained makes."
            )
        try:
            self.vit = transformers.ViTModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False)
        except (OSError, ValueError) as error:
            raise WeightsError(f"{folder} holds no ViT that transformers can read: {error}") from error
        self.vit = self.vit.eval().requires_grad_(requires_grad=False)
        self.temperature = temperature

    @torch.no_grad()
    def graph(self, image: np.ndarray, generator: torch.Generator) -> tuple[AffinityGraph, tuple[int, int]]:
        """See `affinities.AffinitySource.graph`."""
        device = generator.device
        vit = self.vit.to(device)
        patch = vit.config.patch_size
        grid = (image.shape[0] // STRIDE, image.shape[1] // STRIDE)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(device)
        size = (grid[0] * patch, grid[1] * patch)
        pixels = interpolate(normalize_images(pixels), size, mode="bilinear", align_corners=False)
        keys = normalize(self._last_keys(pixels)[:, 1:], dim=-1)  # without the class token
        # Logits are query . key / sqrt(D); so that they are cosine / temperature:
        query = keys * (math.sqrt(keys.shape[-1]) / self.temperature)
        return AffinityGraph(query, keys, full_neighborhood(*grid, device)), grid

    def _last_keys(self, pixels: Tensor) -> Tensor:
        found: list[Tensor] = []
        projection = _key_projection(self.vit)
        hook = projection.register_forward_hook(lambda _module, _inputs, output: found.append(output))
        try:
            self.vit(pixel_values=pixels, interpolate_pos_encoding=True)
        finally:
            hook.remove()
        return found[0]


def _key_projection(vit: torch.nn.Module) -> torch.nn.Module:
    """The key projection of the last layer, whatever the release of transformers calls it."""
    named = [module for name, module in vit.named_modules() if name.rpartition(".")[2] in ("key", "k_proj")]
    if not named:
        raise WeightsError("This network has no key projection; expected a ViT of transformers.")
    return named[-1]
