"""Make simulated clips with masks and exact flow: `python -m jobs.simulate bridge --root runs/worlds/bridge`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NoReturn

import tyro

from eisen_ray.command_line import run_job


def simulate(
    world: tyro.conf.Positional[Literal["playroom", "bridge"]],
    /,
    *,
    root: str,
    train: int = 400,
    val: int = 60,
    test: int = 60,
    size: int = 128,
    frames: int = 8,
    hz: float = 10.0,
    seed: int = 0,
    workers: int = 0,
    renderer: Literal["auto", "classic", "filament"] = "auto",
    arm_meshes: Path | None = None,
) -> None:
    """Make simulated clips in the layout of a real data set: frames, instance masks, exact optical flow.

    ROOT/train, ROOT/val and ROOT/test are read as they are, for example by
    `./dev bootstrap bridge --data.source ROOT/train --data.eval-source ROOT/val`. Object families and surfaces of
    the test split never occur in the others. The same seed gives the same files; a command run again makes what is
    missing. Needs the extra `sim` (MuJoCo).

    Args:
        world: playroom: one of several objects in a room is moved. bridge: a robot arm at a table.
        root: Folder or s3:// URL for the data set.
        train: Number of training clips.
        val: Number of validation clips: families as in training, other scenes.
        test: Number of test clips: most objects of held-out families, crowded.
        size: Width and height of the frames, px.
        frames: Frames of a clip; the playroom writes every two as one trial, so there an even number up to 18.
        hz: Frames per simulated second.
        seed: Seed of the data set.
        workers: Clips made at one time; 0: one per CPU of the cluster.
        renderer: auto: Filament (soft light) where a Vulkan driver for the processor is installed, else OpenGL.
        arm_meshes: Folder with the wx250s_*.stl files of a WidowX 250 S; without it the arm is made of boxes.
    """
    from eisen_ray.runtime.environment import prepare_environment

    prepare_environment()
    from eisen_ray.runtime.reporter import write_line
    from eisen_ray.runtime.simulation import Plan, recorded_renderer, settled_root
    from eisen_ray.runtime.simulation import simulate as make
    from eisen_ray.worlds.clip_settings import ClipSettings
    from eisen_ray.worlds.engine import choose_renderer

    place = settled_root(root)
    chosen, line = choose_renderer(recorded_renderer(place) or renderer if renderer == "auto" else renderer)
    write_line(line)
    meshes = "" if arm_meshes is None else str(arm_meshes.expanduser().resolve())
    settings = ClipSettings(size=size, frames=frames, hz=hz, renderer=chosen, arm_meshes=meshes)
    make(Plan(world, place, {"train": train, "val": val, "test": test}, seed, settings), workers)


def main() -> NoReturn:
    """The command line."""
    run_job(lambda: tyro.cli(simulate, prog="simulate"))


if __name__ == "__main__":
    main()
