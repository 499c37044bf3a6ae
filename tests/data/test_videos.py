from __future__ import annotations

import struct
import uuid

import fsspec
import numpy as np
import pytest

from eisen_ray.data import decode, videos
from eisen_ray.data.clips import Clip
from eisen_ray.data.decode import scan_video
from eisen_ray.data.frames import Probe, Quarantined, count_frames, probe_clip, read_frames, try_probe
from eisen_ray.data.index import build_index
from eisen_ray.data.masks import masked_frames, read_masks
from eisen_ray.errors import DataError
from tests.shared import SHARED, needs_shared
from tests.video_files import CODECS, archive_bytes, full_decode, moving_frames, picture_bytes, video_bytes, write

LENGTH = 66


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    frames = moving_frames(LENGTH)
    return {suffix: video_bytes(suffix, frames) for suffix in CODECS}


def only_clip(folder, files: dict[str, bytes]) -> Clip:
    (clip,) = videos.list_clips(write(folder, files))
    return clip


@pytest.mark.parametrize("suffix", sorted(CODECS))
def test_windows_equal_a_full_decode(tmp_path, films, suffix) -> None:
    whole = full_decode(films[suffix])
    clip = only_clip(tmp_path, {f"film.{suffix}": films[suffix]})
    probe = probe_clip(clip)
    assert (probe.num_frames, probe.height, probe.width) == (LENGTH, 48, 64) == (len(whole), *whole.shape[1:3])
    anchored = Clip("a", "video", clip.uris, meta={"anchors": [list(anchor) for anchor in probe.anchors]})
    for start, count, stride in [
        (0, 2, 1),
        (1, 3, 1),
        (18, 5, 1),
        (19, 3, 2),
        (20, 2, 1),
        (41, 9, 1),
        (60, 3, 2),
        (65, 1, 1),
    ]:
        expected = whole[start : start + (count - 1) * stride + 1 : stride]
        for subject in (clip, anchored, anchored.narrowed(start, start + (count - 1) * stride + 1)):
            assert np.array_equal(read_frames(subject, start, count, stride), expected), (start, count, stride)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_seek_points_spare_decoding(tmp_path, films, suffix, monkeypatch) -> None:
    clip = only_clip(tmp_path, {f"film.{suffix}": films[suffix]})
    anchors = scan_video(clip.uris[0]).anchors
    assert anchors
    assert all(number >= 16 for number, _ in anchors)
    seen: list[int] = []
    original = decode._numbered

    def spy(container, stream, anchor):
        for number, frame in original(container, stream, anchor):
            seen.append(number)
            yield number, frame

    monkeypatch.setattr("eisen_ray.data.decode._numbered", spy)
    subject = Clip("a", "video", clip.uris, meta={"anchors": anchors})
    read_frames(subject, 60, 2)
    assert seen[0] == [number for number, _ in anchors if number <= 60][-1]


def test_a_seek_point_that_is_not_there_is_survived(tmp_path, films) -> None:
    whole = full_decode(films["mp4"])
    clip = only_clip(tmp_path, {"film.mp4": films["mp4"]})
    for anchor in ([40, 123_457], [40, 10**9], [40, -5]):
        subject = Clip("a", "video", clip.uris, meta={"anchors": [anchor]})
        assert np.array_equal(read_frames(subject, 45, 3), whole[45:48])


def test_remote_videos_are_read_like_local_ones(films) -> None:
    source = f"memory://{uuid.uuid4().hex}"
    fsspec.filesystem("memory").pipe(f"{source}/deep/film.mp4", films["mp4"])
    (clip,) = videos.list_clips(source)
    assert clip.clip_id == "deep/film"
    assert clip.uris == (f"memory:///{source.removeprefix('memory://')}/deep/film.mp4",)
    assert np.array_equal(read_frames(clip, 30, 3), full_decode(films["mp4"])[30:33])
    assert count_frames(clip) == LENGTH


def test_storage_failures_while_decoding_are_not_blamed_on_the_clip(tmp_path, films, monkeypatch) -> None:
    clip = only_clip(tmp_path, {"film.mp4": films["mp4"]})

    class Failing:
        def __init__(self, uri: str) -> None:
            self.file = (tmp_path / "film.mp4").open("rb")
            self.reads = 0

        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *error: object) -> None:
            self.file.close()

        def seek(self, *where: int) -> int:
            return self.file.seek(*where)

        def tell(self) -> int:
            return self.file.tell()

        def read(self, size: int = -1) -> bytes:
            self.reads += 1
            if self.reads > 2:
                raise ConnectionResetError("storage is away")
            return self.file.read(min(size, 2000))

    monkeypatch.setattr("eisen_ray.data.decode.open_file", Failing)
    with pytest.raises(ConnectionResetError):
        try_probe(clip)


