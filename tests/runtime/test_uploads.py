"""Ray's own upload is followed by a comparison of sizes; that training uses it is seen in test_training.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import ray.train
from pyarrow.fs import LocalFileSystem
from ray.train import Checkpoint

from eisen_ray.errors import StorageError
from eisen_ray.runtime.uploads import upload_checked


class Storage:
    """In place of Ray Train's: stores each file less its last bytes."""

    def __init__(self, folder: Path, lost: int) -> None:
        self.folder = folder
        self.lost = lost

    def get_storage(self) -> Storage:
        return self

    def persist_current_checkpoint(self, checkpoint: Checkpoint, name: str) -> Checkpoint:
        for file in Path(checkpoint.path).rglob("*"):
            target = self.folder / name / file.relative_to(checkpoint.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.is_file() and self.lost >= 0:
                content = file.read_bytes()
                target.write_bytes(content[: len(content) - self.lost])
        return Checkpoint(str(self.folder / name), filesystem=LocalFileSystem())


def upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int) -> Checkpoint:
    sent = tmp_path / "sent"
    (sent / "deep").mkdir(parents=True)
    (sent / "deep/model").write_bytes(b"weights")
    monkeypatch.setattr(ray.train, "get_context", lambda: Storage(tmp_path / "stored", lost))
    return upload_checked(Checkpoint.from_directory(str(sent)), "checkpoint_1")


def test_a_whole_checkpoint_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = upload(tmp_path, monkeypatch, lost=0)
    assert Path(stored.path, "deep/model").read_bytes() == b"weights"


@pytest.mark.parametrize(("lost", "found"), [(2, "holds 5 bytes"), (-1, "is missing")])
def test_one_that_arrives_short_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int, found: str
) -> None:
    with pytest.raises(StorageError, match=f"checkpoint_1/deep/model {found} after 7 were sent"):
        upload(tmp_path, monkeypatch, lost)
