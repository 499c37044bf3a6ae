from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eisen_ray.errors import DataError
from eisen_ray.worlds.arm_links import HOME, LINKS, check_meshes, plain_parts
from tests.shared import SHARED, needs_shared


def test_home_is_within_the_joints_ranges() -> None:
    assert all(link.low < angle < link.high for link, angle in zip(LINKS, HOME, strict=True))


def test_every_link_has_a_plain_look() -> None:
    for name in ("base", "finger", *(link.name for link in LINKS)):
        parts = plain_parts(name)
        assert {part.slot for part in parts} <= {0, 1}
        assert np.ptp(np.concatenate([part.vertices for part in parts]), axis=0).max() < 0.35


@needs_shared("simulator/assets/wx250s")
def test_the_manufacturers_files_are_recognised() -> None:
    check_meshes(str(SHARED / "simulator/assets/wx250s"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "wx250s_1_base.stl").touch()
    with pytest.raises(DataError, match=r"wx250s_9_gripper_bar\.stl does not exist; expected the ten"):
        check_meshes(str(tmp_path))
