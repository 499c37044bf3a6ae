"""Connected regions: case 08, a flood-fill twin, and the two defects of the release that must not return."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eisen_ray.model.regions import connected_regions, region_components, to_grid
from tests import reference as twin
from tests.golden_cases import load, same_partition
from tests.layouts import as_numpy, seeded


def regions_of(labels: np.ndarray, min_nodes: int) -> np.ndarray:
    return as_numpy(connected_regions(torch.from_numpy(labels)[None], min_nodes)[0])


@pytest.mark.parametrize(
    ("source", "result", "min_nodes"), [("a", "a_min20", 20), ("a", "a_min5", 5), ("b", "b_min20", 20)]
)
def test_regions_match_case_08(source: str, result: str, min_nodes: int) -> None:
    case = load("08")
    assert same_partition(regions_of(case[f"in_{source}"], min_nodes), case[f"out_{result}"])


def test_names_stay_unique_where_the_release_merged_regions() -> None:
    labels = load("08")["in_collision"]
    regions = regions_of(labels, 5)
    assert not same_partition(regions, load("08")["out_collision_min5"])
    for name in range(1, regions.max() + 1):
        assert len(np.unique(labels[regions == name])) == 1


@pytest.mark.parametrize("min_nodes", [0, 1, 4, 12])
def test_regions_match_the_flood_fill(min_nodes: int) -> None:
    labels = torch.randint(-1, 3, (4, 11, 14), generator=seeded())
    labels[:, 3:7, 2:9] = 1
    labels[:, 8:, 5:] = 2
    regions = connected_regions(labels, min_nodes)
    for image, ours in zip(as_numpy(labels), as_numpy(regions), strict=True):
        expected = twin.connected_regions(image, max(min_nodes, 1))
        assert same_partition(ours, expected)
        assert [(ours == k).sum() for k in range(1, ours.max() + 1)] == [
            (expected == k).sum() for k in range(1, expected.max() + 1)
        ]


def test_ids_are_compact_and_largest_first() -> None:
    labels = torch.randint(0, 4, (3, 20, 20), generator=seeded())
    for image in as_numpy(connected_regions(labels, 3)):
        sizes = np.bincount(image.flat)[1:]
        assert len(sizes) > 3
        assert (sizes >= 3).all()
        assert (np.diff(sizes) <= 0).all()


def test_diagonal_neighbours_are_connected() -> None:
    assert regions_of(np.eye(5, dtype=np.int64) - 1, 5).tolist() == np.eye(5, dtype=int).tolist()
    assert regions_of(np.eye(5, dtype=np.int64)[::-1].copy() - 1, 5).tolist() == np.eye(5, dtype=int)[::-1].tolist()


def test_rows_do_not_wrap_around_and_images_do_not_touch() -> None:
    labels = torch.full((2, 2, 4), -1)
    labels[0, 0, 3] = labels[0, 1, 0] = 0  # end of one row, start of the next
    labels[0, 1, 3] = labels[1, 0, 3] = 0  # last row of one image, first of the next
    assert connected_regions(labels, 1).amax(dim=(1, 2)).tolist() == [2, 1]


def test_zero_means_unassigned_even_when_nothing_is_small() -> None:
    labels = torch.zeros(1, 6, 6, dtype=torch.long)
    assert (connected_regions(labels, 20) == 1).all()


def test_small_regions_are_unassigned() -> None:
    labels = torch.zeros(1, 6, 6, dtype=torch.long)
    labels[0, 0, :3] = 1
    regions = connected_regions(labels, 4)
    assert (regions[0, 0, :3] == 0).all()
    assert (regions[0, 1:] == 1).all()


def test_only_the_largest_regions_are_kept() -> None:
    labels = torch.arange(6).repeat_interleave(torch.arange(1, 7)).expand(1, 1, -1).clone()
    assert connected_regions(labels, 1, max_regions=2)[0, 0].tolist() == [0] * 10 + [2] * 5 + [1] * 6


@pytest.mark.parametrize("empty", [[0], [1], [2], [1, 2], [0, 1, 2]])
def test_images_without_regions_do_not_disturb_others(empty: list[int]) -> None:
    labels = torch.full((3, 8, 8), -1)
    labels[:, :2] = 0
    labels[:, 3:5, 3:6] = 1
    labels[:, 7:, 7:] = 2
    labels[empty] = -1
    regions = connected_regions(labels, 1)
    for b in range(3):
        assert regions[b].max() == (0 if b in empty else 3)
        if b not in empty:
            assert same_partition(as_numpy(regions[b]), as_numpy(labels[b]))


def test_components_of_a_mask() -> None:
    mask = torch.zeros(2, 6, 8, dtype=torch.bool)
    mask[0, :2, :2] = mask[0, 4:, :3] = mask[0, 0, 7] = True
    components = region_components(mask, 4)
    expected = torch.zeros(2, 6, 8, dtype=torch.long)
    expected[0, 4:, :3] = 1
    expected[0, :2, :2] = 2
    assert torch.equal(components, expected)


def test_the_grid_reads_the_centres() -> None:
    labels = torch.arange(64).view(1, 8, 8)
    assert to_grid(labels, 2, 2).tolist() == [[[18, 22], [50, 54]]]
    assert torch.equal(to_grid(labels, 8, 8), labels)
    assert to_grid(labels[:, ::4, ::4], 4, 4).tolist()[0][0] == [0, 0, 4, 4]
