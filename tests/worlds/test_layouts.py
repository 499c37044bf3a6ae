from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eisen_ray.data import bridge, playroom
from eisen_ray.data.frames import probe_clip, read_frames
from eisen_ray.data.masks import check_masks, read_masks
from eisen_ray.errors import ConfigError
from eisen_ray.worlds.layouts import check_frames, clip_folders, finished_mark, split_files
from eisen_ray.worlds.recording import Film


def write_clip(root: Path, world: str, index: int, film: Film, facts: dict) -> list[str]:
    """Writes the clip as it is; the paths in order of writing."""
    paths = []
    for folder in clip_folders(world, index, film, facts):
        for name, content in folder.files.items():
            path = root / folder.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            paths.append(f"{folder.path}/{name}")
    for name, content in split_files(world, index + 1, len(film.frames)).items():
        (root / name).write_bytes(content)
    return paths


@pytest.mark.parametrize("world", ["playroom", "bridge"])
def test_the_last_file_is_the_mark(film_of, tmp_path: Path, world: str) -> None:
    film, facts = film_of(world, "train", 0)
    assert write_clip(tmp_path, world, 7, film, facts)[-1] == finished_mark(world, 7, 4)


def test_bridge_clips_come_back_through_our_reader(film_of, tmp_path: Path) -> None:
    film, facts = film_of("bridge", "train", 0)
    write_clip(tmp_path, "bridge", 3, film, facts)
    (clip,) = bridge.list_clips(str(tmp_path))
    assert clip.clip_id == "raw/traj_group0/traj3/images0"
    assert clip.meta["arm_id"] == facts["arm"]["id"]
    probe = probe_clip(clip)
    assert (probe.num_frames, probe.height, probe.width) == (4, 64, 64)
    check_masks(clip, 4, 64, 64)
    np.testing.assert_array_equal(read_frames(clip, 0, 4), film.frames)
    np.testing.assert_array_equal(read_masks(clip, range(4)), film.instances)
    folder = tmp_path / "raw/traj_group0/traj3"
    assert json.loads((folder / "clip.json").read_text()) == facts
    with np.load(folder / "images0_flow.npz") as truth:
        np.testing.assert_allclose(truth["flow"], film.flow, rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(truth["visible"], film.visible)


def renumbered(ids: np.ndarray) -> np.ndarray:
    """Ids as the Playroom's reader gives them: 1.. in order, for each picture by itself."""
    return np.stack([np.searchsorted(np.unique(each[each > 0]), each) + (each > 0) for each in ids])


def test_playroom_clips_come_back_through_our_reader(film_of, tmp_path: Path) -> None:
    film, facts = film_of("playroom", "train", 0)
    write_clip(tmp_path, "playroom", 5, film, facts)
    clips = playroom.list_clips(str(tmp_path))
    assert [clip.clip_id for clip in clips] == ["model_split_5/0000", "model_split_5/0001"]
    assert playroom.held_out(str(tmp_path)) == []
    for trial, clip in enumerate(clips):
        frames = slice(2 * trial, 2 * trial + 2)
        np.testing.assert_array_equal(read_frames(clip, 0, 2), film.frames[frames])
        np.testing.assert_array_equal(read_masks(clip, [0, 1]), renumbered(film.instances[frames]))
        with np.load(tmp_path / f"truth/model_split_5/{trial:04d}_flow.npz") as truth:
            np.testing.assert_allclose(truth["flow"][0], film.flow[2 * trial], rtol=1e-3, atol=1e-4)


def test_equal_films_are_equal_files(film_of) -> None:
    for world in ("playroom", "bridge"):
        film, facts = film_of(world, "train", 0)
        assert clip_folders(world, 0, film, facts) == clip_folders(world, 0, film, facts)


@pytest.mark.parametrize("frames", [3, 0, 20])
def test_playroom_needs_pairs_of_frames_and_not_too_many(frames: int) -> None:
    with pytest.raises(ConfigError, match=f"frames is {frames}; expected an even number from 2 to 18"):
        check_frames("playroom", frames)
    check_frames("playroom", 18)
    check_frames("bridge", 3)
