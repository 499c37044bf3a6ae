from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.clip_settings import ClipSettings
from eisen_ray.worlds.clips import make_clip
from eisen_ray.worlds.engine import has_software_vulkan


def test_a_film_repeats_and_its_truth_is_that_of_the_classic_renderer(mujoco, film_of) -> None:
    if not has_software_vulkan():
        pytest.skip("no Vulkan driver for the processor")
    settings = ClipSettings(size=64, frames=4, renderer="filament")
    first, again = (make_clip("bridge", "train", 0, 0, settings)[0] for _ in range(2))
    classic = film_of("bridge", "train", 0)[0]
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.instances, classic.instances)
    np.testing.assert_array_equal(first.flow, classic.flow)
    assert (first.frames != classic.frames).any()
