"""Bridge-like clips: a robot arm at a table grasps and carries, pushes, or only moves. A still camera."""

from __future__ import annotations

from typing import Any

import numpy as np

from eisen_ray.worlds.arm import BASE, GRIPPER, HAND, add_arm
from eisen_ray.worlds.arm_control import ArmControl
from eisen_ray.worlds.arm_links import OPEN_M
from eisen_ray.worlds.clip_settings import ClipSettings
from eisen_ray.worlds.crowd import Places, Thing, describe, floor_radius, image_areas
from eisen_ray.worlds.engine import load_mujoco
from eisen_ray.worlds.geometry import Camera, look_at
from eisen_ray.worlds.grasps import find_grasp
from eisen_ray.worlds.kitchen import add_kitchen
from eisen_ray.worlds.lighting import add_lights
from eisen_ray.worlds.physics import SceneError, instance_table, require_stable, settle
from eisen_ray.worlds.playback import Playback, first_frame_time, hold_name, plan_path
from eisen_ray.worlds.recording import Film, record
from eisen_ray.worlds.render import SUPERSAMPLING, Studio
from eisen_ray.worlds.scene import Scene
from eisen_ray.worlds.scripts import Script, Stage, draw_script, free_pose
from eisen_ray.worlds.shapes.families import MAKERS
from eisen_ray.worlds.splits import Split, draw_kind, draw_object_count

ARM_ID = 1
"""Instance id of the whole arm; objects follow."""
SIZE_FACTOR = 1.12
TRIES = 300


def make_bridge(rng: np.random.Generator, split: Split, settings: ClipSettings) -> tuple[Film, dict[str, Any]]:
    """One attempt at a clip: the film and what is true of it.

    Raises:
        SceneError: the drawn scene is of no use.
        DataError: a mesh of the arm is missing.
    """
    scene = Scene(rng, extent=1.5, picture_px=settings.size * SUPERSAMPLING, friction_ratio=8)
    add_kitchen(scene, split)
    add_arm(scene, settings.arm_meshes)
    camera, target = _draw_camera(rng)
    scene.add_camera(camera)
    add_lights(scene, target, 1.2)
    things = _lay_table(scene, camera, split)
    model = scene.compile()
    data = load_mujoco().MjData(model)
    arm = ArmControl(model, data)
    start = free_pose(rng, arm)[2]
    arm.place(start, OPEN_M)
    settle(model, data, [thing.body for thing in things], speed=0.002)
    for thing in things:
        x, y, z = data.body(thing.body).xpos
        if not -0.02 < z < 0.3 or np.hypot(x - 0.3, y) > 0.6:
            raise SceneError("an object left the table")
    roots = {BASE: ARM_ID} | {thing.body: number for number, thing in enumerate(things, start=ARM_ID + 1)}
    table = instance_table(model, roots)
    with Studio(model, settings.size, settings.renderer) as studio:
        areas = image_areas(table, studio.geoms_and_depth(data)[0], len(things) + 1)[ARM_ID:]
        if (areas > 0.002).sum() < 3:
            raise SceneError("too few objects in view")
        script = _draw_script(rng, arm, data, things, areas)
        path = plan_path(arm, script.waypoints, start)
        held = things[script.target] if script.kind == "grasp" and script.target is not None else None
        playback = Playback(model, data, arm, path, held)
        film, phases = _film(rng, (model, data, studio, table), script, playback, settings)
    _check_view(model, film, script)
    facts = {
        "motion": script.kind,
        "target": None if script.target is None else script.target + ARM_ID + 1,
        "phases": phases,
        "arm": {
            "id": ARM_ID,
            "moving": round(film.moving_share(ARM_ID), 3),
            "area": round(film.area(ARM_ID), 5),
            "meshes": bool(settings.arm_meshes),
        },
        "objects": describe(things, ARM_ID + 1, film),
    }
    return film, facts


