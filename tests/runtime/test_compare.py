from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eisen_ray.compare_config import CompareConfig
from eisen_ray.errors import ConfigError
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.compare import PAGE, TABLE, compare, possible_rows, settled
from tests.runtime.peers import small_table


def test_a_table_is_made_once(
    tmp_path: Path, checkpoint: StoredCheckpoint, ray_cluster: None, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small_table(
        tmp_path,
        rows=("felzenszwalb", "moving-region", "network", "network/spectral", "dino/spectral", "ssap:motion"),
        checkpoint=checkpoint.store.uri(checkpoint.path),
    )
    config = replace(config, test_source=config.data.source)
    records = compare(config)
    told = capsys.readouterr().out
    assert "left out  dino/spectral: needs --dino" in told
    assert [record["row"] for record in records] == [
        "felzenszwalb", "felzenszwalb", "moving-region", "network", "network/spectral", "ssap:motion",
    ]  # fmt: skip
    by_row = {record["row"]: record for record in records}
    assert set(by_row["network"]["sets"]) == {"val", "test"}
    moving = by_row["moving-region"]["sets"]["val"]["parts"]["all"]["mean_iou"]["value"]
    assert moving > 0.4, "the square moves, and nothing else"
    assert by_row["ssap:motion"]["trained"]["step"] == 4
    assert by_row["network"]["trained"] is None
    written = json.loads((tmp_path / "root" / TABLE).read_text())
    assert written["rows"] == records
    page = (tmp_path / "root" / PAGE).read_text()
    assert "## test" in page
    assert "4 images with objects, 4 objects." in page

    assert compare(replace(config, rows=("network", "ssap:motion"))) == records[3:4] + records[5:]
    told = capsys.readouterr().out
    assert "network  done before" in told
    assert "ssap:motion  done before" in told


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
