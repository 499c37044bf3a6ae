"""Files of a checkpoint: complete or absent, hashed, and refused by name when damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from eisen_ray.errors import WeightsError
from eisen_ray.learning.checkpoint_files import check_hash, hash_file, load_tensors, save_tensors, write_file


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_file(path, lambda target: target.write_text("old"))

    def break_off(target: Path) -> None:
        target.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_file(path, break_off)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_hash_is_sha256_of_files_larger_than_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"eisen" * 500_000)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert hash_file(path) == expected
    check_hash(path, expected)
    with pytest.raises(WeightsError, match=r"checkpoint\.json says 0000"):
        check_hash(path, "0" * 64)


def test_views_shared_and_scalar_tensors_come_back(tmp_path: Path) -> None:
    base = torch.arange(24.0).view(2, 3, 4)
    tensors = {"base": base, "view": base[:, 1:].transpose(0, 2), "alias": base, "count": torch.tensor(3)}
    save_tensors(tensors, tmp_path / "t")
    loaded = load_tensors(tmp_path / "t")
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


def test_other_files_are_no_tensors(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"PK not safetensors")
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_tensors(tmp_path / "t")
