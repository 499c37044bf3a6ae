"""The whole story on the session's cluster: two rounds, then the same command again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError, PromotionError
from eisen_ray.report.tensorboard import SHEET_TAG
from eisen_ray.runtime import rounds
from eisen_ray.runtime.cluster import capacity
from eisen_ray.runtime.events import read_events
from eisen_ray.runtime.layout import CONTACT_SHEET
from eisen_ray.runtime.promotion import promoted
from eisen_ray.runtime.rounds import run_rounds
from eisen_ray.runtime.status import run_status
from eisen_ray.runtime.storage import Store

pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_two_rounds_then_the_same_command_and_another(
    config: RunConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(config.root)
    records = run_rounds(config, capacity())
    first = capsys.readouterr().out
    assert [record["round"] for record in records] == [1, 2]
    assert {"mean_iou", "mean_iou_arm", "mean_iou_objects"} <= set(records[0]["scores"])
    assert "round 1  flow ready: 32 images computed, 0 fragments loaded" in first
    assert "round 2  flow ready: 0 images computed, 8 fragments loaded" in first
    assert "round 2  teacher ready: 32 images computed, 0 fragments loaded" in first
    teachers = [promoted(store, number) for number in (1, 2)]
    assert all(teachers)
    assert teachers[0] != teachers[1]
    assert store.files("training") == set()
    for path in ("rounds/1/contact_sheet.png", "rounds/2/contact_sheet.png", CONTACT_SHEET):
        with Image.open(store.uri(path)) as sheet:
            assert sheet.width > 500
    assert len(store.files("tensorboard")) == 2
    shown = EventAccumulator(str(store.local_root / "tensorboard" / "round-2"))
    shown.Reload()
    assert {"val/mean_iou", "train/loss"} <= set(shown.Tags()["scalars"])
    assert shown.Tags()["images"] == [SHEET_TAG]
    assert "_hparams_/session_start_info" in shown.summary_metadata
    told = [(event["event"], event.get("stage"), event.get("round")) for event in read_events(store)]
    for number in (1, 2):
        assert ("step", "student", number) in told
        assert told.index(("started", "student", number)) < told.index(("evaluated", "evaluation", number))
    assert told[0] == ("started", "run", None)
    assert told[-1] == ("ended", "run", None)
    assert run_status(config.root)["state"] == "finished"

    monkeypatch.setattr(rounds, "run_round", None)
    assert run_rounds(config, capacity()) == records
    again = capsys.readouterr().out
    assert again.count("done before") == 2

    changed = replace(config, train=replace(config.train, learning_rate=0.5))
    with pytest.raises(ConfigError, match=r"train\.learning_rate: 0\.001 -> 0\.5"):
        run_rounds(changed, capacity())


@pytest.mark.slow
def test_collapsed_student_is_not_promoted_and_says_why(config: RunConfig) -> None:
    strict = replace(config, rounds=replace(config.rounds, num_rounds=1, min_segments=1000.0))
    for _ in range(2):
        with pytest.raises(PromotionError, match=r"segments_per_image is .*, rounds\.min_segments asks for 1000"):
            run_rounds(strict, capacity())
    store = Store(config.root)
    assert promoted(store, 1) is None
    assert store.exists("rounds/1/contact_sheet.png")
