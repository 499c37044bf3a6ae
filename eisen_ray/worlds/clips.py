"""One clip from its number: attempts are drawn until a scene is of use. Equal arguments, equal clip."""

from __future__ import annotations

from collections import Counter
from typing import Any

from eisen_ray.errors import DataError
from eisen_ray.worlds.bridge import make_bridge
from eisen_ray.worlds.clip_settings import ClipSettings
from eisen_ray.worlds.physics import SceneError
from eisen_ray.worlds.playroom import make_playroom
from eisen_ray.worlds.recording import Film
from eisen_ray.worlds.splits import Split, World, generator

MAX_ATTEMPTS = 60
"""About one attempt in eight is rejected, four in ten of Playroom's crowded test scenes."""


def make_clip(world: World, split: Split, index: int, seed: int, settings: ClipSettings) -> tuple[Film, dict[str, Any]]:
    """Clip number `index` of a split.

    Args:
        world: "playroom" or "bridge".
        split: "train", "val" or "test".
        index: number of the clip, from 0.
        seed: of the data set.
        settings: size, length, look.

    Returns:
        The film, and plain facts for `clip.json`.

    Raises:
        ConfigError: no such world or split, or MuJoCo is missing.
        DataError: no attempt was of use, or a mesh of the arm is missing.
    """
    make = make_bridge if world == "bridge" else make_playroom
    rejected: list[str] = []
    for attempt in range(MAX_ATTEMPTS):
        rng = generator(world, split, seed, index, attempt)
        try:
            film, facts = make(rng, split, settings)
        except SceneError as reason:
            rejected.append(str(reason))
            continue
        facts |= {"world": world, "split": split, "index": index, "seed": seed, "hz": settings.hz, "rejected": rejected}
        return film, facts
    raise DataError(
        f"{world} {split} clip {index}, seed {seed}: {MAX_ATTEMPTS} attempts rejected ({dict(Counter(rejected))}). "
        "Use another seed or a larger size."
    )
