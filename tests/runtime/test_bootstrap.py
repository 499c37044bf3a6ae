from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eisen_ray.config import DataConfig, FlowConfig, RunConfig
from eisen_ray.runtime.bootstrap import settled


def test_local_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raft.pth").write_bytes(b"")
    config = RunConfig(
        root="runs/one",
        targets="shared",
        data=DataConfig(layout="videos", source="clips", eval_source="s3://bucket/val"),
        flow=FlowConfig(weights="raft.pth"),
    )
    found = settled(config)
    assert found.root == str(tmp_path / "runs/one")
    assert found.targets == str(tmp_path / "shared")
    assert found.data.source == str(tmp_path / "clips")
    assert found.data.eval_source == "s3://bucket/val"
    assert found.flow.weights == str(tmp_path / "raft.pth")
    assert settled(found) == found


def test_what_is_no_local_path_stays(config: RunConfig) -> None:
    config = replace(config, root="s3://bucket/run", flow=FlowConfig(weights="C_T_V2"))
    assert settled(config).root == "s3://bucket/run"
    assert settled(config).flow.weights == "C_T_V2"
    assert (settled(config).data.source, settled(config).targets) == ("", "")


def test_submitted_job_keeps_its_results_out_of_the_temporary_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "working_dir_files" / "_ray_pkg_1"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert settled(RunConfig(root="runs/one")).root == str(tmp_path / "home" / "runs/one")
