"""Named search spaces of `jobs/tune.py`. A space is a function; its docstring says what it asks.

A parameter is the dotted name of a field of `RunConfig`. Imports no torch and no Ray.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.settings import from_dict, to_dict

Kind = Literal["grouping", "training"]
Value = float | int | str | bool

ITERATIONS = "grouping.num_iterations"
"""Free in a grouping study: a run of 40 iterations passes through 10, 20 and 30."""
# What decides about pairs, not about weights: a trained network may be grouped with others.
_PAIRS = ("model.scope", "model.window", "model.num_far", "model.sampling", "model.tile_size")
# Settings of a training run that say where and by whom, or that a study sets itself.
_NOT_SEARCHED = ("root", "targets", "seed", "resources", "rounds.eval_images", "data.source", "data.eval_source")


@dataclass(frozen=True)
class Choice:
    """Some values, each as good as the other at first."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; whole ones if both are; even on a logarithmic scale if `log`."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only integers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, kw_only=True)
class Space:
    """What a study searches.

    Attributes:
        kind: `grouping`, weights fixed; or `training`.
        parameters: by dotted name.
        trials: settings drawn at random and by TPE; 0: every combination of a space of choices.
        rows: given settings, each a mapping of parameters, in place of a search (Table 3).
    """

    kind: Kind
    parameters: Mapping[str, Choice | Range] = field(default_factory=dict)
    trials: int = 0
    rows: tuple[Mapping[str, Value], ...] = ()


def grouping() -> Space:
    """Grouping of a trained network: KProp iterations, threshold, Q, theta, K, smallest region."""
    return Space(
        kind="grouping",
        parameters={
            ITERATIONS: Choice((5, 10, 15, 20, 25, 30, 40)),
            "grouping.threshold": Choice((0.25, 0.5, 0.7)),
            "grouping.plateau_width": Choice((32, 128)),
            "grouping.overlap": Choice((0.1, 0.2, 0.4)),
            "grouping.min_region_nodes": Choice((6, 20)),
        },
    )


def quick() -> Space:
    """A short grouping study: KProp iterations, threshold and theta."""
    return Space(
        kind="grouping",
        parameters={
            ITERATIONS: Choice((5, 15, 25, 40)),
            "grouping.threshold": Choice((0.25, 0.5)),
            "grouping.overlap": Choice((0.1, 0.2, 0.4)),
        },
    )


def table3() -> Space:
    """The paper's Table 3 on one network: affinities, messages, norm, readout, Competition rounds, all iterations.

    On the nodes that it was trained on, with one pass of Q 128 and the paper's three rounds, whatever the network's
    own settings.
    """
    base: dict[str, Value] = {
        "grouping.start": "first",
        "grouping.mutual": False,
        "grouping.enlarge": 1.0,
        "grouping.mirror": False,
        "grouping.snap_to_edges": 0.0,
        "grouping.min_edge_share": 0.0,
        "grouping.num_passes": 1,
        "grouping.plateau_width": 128,
        "grouping.num_rounds": 3,
    }
    changes: list[dict[str, Value]] = [
        {},
        {"model.scope": "local"},
        {"model.scope": "full"},
        {"grouping.inhibit": False},
        {"grouping.excite": False},
        {"grouping.norm": "softmax"},
        {"grouping.readout": "argmax"},
        {"grouping.num_rounds": 1},
        {"grouping.num_rounds": 2},
        {"grouping.mutual": True},
    ]
    return Space(
        kind="grouping",
        parameters={ITERATIONS: Choice((1, 2, 5, 10, 15, 20, 25, 30, 35, 40))},
        rows=tuple({"model.scope": "local+far", **base, **change} for change in changes),
    )


def training() -> Space:
    """Training: learning rate, steps, motion threshold, the teacher's confidence, embedding width D."""
    return Space(
        kind="training",
        parameters={
            "train.learning_rate": Range(1e-4, 3e-3, log=True),
            "train.num_steps": Choice((1000, 2000, 4000)),
            "motion.threshold_px": Choice((0.5, 1.0, 2.0)),
            "teacher.agreement": Choice((0.67, 1.0)),
            "teacher.num_runs": Choice((2, 3, 4)),
            "model.embedding_width": Choice((16, 32, 64)),
        },
        trials=16,
    )


SPACES: dict[str, Callable[[], Space]] = {
    "grouping": grouping,
    "quick": quick,
    "table3": table3,
    "training": training,
}


