"""Slow, obvious twins of equations (1) to (4) and (6) to (11) and of the region clean-up: NumPy and plain loops.

Written from the paper's words and the dossier, never from the package, and checked against the golden tensors
alone (`tests/test_golden.py`). One image at a time; no batch, no tiles. Pairs are given as
`columns` [N, E]: the node of each sample of each row; N = outside the image. Equation (5) and Competition are in
`tests/reference_competition.py`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Graph(NamedTuple):
    """All in-image pairs as (sender, receiver, affinity); `dense`: every node is sampled once, in order."""

    pairs: list[tuple[int, int, float]]
    dense: bool = False


def graph_of(affinity: Array, columns: Array, dense: bool = False) -> Graph:
    """The graph of affinities [N, E] at columns [N, E]; a pair sampled twice is listed twice."""
    num_nodes = len(columns)
    pairs = []
    for i in range(num_nodes):
        for e, j in enumerate(columns[i]):
            if j < num_nodes:
                pairs.append((i, int(j), float(affinity[i, e])))
    return Graph(pairs, dense)


def all_columns(num_nodes: int) -> Array:
    """Every node sampled once by every node: [N, N]."""
    return np.array([[j for j in range(num_nodes)] for _ in range(num_nodes)])


def window_columns(height: int, width: int, window: int, reflect: bool = False) -> Array:
    """Nodes of the window around each node [N, window^2], row by row; outside = N, or mirrored."""

    def mirror(position: int, size: int) -> int:
        if position < 0:
            return -position
        return position if position < size else 2 * (size - 1) - position

    reach, table = window // 2, []
    for y in range(height):
        for x in range(width):
            row = []
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    v, u = y + dy, x + dx
                    if reflect:
                        v, u = mirror(v, height), mirror(u, width)
                    row.append(v * width + u if 0 <= v < height and 0 <= u < width else height * width)
            table.append(row)
    return np.array(table)


# --- Equation (1) ---------------------------------------------------------------------------------------------


def eq01_logits(query: Array, key: Array, columns: Array) -> Array:
    """l_ij = q_i . k_j / sqrt(D) for query, key [N, D]; 0 for a sample outside the image."""
    num_nodes, width = query.shape
    logits = np.zeros(columns.shape)
    for i in range(num_nodes):
        for e, j in enumerate(columns[i]):
            if j < num_nodes:
                logits[i, e] = sum(query[i, d] * key[j, d] for d in range(width)) / math.sqrt(width)
    return logits


def eq01_affinity(logits: Array) -> Array:
    """Softmax over each row's samples, then division by the row's largest value."""
    affinity = np.zeros(logits.shape)
    for i, row in enumerate(logits):
        soft = _softmax(row)
        affinity[i] = soft / max(soft)
    return affinity


def _softmax(row: Array) -> Array:
    powers = np.array([math.exp(value - max(row)) for value in row])
    return powers / powers.sum()


# --- Equations (2) to (4) ---------------------------------------------------------------------------------------


def _received(pairs: list[tuple[int, int, float]], plateau: Array, senders: Array) -> Array:
    """Sum over active senders of weight x vector, divided by max(1, sum of weights received)."""
    message, total = np.zeros(plateau.shape), np.zeros(len(plateau))
    for i, j, weight in pairs:
        if senders[i]:
            message[j] += weight * plateau[i]
            total[j] += weight
    return message / np.maximum(total, 1.0)[:, None]


def eq02_excite(graph: Graph, plateau: Array, senders: Array, threshold: float) -> Array:
    """h + A+ h: the row's owner sends along affinities above the threshold."""
    strong = [(i, j, a) for i, j, a in graph.pairs if a > threshold]
    return plateau + _received(strong, plateau, senders)


def eq03_inhibit(graph: Graph, plateau: Array, senders: Array, threshold: float, project: bool = False) -> Array:
    """h+ - A- h+: inverted affinities above the threshold; `project` takes the component along the message away."""
    weak = [(i, j, 1.0 - a) for i, j, a in graph.pairs if 1.0 - a > threshold]
    message = _received(weak, plateau, senders)
    if not project:
        return plateau - message
    out = plateau.copy()
    for j in range(len(plateau)):
        length = message[j] @ message[j]
        if length > 0:
            out[j] = plateau[j] - (plateau[j] @ message[j]) / length * message[j]
    return out


def eq04_normalise(plateau: Array, epsilon: float = 1e-16, floor: float = 1e-12, norm: str = "l2") -> Array:
    """Norm(ReLU(h)): unit length; with `softmax`, the ablation of Table 3."""
    out = np.zeros(plateau.shape)
    for j, vector in enumerate(plateau):
        rectified = np.array([max(value, 0.0) + epsilon for value in vector])
        out[j] = _softmax(rectified) if norm == "softmax" else rectified / max(math.sqrt(rectified @ rectified), floor)
    return out


class Rules(NamedTuple):
    """What varies between operating points and ablations of KProp."""

    num_iterations: int
    threshold: float
    start: str = "spread"
    excite: bool = True
    inhibit: bool = True
    norm: str = "l2"
    project: bool = False
    epsilon: float = 1e-16
    floor: float = 1e-12


def spread(graph: Graph, senders: Array, threshold: float) -> Array:
    """Who is active next. Sampled graph: every sample of an active node. Dense: whoever gets a weight above 0.5."""
    reached = senders.copy()
    for i, j, a in graph.pairs:
        excite = a if a > threshold else 0.0
        inhibit = 1.0 - a if 1.0 - a > threshold else 0.0
        if senders[i] and (not graph.dense or max(excite, inhibit) > 0.5):
            reached[j] = True
    return reached


