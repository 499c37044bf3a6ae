"""A film as files, in the layouts of the real data sets: this package's own readers read them.

Bridge: `raw/traj_group0/traj<i>/` with `images0/im_<t>.png`, `images0_masks/im_<t>.png` (ids, 1 = the arm),
`images0_flow.npz` and `clip.json`.
Playroom: a clip is one model split, every two frames are one trial [Decision 81]:
`images/model_split_<i>/<trial>/frame0.png, frame1.png`, `segments/` likewise (colours), `truth/model_split_<i>/` with
`<trial>_flow.npz` and `clip.json`; and one `meta.json` that names the zone's colour for every trial.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from eisen_ray.data.playroom import META_KEY
from eisen_ray.errors import ConfigError
from eisen_ray.worlds.recording import Film
from eisen_ray.worlds.splits import World

ZONE_COLOUR = (255, 255, 255)
"""Playroom's zone: everything that is no object."""
MAX_TRIALS = 9
"""Numbers of trials end in 0..8: those that end in 9 are the reader's own validation split."""
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Folder:
    """One folder of a clip: its path below the split, and its files by their paths below it, in order of writing."""

    path: str
    files: Mapping[str, bytes]


def clip_folders(world: World, index: int, film: Film, facts: Mapping[str, Any]) -> list[Folder]:
    """The folders of a clip in the order of writing: a reader sees the clip when the last one is there."""
    if world == "bridge":
        return [_bridge_folder(index, film, facts)]
    return _playroom_folders(index, film, facts)


def finished_mark(world: World, index: int, num_frames: int) -> str:
    """Path of the file that is written last: with it the clip is complete."""
    if world == "bridge":
        return f"{_trajectory(index)}/clip.json"
    return f"images/{_model_split(index)}/{num_frames // 2 - 1:04d}/frame1.png"


def split_files(world: World, num_clips: int, num_frames: int) -> dict[str, bytes]:
    """Files that a split needs besides its clips: Playroom's `meta.json`."""
    if world == "bridge":
        return {}
    zone = {"zone": list(ZONE_COLOUR)}
    trials = [f"{_model_split(index)}/{trial:04d}" for index in range(num_clips) for trial in range(num_frames // 2)]
    return {"meta.json": _json({META_KEY.format(trial=trial): zone for trial in trials})}


def check_frames(world: World, num_frames: int) -> None:
    """Refuse a number of frames that the layout cannot hold.

    Raises:
        ConfigError: too few, or for Playroom odd or too many.
    """
    if world == "playroom" and (num_frames % 2 or not 2 <= num_frames <= 2 * MAX_TRIALS):
        raise ConfigError(
            f"frames is {num_frames}; expected an even number from 2 to {2 * MAX_TRIALS}: "
            "a trial of the Playroom has two frames."
        )
    if num_frames < 2:
        raise ConfigError(f"frames is {num_frames}; expected at least 2.")


def _bridge_folder(index: int, film: Film, facts: Mapping[str, Any]) -> Folder:
    files = {f"images0/im_{t}.png": _png(frame) for t, frame in enumerate(film.frames)}
    files |= {f"images0_masks/im_{t}.png": _png(ids) for t, ids in enumerate(film.instances)}
    files["images0_flow.npz"] = _flow(film, slice(None))
    files["clip.json"] = _json(facts)
    return Folder(_trajectory(index), files)


def _playroom_folders(index: int, film: Film, facts: Mapping[str, Any]) -> list[Folder]:
    images, segments, truth = {}, {}, {}
    for trial in range(len(film.frames) // 2):
        for number in (0, 1):
            frame = 2 * trial + number
            images[f"{trial:04d}/frame{number}.png"] = _png(film.frames[frame])
            segments[f"{trial:04d}/frame{number}.png"] = _png(_segment_colours()[film.instances[frame]])
        truth[f"{trial:04d}_flow.npz"] = _flow(film, slice(2 * trial, 2 * trial + 1))
    truth["clip.json"] = _json(facts)
    name = _model_split(index)
    return [Folder(f"segments/{name}", segments), Folder(f"truth/{name}", truth), Folder(f"images/{name}", images)]


def _segment_colours() -> np.ndarray:
    """Colour by instance id, uint8 [256, 3]: the zone first, then rising colour ids, so that readers keep the order."""
    ids = np.arange(256)
    colours = np.stack([ids, 37 * ids % 256, 91 * ids % 256], 1).astype(np.uint8)
    colours[0] = ZONE_COLOUR
    return colours


def _trajectory(index: int) -> str:
    # All in one group: the authors' held-out groups go by their number, 397.
    return f"raw/traj_group0/traj{index}"


def _model_split(index: int) -> str:
    return f"model_split_{index}"


def _png(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def _flow(film: Film, pairs: slice) -> bytes:
    return _npz({"flow": film.flow[pairs].astype(np.float16), "visible": film.visible[pairs]})


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """As `np.savez_compressed`, but without the time of writing: equal arrays, equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _ZIP_DATE), content.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _json(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