def check_space(space: Space, base: RunConfig) -> None:
    """Refuse a space that cannot be run, before any trial starts.

    Every choice and both ends of every range are tried alone and, where the combinations are few, together.

    Raises:
        ConfigError: an unknown parameter (the closest is named), one that this kind of study cannot vary, an empty or
            reversed domain, or settings that contradict each other.
    """
    if not space.parameters and not space.rows:
        raise ConfigError("The space has no parameters; expected at least one, such as --vary grouping.threshold=0.5.")
    for name in {*space.parameters, *itertools.chain(*space.rows)}:
        _check_name(name, space.kind)
    corners = {name: _corners(name, domain) for name, domain in space.parameters.items()}
    if space.trials == 0 and any(isinstance(domain, Range) for domain in space.parameters.values()):
        raise ConfigError("The space has a range and no number of trials; set --trials, or give values instead.")
    if space.rows and space.parameters.keys() - {ITERATIONS}:
        raise ConfigError("A space of given rows can vary the KProp iterations only; give --vary to another space.")
    together = math.prod(len(values) for values in corners.values()) <= MOST_CORNERS
    tried = itertools.chain(
        ({name: value} for name, values in corners.items() for value in values),
        _product(corners) if together else (),
        space.rows,
    )
    for values in tried:
        try:
            with_values(base, values)
        except ConfigError as error:
            raise ConfigError(f"The space contains a setting that cannot be run: {error}") from error


MOST_CORNERS = 4096
"""More combinations than this are not tried one by one."""


def settings_of(space: Space) -> list[dict[str, Value]]:
    """Every setting of a space without a search, the iterations left out; later parameters change fastest."""
    if space.rows:
        return [dict(row) for row in space.rows]
    domains = {
        name: domain for name, domain in space.parameters.items() if name != ITERATIONS or space.kind == "training"
    }
    return list(_product({name: _values(domain) for name, domain in domains.items()}))


def iterations_of(space: Space, base: RunConfig) -> tuple[int, ...]:
    """Numbers of KProp iterations that a grouping study looks at, ascending."""
    domain = space.parameters.get(ITERATIONS)
    if domain is None:
        return (base.grouping.num_iterations,)
    if isinstance(domain, Range):
        return tuple(range(int(domain.low), int(domain.high) + 1))
    return tuple(sorted({int(value) for value in domain.values}))


def with_values(base: RunConfig, values: Mapping[str, Value]) -> RunConfig:
    """A config with some settings replaced, checked as from a file.

    Raises:
        ConfigError: a name or value that the config does not take.
    """
    plain = to_dict(base)
    for name, value in values.items():
        *rooms, last = name.split(".")
        place = plain
        for room in rooms:
            place = place[room]
        place[last] = value
    return from_dict(RunConfig, plain)


def parameter_names(kind: Kind) -> list[str]:
    """What a study of this kind can vary."""
    every = [name for name in _names(RunConfig()) if not name.startswith(_NOT_SEARCHED)]
    if kind == "grouping":
        return [name for name in every if name.startswith("grouping.") or name in _PAIRS]
    return every


def _check_name(name: str, kind: Kind) -> None:
    known = parameter_names(kind)
    if name in known:
        return
    if name in parameter_names("training"):
        raise ConfigError(
            f"{name} cannot be varied in a grouping study: it changes the weights. Use the space `training`, or one of "
            f"{', '.join(known)}."
        )
    ends = {each.rsplit(".", 1)[-1]: each for each in known}
    close = difflib.get_close_matches(name, known, n=1) or [
        ends[each] for each in difflib.get_close_matches(name.rsplit(".", 1)[-1], ends, n=1)
    ]
    hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
    raise ConfigError(f"Unknown parameter {name}. {hint}")


def _names(config: Any, where: str = "") -> Iterator[str]:
    for one in fields(config):
        value = getattr(config, one.name)
        if is_dataclass(value):
            yield from _names(value, f"{where}{one.name}.")
        elif not isinstance(value, tuple):
            yield f"{where}{one.name}"


def _corners(name: str, domain: Choice | Range) -> tuple[Value, ...]:
    if isinstance(domain, Choice):
        if not domain.values:
            raise ConfigError(f"{name} has no values; give some, or leave it out.")
        if len(set(map(repr, domain.values))) < len(domain.values):
            raise ConfigError(f"{name} has a value twice: {', '.join(map(repr, domain.values))}.")
        return domain.values
    if not domain.low < domain.high or (domain.log and domain.low <= 0):
        raise ConfigError(
            f"{name} ranges from {domain.low} to {domain.high}; expected the lower end first, above 0 if logarithmic."
        )
    return (domain.low, domain.high)


def _values(domain: Choice | Range) -> tuple[Value, ...]:
    return domain.values if isinstance(domain, Choice) else (domain.low, domain.high)


def _product(values: Mapping[str, tuple[Value, ...]]) -> Iterator[dict[str, Value]]:
    for combination in itertools.product(*values.values()):
        yield dict(zip(values, combination, strict=True))
