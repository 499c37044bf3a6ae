from __future__ import annotations

import pytest

from eisen_ray.runtime import feed
from eisen_ray.runtime.feed import last_checkpoint
from eisen_ray.runtime.layout import RoundWork, promotion_file, training_folder


def test_a_round_that_another_process_ends_meanwhile_has_no_checkpoint(
    work: RoundWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = training_folder(work.round_number)
    work.store.write(f"{folder}/checkpoint_manager_snapshot.json", b"{}")

    def gone(place: str) -> None:
        # The snapshot is among the last files to go.
        work.store.write_json(promotion_file(work.round_number), {})
        raise RuntimeError(f"Experiment folder {place} doesn't exist.")

    monkeypatch.setattr(feed.Result, "from_path", gone)
    assert last_checkpoint(work) is None


def test_a_damaged_training_is_no_ended_one(work: RoundWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work.store.write(f"{training_folder(work.round_number)}/checkpoint_manager_snapshot.json", b"{}")

    def damaged(place: str) -> None:
        raise RuntimeError("not a snapshot")

    monkeypatch.setattr(feed.Result, "from_path", damaged)
    with pytest.raises(RuntimeError, match="not a snapshot"):
        last_checkpoint(work)