def _film(
    rng: np.random.Generator,
    world: tuple[Any, Any, Studio, np.ndarray],
    script: Script,
    playback: Playback,
    settings: ClipSettings,
) -> tuple[Film, list[str]]:
    model, data, studio, table = world
    playback.run_for(first_frame_time(rng, script, playback.path, (settings.frames - 1) / settings.hz))
    phases = [playback.phase]

    def advance() -> None:
        playback.run_for(1 / settings.hz)
        phases.append(playback.phase)

    film = record(model, data, studio, table, settings.frames, advance)
    require_stable(data)
    return film, phases


def _draw_script(
    rng: np.random.Generator, arm: ArmControl, data: Any, things: list[Thing], areas: np.ndarray
) -> Script:
    seen = [number for number in range(len(things)) if areas[number] > 0.003]
    stage = Stage(
        rng,
        arm,
        grasps={number: find_grasp(things[number], data) for number in seen},
        places={number: data.body(things[number].body).xpos.copy() for number in seen},
        radii={number: things[number].radius for number in seen},
        tempo=float(rng.uniform(0.8, 1.25)),
    )
    return draw_script(stage)


def _check_view(model: Any, film: Film, script: Script) -> None:
    if not 0.02 <= film.area(ARM_ID) <= 0.55:
        raise SceneError("the arm is out of view or fills it")
    hand = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] in {model.body(name).id for name in HAND}]
    if np.isin(film.geoms, hand).mean() < 0.006:
        raise SceneError("the hand is out of view")
    if script.target is not None and film.area(script.target + ARM_ID + 1) < 0.0015:
        raise SceneError("the object is hidden")


def _draw_camera(rng: np.random.Generator) -> tuple[Camera, np.ndarray]:
    """Looks at the work space from anywhere but straight behind the base."""
    target = np.array([rng.uniform(0.24, 0.3), rng.normal(0, 0.03), rng.uniform(0.04, 0.11)])
    azimuth, elevation, distance = rng.uniform(-2.2, 2.2), rng.uniform(0.5, 1.05), rng.uniform(0.48, 0.7)
    level = np.array([np.cos(azimuth), np.sin(azimuth), 0.0]) * np.cos(elevation)
    place = target + distance * (level + np.array([0, 0, np.sin(elevation)]))
    return look_at(place, target, rng.uniform(42, 56), rng.normal(0, 0.03)), target


def _lay_table(scene: Scene, camera: Camera, split: Split) -> list[Thing]:
    rng = scene.rng
    wanted, least = draw_object_count(rng, "bridge", split)
    places = Places(camera, 0.04, rng.uniform(-0.01, 0.01) if split == "test" else rng.uniform(0.005, 0.04))
    things: list[Thing] = []
    for _ in range(TRIES):
        if len(things) == wanted:
            break
        kind = draw_kind(rng, "bridge", split)
        shape = MAKERS[kind.family](rng).seated(kind.size * SIZE_FACTOR)
        radius = floor_radius(shape, 0.85)
        heading, distance = rng.uniform(-0.9, 0.9), rng.uniform(0.19, 0.41)
        x, y = distance * np.cos(heading), distance * np.sin(heading)
        height = float(shape.bounds()[1][2])
        if not places.is_free(x, y, radius) or not places.is_in_view(x, y, height, 0.2):
            continue
        materials = scene.looks(shape, vivid=float(rng.beta(2, 1)))
        density, friction = float(rng.uniform(120, 400)), float(rng.uniform(0.4, 0.9))
        body = scene.add_object(shape, materials, (x, y, 0.002), density, friction)
        _add_hold(scene, body)
        places.take(x, y, radius)
        things.append(Thing(body, kind, radius, shape.vertices))
    if len(things) < least:
        raise SceneError("the objects found no place")
    return things


def _add_hold(scene: Scene, body: str) -> None:
    mujoco = load_mujoco()
    scene.spec.add_equality(
        name=hold_name(body),
        type=mujoco.mjtEq.mjEQ_WELD,
        objtype=mujoco.mjtObj.mjOBJ_BODY,
        name1=GRIPPER,
        name2=body,
        active=False,
        solref=[0.006, 1],
        solimp=[0.95, 0.99, 0.001, 0.5, 2],
    )
