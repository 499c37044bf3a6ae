"""The light of a scene: a sun with shadows, mostly a second light, and what Filament needs to know."""

from __future__ import annotations

import numpy as np

from eisen_ray.worlds.engine import load_mujoco
from eisen_ray.worlds.scene import Scene


def add_lights(scene: Scene, target: np.ndarray, height: float) -> None:
    """Light from random directions, of random strength and tint.

    Args:
        scene: gets the lights.
        target: what they shine on, [3].
        height: how far above the lights hang, m.
    """
    rng = scene.rng
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.35)
    sun = -np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    if rng.random() < 0.6:
        tint = np.array([1, rng.uniform(0.88, 1), rng.uniform(0.75, 1)])
    else:
        tint = np.array([rng.uniform(0.85, 1), rng.uniform(0.92, 1), 1])
    _add(scene, "sun", target - sun * height * 1.2, sun, rng.uniform(0.55, 0.85) * tint)
    if rng.random() < 0.7:
        other = azimuth + rng.uniform(1.5, 4.8)
        along = -np.array([np.cos(other) * 0.6, np.sin(other) * 0.6, 0.8])
        strength = rng.uniform(0.12, 0.35) * np.roll(tint, int(rng.integers(3)))
        _add(scene, "fill", target - along * height, along, strength, casts_shadow=bool(rng.random() < 0.25))
    # Filament takes total intensities from here as long as no light has one of its own: one model suits both renderers.
    for name, low, high in (
        ("fallback.scene_light_intensity", 38000, 80000),
        ("fallback.environment_light_intensity", 4500, 11000),
        ("fallback.head_light_intensity", 0, 0),
        ("cg.exposure", -0.25, 0.35),
        ("cg.temperature", -0.12, 0.12),
    ):
        scene.spec.add_numeric(name=f"filament.{name}", data=[float(rng.uniform(low, high))], size=1)


def _add(
    scene: Scene, name: str, place: np.ndarray, along: np.ndarray, strength: np.ndarray, casts_shadow: bool = True
) -> None:
    scene.spec.worldbody.add_light(
        name=name,
        type=load_mujoco().mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=place.tolist(),
        dir=along.tolist(),
        castshadow=casts_shadow,
        diffuse=strength.tolist(),
        specular=[0.3 if name == "sun" else 0.1] * 3,
        ambient=[0.0] * 3,
        bulbradius=float(scene.rng.uniform(0.02, 0.15)),
    )
