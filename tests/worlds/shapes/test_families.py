from __future__ import annotations

import numpy as np
import pytest

from eisen_ray.worlds.looks.textures import PATTERNS
from eisen_ray.worlds.shapes.families import MAKERS


@pytest.mark.parametrize("family", MAKERS)
def test_every_member_is_a_usable_object(family: str) -> None:
    for seed in range(8):
        made = MAKERS[family](np.random.default_rng(seed))
        assert made.family == family
        assert {part.slot for part in made.parts} <= set(range(len(made.looks)))
        assert set(made.looks) <= {"any", *PATTERNS}
        assert any(part.solid for part in made.parts), "nothing has mass"
        for part in made.parts:
            assert np.isfinite(part.vertices).all()
            assert part.faces.min() >= 0
            assert part.faces.max() < len(part.vertices) == len(part.uvs)
            # MuJoCo refuses meshes without extent along an axis.
            assert np.ptp(part.vertices, axis=0).min() > 1e-4


@pytest.mark.parametrize("family", sorted(set(MAKERS) - {"ball", "bird", "snail", "corn", "whisk", "sponge", "spoon"}))
def test_members_differ_and_a_seed_repeats_one(family: str) -> None:
    first, again, other = (MAKERS[family](np.random.default_rng(seed)) for seed in (1, 1, 5))
    np.testing.assert_array_equal(first.vertices, again.vertices)
    assert first.vertices.shape != other.vertices.shape or not np.allclose(first.vertices, other.vertices)
