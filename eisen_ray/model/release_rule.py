"""Competition as the authors released it, quirks included: for parity and for comparison with the paper's rule."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, normalize, pad

from eisen_ray.model.object_masks import (
    COVERED,
    CompetitionResult,
    Draws,
    object_masks,
    pairwise_jaccard,
    read_segments,
)

# All four are the release's constants.
_NOISE = 0.1
_SLOT_PENALTY = 1e-3
_MEAN_WEIGHT = 100.0
_DISTANCE_SHARPNESS = 10.0 * 2 * math.sqrt(2)


class _State(NamedTuple):
    """What one round hands to the next: pixels [B, K, 2], vectors [B, K, Q], alive [B, K], availability [B, K, N]."""

    pixels: Tensor
    vectors: Tensor
    alive: Tensor
    availability: Tensor


def release_rule(unit: Tensor, draws: Draws, num_slots: int, num_rounds: int, overlap: float) -> CompetitionResult:
    """The released Competition; arguments as for `Competition`, unit vectors [B, H, W, Q]."""
    batch, height, width, _ = unit.shape
    nodes = unit.flatten(1, 2)
    pixels = _place(unit, draws, num_slots)
    state = _State(
        pixels=pixels,
        vectors=normalize(read_bilinear(unit[:, None], pixels), dim=-1),
        alive=torch.ones(batch, num_slots, dtype=torch.bool, device=unit.device),
        availability=unit.new_ones(batch, num_slots, height * width),
    )
    for _ in range(num_rounds):
        masks = object_masks(nodes, normalize(read_bilinear(unit[:, None], state.pixels), dim=-1))
        alive = _survivors(masks, local_fitness(unit, state, draws), state, (height, width), overlap)
        uncovered = 1 - (masks * alive[..., None]).amax(dim=1)
        state = _next_state(unit, masks, alive, uncovered, state, draws)
    soft, labels = read_segments(masks, alive)
    labels = labels.unflatten(1, (height, width))
    return CompetitionResult(soft, alive, state.vectors, state.pixels, uncovered, labels)


def _survivors(masks: Tensor, fitness: Tensor, state: _State, size: tuple[int, int], overlap: float) -> Tensor:
    """Slots that lose no dispute and whose pointer does not stand on the border: bool [B, K]."""
    penalty = _SLOT_PENALTY * torch.arange(masks.shape[1], device=masks.device)
    lost = _loses_dispute(fitness - penalty, state.alive, pairwise_jaccard(masks) > overlap)
    return ~lost & _in_bounds(state.pixels, size)


def _next_state(unit: Tensor, masks: Tensor, alive: Tensor, uncovered: Tensor, state: _State, draws: Draws) -> _State:
    """Winners move towards the mean of their mask, losers are placed anew on edges of what is uncovered."""
    height, width = unit.shape[1:3]
    nodes = unit.flatten(1, 2)
    covered = (masks > COVERED).to(nodes.dtype)
    mean = (covered @ nodes) / covered.sum(-1, keepdim=True).clamp(min=1)
    grown = state.vectors + _MEAN_WEIGHT * normalize(mean, dim=-1)
    free = uncovered.unflatten(1, (height, width))
    placed = _place(unit * free[..., None], draws, masks.shape[1], free)
    pixels = torch.where(alive[..., None], state.pixels, placed)
    vectors = torch.where(alive[..., None], grown, distance_weighted_vectors(unit, pixels, uncovered))
    availability = torch.where(alive[..., None], masks, uncovered[:, None])
    return _State(pixels, normalize(vectors, dim=-1), alive, availability)


def edge_strength(plateau: Tensor) -> Tensor:
    """Sobel gradient length of every channel, summed: [B, H, W, Q] to [B, H, W]."""
    sobel = plateau.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    kernels = torch.stack([sobel, sobel.T])[:, None]
    batch, height, width, channels = plateau.shape
    maps = plateau.permute(0, 3, 1, 2).reshape(-1, 1, height, width)
    gradient = conv2d(pad(maps, (1, 1, 1, 1), mode="replicate"), kernels)
    return gradient.norm(dim=1).view(batch, channels, height, width).sum(1)


def _place(plateau: Tensor, draws: Draws, num_slots: int, weight: Tensor | None = None) -> Tensor:
    """Pointers drawn in proportion to edge strength (times weight [B, H, W]): int64 [B, K, 2], row and column."""
    strength = edge_strength(plateau)
    if weight is not None:
        strength = strength * weight
    index = draws.pixels(strength.flatten(1), num_slots)
    width = plateau.shape[2]
    return torch.stack([index // width, index % width], dim=-1)


def read_bilinear(maps: Tensor, pixels: Tensor) -> Tensor:
    """Read maps [B, 1 or K, H, W, Q] at pixels [B, K, 2] the released way: [B, K, Q].

    The release scales coordinates by H/(H-1), so a pixel is read up to one pixel off, and gives an exactly integer
    coordinate (the border among them) no weight at all.
    """
    size = torch.tensor(maps.shape[2:4], device=maps.device)
    position = (pixels.to(maps.dtype) / (size - 1) * size).clamp(max=size - 1)
    low, high = position.floor(), position.ceil()
    weight = torch.stack([high - position, position - low])  # [2, B, K, 2]
    corner = torch.stack([low, high]).long()
    image = torch.arange(maps.shape[0], device=maps.device)[:, None]
    slot = torch.arange(pixels.shape[1], device=maps.device)[None] % maps.shape[1]
    total = maps.new_zeros(*pixels.shape[:2], maps.shape[-1])
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        values = maps[image, slot, corner[row, ..., 0], corner[column, ..., 1]]
        total = total + values * (weight[row, ..., 0] * weight[column, ..., 1])[..., None]
    return total


def local_fitness(unit: Tensor, state: _State, draws: Draws) -> Tensor:
    """Cosine of each object vector with the available plateau under its pointer, noised: [B, K]."""
    batch, height, width, channels = unit.shape
    num_slots = state.vectors.shape[1]
    available = state.availability.unflatten(-1, (height, width))[..., None] * unit[:, None]
    noise = draws.noise((batch, num_slots, num_slots * channels)).unflatten(-1, (num_slots, channels))
    own = noise.diagonal(dim1=1, dim2=2).transpose(1, 2)  # slot m uses its m-th block of Q numbers
    local = read_bilinear(available, state.pixels) + _NOISE * own
    fitness = (normalize(state.vectors, dim=-1) * normalize(local, dim=-1)).sum(-1)
    return fitness * _in_bounds(state.pixels, (height, width))


def _in_bounds(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Pointers off the border: bool [B, K]."""
    last = torch.tensor(size, device=pixels.device) - 1
    return ((pixels > 0) & (pixels < last)).all(-1)


