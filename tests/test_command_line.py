from __future__ import annotations

import subprocess
import sys

import pytest

from eisen_ray.command_line import run_job, user_error
from eisen_ray.errors import ConfigError, DataError


class WrappedError(Exception):
    """What Ray raises on the driver: a long text, the real error as `cause`."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("remote traceback ...")
        self.cause = cause


def fail(error: BaseException) -> None:
    raise error


def test_success_ends_with_zero() -> None:
    with pytest.raises(SystemExit) as end:
        run_job(lambda: "ignored")
    assert end.value.code == 0


@pytest.mark.parametrize("wrap", [False, True])
def test_user_errors_are_one_line(capsys: pytest.CaptureFixture[str], wrap: bool) -> None:
    error: Exception = ConfigError("train.batch_size is 0; expected at least 1.")
    with pytest.raises(SystemExit) as end:
        run_job(lambda: fail(WrappedError(error) if wrap else error))
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: train.batch_size is 0; expected at least 1.\n"


def test_interrupt_and_defects(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run_job(lambda: fail(KeyboardInterrupt()))
    assert end.value.code == 130
    assert "interrupted" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        run_job(lambda: fail(ZeroDivisionError()))


def test_user_error_finds_the_innermost_and_survives_loops() -> None:
    inner = DataError("inner")
    outer = DataError("outer")
    outer.cause = inner  # type: ignore[attr-defined]
    assert user_error(outer) is inner
    loop = WrappedError(ValueError())
    loop.cause = loop
    assert user_error(loop) is None


def test_import_is_light() -> None:
    code = "import sys, eisen_ray.command_line; sys.exit(bool({'torch', 'ray', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