def test_broken_videos_are_named_and_the_run_goes_on(tmp_path, films) -> None:
    start_first = video_bytes("mp4", moving_frames(40), movflags="faststart")
    damaged = bytearray(films["mp4"])
    damaged[len(damaged) // 2 : len(damaged) // 2 + 300] = bytes(300)
    files = {f"good_{number}.mp4": films["mp4"] for number in range(12)} | {
        "empty.mp4": b"",
        "text.mp4": b"this is no video\n" * 20,
        "cut.mp4": films["mp4"][: len(films["mp4"]) // 2],
        "cut_late.mp4": start_first[: len(start_first) // 2],
        "cut.mkv": films["mkv"][: len(films["mkv"]) // 2],
        "cut.webm": films["webm"][: len(films["webm"]) // 2],
        "cut.avi": films["avi"][: len(films["avi"]) // 2],
        "cut.gif": films["gif"][: len(films["gif"]) // 2],
        "damaged.mp4": bytes(damaged),
        "one.mp4": video_bytes("mp4", moving_frames(1)),
        "one.gif": video_bytes("gif", moving_frames(1)),
        "notes/readme.txt": b"nothing to see",
    }
    clips = videos.list_clips(write(tmp_path, files))
    probes = {clip.clip_id: try_probe(clip) for clip in clips}
    bad = {name: probe.reason for name, probe in probes.items() if isinstance(probe, Quarantined)}
    expected = {
        "empty": "zero-length file",
        "text": "cannot be decoded",
        "cut.mp4": "cannot be decoded",
        "cut_late": r"declares 40 frames, \d+ are there.*truncated|cannot be decoded",
        "cut.mkv": "truncated",
        "cut.webm": "truncated",
        "cut.avi": "damaged|truncated",
        "cut.gif": "truncated",
        "damaged": "damaged",
        "one.mp4": "1 frame; expected at least 2",
        "one.gif": "1 frame; expected at least 2",
        "notes": "no video in this folder",
    }
    assert bad.keys() == expected.keys()
    for name, pattern in expected.items():
        with pytest.raises(DataError, match=pattern):
            raise DataError(bad[name])
    index = build_index(clips, probes, fragment_frames=9, max_bad_share=0.5)
    assert index.num_clips == 12
    assert {item.clip_id for item in index.quarantine} == expected.keys()
    with pytest.raises(DataError, match=r"11 of 23 clips cannot be used \(48%\).*20%.*max_bad_share") as caught:
        build_index(clips, probes, fragment_frames=9)
    assert "cut.avi: " in str(caught.value)


def test_a_source_without_videos_is_an_error(tmp_path) -> None:
    source = write(tmp_path, {"a.txt": b"", "b/c.jpg": b""})
    with pytest.raises(DataError, match=r"no video among 2 files; expected \.avi.*data\.layout"):
        videos.list_clips(source)


def test_a_sound_file_is_named(tmp_path) -> None:
    import av

    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    probe = try_probe(only_clip(tmp_path, {}))
    assert isinstance(probe, Quarantined)
    assert "no video stream" in probe.reason


def test_clips_of_different_sizes_live_together(tmp_path, films) -> None:
    files = {"a.mp4": films["mp4"], "b.mp4": video_bytes("mp4", moving_frames(5, 32, 80))}
    sizes = [probe_clip(clip) for clip in videos.list_clips(write(tmp_path, files))]
    assert [(probe.height, probe.width) for probe in sizes] == [(48, 64), (32, 80)]


def test_ids_are_paths_and_same_names_keep_their_suffix(tmp_path) -> None:
    source = write(tmp_path, {"x/a.mp4": b"", "x/a.AVI": b"", "x/b.mp4": b"", "c.d.gif": b""})
    assert sorted(clip.clip_id for clip in videos.list_clips(source)) == ["c.d", "x/a.AVI", "x/a.mp4", "x/b"]


def test_masks_beside_a_video(tmp_path, films) -> None:
    masks = np.random.default_rng(0).integers(0, 5, (LENGTH, 48, 64), dtype=np.uint8)
    clip = only_clip(tmp_path, {"film.mp4": films["mp4"], "film_masks.npz": archive_bytes(masks=masks)})
    assert isinstance(try_probe(clip), Probe)
    assert masked_frames(clip, [3, 50]) == [3, 50]
    read = read_masks(clip, [3, 50])
    assert read is not None
    assert read.dtype == np.uint16
    assert np.array_equal(read, masks[[3, 50]])
    assert np.array_equal(read_masks(clip.narrowed(40, 60), [50]), masks[[50]])


def test_masks_in_a_tree_may_be_sparse(tmp_path, films) -> None:
    mask = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64) % 7
    files = {"deep/film.mp4": films["mp4"], "masks/deep/film/00004.png": picture_bytes(mask)}
    clip = only_clip(tmp_path, files)
    assert isinstance(try_probe(clip), Probe)
    assert masked_frames(clip, [2, 4, 60]) == [4]
    assert read_masks(clip, [2, 60]) is None
    read = read_masks(clip.narrowed(2, 6), [2, 4])
    assert np.array_equal(read, np.stack([np.zeros_like(mask), mask]))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("film_masks.npz", archive_bytes(masks=np.zeros((LENGTH, 24, 32), np.uint8)), r"shape \(66, 24, 32\)"),
        ("film_masks.npz", archive_bytes(masks=np.zeros((LENGTH - 1, 48, 64), np.uint8)), r"shape \(65, 48, 64\)"),
        ("film_masks.npz", archive_bytes(masks=np.zeros((LENGTH, 48, 64), np.float32)), "whole numbers"),
        ("film_masks.npz", archive_bytes(masks=np.full((LENGTH, 48, 64), -1, np.int32)), "expected 0..65535"),
        ("film_masks.npz", archive_bytes(masks=np.zeros((48, 64), np.uint8)), r"expected \[frames, height, width\]"),
        ("film_masks.npz", archive_bytes(a=np.zeros(1), b=np.zeros(1)), "named 'masks'"),
        ("film_masks.npz", archive_bytes(masks=np.array([[[None]]])), "cannot be read"),
        ("film_masks.npz", b"no archive", "cannot be read"),
        ("film_masks.npz", b"", "cannot be read"),
        ("masks/film/00000.png", picture_bytes(np.zeros((24, 32), np.uint8)), "mask of 32x24, frames of 64x48"),
        ("masks/film/00066.png", picture_bytes(np.zeros((48, 64), np.uint8)), "mask 66 of a clip of 66 frames"),
        ("masks/film/00000.png", picture_bytes(np.zeros((48, 64), np.uint8))[:40], "cannot be decoded"),
        ("masks/film/first.png", picture_bytes(np.zeros((48, 64), np.uint8)), "not named by a frame number"),
    ],
)
def test_wrong_masks_are_named(tmp_path, films, name, content, reason) -> None:
    probe = try_probe(only_clip(tmp_path, {"film.mp4": films["mp4"], name: content}))
    assert isinstance(probe, Quarantined)
    with pytest.raises(DataError, match=reason):
        raise DataError(probe.reason)


@pytest.mark.parametrize(("start", "count", "stride"), [(-1, 2, 1), (0, 0, 1), (0, 2, 0), (60, 9, 1), (70, 2, 1)])
def test_impossible_windows_are_errors(tmp_path, films, start, count, stride) -> None:
    with pytest.raises(DataError, match=r"expected|is not there"):
        read_frames(only_clip(tmp_path, {"film.mp4": films["mp4"]}), start, count, stride)


@pytest.mark.parametrize(
    ("matrix", "turns"), [((0, 1, 0, -1, 0, 0), -1), ((-1, 0, 0, 0, -1, 0), 2), ((0, -1, 0, 1, 0, 0), 1)]
)
def test_telephone_videos_stand_upright(tmp_path, films, matrix, turns) -> None:
    one = 65536
    identity = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 0x40000000)
    turned = struct.pack(">9i", *(one * value for value in matrix), 0, 0, 0x40000000)
    head, track, rest = films["mp4"].partition(b"tkhd")
    assert rest.count(identity) == 1
    clip = only_clip(tmp_path, {"film.mp4": head + track + rest.replace(identity, turned)})
    expected = np.rot90(full_decode(films["mp4"])[25:27], turns, axes=(1, 2))
    frames = read_frames(clip, 25, 2)
    assert np.array_equal(frames, expected)
    probe = probe_clip(clip)
    assert (probe.height, probe.width) == frames.shape[1:3]


@needs_shared("data/robot/droid_visualizer")
def test_real_robot_video() -> None:
    clips = videos.list_clips(str(SHARED / "data/robot/droid_visualizer"))
    assert len(clips) == 165
    clip = clips[0]
    whole = full_decode(next((SHARED / "data/robot/droid_visualizer").glob(f"{clip.clip_id}.mp4")).read_bytes())
    assert count_frames(clip) == len(whole)
    assert np.array_equal(read_frames(clip, 20, 4, 3), whole[20:30:3])


@needs_shared("data/sim/movi_gifs")
def test_real_gif() -> None:
    clips = videos.list_clips(str(SHARED / "data/sim/movi_gifs"))
    probe = probe_clip(clips[0])
    assert (len(clips), probe.num_frames, probe.height, probe.width) == (10, 24, 256, 256)
    assert read_frames(clips[0], 22, 2).shape == (2, 256, 256, 3)
