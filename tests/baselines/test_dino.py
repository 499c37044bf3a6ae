from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ViTConfig, ViTModel

from eisen_ray.baselines.dino import DinoAffinities
from eisen_ray.errors import WeightsError

WIDTH = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny ViT with random weights, as transformers stores one."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    place = tmp_path_factory.mktemp("dino")
    ViTModel(config, add_pooling_layer=False).save_pretrained(place)
    return str(place)


def test_affinities_are_of_the_keys_cosines(folder: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    source = DinoAffinities(folder, temperature=0.1)
    graph, grid = source.graph(image, torch.Generator())
    assert grid == (8, 12), "a node for every 4 px, as our own network has"
    key = graph.key[0]
    assert key.shape == (96, WIDTH)
    affinity = graph.affinity()[0, 0]
    assert torch.allclose(affinity, ((key @ key.T - 1) / 0.1).exp(), atol=1e-4)
    assert torch.allclose(affinity.diagonal(), torch.ones(()), atol=1e-4)


def test_keys_are_those_of_the_last_layer(folder: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    source = DinoAffinities(folder)
    before = source.graph(image, torch.Generator())[0].key
    with torch.no_grad():
        named = dict(source.vit.named_parameters())
        last = next(name for name in named if ".1." in name and ("k_proj" in name or "key" in name))
        named[last].zero_()
    after = source.graph(image, torch.Generator())[0].key
    assert not torch.equal(before, after)


def test_no_such_network(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="expected a folder as transformers"):
        DinoAffinities(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(WeightsError, match="holds no ViT"):
        DinoAffinities(str(tmp_path))