def kprop(graph: Graph, plateau: Array, active: Array, rules: Rules) -> list[Array]:
    """The plateau map after every iteration, from h_0 [N, Q] and the nodes [N] that send first."""
    states = []
    senders = np.ones(len(plateau), dtype=bool) if rules.start == "all" else active.astype(bool)
    for _ in range(rules.num_iterations):
        if rules.excite:
            plateau = eq02_excite(graph, plateau, senders, rules.threshold)
        if rules.inhibit:
            plateau = eq03_inhibit(graph, plateau, senders, rules.threshold, rules.project)
        plateau = eq04_normalise(plateau, rules.epsilon, rules.floor, rules.norm)
        states.append(plateau)
        if rules.start == "spread":
            senders = spread(graph, senders, rules.threshold)
        else:
            senders = np.ones(len(plateau), dtype=bool)
    return states


# --- Equation (6) ---------------------------------------------------------------------------------------------


def eq06_loss(logits: Array, labels: Array, columns: Array, every_row: bool = False) -> tuple[float, int, Array]:
    """Row-wise KL of one image: (sum over supervised rows, number of them, gradient of the sum [N, E]).

    A row is supervised when its label is above 0 (`every_row`: always). Its target is uniform over the samples with
    its label; a sample outside the image has none, so it is a negative. Probabilities are floored at 1e-8.
    """
    num_nodes = len(labels)
    total, rows, gradient = 0.0, 0, np.zeros(logits.shape)
    for i in range(num_nodes):
        if labels[i] <= 0 and not every_row:
            continue
        rows += 1
        prediction = _softmax(logits[i])
        positive = [e for e, j in enumerate(columns[i]) if j < num_nodes and labels[j] == labels[i]]
        for e in positive:
            target = 1.0 / len(positive)
            total += target * (math.log(target) - math.log(max(prediction[e], 1e-8)))
            if prediction[e] > 1e-8:  # d(-log p_e)/dl = p - onehot_e
                gradient[i] += target * prediction
                gradient[i, e] -= target
    return total, rows, gradient


# --- Equations (7) to (11) ----------------------------------------------------------------------------------------


def eq07_eq08_eq09(moving: Array, motion_segments: Array) -> tuple[Array, Array]:
    """Connectivity C and loss mask D, both [N, N], from the moving indicator [N] and the motion segments [N]."""
    num_nodes = len(moving)
    connectivity, mask = np.zeros((num_nodes, num_nodes), int), np.zeros((num_nodes, num_nodes), int)
    for a in range(num_nodes):
        for b in range(num_nodes):
            mask[a, b] = 1 if moving[a] or moving[b] else 0  # (8)
            if bool(moving[a]) != bool(moving[b]):  # (7)
                connectivity[a, b] = 0
            elif moving[a] and moving[b] and motion_segments[a] == motion_segments[b]:  # (9)
                connectivity[a, b] = 1
    return connectivity, mask


def eq10_eq11(motion_segments: Array, teacher_segments: Array) -> tuple[Array, Array]:
    """C-hat and D-hat, both [N, N], from motion and confident teacher segments [N]; 0 = none."""
    num_nodes = len(motion_segments)
    connectivity, _ = eq07_eq08_eq09(motion_segments > 0, motion_segments)
    mask = np.zeros((num_nodes, num_nodes), int)
    for a in range(num_nodes):
        for b in range(num_nodes):
            known_a = motion_segments[a] + teacher_segments[a] > 0
            known_b = motion_segments[b] + teacher_segments[b] > 0
            mask[a, b] = 1 if known_a or known_b else 0  # (10)
            if teacher_segments[a] + teacher_segments[b] > 0:  # (11)
                connectivity[a, b] = 1 if teacher_segments[a] == teacher_segments[b] else 0
    return connectivity, mask


def label_map(motion_segments: Array, teacher_segments: Array) -> Array:
    """The one map that stands for (7) to (11): teacher's id, else offset + motion id, else 0."""
    offset = max(int(teacher_segments.max()), 0)
    labels = np.zeros(len(motion_segments), int)
    for a in range(len(labels)):
        if teacher_segments[a] > 0:
            labels[a] = teacher_segments[a]
        elif motion_segments[a] > 0:
            labels[a] = offset + motion_segments[a]
    return labels


# --- Regions ------------------------------------------------------------------------------------------------------


def connected_regions(labels: Array, min_nodes: int, max_regions: int = 256) -> Array:
    """Flood fill of a label map [H, W] over 8 neighbours: ids from 1, largest first; 0 = dropped or negative."""
    height, width = labels.shape
    seen = labels < 0
    regions: list[list[tuple[int, int]]] = []
    for start in np.ndindex(height, width):
        if seen[start]:
            continue
        seen[start], region, front = True, [], [start]
        while front:
            y, x = front.pop()
            region.append((y, x))
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if not seen[v, u] and labels[v, u] == labels[y, x]:
                        seen[v, u] = True
                        front.append((v, u))
        regions.append(region)
    names = np.zeros(labels.shape, int)
    kept = sorted((region for region in regions if len(region) >= min_nodes), key=len, reverse=True)[:max_regions]
    for name, region in enumerate(kept, start=1):
        for place in region:
            names[place] = name
    return names
