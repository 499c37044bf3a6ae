"""`--vary` of `jobs/tune.py`: a space changed by words."""

from __future__ import annotations

import ast
from dataclasses import replace

from eisen_ray.errors import ConfigError
from eisen_ray.spaces import Choice, Range, Space, Value


def varied(space: Space, changes: tuple[str, ...]) -> Space:
    """A space with parameters added, replaced, or (no values) taken out.

    Args:
        space: to begin with.
        changes: `name=value,value,...`, `name=low..high`, `name=low..high:log`, or `name=`.

    Raises:
        ConfigError: of another form.
    """
    parameters = dict(space.parameters)
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise ConfigError(f"--vary got {change!r}; expected name=value,value,... or name=low..high[:log].")
        parameters.pop(name, None)
        if text:
            parameters[name] = _domain(text)
    return replace(space, parameters=parameters)


def _domain(text: str) -> Choice | Range:
    log = text.endswith(":log")
    low, dots, high = text.removesuffix(":log").partition("..")
    if not dots:
        return Choice(tuple(_value(part) for part in text.split(",")))
    ends = [_value(low), _value(high)]
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
        raise ConfigError(f"--vary got the range {text!r}; expected two numbers, such as 0.1..0.5 or 1e-4..1e-2:log.")
    return Range(ends[0], ends[1], log)  # type: ignore[arg-type]  # both are numbers


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, int | float | str | bool) else text
