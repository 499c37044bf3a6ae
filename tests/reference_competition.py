"""Slow, obvious twins of equation (5) and of Competition in both its rules: NumPy and plain loops.

Written from the paper's words and section 5 of the dossier, never from the package. One image at a time: a plateau
map is [H, W, Q], masks are [K, H, W], pointers are (row, column) pixels. All random draws are passed in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

Array = np.ndarray


def unit(vectors: Array) -> Array:
    """Unit length along the last axis; zero vectors stay zero."""
    out = np.zeros(vectors.shape)
    for place in np.ndindex(vectors.shape[:-1]):
        out[place] = vectors[place] / max(math.sqrt(float(vectors[place] @ vectors[place])), 1e-12)
    return out


def eq05_pointer_masks(plateau: Array, pointers: Array) -> tuple[Array, Array]:
    """Object vectors h(p) [K, Q] of the pointers [K, 2] and masks h . h(p), rectified, [K, H, W]."""
    vectors = np.array([plateau[y, x] for y, x in pointers], dtype=float)
    return vectors, object_masks(plateau, vectors)


def object_masks(plateau: Array, vectors: Array) -> Array:
    """Rectified cosine of every node with every vector [K, Q]: [K, H, W]."""
    nodes, units = unit(plateau), unit(vectors)
    masks = np.zeros((len(vectors), *plateau.shape[:2]))
    for k, y, x in np.ndindex(masks.shape):
        masks[k, y, x] = max(float(nodes[y, x] @ units[k]), 0.0)
    return masks


def jaccard(one: Array, other: Array) -> float:
    """Overlap of two masks [H, W], binarised above 0.5; 0 when both are empty."""
    shared, either = 0, 0
    for a, b in zip(one.flat, other.flat, strict=True):
        shared += a > 0.5 and b > 0.5
        either += a > 0.5 or b > 0.5
    return shared / either if either else 0.0


def compete(masks: Array, fitness: Array, previous: Array, overlap: float = 0.2) -> Array:
    """Who wins all its disputes, bool [K]: all pairs at once; earlier winners beat earlier losers, else the fitter."""
    count = len(masks)
    table = [[jaccard(masks[a], masks[b]) for b in range(count)] for a in range(count)]
    alive = np.ones(count, dtype=bool)
    for a in range(count):
        for b in range(count):
            if a == b or table[a][b] <= overlap:
                continue
            if previous[b] and not previous[a]:
                alive[a] = False
            elif bool(previous[a]) == bool(previous[b]) and (fitness[a], -a) < (fitness[b], -b):
                alive[a] = False
    return alive


def uncovered_map(masks: Array, alive: Array) -> Array:
    """1 minus the largest live mask, [H, W]."""
    out = np.ones(masks.shape[1:])
    for mask, lives in zip(masks, alive, strict=True):
        if lives:
            out = np.minimum(out, 1 - mask)
    return out


def read_segments(masks: Array, alive: Array) -> tuple[Array, Array]:
    """Softmax over slots with gain 10, dead slots 0, [K, H, W]; and the winner of each node [H, W]."""
    out = np.zeros(masks.shape)
    for place in np.ndindex(masks.shape[1:]):
        scores = [10 * mask[place] if lives else -10.0 for mask, lives in zip(masks, alive, strict=True)]
        powers = np.array([math.exp(score - max(scores)) for score in scores])
        out[(slice(None), *place)] = powers / powers.sum() * alive
    return out, out.argmax(axis=0)


class Outcome(NamedTuple):
    """What a whole Competition leaves behind; `weights`: the unnormalised placement weights of each draw."""

    masks: Array
    alive: Array
    vectors: Array
    pointers: Array
    uncovered: Array
    labels: Array
    weights: list[Array]


def paper_competition(plateau: Array, draws: Array, overlap: float = 0.2) -> Outcome:
    """The paper's rule: pointers on uncovered nodes, the larger total mask wins, R = len(draws) rounds.

    draws: pixels [R, K, 2], the first for all slots, the later ones for those deactivated in the round before. New
    pointers go to nodes whose largest retained mask is below one half, in proportion to what it leaves uncovered.
    """
    nodes = unit(plateau)
    pointers = np.array(draws[0])
    weights = [np.ones(plateau.shape[:2])]
    for again in [*draws[1:], None]:
        vectors, masks = eq05_pointer_masks(nodes, pointers)
        mass = np.array([mask.sum() for mask in masks])
        alive = compete(masks, mass, np.ones(len(mass)), overlap)
        uncovered = uncovered_map(masks, alive)
        if again is not None:
            weights.append(np.where(uncovered > 0.5, uncovered, 0.0))
            pointers = np.array([old if lives else new for old, new, lives in zip(pointers, again, alive, strict=True)])
    soft, labels = read_segments(masks, alive)
    return Outcome(soft, alive, vectors, pointers, uncovered, labels, weights)


# --- The release's rule, section 5 ---------------------------------------------------------------------------------


def sobel(plateau: Array) -> Array:
    """x and y derivative of every channel, [Q, 2, H, W]: 3x3 kernel divided by 8, edges repeated."""
    height, width, channels = plateau.shape
    smooth, difference = (1, 2, 1), (-1, 0, 1)
    out = np.zeros((channels, 2, height, width))
    for y, x, dy, dx in np.ndindex(height, width, 3, 3):
        value = plateau[min(max(y + dy - 1, 0), height - 1), min(max(x + dx - 1, 0), width - 1)]
        out[:, 0, y, x] += value * smooth[dy] * difference[dx] / 8
        out[:, 1, y, x] += value * difference[dy] * smooth[dx] / 8
    return out


def edge_strength(plateau: Array) -> Array:
    """Length of the derivative, summed over channels: [H, W]."""
    return np.sqrt((sobel(plateau) ** 2).sum(axis=1)).sum(axis=0)


def to_coordinates(pixels: Array, height: int, width: int) -> Array:
    """Pixels [M, 2] to -1 (first) .. +1 (last)."""
    return np.array([[2 * y / (height - 1) - 1, 2 * x / (width - 1) - 1] for y, x in pixels])


def read_bilinear(plateau: Array, coordinate: Array) -> Array:
    """Vector at a coordinate, read at (c+1)/2 times the size: zero where that lands on an integer (release)."""
    where = [min((c + 1) / 2 * size, size - 1) for c, size in zip(coordinate, plateau.shape, strict=False)]
    out = np.zeros(plateau.shape[-1])
    for y, share_y in _corners(where[0]):
        for x, share_x in _corners(where[1]):
            out += share_y * share_x * plateau[y, x]
    return out


def _corners(position: float) -> list[tuple[int, float]]:
    low, high = math.floor(position), math.ceil(position)
    return [(low, high - position), (high, position - low)]


def fitness(plateau: Array, coordinates: Array, phenotypes: Array, noise: Array, availability: Array) -> Array:
    """Cosine of each phenotype [M, Q] with the noisy, availability-scaled [M, H, W] vector at its agent; 0 outside."""
    out = np.zeros(len(coordinates))
    for m, place in enumerate(coordinates):
        local = unit(read_bilinear(plateau * availability[m][..., None], place) + 0.1 * noise[m])
        out[m] = float(unit(phenotypes[m]) @ local) * in_bounds(place)
    return out


def in_bounds(coordinate: Array) -> bool:
    """Strictly between the first and the last pixel."""
    return bool(all(-1 < c < 1 for c in coordinate))


def distance_weighted(plateau: Array, coordinate: Array, uncovered: Array) -> Array:
    """Mean vector, weighted by the softmax over pixels of 10 x 2 sqrt(2) / distance x uncovered."""
    height, width = plateau.shape[:2]
    score = np.zeros((height, width))
    for y, x in np.ndindex(height, width):
        v, u = 2 * y / (height - 1) - 1, 2 * x / (width - 1) - 1
        distance = max(math.hypot(v - coordinate[0], u - coordinate[1]), 1e-8)
        score[y, x] = 10 * 2 * math.sqrt(2) / distance * uncovered[y, x]
    share = np.exp(score - score.max())
    return (plateau * (share / share.sum())[..., None]).sum(axis=(0, 1))


def release_competition(plateau: Array, draws: Array, noises: list[Array], overlap: float = 0.2) -> Outcome:
    """The release's rule replayed: draws [R + 1, M, 2] pixels, noises [M, Q] of each of the R rounds."""
    nodes = unit(plateau)
    height, width = plateau.shape[:2]
    places = to_coordinates(draws[0], height, width)
    vectors = unit(np.array([read_bilinear(nodes, place) for place in places]))
    alive = np.ones(len(places), dtype=bool)
    available = np.ones((len(places), height, width))
    weights = [edge_strength(nodes)]
    for again, noise in zip(draws[1:], noises, strict=True):
        fit = fitness(nodes, places, vectors, noise, available) - 0.001 * np.arange(len(places))
        masks = object_masks(nodes, np.array([read_bilinear(nodes, place) for place in places]))
        alive = compete(masks, fit, alive, overlap) & np.array([in_bounds(place) for place in places])
        uncovered = uncovered_map(masks, alive)
        weights.append(edge_strength(nodes * uncovered[..., None]) * uncovered)
        fresh = to_coordinates(again, height, width)
        for m in range(len(places)):
            if alive[m]:
                inside = masks[m] > 0.5
                vectors[m] = vectors[m] + 100 * unit(nodes[inside].mean(axis=0))
            else:
                places[m] = fresh[m]
                vectors[m] = distance_weighted(nodes, places[m], uncovered)
        vectors = unit(vectors)
        available = np.array([masks[m] if alive[m] else uncovered for m in range(len(places))])
    soft, labels = read_segments(masks, alive)
    return Outcome(soft, alive, vectors, places, uncovered, labels, weights)
