"""Features that are grouped again and again: the same as grouping from scratch, whatever the cache has seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eisen_ray.build import build_eisen, build_grouping
from eisen_ray.config import GroupingConfig, ModelConfig
from eisen_ray.measures.mean_iou import image_iou
from eisen_ray.model.best_segments import best_segments
from eisen_ray.model.eisen import Eisen, enlarged
from eisen_ray.model.outlines import drop_faint, outlined
from eisen_ray.model.precision import product_dtype
from eisen_ray.runtime.features import Features, summed_facts
from eisen_ray.runtime.layout import stable_seed
from eisen_ray.runtime.study_images import StudyImage
from tests.runtime.networks import TINY_RUN

MODEL, GROUPING = TINY_RUN.model, TINY_RUN.grouping


@pytest.fixture(scope="module")
def network() -> Eisen:
    torch.manual_seed(0)
    model = build_eisen(MODEL, GROUPING)
    with torch.no_grad():
        for weights in model.head.parameters():
            weights.mul_(8)
    return model.eval()


def images(count: int = 2) -> list[StudyImage]:
    rng = np.random.default_rng(0)
    truth = np.zeros((32, 48), np.int64)
    truth[4:20, 6:30], truth[22:, 30:] = 1, 2
    return [
        StudyImage("clip", frame, rng.integers(0, 255, (32, 48, 3)).astype(np.uint8), truth, arm_id=1)
        for frame in range(count)
    ]


def test_an_iteration_on_the_way_is_the_one_of_a_run_that_ends_there(network: Eisen) -> None:
    long = Features(network, images()).score(MODEL, GROUPING, (2, 5, 8), seed=0)
    for count in (2, 5, 8):
        assert long[count] == Features(network, images()).score(MODEL, GROUPING, (count,), seed=0)[count]
    assert long[2] != long[8]


@pytest.mark.parametrize(
    ("mutual", "enlarge", "mirror"), [(False, 1, False), (True, 1, False), (True, 1.5, False), (True, 1, True)]
)
def test_scores_are_those_of_the_network_itself(
    network: Eisen, monkeypatch: pytest.MonkeyPatch, mutual: bool, enlarge: float, mirror: bool
) -> None:
    monkeypatch.setattr(network, "mirror", mirror)
    settings = replace(GROUPING, mutual=mutual, enlarge=enlarge, mirror=mirror)
    image = images(1)[0]
    batch = enlarged(torch.from_numpy(image.image)[None].permute(0, 3, 1, 2), enlarge)

    def generator(purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(stable_seed("study", purpose, 3, image.name, image.frame))

    grouping = build_grouping(settings)
    graph, grid = network.graph(batch, generator("pairs"))
    start, active = grouping.starts(1, grid[0] * grid[1], generator("start"), 1)
    edges = graph.edges(settings.threshold, product_dtype(settings.precision, torch.device("cpu")), mutual)
    plateau = grouping.kprop.run(edges, start, active)
    labels = grouping.read(plateau[:, :, 0], *grid, generator("readout"))[0]
    found = Features(network, [image]).score(MODEL, settings, (settings.num_iterations,), seed=3)
    assert found[settings.num_iterations][0]["coverage"] == pytest.approx(float((labels > 0).float().mean()))
    assert found[settings.num_iterations][0]["segments"] == float(labels.max())


@pytest.mark.parametrize("passes", [1, 2])
def test_label_maps_are_those_that_were_scored(network: Eisen, passes: int) -> None:
    features = Features(network, images())
    scored = features.score(MODEL, GROUPING, (2, 5), seed=0, passes=passes)[5]
    maps = features.label_maps(MODEL, GROUPING, 5, 0, passes, wanted=9)
    assert [float((labels > 0).mean()) for labels in maps] == [facts["coverage"] for facts in scored]
    assert len(features.label_maps(MODEL, GROUPING, 5, 0, passes, wanted=1)) == 1
    assert features.num_propagations == len(maps)


@pytest.mark.parametrize("runs", [1, 2])
def test_runs_are_chosen_from_passes_of_their_own(network: Eisen, runs: int) -> None:
    features = Features(network, images())
    single = replace(GROUPING, min_region_nodes=1, snap_to_edges=0.1)
    passes = [features._read(0, single, features._plateaus(0, MODEL, single, [4], 0, 3 * runs)[4], 0)]
    several = replace(single, num_passes=3)
    scored = features.score(MODEL, several, (4,), seed=0, passes=runs)[4]
    maps = features.label_maps(MODEL, several, 4, 0, runs, wanted=9)
    image = images()[0]
    expected = outlined(best_segments(passes[0][:3], image.image, 0.1, 1), image.image, 0.1, 0.0)
    assert np.array_equal(maps[0], expected)
    assert scored[0]["mean_iou"] == image_iou(expected, image.truth, 1).ious.mean()
    assert ("agreement" in scored[0]) == (runs == 2)


def test_readouts_share_plateaus_and_other_settings_do_not(network: Eisen) -> None:
    features = Features(network, images())
    for overlap in (0.1, 0.3, 0.5):
        features.score(MODEL, replace(GROUPING, overlap=overlap), (4,), seed=0)
    assert features.num_propagations == 2  # images
    features.score(MODEL, replace(GROUPING, threshold=0.3), (4,), seed=0)
    features.score(MODEL, GROUPING, (4,), seed=1)
    assert features.num_propagations == 6


def test_outlines_on_edges_are_scored_without_new_messages(network: Eisen) -> None:
    settings = replace(GROUPING, min_region_nodes=1)
    snapped = replace(settings, snap_to_edges=0.1)
    features = Features(network, images())
    plain = features.score(MODEL, settings, (3,), seed=0)[3]
    passed = features.num_propagations
    found = features.score(MODEL, snapped, (3,), seed=0)[3]
    assert features.num_propagations == passed
    assert [facts["coverage"] for facts in found] == [facts["coverage"] for facts in plain]
    labels = features.label_maps(MODEL, snapped, 3, 0, 1, wanted=1)[0]
    image = features.images[0]
    assert labels.shape == image.image.shape[:2]
    assert found[0]["mean_iou"] != plain[0]["mean_iou"]
    assert found[0]["mean_iou"] == pytest.approx(float(image_iou(labels, image.truth).ious.mean()))
    faint = replace(snapped, min_edge_share=1.0)
    kept = features.label_maps(MODEL, faint, 3, 0, 1, wanted=1)[0]
    assert np.array_equal(kept, drop_faint(labels, image.image, 1.0))
    assert (kept != labels).any()
    score = features.score(MODEL, faint, (3,), seed=0)[3][0]["mean_iou"]
    assert score == pytest.approx(float(image_iou(kept, image.truth).ious.mean()))
    assert features.num_propagations == passed


def test_what_the_cache_has_seen_changes_nothing(network: Eisen) -> None:
    fresh = Features(network, images()).score(MODEL, GROUPING, (3,), seed=0)
    small = Features(network, images(), cache_bytes=1)
    for threshold in (0.2, 0.4, 0.6):
        small.score(MODEL, replace(GROUPING, threshold=threshold), (3,), seed=0)
    assert small.score(MODEL, GROUPING, (3,), seed=0) == fresh
    assert small.num_propagations == 8  # nothing could be kept
    alone = [Features(network, [image]).score(MODEL, GROUPING, (3,), seed=0)[3][0] for image in images()]
    assert alone == fresh[3]


def test_other_pairs_are_other_affinities(network: Eisen) -> None:
    local = ModelConfig(backbone="small", scope="local", window=3, num_far=0)
    features = Features(network, images())
    assert features.score(local, GROUPING, (6,), seed=0) != features.score(MODEL, GROUPING, (6,), seed=0)


def test_two_passes_agree_more_or_less(network: Eisen) -> None:
    found = Features(network, images()).score(MODEL, GROUPING, (5,), seed=0, passes=2)
    assert all(0 <= facts["agreement"] <= 1 for facts in found[5])


def test_facts_are_averaged_over_the_images_that_have_them() -> None:
    assert summed_facts([{"a": 1.0, "b": 0.5}, {"a": 0.0}], "mean_iou") == {"a": 0.5, "b": 0.5}


def test_against_motion_the_best_segment_counts() -> None:
    assert summed_facts([{"best_iou": 0.25}], "motion_iou") == {"best_iou": 0.25, "motion_iou": 0.25}


def test_images_without_truth_have_no_scores(network: Eisen) -> None:
    bare = [replace(image, truth=None) for image in images(1)]
    found = Features(network, bare).score(MODEL, GroupingConfig(plateau_width=8, num_slots=4), (2,), seed=0)
    assert set(found[2][0]) == {"segments", "coverage"}
