"""SIGTERM to this very process, by the handler that a driver installs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from eisen_ray.runtime import stopping
from eisen_ray.runtime.stopping import Stopped, StopRequest


@pytest.fixture
def request_() -> Iterator[StopRequest]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    made = StopRequest()
    made.listen()
    yield made
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    # The handler runs between two steps of the interpreter.
    time.sleep(0.01)


def train(request_: StopRequest, work: Callable[[Event], None]) -> None:
    with request_.training() as asked:
        work(asked)


def test_outside_a_training_the_run_ends_at_once(request_: StopRequest, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Stopped) as ended:
        terminate()
    assert ended.value.code == 143
    assert request_.end is ended.value
    assert not request_.asked.is_set()
    assert "run the same command to continue" in capsys.readouterr().out


def test_a_training_may_end_in_order(request_: StopRequest, capsys: pytest.CaptureFixture[str]) -> None:
    reached: list[bool] = []

    def work(asked: Event) -> None:
        reached.append(asked.is_set())
        terminate()
        reached.append(asked.is_set())

    with pytest.raises(Stopped) as ended:
        train(request_, work)
    assert reached == [False, True], "it went on to its end"
    assert ended.value.code == 143
    told = capsys.readouterr().out
    assert told.index("save a checkpoint") < told.index("run the same command")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_second_signal_waits_no_longer(request_: StopRequest) -> None:
    reached: list[str] = []

    def work(_asked: Event) -> None:
        terminate()
        terminate()
        reached.append("the end of the training")

    with pytest.raises(Stopped):
        train(request_, work)
    assert not reached


def test_the_time_for_it_is_bounded(
    request_: StopRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stopping, "GRACE_SECONDS", 0.05)
    began = time.monotonic()

    def work(_asked: Event) -> None:
        terminate()
        time.sleep(20)

    with pytest.raises(Stopped) as ended:
        train(request_, work)
    assert time.monotonic() - began < 10
    assert ended.value.code == 143
    assert "the last one before counts" in capsys.readouterr().out


def test_an_error_of_the_training_is_not_hidden(request_: StopRequest) -> None:
    def work(_asked: Event) -> None:
        terminate()
        raise ValueError("defect")

    with pytest.raises(ValueError, match="defect"):
        train(request_, work)


def test_a_training_without_a_signal_ends_as_ever(request_: StopRequest) -> None:
    with request_.training():
        pass
    with pytest.raises(Stopped):
        terminate()


def test_the_grace_is_below_what_the_cluster_files_give() -> None:
    from tests.shared import REPOSITORY

    given = (REPOSITORY / "cluster" / "runtime_env.yaml").read_text()
    assert stopping.GRACE_SECONDS < 60
    assert 'RAY_JOB_STOP_WAIT_TIME_S: "60"' in given
