from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eisen_ray.errors import DataError
from eisen_ray.report.media import VideoWriter, list_pictures, read_picture, read_video, video_rate, write_labels


def gradient(height: int, width: int) -> np.ndarray:
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[..., 0] = np.linspace(0, 255, width, dtype=np.uint8)
    picture[..., 1] = 90
    return picture


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".jpg"])
def test_pictures_of_all_kinds(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(gradient(20, 30)).save(tmp_path / f"a{suffix}", quality=95)
    read = read_picture(tmp_path / f"a{suffix}")
    assert read.shape == (20, 30, 3)
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - gradient(20, 30)).mean() < 6


def test_orientation_tag_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn the stored picture clockwise
    Image.fromarray(gradient(20, 30)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    read = read_picture(tmp_path / "a.jpg")
    assert read.shape == (30, 20, 3)
    assert read[0, 0, 0] < 20
    assert read[29, 0, 0] > 235


def test_grey_16_bit_and_transparent_pictures(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 40000, dtype=np.uint16)).save(tmp_path / "grey.png")
    assert (read_picture(tmp_path / "grey.png") == 40000 >> 8).all()
    Image.fromarray(np.full((4, 4, 4), 50, dtype=np.uint8)).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png").shape == (4, 4, 3)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    Image.fromarray(gradient(64, 64)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:80])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "text.mp4").write_text("no video")
    for name in ("cut.png", "text.jpg"):
        with pytest.raises(DataError, match=name):
            read_picture(tmp_path / name)
    with pytest.raises(DataError, match=r"text\.mp4 as a video"):
        next(read_video(tmp_path / "text.mp4"))


def test_list_pictures_is_sorted_and_never_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No pictures"):
        list_pictures(tmp_path)
    for name in ("b.PNG", "a.jpg", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in list_pictures(tmp_path)] == ["a.jpg", "b.PNG"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_video_round_trip_with_odd_size(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    with VideoWriter(path, Fraction(10)) as writer:
        for value in range(5):
            writer.write(np.full((33, 47, 3), 40 * value, dtype=np.uint8))
    frames = list(read_video(path, every=2))
    assert [number for number, _ in frames] == [0, 2, 4]
    assert all(frame.shape == (34, 48, 3) for _, frame in frames)
    assert [round(float(frame.mean()) / 40) for _, frame in frames] == [0, 2, 4]
    assert video_rate(path) == 10


def test_gif_is_a_video(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((16, 16, 3), value, dtype=np.uint8)) for value in (0, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    assert [frame.mean() > 100 for _, frame in read_video(tmp_path / "a.gif")] == [False, True]


def test_labels_survive_as_16_bit_png(tmp_path: Path) -> None:
    labels = np.array([[0, 1], [300, 65535]])
    write_labels(tmp_path / "a.png", labels)
    with Image.open(tmp_path / "a.png") as file:
        assert file.mode.startswith("I;16")
        np.testing.assert_array_equal(np.asarray(file), labels)
    with pytest.raises(DataError, match="65536"):
        write_labels(tmp_path / "b.png", np.array([[65536]]))
