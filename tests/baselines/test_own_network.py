from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch

from eisen_ray.baselines.own_network import OwnNetwork
from eisen_ray.baselines.peer import Picture
from eisen_ray.build import build_eisen
from eisen_ray.config import GroupingConfig, ModelConfig
from eisen_ray.learning.step import StepSettings, batch_loss
from eisen_ray.model.outlines import snap_to_edges
from eisen_ray.model.regions import to_grid
from eisen_ray.model.surety import segment_confidences
from tests.baselines.scenes import learn, score, squares

GROUPING = GroupingConfig(threshold=0.5, num_iterations=15, plateau_width=64, min_region_nodes=3)


def network(background_known: bool) -> OwnNetwork:
    torch.manual_seed(0)
    return OwnNetwork(
        build_eisen(ModelConfig(backbone="small", scope="full"), GROUPING), background_known=background_known
    )


def test_learns_by_heart_with_full_supervision() -> None:
    images, labels = squares(4)
    peer = network(background_known=True)
    losses = learn(peer, images, labels, 60)
    assert losses[-1] < 0.3 * losses[0]
    scores = score(peer, images, labels)
    assert scores["mean_iou"] > 0.6


@pytest.mark.parametrize("background_known", [True, False])
def test_the_background_is_a_label_only_where_it_is_known(background_known: bool) -> None:
    images, labels = squares(2)
    peer = network(background_known).eval()
    loss = peer.loss(images, labels, torch.Generator().manual_seed(0))
    levels = peer.network(images, torch.Generator().manual_seed(0), 1)
    nodes = to_grid(labels, 16, 16)
    expected = batch_loss(levels, nodes + 1 if background_known else nodes)
    assert torch.allclose(loss, expected)


def test_rows_are_drawn_as_the_settings_say() -> None:
    images, labels = squares(2)
    settings = StepSettings(labelled_rows=16, segment_balance=0.5, static_rows=8)
    peer = network(background_known=False).eval()
    peer.settings = settings
    generator = torch.Generator().manual_seed(4)
    loss = peer.loss(images, labels, generator)
    generator.manual_seed(4)
    levels = peer.network(images, generator, 1)
    assert torch.allclose(loss, batch_loss(levels, to_grid(labels, 16, 16), settings, generator))


def test_a_segment_that_other_passes_lose_is_less_sure() -> None:
    images, _ = squares(1)
    peer = network(background_known=False).eval()
    picture = Picture(images[0].permute(1, 2, 0).numpy())
    single = OwnNetwork(peer.network, background_known=False, passes=1).eval()
    alone, checked = (each.segment(picture, torch.Generator().manual_seed(0)) for each in (single, peer))
    assert alone.confidences == {
        name: pytest.approx(float((alone.labels == name).mean())) for name in alone.confidences
    }
    shares = {name: float((checked.labels == name).mean()) for name in checked.confidences}
    assert shares
    assert all(checked.confidences[name] <= share + 1e-9 for name, share in shares.items())


def test_segments_have_the_outlines_that_the_network_gives_them() -> None:
    torch.manual_seed(0)
    network = build_eisen(ModelConfig(backbone="small", scope="full"), GROUPING)
    picture = Picture(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    nodes = np.kron(np.arange(1, 5).reshape(2, 2), np.ones((8, 8), np.int64))
    runs = torch.from_numpy(nodes)[None, None]
    with mock.patch.object(network, "segment_runs", return_value=runs):
        network.snap = 0.1
        found = OwnNetwork(network, background_known=False).segment(picture, torch.Generator())
    assert np.array_equal(found.labels, snap_to_edges(nodes, picture.image, 0.1))
    assert found.labels.shape == (64, 64)
    assert found.confidences == segment_confidences(nodes[None], found.labels, picture.image)
