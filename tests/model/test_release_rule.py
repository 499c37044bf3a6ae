"""The quirks of the released rule one by one; whole runs of it are replayed in test_competition.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.model import release_rule
from eisen_ray.model.competition import Competition
from eisen_ray.model.object_masks import RandomDraws
from eisen_ray.model.release_rule import distance_weighted_vectors, edge_strength, read_bilinear
from tests import reference_competition as twin
from tests.golden_cases import load
from tests.layouts import as_numpy, assert_close, random_plateau, seeded


class FixedDraws:
    """The same pixels in every round, and noise of one value."""

    def __init__(self, pixels: list[tuple[int, int]], width: int) -> None:
        self.index = torch.tensor([[row * width + column for row, column in pixels]])

    def pixels(self, weights: torch.Tensor, count: int) -> torch.Tensor:
        return self.index[:, :count]

    def noise(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.float64)


def test_edges_match_case_06_and_their_twin() -> None:
    case = load("06")
    assert_close(edge_strength(torch.from_numpy(case["plateau"])), case["edge_strength"], 1e-5)
    plateau = random_plateau(1, 6, 9, 4)
    assert_close(edge_strength(plateau)[0], twin.edge_strength(as_numpy(plateau[0])))


def test_edges_lie_between_segments_only() -> None:
    plateau = torch.zeros(1, 4, 6, 2, dtype=torch.float64)
    plateau[:, :, :3, 0] = plateau[:, :, 3:, 1] = 1
    strength = edge_strength(plateau)[0]
    assert strength[:, [0, 1, 4, 5]].abs().max() == 0, "nothing at the image's own border"
    assert_close(strength[:, 2:4], np.ones((4, 2)))  # half a step in each of two channels


def test_reading_matches_case_06() -> None:
    case = load("06")
    plateau, pixels = torch.from_numpy(case["plateau"]), torch.from_numpy(case["agents_pixel"]).long()
    assert_close(read_bilinear(plateau[:, None], pixels), case["agent_vectors"], 1e-5)


def test_a_pixel_is_read_a_little_further_on() -> None:
    """Pixel p of H is read at p * H / (H - 1): in a ramp, the value is its place."""
    rows = torch.arange(5, dtype=torch.float64)[:, None].expand(5, 9)
    ramp = torch.stack([rows, torch.ones(5, 9, dtype=torch.float64)], dim=-1)[None, None]
    read = read_bilinear(ramp, torch.tensor([[[1, 1], [2, 3], [3, 7]]]))[0]
    assert_close(read, np.array([[1.25, 1.0], [2.5, 1.0], [3.75, 1.0]]))


def test_the_border_and_whole_coordinates_read_nothing() -> None:
    ones = torch.ones(1, 1, 5, 5, 1, dtype=torch.float64)
    border = torch.tensor([[[0, 2], [4, 2], [2, 0], [2, 4]]])
    assert read_bilinear(ones, border).abs().max() == 0
    assert read_bilinear(ones, torch.tensor([[[2, 2]]])).item() == 1


def test_each_slot_may_read_its_own_map() -> None:
    maps = torch.stack([torch.full((5, 5, 1), value) for value in (1.0, 2.0, 3.0)])[None]
    pixels = torch.tensor([[[1, 1], [2, 3], [3, 2]]])
    assert_close(read_bilinear(maps, pixels).flatten(), np.array([1.0, 2.0, 3.0]), 1e-6)


def test_new_vectors_are_those_of_the_nearest_uncovered_nodes() -> None:
    plateau = random_plateau(2, 6, 7, 4)
    uncovered = torch.rand(2, 42, generator=seeded(), dtype=torch.float64)
    pixels = torch.tensor([[[1, 1], [3, 5]], [[4, 0], [5, 6]]])
    vectors = distance_weighted_vectors(plateau, pixels, uncovered)
    for b in range(2):
        for k, place in enumerate(twin.to_coordinates(pixels[b].numpy(), 6, 7)):
            free = as_numpy(uncovered[b]).reshape(6, 7)
            assert_close(vectors[b, k], twin.distance_weighted(as_numpy(plateau[b]), place, free), 1e-9)


@pytest.mark.parametrize(
    ("pixel", "lives"),
    [((0, 3), False), ((7, 3), False), ((3, 0), False), ((3, 7), False), ((1, 1), True), ((6, 6), True)],
)
def test_pointers_on_the_border_never_survive(pixel: tuple[int, int], lives: bool) -> None:
    plateau = random_plateau(1, 8, 8, 4)
    result = Competition(1, 1, rule="release")(plateau, FixedDraws([pixel], 8))
    assert result.retained.tolist() == [[lives]]


def test_of_two_equal_pointers_the_first_survives_every_round() -> None:
    plateau = torch.zeros(1, 8, 8, 2, dtype=torch.float64)
    plateau[:, :, :4, 0] = plateau[:, :, 4:, 1] = 1
    result = Competition(3, 3, rule="release")(plateau, FixedDraws([(2, 2), (2, 2), (2, 6)], 8))
    assert result.retained.tolist() == [[True, False, True]]
    assert result.labels[0, :, :4].unique().tolist() == [0]
    assert result.labels[0, :, 4:].unique().tolist() == [2]


def test_earlier_winners_never_lose_to_earlier_losers() -> None:
    fitness = torch.tensor([[0.1, 0.9, 0.5]])
    overlapping = torch.ones(1, 3, 3, dtype=torch.bool)
    table = {(1, 1, 1): 1, (1, 0, 0): 0, (1, 0, 1): 2, (0, 0, 0): 1, (0, 1, 1): 1, (0, 0, 1): 2}
    for winners, expected in table.items():
        lost = release_rule._loses_dispute(fitness, torch.tensor([winners]).bool(), overlapping)
        assert (~lost).nonzero()[:, 1].tolist() == [expected], winners
    apart = torch.eye(3, dtype=torch.bool)[None]
    assert not release_rule._loses_dispute(fitness, torch.ones(1, 3, dtype=torch.bool), apart).any()


def test_pointers_are_placed_on_edges() -> None:
    plateau = torch.zeros(1, 8, 12, 2, dtype=torch.float64)
    plateau[:, :, :6, 0] = plateau[:, :, 6:, 1] = 1
    asked: list[torch.Tensor] = []

    class Spy(RandomDraws):
        def pixels(self, weights: torch.Tensor, count: int) -> torch.Tensor:
            asked.append(weights)
            return super().pixels(weights, count)

        def noise(self, shape: tuple[int, ...]) -> torch.Tensor:
            return super().noise(shape).double()

    Competition(4, 2, rule="release")(plateau, Spy(seeded()))
    first = asked[0].view(8, 12)
    assert (first[:, 5:7] > 0).all()
    assert (first[:, [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]] == 0).all()
    assert len(asked) == 3
