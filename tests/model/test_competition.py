"""Competition in both its rules: replays of recorded draws, twins, and what the segments must look like."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.errors import ConfigError
from eisen_ray.model.competition import Competition
from eisen_ray.model.object_masks import CompetitionResult, RandomDraws, object_masks, pairwise_jaccard
from eisen_ray.model.release_rule import distance_weighted_vectors
from tests import reference_competition as twin
from tests.golden_cases import load
from tests.layouts import as_numpy, assert_close, random_plateau, seeded


class RecordedDraws:
    """Replays pixels [R, B, K, 2] and noises, and keeps the weights it was asked to draw from."""

    def __init__(self, pixels: np.ndarray, width: int, noises: list[np.ndarray] | None = None) -> None:
        self.queue = [torch.from_numpy(np.asarray(p[..., 0] * width + p[..., 1], dtype=np.int64)) for p in pixels]
        self.noises = [torch.from_numpy(noise) for noise in noises or []]
        self.weights: list[torch.Tensor] = []

    def pixels(self, weights: torch.Tensor, count: int) -> torch.Tensor:
        self.weights.append(weights)
        drawn = self.queue.pop(0)
        assert drawn.shape == (len(weights), count)
        return drawn

    def noise(self, shape: tuple[int, ...]) -> torch.Tensor:
        noise = self.noises.pop(0)
        assert noise.shape == shape
        return noise


@pytest.mark.parametrize(("name", "rounds"), [("07a", 3), ("07b", 1)])
def test_release_rule_replays_case_07(name: str, rounds: int) -> None:
    case = load(name)
    noises = [case[f"noise_round{r}"] for r in range(1, rounds + 1)]
    draws = RecordedDraws(case["draws"], 16, noises)
    result = Competition(num_slots=8, num_rounds=rounds, rule="release")(torch.from_numpy(case["plateau"]), draws)
    np.testing.assert_array_equal(result.retained, case["alive"][..., 0] > 0)
    np.testing.assert_array_equal(result.labels, case["argmax"])
    assert_close(result.masks.transpose(1, 2).unflatten(1, (16, 16)), case["masks"], 1e-5)
    assert_close(result.object_vectors, case["phenotypes"], 1e-5)
    assert_close(result.pointers * 2 / 15 - 1, case["agents"], 1e-5)
    assert_close(result.uncovered.unflatten(1, (16, 16)), case["unharvested"][..., 0], 1e-5)
    weights = torch.stack(draws.weights).unflatten(-1, (16, 16))
    assert_close(weights, case["sampling_weights"][: len(weights)], 1e-5)


def test_new_release_vectors_match_case_06() -> None:
    case = load("06")
    plateau, pixels = torch.from_numpy(case["plateau"]), torch.from_numpy(case["agents_pixel"]).long()
    uncovered = torch.from_numpy(case["unharvested"]).flatten(1)
    assert_close(distance_weighted_vectors(plateau, pixels, uncovered), case["distance_weighted"], 1e-5)


def recorded_pixels(rounds: int, batch: int, slots: int, size: tuple[int, int], seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.stack([random.integers(0, side, (rounds, batch, slots)) for side in size], -1)


@pytest.mark.parametrize("seed", range(4))
def test_release_rule_matches_its_twin(seed: int) -> None:
    plateau = random_plateau(2, 7, 9, 5, seed)
    pixels = recorded_pixels(4, 2, 6, (7, 9), seed)
    noises = [np.random.default_rng(seed + r).random((2, 6, 30)) for r in range(3)]
    result = Competition(6, 3, rule="release")(plateau, RecordedDraws(pixels, 9, noises))
    slots = np.arange(6)
    for b in range(2):
        own = [noise[b].reshape(6, 6, 5)[slots, slots] for noise in noises]
        expected = twin.release_competition(as_numpy(plateau[b]), pixels[:, b], own)
        np.testing.assert_array_equal(result.retained[b], expected.alive)
        assert_close(result.masks[b].unflatten(-1, (7, 9)), expected.masks, 1e-6)
        assert_close(result.object_vectors[b], expected.vectors, 1e-6)
        assert_close(result.uncovered[b].unflatten(-1, (7, 9)), expected.uncovered, 1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_paper_rule_matches_its_twin(seed: int) -> None:
    plateau = random_plateau(2, 7, 9, 5, seed)
    pixels = recorded_pixels(3, 2, 6, (7, 9), seed)
    draws = RecordedDraws(pixels, 9)
    result = Competition(6, 3)(plateau, draws)
    assert len(draws.weights) == 3
    for b in range(2):
        expected = twin.paper_competition(as_numpy(plateau[b]), pixels[:, b])
        np.testing.assert_array_equal(result.retained[b], expected.alive)
        np.testing.assert_array_equal(result.pointers[b], expected.pointers)
        assert_close(result.masks[b].unflatten(-1, (7, 9)), expected.masks)
        assert_close(result.object_vectors[b], expected.vectors)
        assert_close(result.uncovered[b].unflatten(-1, (7, 9)), expected.uncovered)
        asked = torch.stack(draws.weights)[:, b].unflatten(-1, (7, 9))
        assert_close(asked, np.array(expected.weights))
        np.testing.assert_array_equal(result.labels[b], np.where(expected.uncovered < 1, expected.labels, -1))


def stripes(widths: tuple[int, ...] = (2, 3, 5, 6), height: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """A perfect plateau map of upright stripes, one channel each, and its segments."""
    segments = torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths)).expand(height, -1)
    return torch.nn.functional.one_hot(segments, len(widths)).float()[None], segments


@pytest.mark.parametrize("rule", ["paper", "release"])
def test_perfect_plateaus_are_found_exactly(rule: str) -> None:
    plateau, segments = stripes()
    result = Competition(16, 4, rule=rule)(plateau, RandomDraws(seeded(1)))
    names = {}
    for segment, label in zip(segments.flatten().tolist(), result.labels[0].flatten().tolist(), strict=True):
        assert names.setdefault(segment, label) == label
    assert len(set(names.values())) == 4
    assert result.retained.sum() == 4
    assert result.uncovered.max() < 0.1  # the release reads beside the pixel, hence between stripes


def test_retained_masks_do_not_overlap() -> None:
    plateau = random_plateau(3, 12, 12, 6)
    result = Competition(16, 3)(plateau, RandomDraws(seeded()))
    masks = object_masks(plateau.flatten(1, 2), result.object_vectors)
    table = pairwise_jaccard(masks)
    for b in range(3):
        kept = table[b][result.retained[b]][:, result.retained[b]]
        assert (kept - torch.eye(len(kept)) <= 0.2).all()


def test_dead_slots_have_no_mask_and_no_label() -> None:
    result = Competition(16, 3)(random_plateau(2, 10, 10, 5), RandomDraws(seeded()))
    assert not result.retained.all()
    assert (result.masks[~result.retained] == 0).all()
    for b in range(2):
        assert set(result.labels[b].unique().tolist()) <= set(result.retained[b].nonzero()[:, 0].tolist()) | {-1}
    assert_close(result.masks.sum(1), torch.ones(2, 100), 1e-3)  # dead slots take exp(-10) each


def test_nodes_that_no_mask_reaches_have_no_label() -> None:
    plateau, segments = stripes()
    pixels = np.zeros((1, 1, 1, 2), dtype=int)  # one pointer, in the first stripe
    result = Competition(1, 1)(plateau, RecordedDraws(pixels, 16))
    np.testing.assert_array_equal(result.labels[0], torch.where(segments == 0, 0, -1))


def test_new_pointers_go_where_nothing_is_covered() -> None:
    plateau, segments = stripes()
    draws = RecordedDraws(np.zeros((2, 1, 3, 2), dtype=int), 16)
    Competition(3, 2)(plateau, draws)
    first, second = (weights.view(8, 16) for weights in draws.weights)
    assert len(first.unique()) == 1, "the first pointers are uniform"
    assert (second[segments == 0] == 0).all()
    assert (second[segments > 0] > 0).all()


def test_the_order_of_slots_does_not_change_the_segments() -> None:
    plateau = random_plateau(1, 9, 9, 5)
    pixels = recorded_pixels(1, 1, 7, (9, 9), 3)
    order = np.array([3, 0, 6, 1, 5, 2, 4])

    def run(drawn: np.ndarray) -> CompetitionResult:
        return Competition(7, 1)(plateau, RecordedDraws(drawn, 9))

    plain, shuffled = run(pixels), run(pixels[:, :, order])
    np.testing.assert_array_equal(shuffled.retained[0], plain.retained[0][order])
    assert_close(shuffled.masks[0], plain.masks[0][order])


def test_two_pointers_on_one_node_leave_the_lower_slot() -> None:
    plateau, _ = stripes()
    result = Competition(3, 1)(plateau, RecordedDraws(np.zeros((1, 1, 3, 2), dtype=int), 16))
    assert result.retained[0].tolist() == [True, False, False]


@pytest.mark.parametrize("rule", ["paper", "release"])
def test_equal_generators_give_equal_segments(rule: str) -> None:
    plateau = random_plateau(2, 10, 10, 5).float()
    competition = Competition(8, 3, rule=rule)
    one, other = (competition(plateau, RandomDraws(seeded(3))) for _ in range(2))
    for left, right in zip(one, other, strict=True):
        assert torch.equal(left, right)
    assert torch.equal(competition(plateau * 7, RandomDraws(seeded(3))).labels, one.labels), "lengths do not matter"


@pytest.mark.parametrize("rule", ["paper", "release"])
def test_a_flat_map_of_zeros_does_not_break_anything(rule: str) -> None:
    result = Competition(4, 2, rule=rule)(torch.zeros(1, 6, 6, 3), RandomDraws(seeded()))
    assert result.masks.isfinite().all()
    assert result.object_vectors.isfinite().all()


@pytest.mark.parametrize("arguments", [{"num_slots": 0}, {"num_rounds": 0}, {"overlap": 0.0}, {"overlap": 1.0}])
def test_impossible_settings_are_refused(arguments: dict) -> None:
    with pytest.raises(ConfigError):
        Competition(**arguments)