def _loses_dispute(fitness: Tensor, winners: Tensor, overlapping: Tensor) -> Tensor:
    """Slots beaten by another one: earlier winners beat earlier losers, otherwise the fitter wins: bool [B, K]."""
    same_slot = torch.eye(fitness.shape[1], dtype=torch.bool, device=fitness.device)
    fitter = fitness[:, None, :] > fitness[:, :, None]
    protected = winners[:, :, None] & ~winners[:, None, :]
    stronger = ~winners[:, :, None] & winners[:, None, :]
    return (overlapping & ~same_slot & (stronger | (fitter & ~protected))).any(-1)


def distance_weighted_vectors(unit: Tensor, pixels: Tensor, uncovered: Tensor) -> Tensor:
    """Mean of the plateau around each pointer, nearest uncovered nodes first: [B, K, Q]."""
    height, width = unit.shape[1:3]
    size = torch.tensor([height, width], device=unit.device, dtype=unit.dtype)
    rows, columns = (torch.linspace(-1, 1, side, device=unit.device, dtype=unit.dtype) for side in (height, width))
    grid = torch.cartesian_prod(rows, columns).expand(unit.shape[0], -1, -1)
    distance = torch.cdist(2 * pixels / (size - 1) - 1, grid).clamp(min=1e-8)  # 0 at the pointer's own pixel
    weights = (_DISTANCE_SHARPNESS / distance * uncovered[:, None]).softmax(dim=-1)
    return weights @ unit.flatten(1, 2)
