"""Configs as plain values: strict load and save, a digest that names them, and their differences."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import typing
from typing import Any, Literal, TypeVar

from eisen_ray.errors import ConfigError
from eisen_ray.ranges import require

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """Return the config as plain JSON types."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def digest(*parts: Any) -> str:
    """Return sixteen hex digits that name the given settings: equal settings, equal name, on every machine."""
    plain = [dataclasses.asdict(p) if dataclasses.is_dataclass(p) and not isinstance(p, type) else p for p in parts]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def from_dict(cls: type[T], values: dict[str, Any], where: str = "") -> T:
    """Build a config from plain values, strictly.

    Args:
        cls: the dataclass to build.
        values: nested dictionary, as `to_dict` gives it.
        where: dotted prefix for messages.

    Raises:
        ConfigError: an unknown key (the closest known one is named), a wrong type, or a value out of range.
    """
    hints = typing.get_type_hints(cls)
    kwargs: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            close = difflib.get_close_matches(key, hints, n=1)
            hint = f" Did you mean {where}{close[0]}?" if close else f" Known: {', '.join(sorted(hints))}."
            raise ConfigError(f"Unknown setting {where}{key}.{hint}")
        kwargs[key] = _coerce(hints[key], value, f"{where}{key}")
    return cls(**kwargs)


def _coerce(kind: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        require(isinstance(value, dict), name, value, "a group of settings")
        return from_dict(kind, value, f"{name}.")
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        require(value in args, name, value, f"one of {', '.join(map(repr, args))}")
        return value
    if origin is tuple:
        require(isinstance(value, list | tuple), name, value, "a list")
        return tuple(_coerce(args[0], item, name) for item in value)
    if kind is float and type(value) is int:
        return float(value)
    is_flag_for_number = isinstance(value, bool) and kind is not bool
    require(isinstance(value, kind) and not is_flag_for_number, name, value, f"a value of type {kind.__name__}")
    return value


def differences(old: dict[str, Any], new: dict[str, Any], where: str = "") -> list[str]:
    """Return a line `name: old -> new` for every setting that differs between two plain configs."""
    lines: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        name, before, after = f"{where}{key}", old.get(key, "(absent)"), new.get(key, "(absent)")
        if isinstance(before, dict) and isinstance(after, dict):
            lines += differences(before, after, f"{name}.")
        elif before != after:
            lines.append(f"{name}: {before!r} -> {after!r}")
    return lines
