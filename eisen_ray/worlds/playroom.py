"""Playroom-like clips: a furnished room, several objects at rest, one moved by an invisible agent, a still camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eisen_ray.worlds.clip_settings import ClipSettings
from eisen_ray.worlds.crowd import Places, Thing, describe, floor_radius, image_areas
from eisen_ray.worlds.engine import load_mujoco
from eisen_ray.worlds.geometry import Camera, look_at
from eisen_ray.worlds.lighting import add_lights
from eisen_ray.worlds.physics import SceneError, instance_table, require_stable, settle
from eisen_ray.worlds.pushes import Agent, draw_push
from eisen_ray.worlds.recording import Film, record
from eisen_ray.worlds.render import SUPERSAMPLING, Studio
from eisen_ray.worlds.room import add_room
from eisen_ray.worlds.scene import Scene
from eisen_ray.worlds.shapes.families import MAKERS
from eisen_ray.worlds.shapes.parts import Shape
from eisen_ray.worlds.splits import Kind, Split, draw_kind, draw_object_count

LONGEST_M = 1.15
TRIES = 400
NEVER_TIPPED = ("lamp", "plant")


@dataclass(frozen=True)
class _Twin:
    """Family and look of the first object: another may share them (the paper's zebras)."""

    kind: Kind
    materials: list[str]


def make_playroom(rng: np.random.Generator, split: Split, settings: ClipSettings) -> tuple[Film, dict[str, Any]]:
    """One attempt at a clip: the film and what is true of it.

    Raises:
        SceneError: the drawn scene is of no use.
    """
    scene = Scene(rng, extent=6.0, picture_px=settings.size * SUPERSAMPLING)
    room = (rng.uniform(5, 8), rng.uniform(5, 8), rng.uniform(2.6, 3.2))
    add_room(scene, room, split)
    camera = _draw_camera(rng, room)
    scene.add_camera(camera)
    add_lights(scene, np.zeros(3), room[2])
    things = _furnish(scene, camera, split)
    model = scene.compile()
    data = load_mujoco().MjData(model)
    settle(model, data, [thing.body for thing in things])
    for thing in things:
        x, y, z = data.body(thing.body).xpos
        if abs(x) > room[0] / 2 or abs(y) > room[1] / 2 or not -0.2 < z < 1.5:
            raise SceneError("an object left the room")
    table = instance_table(model, {thing.body: number for number, thing in enumerate(things, start=1)})
    with Studio(model, settings.size, settings.renderer) as studio:
        areas = image_areas(table, studio.geoms_and_depth(data)[0], len(things))
        return _film(rng, model, data, studio, (things, table, areas), settings)


def _film(
    rng: np.random.Generator,
    model: Any,
    data: Any,
    studio: Studio,
    crowd: tuple[list[Thing], np.ndarray, np.ndarray],
    settings: ClipSettings,
) -> tuple[Film, dict[str, Any]]:
    things, table, areas = crowd
    movable = [number for number, area in enumerate(areas) if 0.008 < area < 0.3]
    if not movable or (areas > 0.003).sum() < 3:
        raise SceneError("too few objects in view")
    mover = int(rng.choice(movable))
    places = [data.body(thing.body).xpos.copy() for thing in things]
    others = [places[number] for number in movable if number != mover]
    push = draw_push(rng, places[mover], others, (settings.frames - 1) / settings.hz)
    agent = Agent(model, data, things[mover].body, push)
    clock = _Clock(model, data, agent, start_s=min(0.0, push.start_s))
    clock.run_until(0.0)
    film = record(model, data, studio, table, settings.frames, lambda: clock.run_for(1 / settings.hz))
    require_stable(data)
    if film.area(mover + 1) < 0.004:
        raise SceneError("the moved object is hidden")
    if film.moving_share(mover + 1) < 0.4:
        raise SceneError("hardly any motion in view")
    facts = {
        "motion": push.kind,
        "moved": mover + 1,
        "speed_m_s": round(push.speed, 3),
        "objects": describe(things, 1, film),
    }
    return film, facts


class _Clock:
    """Runs the simulation with the agent; time 0 is the first frame."""

    def __init__(self, model: Any, data: Any, agent: Agent, start_s: float) -> None:
        self._model, self._data, self._agent = model, data, agent
        self._step = load_mujoco().mj_step
        self._now = start_s

    def run_until(self, time_s: float) -> None:
        self.run_for(time_s - self._now)

    def run_for(self, seconds: float) -> None:
        step_s = float(self._model.opt.timestep)
        for _ in range(round(seconds / step_s)):
            self._agent.act(self._now)
            self._step(self._model, self._data)
            self._now += step_s


def _draw_camera(rng: np.random.Generator, room: tuple[float, float, float]) -> Camera:
    azimuth = rng.uniform(0, 2 * np.pi)
    distance = rng.uniform(1.9, min(3.2, min(room[:2]) / 2 - 0.25))
    place = (distance * np.cos(azimuth), distance * np.sin(azimuth), rng.uniform(0.8, 2.0))
    target = np.array([rng.normal(0, 0.12), rng.normal(0, 0.12), rng.uniform(0.15, 0.45)])
    return look_at(place, target, rng.uniform(42, 58), rng.normal(0, 0.02))


def _furnish(scene: Scene, camera: Camera, split: Split) -> list[Thing]:
    """Objects on the floor around the middle; test scenes are crowded, so that objects hide each other."""
    rng = scene.rng
    wanted, least = draw_object_count(rng, "playroom", split)
    is_test = split == "test"
    places = Places(camera, 0.06, rng.uniform(-0.06, 0.05) if is_test else rng.uniform(0.0, 0.3))
    spread = rng.uniform(0.7, 1.0) if is_test else rng.uniform(0.8, 1.25)
    things: list[Thing] = []
    twin: _Twin | None = None
    for _ in range(TRIES):
        if len(things) == wanted:
            break
        is_twin = twin is not None and rng.random() < (0.22 if len(things) < 3 else 0.07)
        kind = twin.kind if twin is not None and is_twin else draw_kind(rng, "playroom", split)
        shape = _draw_shape(rng, kind)
        radius, height = floor_radius(shape, 0.92), float(shape.bounds()[1][2])
        angle, distance = rng.uniform(0, 2 * np.pi), spread * np.sqrt(rng.random())
        x, y = distance * np.cos(angle), distance * np.sin(angle)
        nearest = max(radius + 0.6, 1.25 * height + 0.5)
        if not places.is_free(x, y, radius) or not places.is_in_view(x, y, height, nearest):
            continue
        materials = twin.materials if twin is not None and is_twin else scene.looks(shape)
        density, friction = float(rng.uniform(150, 450)), float(rng.uniform(0.2, 0.55))
        body = scene.add_object(shape, materials, (x, y, 0.004), density, friction)
        places.take(x, y, radius)
        things.append(Thing(body, kind, radius, shape.vertices))
        twin = twin or _Twin(kind, materials)
    if len(things) < least:
        raise SceneError("the objects found no place")
    return things


def _draw_shape(rng: np.random.Generator, kind: Kind) -> Shape:
    shape = MAKERS[kind.family](rng).seated(LONGEST_M, kind.size)
    if rng.random() < 0.12 and kind.family not in NEVER_TIPPED:
        low, high = shape.bounds()
        shape = shape.turned("x", np.pi / 2).seated(float((high - low).max()))
    return shape
