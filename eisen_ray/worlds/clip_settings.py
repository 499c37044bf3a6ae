"""What all clips of a data set have in common."""

from __future__ import annotations

from dataclasses import dataclass

from eisen_ray.errors import ConfigError
from eisen_ray.worlds.engine import Renderer

MIN_PX, MAX_PX = 32, 1024


@dataclass(frozen=True)
class ClipSettings:
    """Size, length and look of clips."""

    size: int = 128
    """Pixels of a side."""
    frames: int = 8
    hz: float = 10.0
    """Frames per simulated second."""
    renderer: Renderer = "classic"
    arm_meshes: str = ""
    """Bridge: folder with the arm's `.stl` files; an arm of boxes where empty."""

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("size", self.size, MIN_PX, MAX_PX),
            ("frames", self.frames, 2, 10_000),
            ("hz", self.hz, 1, 500),
        ):
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value!r}; expected {low} to {high}.")
