from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from eisen_ray.compare_config import CompareConfig
from eisen_ray.errors import ConfigError
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.compare import PAGE, SHEET, TABLE, compare, possible_rows, settled
from tests.runtime.peers import small_table


def test_a_table_is_made_once(tmp_path: Path, ray_cluster: None, capsys: pytest.CaptureFixture[str]) -> None:
    config = small_table(tmp_path, rows=("felzenszwalb", "dino/spectral"))
    config = replace(config, test_source=config.data.source)
    records = compare(config)
    told = capsys.readouterr().out
    assert told.endswith(f"/{SHEET}\n")
    assert "left out  dino/spectral: needs --dino" in told
    assert "clip1/00000.png: no frame has a mask" in told
    assert [(record["row"], record["variant"]) for record in records] == [
        ("felzenszwalb", {"scale": 100.0}),
        ("felzenszwalb", {"scale": 400.0}),
    ]
    for record in records:
        assert set(record["sets"]) == {"val", "test"}
        assert [scores["num_images"] for scores in record["sets"].values()] == [4, 4]
        assert record["sets"]["val"]["parts"] == record["sets"]["test"]["parts"], "the same pictures"
    assert json.loads((tmp_path / "root" / TABLE).read_text())["rows"] == records
    page = (tmp_path / "root" / PAGE).read_text()
    assert "## test" in page
    assert "4 images with objects, 4 objects." in page
    assert f"]({SHEET})" in page
    assert sheet_size(tmp_path) == (16 * 2 + 3 * 200 - 8, 16 * 2 + 28 + 8 * (129 + 26 + 8) - 8), "both sets, best scale"

    more = replace(config, variants=replace(config.variants, felzenszwalb_scales=(100.0, 50.0)), rows=("felzenszwalb",))
    again = compare(more)
    assert again[0] == records[0]
    told = capsys.readouterr().out
    assert "felzenszwalb, scale 100  mIoU" in told.split("done before")[0]
    assert told.count("done before") == 1
    kept = [path.stem for path in (tmp_path / "root" / "rows").glob("*.npz")]
    assert sorted(kept) == sorted(path.stem for path in (tmp_path / "root" / "rows").glob("*.json"))
    assert len(kept) == 3

    # A root of before there were sheets.
    for path in (tmp_path / "root" / "rows").glob("*.npz"):
        path.unlink()
    assert compare(more) == again
    assert sheet_size(tmp_path)[0] == 16 * 2 + 3 * 200 - 8


def sheet_size(place: Path) -> tuple[int, int]:
    """Width and height of the pictures of `small_table`."""
    with Image.open(place / "root" / SHEET) as read:
        return read.size


@pytest.mark.slow
def test_rows_of_every_kind(tmp_path: Path, checkpoint: StoredCheckpoint, ray_cluster: None) -> None:
    learners = ("ssap:motion", "panoptic-deeplab:full", "mask-rcnn:full", "detr:motion", "eisen:full")
    rows = ("moving-region", *learners, "network", "network/spectral")
    config = small_table(tmp_path, rows=rows, checkpoint=checkpoint.store.uri(checkpoint.path))
    records = compare(config)
    assert [record["row"] for record in records] == list(rows)
    moving = records[0]["sets"]["val"]["parts"]["all"]["mean_iou"]["value"]
    assert moving > 0.4, "the square moves, and nothing else"
    assert [record["trained"]["step"] for record in records[1:6]] == [4] * 5
    assert compare(config) == records


def test_rows_that_lack_something() -> None:
    config = settled(replace(CompareConfig(), rows=("network", "felzenszwalb", "dino/competition")))
    rows, lines = possible_rows(config)
    assert rows == ["felzenszwalb"]
    assert lines == ["left out  network: needs --checkpoint", "left out  dino/competition: needs --dino"]
    assert possible_rows(replace(config, checkpoint="c", dino="d"))[1] == []


def test_a_table_without_rows_is_an_error(tmp_path: Path, ray_cluster: None) -> None:
    with pytest.raises(ConfigError, match="No row of the table can be made"):
        compare(small_table(tmp_path, rows=("network",)))


def test_local_places_become_absolute() -> None:
    config = settled(replace(CompareConfig(), root="runs/x", dino="s3://bucket/d"))
    assert Path(config.root).is_absolute()
    assert (config.dino, config.checkpoint) == ("s3://bucket/d", "")
