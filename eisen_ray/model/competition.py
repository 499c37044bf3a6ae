"""Competition: from a plateau map to discrete segments by winner-take-all (Section 3.1)."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from eisen_ray.errors import ConfigError
from eisen_ray.model.object_masks import (
    COVERED,
    CompetitionResult,
    Draws,
    object_masks,
    pairwise_jaccard,
    read_segments,
    take_nodes,
)
from eisen_ray.model.release_rule import release_rule


class Rule(Protocol):
    """A strategy: everything in which the paper's Competition and the released one differ."""

    def __call__(
        self, unit: Tensor, draws: Draws, num_slots: int, num_rounds: int, overlap: float
    ) -> CompetitionResult:
        """Compete on unit plateau vectors [B, H, W, Q]."""


class Competition:
    """K object pointers compete for the plateau map over R rounds.

    Args:
        num_slots: K (release: 32).
        num_rounds: R (paper: 3; 1 suffices on Playroom).
        overlap: theta, Jaccard index above which two masks compete (paper: 0.2).
        rule: `paper`: pointers uniform over what is uncovered, the larger total mask weight wins; `release`: pointers
            on edges, the better local match wins, earlier winners are protected [Decision 7].

    Raises:
        ConfigError: no slots or rounds, or theta outside (0, 1).
    """

    def __init__(
        self,
        num_slots: int = 32,
        num_rounds: int = 3,
        overlap: float = 0.2,
        rule: Literal["paper", "release"] = "paper",
    ) -> None:
        if num_slots < 1 or num_rounds < 1 or not 0 < overlap < 1:
            raise ConfigError(
                "Competition needs at least one slot and one round and an overlap between 0 and 1; "
                f"got {num_slots}, {num_rounds} and {overlap}."
            )
        self.num_slots = num_slots
        self.num_rounds = num_rounds
        self.overlap = overlap
        self.rule: Rule = paper_rule if rule == "paper" else release_rule

    def __call__(self, plateau: Tensor, draws: Draws) -> CompetitionResult:
        """Compete on a plateau map [B, H, W, Q]; vectors need not be normalised."""
        unit = torch.nn.functional.normalize(plateau, dim=-1)
        return self.rule(unit, draws, self.num_slots, self.num_rounds, self.overlap)


def paper_rule(unit: Tensor, draws: Draws, num_slots: int, num_rounds: int, overlap: float) -> CompetitionResult:
    """Section 3.1 as written: see `Competition` for the arguments; unit is [B, H, W, Q]."""
    height, width = unit.shape[1:3]
    nodes = unit.flatten(1, 2)
    pointers = draws.pixels(nodes.new_ones(nodes.shape[:2]), num_slots)
    for round_index in range(num_rounds):
        vectors = take_nodes(nodes, pointers)
        masks = object_masks(nodes, vectors)
        retained = ~_beaten(masks, pointers, overlap)
        uncovered = 1 - (masks * retained[..., None]).amax(dim=1)
        if round_index + 1 < num_rounds:
            # Only nodes that no retained mask covers get new pointers: faint overlap elsewhere would outweigh them.
            again = draws.pixels(uncovered * (uncovered > 1 - COVERED), num_slots)
            pointers = torch.where(retained, pointers, again)
    soft, labels = read_segments(masks, retained)
    labels = torch.where(uncovered < 1, labels, -1).unflatten(1, (height, width))
    places = torch.stack([pointers // width, pointers % width], dim=-1)
    return CompetitionResult(soft, retained, vectors, places, uncovered, labels)


def _beaten(masks: Tensor, pointers: Tensor, overlap: float) -> Tensor:
    """Which slots lose against another one they overlap: bool [B, K]; of equal weights the lower slot wins."""
    weight = masks.sum(-1)
    slot = torch.arange(weight.shape[1], device=weight.device)
    # Pointers at one node have one mask, whose two sums may differ in their last bit.
    equal = (weight[:, None, :] == weight[:, :, None]) | (pointers[:, None, :] == pointers[:, :, None])
    heavier = weight[:, None, :] > weight[:, :, None]  # [B, k, k']: k' beats k
    stronger = torch.where(equal, slot[None, :] < slot[:, None], heavier)
    return ((pairwise_jaccard(masks) > overlap) & stronger).any(-1)
