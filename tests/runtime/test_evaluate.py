from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eisen_ray.errors import ConfigError, DataError, StorageError
from eisen_ray.evaluate_config import EvaluateConfig, ScoredDataConfig
from eisen_ray.measures.image_scores import ImageScores
from eisen_ray.measures.scores import summarize
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.cluster import Capacity
from eisen_ray.runtime.evaluate import IMAGES, PAGE, SCORES, SHEET, check_actors, evaluate, evaluation_name
from eisen_ray.runtime.packing import Machine
from tests.runtime.networks import EVALUATION
from tests.video_files import archive_bytes, frame_files, moving_frames, picture_bytes, video_bytes, write

LAPTOP, TWO_GPUS = Capacity((Machine(2),)), Capacity((Machine(8, 2),))


def asked(**changes: object) -> EvaluateConfig:
    return replace(replace(EVALUATION, max_images=3), **changes)


def test_the_sample(
    checkpoint: StoredCheckpoint, ray_cluster: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = evaluate(checkpoint, asked())
    (folder,) = (tmp_path / "weights/evaluations").iterdir()
    assert folder.name == evaluation_name(checkpoint, asked())
    record = json.loads((folder / SCORES).read_text())
    assert record["scores"]["parts"]["all"]["mean_iou"]["value"] == scores["mean_iou"]
    assert (record["weights_sha256"], record["image_size"]) == (checkpoint.sha256, [32, 48])
    images = [ImageScores.from_dict(json.loads(line)) for line in (folder / IMAGES).read_text().splitlines()]
    assert len(images) == scores.num_images == 3
    assert summarize(images).to_dict() == scores.to_dict(), "the lines are enough to sum up again"
    page = (folder / PAGE).read_text()
    assert f"| mIoU | {scores['mean_iou']:.3f} |" in page
    assert "- grouping: as in the checkpoint" in page
    with Image.open(folder / SHEET) as sheet:
        assert sheet.width > 700
    told = capsys.readouterr().out
    assert "3 images of 3 clips, 0 clips left out" in told
    assert "scored  3/3" in told
    assert "arm" in told
    assert str(folder / PAGE) in told


@pytest.mark.parametrize("finer", [{"enlarge": 1.5}, {"enlarge": 1.5, "snap_to_edges": 0.05}])
def test_a_finer_reading_is_scored_and_shown(
    checkpoint: StoredCheckpoint, ray_cluster: None, tmp_path: Path, finer: dict[str, float]
) -> None:
    config = asked(output=str(tmp_path / "out"), grouping=replace(EVALUATION.grouping, **finer))
    assert evaluate(checkpoint, config).num_images == 3
    assert "- grouping: grouping." in (tmp_path / "out" / PAGE).read_text()
    with Image.open(tmp_path / "out" / SHEET) as sheet:
        assert sheet.width > 700


def test_damaged_masks_and_clips_are_named_and_the_rest_is_scored(
    checkpoint: StoredCheckpoint, ray_cluster: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film, masks = moving_frames(2, 24, 32), np.zeros((2, 24, 32), np.uint8)
    masks[:, 4:14, 5:20] = 3
    source = write(
        tmp_path / "data",
        {
            "good.mp4": video_bytes("mp4", film),
            "good_masks.npz": archive_bytes(masks=masks),
            "half.mp4": video_bytes("mp4", film),
            "masks/half/00000.png": picture_bytes(masks[0]),
            "masks/half/00001.png": picture_bytes(masks[1])[:30],
            "bare.mp4": video_bytes("mp4", film),
            "torn.mp4": video_bytes("mp4", film)[:300],
            "torn_masks.npz": archive_bytes(masks=masks),
        },
    )
    data = ScoredDataConfig(layout="videos", source=source)
    scores = evaluate(checkpoint, asked(max_images=0, data=data, output=str(tmp_path / "out")))
    assert [(clip.clip_id, clip.num_images) for clip in scores.clips] == [("good", 2), ("half", 1)]
    page, told = (tmp_path / "out" / PAGE).read_text(), capsys.readouterr().out
    for line in ("bare.mp4: no frame has a mask", "torn.mp4: cannot be", "00001.png: cannot be decoded"):
        assert line in page
        assert line in told
    assert len(json.loads((tmp_path / "out" / SCORES).read_text())["quarantine"]) == 3


def test_nothing_but_damage_is_an_error(checkpoint: StoredCheckpoint, ray_cluster: None, tmp_path: Path) -> None:
    files = frame_files("a", moving_frames(2)) | {"a_masks/00000.png": b"no picture"}
    source = write(tmp_path / "data", files)
    for layout in ("frames", "videos"):
        config = asked(data=ScoredDataConfig(layout=layout, source=source), output=str(tmp_path / "out"))
        with pytest.raises(DataError, match=r"(?s)usable mask.*00000.png|no video among"):
            evaluate(checkpoint, config)
    assert list((tmp_path / "out").iterdir()) == []


def test_results_that_cannot_be_written_stop_before_the_work(checkpoint: StoredCheckpoint, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="not writable"):
        evaluate(checkpoint, asked(output=str(tmp_path / "file")))


def test_names_tell_what_shapes_the_scores_and_nothing_else(checkpoint: StoredCheckpoint) -> None:
    name = evaluation_name(checkpoint, asked())
    assert name.startswith("sample-auto-")
    assert name == evaluation_name(checkpoint, asked(output="x", actors=3, gpus_per_actor=0.5))
    others = [
        evaluation_name(checkpoint, asked(seed=1)),
        evaluation_name(checkpoint, asked(grouping=replace(EVALUATION.grouping, threshold=0.2))),
        evaluation_name(replace(checkpoint, sha256="0"), asked()),
    ]
    assert len({name, *others}) == 4


@pytest.mark.parametrize(
    ("actors", "offered", "fits"),
    [(1, LAPTOP, True), (4, LAPTOP, True), (5, LAPTOP, False),
     (2, TWO_GPUS, True), (3, TWO_GPUS, False)],
)  # fmt: skip
def test_more_actors_than_there_is_room_for(actors: int, offered: Capacity, fits: bool) -> None:
    if fits:
        check_actors(asked(actors=actors), offered)
    else:
        with pytest.raises(ConfigError, match=f"{actors} actors need"):
            check_actors(asked(actors=actors), offered)
