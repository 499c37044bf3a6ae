from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image

from eisen_ray.build import build_eisen
from eisen_ray.config import DataConfig, GroupingConfig, ModelConfig, RunConfig
from eisen_ray.errors import ConfigError, DataError, StorageError, WeightsError
from eisen_ray.inference import Segmenter, choose_device, find_checkpoint, load_segmenter, segment_source
from eisen_ray.learning.checkpoint import save_checkpoint
from eisen_ray.model.outlines import outlined, snap_to_edges
from eisen_ray.report.media import VideoWriter, read_video
from eisen_ray.settings import to_dict
from eisen_ray.teaching import TeacherConfig

TINY = RunConfig(
    data=DataConfig(image_height=32, image_width=48),
    model=ModelConfig(backbone="small", scope="full"),
    grouping=GroupingConfig(num_iterations=3, num_slots=4, plateau_width=8, min_region_nodes=2),
)


@pytest.fixture(scope="module")
def run_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two promoted rounds; the weights are untrained."""
    root = tmp_path_factory.mktemp("run")
    for number in (2, 10):
        torch.manual_seed(number)
        directory = root / f"rounds/{number}/final"
        directory.mkdir(parents=True)
        save_checkpoint(directory, build_eisen(TINY.model, TINY.grouping), {"config": to_dict(TINY), "step": 1})
        promotion = {"checkpoint": f"rounds/{number}/final", "round": number}
        (root / f"rounds/{number}/teacher.json").write_text(json.dumps(promotion))
    return root


@pytest.fixture
def picture() -> np.ndarray:
    """Two squares on a gradient, of a size that fits nothing."""
    pixels = np.tile(np.linspace(0, 120, 77, dtype=np.uint8)[None, :, None], (51, 1, 3))
    pixels[10:30, 10:30] = (250, 30, 30)
    pixels[20:40, 50:70] = (30, 250, 30)
    return pixels


def read_labels(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file)


def test_newest_round_is_found_by_number(run_root: Path) -> None:
    assert find_checkpoint(run_root) == run_root / "rounds/10/final"
    assert find_checkpoint(run_root / "rounds/2/final") == run_root / "rounds/2/final"
    assert find_checkpoint(run_root / "rounds/2/final/model.safetensors") == run_root / "rounds/2/final"


def test_missing_checkpoints_say_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such directory"):
        find_checkpoint(tmp_path / "nowhere")
    with pytest.raises(WeightsError, match=r"neither checkpoint\.json nor"):
        find_checkpoint(tmp_path)
    with pytest.raises(WeightsError, match="is a URL"):
        find_checkpoint(Path("s3://bucket/run"))
    promotion = tmp_path / "rounds/1/teacher.json"
    promotion.parent.mkdir(parents=True)
    promotion.write_text('{"checkpoint": "rounds/1/gone"}')
    with pytest.raises(WeightsError, match="which is not there"):
        find_checkpoint(tmp_path)
    for text in ("{", "[]", "{}"):
        promotion.write_text(text)
        with pytest.raises(WeightsError, match="as a promoted round"):
            find_checkpoint(tmp_path)


def test_damaged_checkpoints_are_refused(run_root: Path, tmp_path: Path) -> None:
    source = run_root / "rounds/2/final"
    for name in ("model.safetensors", "checkpoint.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    weights = bytearray((source / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(WeightsError):
        load_segmenter(tmp_path, device="cpu")
    meta = json.loads((source / "checkpoint.json").read_text())
    meta["meta"]["config"]["model"]["windw"] = 3
    (tmp_path / "checkpoint.json").write_text(json.dumps(meta))
    with pytest.raises(WeightsError, match=r"do not fit this version.*model\.window"):
        load_segmenter(tmp_path, device="cpu")


def test_devices() -> None:
    assert choose_device("auto") in {"cpu", "cuda"}
    assert choose_device("cpu") == "cpu"
    for device in ("tpu9000", "cuda:77"):
        with pytest.raises(ConfigError, match=device):
            choose_device(device)


@pytest.mark.parametrize("num_runs", [1, 3])
def test_segmenter_repeats_itself(run_root: Path, picture: np.ndarray, num_runs: int) -> None:
    segmenter = load_segmenter(run_root, num_runs=num_runs, device="cpu")
    first = segmenter(picture)
    assert first.shape == (8, 12)
    assert first.dtype == np.int64
    segmenter(picture[::-1])
    np.testing.assert_array_equal(segmenter(picture), first)
    np.testing.assert_array_equal(load_segmenter(run_root, num_runs=num_runs, device="cpu")(picture), first)


def test_a_finer_reading_may_be_asked_for(run_root: Path, picture: np.ndarray) -> None:
    finer = load_segmenter(run_root, device="cpu", grouping={"enlarge": 2, "snap_to_edges": 0.1})
    labels = finer(picture)
    assert labels.shape == (16, 24)
    assert finer.config.grouping.snap_to_edges == 0.1
    np.testing.assert_array_equal(finer.outlined(labels, picture), snap_to_edges(labels, picture, 0.1))
    sure = load_segmenter(run_root, device="cpu", grouping={"snap_to_edges": 0.1, "min_edge_share": 0.6})
    np.testing.assert_array_equal(sure.outlined(labels, picture), outlined(labels, picture, 0.1, 0.6))
    assert load_segmenter(run_root, device="cpu", grouping={"mirror": True}).model.mirror
    plain = load_segmenter(run_root, device="cpu")
    assert plain.outlined(plain(picture), picture).shape == picture.shape[:2]
    with pytest.raises(ConfigError, match="enlarge"):
        load_segmenter(run_root, device="cpu", grouping={"enlarge": 0})


def test_several_runs_keep_only_what_all_agree_on(run_root: Path, picture: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="expected at least 1"):
        load_segmenter(run_root, num_runs=0)
    runs = iter([np.array([[1, 1, 2, 2, 0]]), np.array([[4, 4, 4, 5, 5]])])

    class TwoOpinions(torch.nn.Module):
        def segment_runs(self, images: torch.Tensor, generator: torch.Generator, num_runs: int) -> torch.Tensor:
            assert images.shape == (1, 3, 32, 48)
            return torch.stack([torch.from_numpy(next(runs))[None] for _ in range(num_runs)])

    config = dataclasses.replace(TINY, teacher=TeacherConfig(min_region_nodes=2))
    labels = Segmenter(TwoOpinions(), config, num_runs=2)(picture)
    np.testing.assert_array_equal(labels, [[1, 1, 0, 0, 0]])


def test_a_picture_gives_labels_and_overlay_at_its_own_size(
    run_root: Path, picture: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(picture).save(tmp_path / "toys.png")
    lines: list[str] = []
    segmenter = load_segmenter(run_root, device="cpu")
    segment_source(tmp_path / "toys.png", tmp_path / "out", segmenter, say=lines.append)
    labels = read_labels(tmp_path / "out/toys_labels.png")
    assert labels.shape == picture.shape[:2]
    assert set(np.unique(labels)) == set(np.unique(segmenter(picture)))
    with Image.open(tmp_path / "out/toys_overlay.png") as overlay:
        assert overlay.size == (77, 51)
    assert len(lines) == 1
    assert lines[0].startswith("toys.png: ")


@pytest.mark.parametrize("video", [False, True])
def test_what_is_written_has_the_networks_outlines(
    run_root: Path, picture: np.ndarray, tmp_path: Path, video: bool
) -> None:
    segmenter = load_segmenter(run_root, device="cpu", grouping={"snap_to_edges": 0.1})
    nodes = np.kron(np.arange(1, 5).reshape(2, 2), np.ones((4, 6), np.int64))
    if video:
        with VideoWriter(tmp_path / "a.mp4", Fraction(10)) as writer:
            writer.write(picture)
        ((_, picture),) = read_video(tmp_path / "a.mp4")
    else:
        Image.fromarray(picture).save(tmp_path / "a.png")
    with mock.patch.object(Segmenter, "__call__", return_value=nodes):
        segment_source(tmp_path / ("a.mp4" if video else "a.png"), tmp_path / "out", segmenter, say=lambda _: None)
    written = read_labels(tmp_path / ("out/a_labels/000000.png" if video else "out/a_labels.png"))
    np.testing.assert_array_equal(written, snap_to_edges(nodes, picture, 0.1))


def test_a_video_gives_one_map_per_kept_frame(run_root: Path, picture: np.ndarray, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", Fraction(10)) as writer:
        for shift in range(5):
            writer.write(np.roll(picture, 2 * shift, axis=1))
    segmenter = load_segmenter(run_root, device="cpu")
    segment_source(tmp_path / "clip.mp4", tmp_path / "out", segmenter, every=2, say=lambda _: None)
    names = sorted(path.name for path in (tmp_path / "out/clip_labels").iterdir())
    assert names == ["000000.png", "000002.png", "000004.png"]
    assert read_labels(tmp_path / "out/clip_labels/000004.png").shape == (52, 78)
    assert len(list(read_video(tmp_path / "out/clip_overlay.mp4"))) == 3


def test_a_folder_is_finished_before_bad_pictures_are_reported(
    run_root: Path, picture: np.ndarray, tmp_path: Path
) -> None:
    for name in ("a.png", "a.jpg", "c.bmp"):
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / "b.png").write_text("no picture")
    segmenter = load_segmenter(run_root, device="cpu")
    with pytest.raises(DataError, match=r"1 of 4 pictures.*b\.png"):
        segment_source(tmp_path, tmp_path / "out", segmenter, say=lambda _: None)
    written = sorted(path.name for path in (tmp_path / "out").glob("*_labels.png"))
    assert written == ["a.jpg_labels.png", "a.png_labels.png", "c_labels.png"]


def test_bad_sources_are_named(run_root: Path, picture: np.ndarray, tmp_path: Path) -> None:
    segmenter = load_segmenter(run_root, device="cpu")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="No such picture"):
        segment_source(tmp_path / "gone.png", tmp_path, segmenter)
    with pytest.raises(DataError, match="unknown kind"):
        segment_source(tmp_path / "notes.txt", tmp_path, segmenter)
    with pytest.raises(ConfigError, match="`every` is 0"):
        segment_source(tmp_path, tmp_path, segmenter, every=0)
    Image.fromarray(picture).save(tmp_path / "a.png")
    with pytest.raises(StorageError, match="Cannot make the folder"):
        segment_source(tmp_path / "a.png", tmp_path / "notes.txt", segmenter)
