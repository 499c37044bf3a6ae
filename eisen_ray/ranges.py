"""Range checks of settings: each message names the setting, its value and what was expected.

The room of a setting is its class's name without `Config`: fields of `TrainConfig` are reported as `train.*`.
"""

from __future__ import annotations

from eisen_ray.errors import ConfigError


def require(condition: object, name: str, value: object, expected: str) -> None:
    """Raise ConfigError with the setting's name, its value and what was expected, unless `condition` holds."""
    if not condition:
        raise ConfigError(f"{name} is {value!r}; expected {expected}.")


def at_least(config: object, **lows: int) -> None:
    """Raise ConfigError unless each named field is at least the number given for it."""
    for field, low in lows.items():
        value = getattr(config, field)
        require(value >= low, f"{_room(config)}.{field}", value, f"at least {low}")


def above_zero(config: object, *fields: str) -> None:
    """Raise ConfigError unless each named field is above 0."""
    within(config, **dict.fromkeys(fields, "(0, inf]"))


def within(config: object, **intervals: str) -> None:
    """Raise ConfigError unless each named field lies in its interval: `(0, 1]` is above 0 and at most 1."""
    for field, interval in intervals.items():
        value = getattr(config, field)
        low, high = (float(end) for end in interval[1:-1].split(","))
        above = value >= low if interval[0] == "[" else value > low
        below = value <= high if interval[-1] == "]" else value < high
        require(above and below, f"{_room(config)}.{field}", value, f"a number in {interval}")


def multiple(config: object, *fields: str, step: int, low: int) -> None:
    """Raise ConfigError unless each named field is a multiple of `step` and at least `low`."""
    for field in fields:
        value = getattr(config, field)
        fits = value >= low and value % step == 0
        require(fits, f"{_room(config)}.{field}", value, f"a multiple of {step}, at least {low}")


def _room(config: object) -> str:
    return type(config).__name__.removesuffix("Config").lower()
