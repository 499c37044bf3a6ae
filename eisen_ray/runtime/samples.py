"""From a round's reading to training samples: one row per image with its label maps. Runs in tasks; no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from eisen_ray.data.index import Fragment
from eisen_ray.data.packed import pack_labels
from eisen_ray.data.pairs import decode_labels
from eisen_ray.errors import DataError
from eisen_ray.runtime.decoding import DecodeFragment, Row, stored_names
from eisen_ray.runtime.layout import RoundWork, fragment_file, reading_file
from eisen_ray.runtime.reading import Used, fragment_at, pair_starts, sample_id
from eisen_ray.runtime.storage import Store

# An epoch of images up to this size is read once and then kept by the worker: on a laptop, decoding it again in every
# epoch costs a fifth of the training.
REPLAY_BYTES = 512 * 1024**2


class ReadPosition:
    """1:1. Adds to a row's `position` the `fragment` there.

    The list of fragments is read from storage once per process: rows stay small, however long the reading.
    """

    def __init__(self, work: RoundWork) -> None:
        self.work = work

    def __call__(self, row: Row) -> Row:
        """Look the fragment up."""
        fragments = reading_list(self.work.store, reading_file(self.work.round_number))
        position = int(row["position"])
        fragment = fragments[fragment_at(position, len(fragments), reading_seed(self.work))]
        return {"position": position, "fragment": fragment, "error": ""}


class LoadStored:
    """1:1. From a fragment alone to `images`, `motion` and `segments`, all decoded or read from storage.

    Args:
        work: the round.
        with_segments: off: `segments` is left to a `TeacherStage` that follows.
    """

    def __init__(self, work: RoundWork, with_segments: bool = True) -> None:
        self.work = work
        self.with_segments = with_segments and work.teacher is not None
        size = (work.config.data.image_height, work.config.data.image_width)
        self.decode = DecodeFragment(flow_size=None, image_size=size, pair_stride=work.config.data.pair_stride)

    def __call__(self, row: Row) -> Row:
        """Decode and read."""
        row = self.decode(row)
        if row["error"]:
            return row
        fragment = Fragment.from_json(row["fragment"])
        try:
            row["motion"] = self._labels(self.work.motion_folder, fragment)
            if self.with_segments:
                row["segments"] = self._labels(self.work.segments_folder, fragment)
        except (DataError, FileNotFoundError) as error:
            row["error"] = str(error)
        return row

    def _labels(self, folder: str, fragment: Fragment) -> list[bytes]:
        content = self.work.targets.read(fragment_file(folder, fragment.fragment_id))
        return pack_labels(decode_labels(content, **stored_names(fragment, folder), size=self.work.grid).values)


class ExplodeSamples:
    """1:m. A fragment's row to one row per image that has not been used.

    Gives `sample_id` int64, `image` uint8 [H, W, 3], `motion` and, where there is a teacher, `segments`, both packed.
    A fragment that failed gives none; its reason is written to `quarantine/`.

    Args:
        work: the round.
        used: samples that training has used already.
    """

    def __init__(self, work: RoundWork, used: Used) -> None:
        self.work = work
        self.used = used

    def __call__(self, row: Row) -> Iterator[Row]:
        """Give what is unused."""
        if row["error"]:
            quarantine(self.work, row)
            return
        starts = pair_starts(Fragment.from_json(row["fragment"]).num_frames, self.work.config.data.pair_stride)
        columns = {"image": row["images"], "motion": row["motion"]}
        if self.work.teacher:
            columns["segments"] = row["segments"]
        for start, *values in zip(starts, *columns.values(), strict=True):
            name = sample_id(int(row["position"]), start)
            if name not in self.used:
                yield {"sample_id": np.int64(name), **dict(zip(columns, values, strict=True))}


class ReadSamples:
    """1:m, in a task: `ReadPosition`, `LoadStored` and `ExplodeSamples` in one, for epochs that only read."""

    def __init__(self, work: RoundWork, used: Used) -> None:
        self._position = ReadPosition(work)
        self._load = LoadStored(work)
        self._explode = ExplodeSamples(work, used)

    def __call__(self, row: Row) -> Iterator[Row]:
        """From a position to its samples."""
        yield from self._explode(self._load(self._position(row)))


@lru_cache(maxsize=2)
def reading_list(store: Store, path: str) -> list[str]:
    """The fragments of a round, as JSON, in the order that `fragment_at` counts in."""
    return list(store.read_json(path)["fragments"])


def reading_seed(work: RoundWork) -> int:
    """Seed of a round's reading order."""
    return work.config.seed * 1000 + work.round_number


def images_per_fragment(work: RoundWork) -> np.ndarray:
    """Images of each fragment in the round's reading list, int64."""
    stride = work.config.data.pair_stride
    fragments = reading_list(work.store, reading_file(work.round_number))
    counts = (len(pair_starts(json.loads(fragment)["num_frames"], stride)) for fragment in fragments)
    return np.fromiter(counts, np.int64, len(fragments))


def replays(work: RoundWork) -> bool:
    """Whether the training worker keeps an epoch and replays it: a single worker, and few images."""
    data = work.config.data
    num_bytes = int(images_per_fragment(work).sum()) * data.image_height * data.image_width * 3
    return work.config.resources.train_workers == 1 and num_bytes <= REPLAY_BYTES


def quarantine(work: RoundWork, row: dict[str, Any]) -> None:
    """Note a fragment that cannot be used, once."""
    fragment = Fragment.from_json(row["fragment"])
    note = {"fragment_id": fragment.fragment_id, "uri": fragment.clip.address, "reason": row["error"]}
    work.store.create_json_once(f"quarantine/{fragment.fragment_id}.json", note)
