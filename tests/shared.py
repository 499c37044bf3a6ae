"""Where the shared test data lies, and how tests that need it are skipped without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("EISEN_SHARED", REPOSITORY.parent / "shared"))


def needs_shared(relative: str) -> pytest.MarkDecorator:
    """Mark that skips a test when `relative` (a file or folder) is absent from the shared data."""
    return pytest.mark.skipif(not (SHARED / relative).exists(), reason=f"shared data {relative} is absent")
