from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from eisen_ray.data.clips import Clip
from eisen_ray.data.layouts import list_clips
from eisen_ray.data.packed import pack_labels
from eisen_ray.data.scored_frames import MaskedClip, find_masked
from eisen_ray.measures.image_scores import score_image
from eisen_ray.report.panels import label_palette
from eisen_ray.runtime.peer_pictures import (
    NUM_SHOWN,
    Shown,
    comparison_sheet,
    pack_shown,
    shown_pictures,
    unpack_shown,
)
from eisen_ray.runtime.peer_scoring import Came
from tests.runtime.peers import folder_with_masks


def masked_clips(place: Path) -> list[MaskedClip]:
    """The two clips of the folder that have masks."""
    looked = [find_masked(clip) for clip in list_clips("frames", folder_with_masks(place))]
    return [found for found in looked if isinstance(found, MaskedClip)]


def came(clip: Clip, frame: int, labels: np.ndarray, set_name: str = "val") -> Came:
    """A label map as it comes out of the stages."""
    scores = score_image(labels, labels, clip_id=clip.clip_id, frame=frame)
    return Came(set_name, 0, [scores], pack_labels(labels[None]), [])


def test_pictures_are_spread_over_those_that_are_scored(tmp_path: Path) -> None:
    clips = masked_clips(tmp_path)
    shown = shown_pictures({"val": clips, "test": clips[1:]}, 0)
    assert len(shown) == 2 * NUM_SHOWN
    assert [(one.set_name, one.clip.clip_id, one.frame) for one in shown] == [
        *(("val", clip, frame) for clip in ("clip0", "clip2") for frame in (0, 2)),
        *(("test", "clip2", frame) for frame in range(4)),
    ]
    few = shown_pictures({"val": clips}, 2)
    assert [(one.clip.clip_id, one.frame) for one in few] == [("clip0", 0), ("clip2", 0)], "only what is scored"


def test_maps_of_shown_pictures_are_kept(tmp_path: Path) -> None:
    first, second = (found.clip for found in masked_clips(tmp_path))
    maps = {(clip, frame): np.full((3, 5), 7 * clip + frame, np.int64) for clip in (0, 1) for frame in (0, 2, 3)}
    found = [came((first, second)[clip], frame, labels) for (clip, frame), labels in maps.items()]
    found.append(came(first, 0, np.full((3, 5), 99), set_name="test"))
    shown = [Shown("val", first, 2), Shown("val", second, 3), Shown("val", second, 1)]
    kept = unpack_shown(pack_shown(found, shown, (3, 5)))
    assert set(kept) == {"val/clip0/2", "val/clip2/3"}, "what could not be segmented is missing"
    np.testing.assert_array_equal(kept["val/clip0/2"], maps[0, 2])
    np.testing.assert_array_equal(kept["val/clip2/3"], maps[1, 3])


def test_a_line_for_each_picture_and_a_column_for_each_row(tmp_path: Path) -> None:
    clip = masked_clips(tmp_path)[0].clip
    shown = [Shown("val", clip, 0), Shown("val", clip, 17)]
    # Exactly the square of frame 0, under another number and on half the grid.
    labels = np.zeros((16, 24), np.uint16)
    labels[4:10, 2:9] = 5
    columns = [("felzenszwalb", {"val/clip0/0": labels}), ("network", {})]
    with Image.open(io.BytesIO(comparison_sheet(shown, columns, 48))) as read:
        pixels = np.asarray(read)
    one = comparison_sheet(shown[:1], columns[:1], 48)
    with Image.open(io.BytesIO(one)) as read:
        assert (read.width, read.height) == (16 * 2 + 3 * 200 - 8, pixels.shape[0] - 128 - 26 - 8)
    cells = [pixels[16 + 28 : 16 + 28 + 128, 16 + 200 * k : 16 + 200 * k + 192].astype(int) for k in range(4)]
    # Rows 8 to 20 of 32, columns 4 to 18 of 48: on the sheet four times as large.
    inside = np.s_[36:76, 20:68]
    colour = label_palette(3)[2].astype(int)
    tint = cells[1][inside].mean(axis=(0, 1)) - cells[0][inside].mean()
    assert abs(tint - 0.6 * (colour - cells[0][inside].mean())).max() < 6, "the truth"
    assert abs(cells[2][inside] - cells[1][inside]).max() == 0, "the same thing in the same colour"
    empty = (232, 233, 230)
    assert (cells[3] == empty).all(axis=-1).mean() > 0.9, "no map"
    last = pixels[-16 - 26 - 128 : -16 - 26, 16:-16]
    assert (last == empty).all(axis=-1).mean() > 0.9, "a frame that is not there"
