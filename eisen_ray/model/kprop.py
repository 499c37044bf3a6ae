"""Kaleidoscopic Propagation: from affinities to a plateau map (Section 3.1, equations (2) to (4))."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from eisen_ray.errors import ConfigError
from eisen_ray.model.affinity_graph import pair_edges
from eisen_ray.model.messages import Edges, Messages
from eisen_ray.model.pair_layout import Neighborhood


def initial_plateau(
    batch: int, num_nodes: int, width: int, generator: torch.Generator, num_runs: int | None = None
) -> Tensor:
    """Random start [B, N, Q], or [B, N, P, Q]: softmax over Q of normal draws, so positive (release) [Decision 6]."""
    shape = (batch, num_nodes, width) if num_runs is None else (batch, num_nodes, num_runs, width)
    return torch.randn(shape, generator=generator, device=generator.device).softmax(dim=-1)


def initial_active(batch: int, num_nodes: int, generator: torch.Generator) -> Tensor:
    """One random node of each image is active: bool [B, N]."""
    start = torch.randint(num_nodes, (batch, 1), generator=generator, device=generator.device)
    active = torch.zeros(batch, num_nodes, dtype=torch.bool, device=generator.device)
    return active.scatter_(1, start, True)


class KProp:
    """Message passing that aligns connected nodes and makes disconnected ones orthogonal.

    The owner of an affinity row sends, the column's node receives (release; disagreement 5 of the paper and its
    code) [Decision 5].

    Args:
        num_iterations: S (release 25, paper 40).
        threshold: t; affinities above t excite, inverted affinities above t inhibit.
        start: `spread`: given active nodes send, and whoever they reach becomes active (release);
            `first`: given nodes alone send in the first iteration, then all (paper); `all`: all send at once.
        excite: send excitatory messages.
        inhibit: send inhibitory messages.
        norm: `l2`, or `softmax` as an ablation (Table 3).
        inhibition: `subtract` the message (paper), or `project` it out (first release).
        epsilon: added after the ReLU so that no vector vanishes (release; 0 in the first release).
        norm_floor: smallest norm divided by (release 1e-12; first release 1e-8).

    Raises:
        ConfigError: no iterations, or a threshold outside [0, 1).
    """

    def __init__(
        self,
        num_iterations: int = 25,
        threshold: float = 0.7,
        start: Literal["spread", "first", "all"] = "spread",
        excite: bool = True,
        inhibit: bool = True,
        norm: Literal["l2", "softmax"] = "l2",
        inhibition: Literal["subtract", "project"] = "subtract",
        epsilon: float = 1e-16,
        norm_floor: float = 1e-12,
    ) -> None:
        if num_iterations < 1 or not 0 <= threshold < 1:
            raise ConfigError(
                f"KProp needs at least one iteration and a threshold in [0, 1); got {num_iterations} and {threshold}."
            )
        self.num_iterations = num_iterations
        self.threshold = threshold
        self.start = start
        self.excite = excite
        self.inhibit = inhibit
        self.norm = norm
        self.inhibition = inhibition
        self.epsilon = epsilon
        self.norm_floor = norm_floor

    def __call__(self, affinity: Tensor, neighborhood: Neighborhood, plateau: Tensor, active: Tensor) -> Tensor:
        """The plateau map after the last iteration, for affinities given as a table.

        Args:
            affinity: [B, T, R, C] of equation (1).
            neighborhood: the pairs.
            plateau, active: as for `iterate`.
        """
        return self.run(pair_edges(affinity, neighborhood, self.threshold), plateau, active)

    def run(self, edges: Edges, plateau: Tensor, active: Tensor) -> Tensor:
        """The plateau map after the last iteration; arguments as for `iterate`."""
        state = plateau
        for state in self.iterate(edges, plateau, active):  # noqa: B007 - the last one is wanted
            pass
        return state

    def iterate(self, edges: Edges, plateau: Tensor, active: Tensor) -> Iterator[Tensor]:
        """The plateau map after every iteration, so that a study of S costs one run.

        Args:
            edges: from `AffinityGraph.edges` or `pair_edges`, made with this threshold.
            plateau: start h_0, [B, N, Q], or [B, N, P, Q] for P passes over the same affinities.
            active: bool [B, N] or [B, N, P], who sends at first; ignored when `start` is `all`.

        Yields:
            The plateau in the shape of the start, `num_iterations` times.
        """
        passes = plateau.dim() == 4
        state = plateau if passes else plateau[:, :, None]
        senders = active if passes else active[:, :, None]
        if self.start == "all":
            senders = torch.ones_like(senders)
        everyone = bool(senders.all())
        norms = _incoming(edges, senders, state.dtype)
        for _ in range(self.num_iterations):
            state = self._step(edges, norms, state, None if everyone else senders)
            yield state if passes else state[:, :, 0]
            if not everyone:
                senders = self._reach(edges, senders, state.dtype)
                everyone = bool(senders.all())
                # Once everyone sends, the normalisers stay as they are.
                norms = _incoming(edges, senders, state.dtype)

    def _step(self, edges: Edges, norms: tuple[Tensor, Tensor], plateau: Tensor, senders: Tensor | None) -> Tensor:
        """One iteration on [B, N, P, Q]; senders None = everyone."""
        if self.excite:  # h+ = h + A+ h                                          [Eq. (2)]
            plateau = torch.addcdiv(plateau, _messages(edges.excite, plateau, senders), norms[0])
        if self.inhibit:  # h- = h+ - A- h+                                       [Eq. (3)]
            message = _messages(edges.inhibit, plateau, senders)
            if self.inhibition == "subtract":
                plateau = torch.addcdiv(plateau, message, norms[1], value=-1)
            else:
                plateau = plateau - _component(plateau, message / norms[1])
        plateau = plateau.relu() + self.epsilon  # h = Norm(ReLU(h-))             [Eq. (4)]
        if self.norm == "softmax":
            return plateau.softmax(dim=-1)
        return plateau / plateau.norm(dim=-1, keepdim=True).clamp(min=self.norm_floor)

    def _reach(self, edges: Edges, senders: Tensor, dtype: torch.dtype) -> Tensor:
        """Who is active next: everyone (`first`), or whoever an active node has an edge to (`spread`)."""
        if self.start == "first":
            return torch.ones_like(senders)
        return senders | (edges.reach(senders.to(dtype)) > 0)


def _messages(weights: Messages, plateau: Tensor, senders: Tensor | None) -> Tensor:
    """What each node receives from the senders: [B, N, P, Q]."""
    if senders is not None:
        plateau = plateau * senders[..., None]
    return weights(plateau.flatten(2)).unflatten(-1, plateau.shape[2:])


def _incoming(edges: Edges, senders: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The sum of the weights that each node receives, floored at 1, excitatory and inhibitory: [B, N, P, 1] each."""
    sending = senders.to(dtype)
    excite, inhibit = (weights(sending).clamp(min=1)[..., None] for weights in (edges.excite, edges.inhibit))
    return excite, inhibit


def _component(plateau: Tensor, message: Tensor) -> Tensor:
    """The component of the state along the message (inhibition of the first release); 0 where there is none."""
    # The order of these products matters: a node that projects itself out is left with rounding noise, which the
    # norm's floor then magnifies; this order reproduces the first release.
    length = (message * message).sum(-1, keepdim=True)
    share = (plateau * message).sum(-1, keepdim=True) / torch.where(length > 0, length, 1)
    return share * message
