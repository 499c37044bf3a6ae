from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from eisen_ray.errors import ConfigError, DataError
from eisen_ray.worlds import clips
from eisen_ray.worlds.clips import make_clip
from eisen_ray.worlds.physics import SceneError
from eisen_ray.worlds.recording import Film
from tests.shared import REPOSITORY
from tests.worlds.conftest import SMALL

ARRAYS = ("frames", "instances", "flow", "visible", "depth")
CODE = """
from tests.worlds.conftest import SMALL
from tests.worlds.test_clips import fingerprint
from eisen_ray.worlds.clips import make_clip
for world in ("playroom", "bridge"):
    print(fingerprint(make_clip(world, "train", 0, 0, SMALL)[0]))
"""


def fingerprint(film: Film) -> str:
    parts = b"".join(np.ascontiguousarray(getattr(film, name)).tobytes() for name in ARRAYS)
    return hashlib.sha256(parts).hexdigest()


@pytest.mark.parametrize("world", ["playroom", "bridge"])
def test_a_clip_repeats_bit_by_bit(film_of, world: str) -> None:
    film, facts = film_of(world, "train", 0)
    again, same_facts = make_clip(world, "train", 0, 0, SMALL)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(film, name), getattr(again, name), err_msg=name)
    assert facts == same_facts


def test_a_clip_repeats_in_another_process(film_of) -> None:
    done = subprocess.run([sys.executable, "-c", CODE], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    expected = [fingerprint(film_of(world, "train", 0)[0]) for world in ("playroom", "bridge")]
    assert done.stdout.split() == expected


def test_number_split_and_seed_make_other_clips(film_of, mujoco) -> None:
    films = [film_of("bridge", "train", 0)[0], film_of("bridge", "train", 1)[0], film_of("bridge", "test", 0)[0]]
    films.append(make_clip("bridge", "train", 0, 1, SMALL)[0])
    assert len({fingerprint(film) for film in films}) == 4


def test_rejected_attempts_are_noted_and_an_end_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = iter(["hidden", "too small"])

    def make(rng, split, settings):
        for reason in reasons:
            raise SceneError(reason)
        return "film", {}

    monkeypatch.setattr(clips, "make_playroom", make)
    assert make_clip("playroom", "val", 3, 7, SMALL)[1]["rejected"] == ["hidden", "too small"]

    def never(rng, split, settings):
        raise SceneError("hidden")

    monkeypatch.setattr(clips, "make_playroom", never)
    with pytest.raises(DataError, match=r"playroom val clip 3, seed 7: 60 attempts rejected \(\{'hidden': 60\}\)"):
        make_clip("playroom", "val", 3, 7, SMALL)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="split is 'all'"):
        make_clip("playroom", "all", 0, 0, SMALL)
