from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eisen_ray.presets import tiny
from eisen_ray.runtime.claim import claim
from eisen_ray.runtime.storage import Store
from jobs.status import main

ROOT = Path(__file__).resolve().parents[2]


def ask(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the door in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["status", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(str(end.value.code))


def test_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    claim(Store(str(tmp_path)), tiny(), "dis")
    assert ask(monkeypatch, str(tmp_path)) == 0
    assert "state      never started" in capsys.readouterr().out
    assert ask(monkeypatch, str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["steps"] == {"round": 1, "done": 0, "total": 6}
    assert ask(monkeypatch, str(tmp_path / "absent")) == 2
    assert "does not exist" in capsys.readouterr().err


def test_help_is_light() -> None:
    code = (
        "import sys, jobs.status\n"
        "sys.argv = ['status', '--help']\n"
        "try:\n    jobs.status.main()\nexcept SystemExit:\n    pass\n"
        "sys.exit(bool({'torch', 'ray', 'numpy', 'fsspec'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).returncode == 0
