from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eisen_ray.baselines.peer import Picture
from eisen_ray.build import build_eisen
from eisen_ray.build_peers import build_peer, build_trainable
from eisen_ray.compare_config import ROWS, CompareConfig, LearnConfig, needs_dino, needs_network, variants_of
from eisen_ray.config import DataConfig, FlowConfig, GroupingConfig, ModelConfig
from eisen_ray.errors import ConfigError, WeightsError
from eisen_ray.learning.step import StepSettings

SMALL = GroupingConfig(num_iterations=3, num_slots=6, plateau_width=8, min_region_nodes=2)
CONFIG = CompareConfig(
    data=DataConfig(image_height=64, image_width=96),
    flow=FlowConfig(estimator="dis", height=128, width=128),
    model=ModelConfig(backbone="small", scope="full"),
    grouping=SMALL,
    learn=LearnConfig(size="small", loss_levels=1),
)
CPU = torch.device("cpu")


@pytest.mark.parametrize("row", [row for row in ROWS if not needs_dino(row) and not row.endswith(":motion")])
def test_every_peer_segments_a_picture(row: str) -> None:
    torch.manual_seed(0)
    network = build_eisen(CONFIG.model, SMALL) if needs_network(row) else None
    variant = variants_of(row, CONFIG.variants)[0]
    peer = build_peer(row, CONFIG, variant, CPU, network)
    rng = np.random.default_rng(0)
    image, pair = (rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((64, 96, 3), (2, 128, 128, 3)))
    found = peer.segment(Picture(image, pair if peer.needs_neighbour else None), torch.Generator().manual_seed(0))
    on_nodes = row == "moving-region" or row.startswith(("eisen:", "ssap:", "network"))
    assert found.labels.shape == ((16, 24) if on_nodes else (64, 96))
    assert found.labels.dtype == np.int32
    assert peer.needs_neighbour == (row == "moving-region")


@pytest.mark.parametrize("name", ["mask-rcnn", "detr", "panoptic-deeplab", "ssap", "eisen"])
def test_small_networks_are_smaller(name: str) -> None:
    full = replace(CONFIG, learn=LearnConfig(size="full"), model=ModelConfig())
    sizes = [
        sum(parameter.numel() for parameter in build_trainable(f"{name}:full", config).parameters())
        for config in (CONFIG, full)
    ]
    assert sizes[0] < 0.5 * sizes[1]


def test_the_background_is_known_under_full_supervision_only() -> None:
    assert build_trainable("eisen:full", CONFIG).background_known is True
    assert build_trainable("eisen:motion", CONFIG).background_known is False


def test_our_own_network_takes_the_rows_that_the_table_names() -> None:
    rows = {"labelled_rows": 8, "segment_balance": 0.5, "static_rows": 4}
    table = replace(CONFIG, learn=LearnConfig(size="small", loss_levels=2, **rows))
    full = build_trainable("eisen:full", table)
    assert full.settings == StepSettings(num_levels=2, **rows)
    assert full.background_known is False, "its rows say what they are not"
    assert build_trainable("eisen:motion", table).settings == full.settings


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="'network/spectral' needs a trained network"):
        build_peer("network/spectral", CONFIG, {"clusters": 3}, CPU)
    with pytest.raises(WeightsError, match=r"config.json"):
        build_peer("dino/spectral", CONFIG, {"clusters": 3}, CPU)
