"""The door on s3://: killed and started again, two of them at once, and refused. Real processes, a stand-in for S3."""

from __future__ import annotations

import os
import signal

import pytest

from eisen_ray.runtime.layout import promotion_file
from eisen_ray.runtime.storage import Store
from tests.jobs.conftest import Start
from tests.jobs.test_bootstrap import LONG, resumed_step, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_killed_driver_goes_on_where_it_was_on_s3(start: Start, bucket: str) -> None:
    root = f"{bucket}/run"
    killed = start(root, *LONG)
    told = wait_for(killed, "round 2  student  10/40")
    assert "flow ready: 24 images computed" in told
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(timeout=60)
    store = Store(root)
    first = store.read(promotion_file(1))
    assert not store.exists(promotion_file(2))

    again = start(root, *LONG)
    told, _ = again.communicate(timeout=600)
    assert again.returncode == 0, told
    assert resumed_step(told, 2) >= 4
    assert told.count("done before") == 1
    assert told.count("flow ready: ") == told.count("flow ready: 0 images computed"), "flow was computed again"
    assert store.read(promotion_file(1)) == first
    assert store.exists(promotion_file(2))
    assert store.files("training") == set()


def test_two_drivers_of_one_run_end_with_the_same_students(start: Start, bucket: str) -> None:
    root = f"{bucket}/run"
    drivers = [start(root), start(root)]
    told = [driver.communicate(timeout=600)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], "\n".join(told)
    store = Store(root)
    checkpoint = store.read_json(promotion_file(2))["checkpoint"]
    assert all(f"checkpoint  {store.uri(checkpoint)}" in each for each in told)
    assert store.exists(f"{checkpoint}/model.safetensors")


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({}, "Create the bucket, or correct the address"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Check the network and AWS_ENDPOINT_URL"),
    ],
    ids=["missing bucket", "no network"],
)
def test_storage_that_cannot_be_used_is_one_line(
    start: Start, bucket: str, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], advice: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    process = start(f"{bucket}-absent/run")
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 2, told
    assert "error: Storage root" in told
    assert advice in told
    assert "Traceback" not in told
