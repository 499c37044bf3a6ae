"""The list of fragments of a run: every clip looked at once, in parallel, and kept under the root."""

from __future__ import annotations

import json
from collections.abc import Sequence

import ray

from eisen_ray.config import DataConfig
from eisen_ray.data.clips import Clip
from eisen_ray.data.frames import Probe, Quarantined, try_probe
from eisen_ray.data.index import Index, build_index, select_clips
from eisen_ray.data.layouts import list_clips, list_held_out
from eisen_ray.errors import StorageError
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import digest

# Looking at a clip takes some 10 ms (a short video) to seconds: a few per task hide Ray's own millisecond.
CLIPS_PER_TASK = 4


def training_index(store: Store, data: DataConfig) -> Index:
    """Fragments of the training clips, made once and then read.

    Raises:
        DataError: nothing usable at the source, or too many clips that are not.
    """
    name = digest(
        "train", data.layout, data.source, data.fragment_frames, data.frame_stride, data.max_clips, data.max_bad_share
    )
    return _index(store, data, name, None)


def held_out_index(store: Store, data: DataConfig) -> Index | None:
    """Fragments of the evaluation clips; None when the layout has none.

    Raises:
        DataError: clips are there, but nothing of them can be used.
    """
    clips = list_held_out(data.layout, data.source, data.eval_source)
    if not clips:
        return None
    name = digest("held out", data.layout, data.source, data.eval_source, data.fragment_frames, data.frame_stride)
    return _index(store, data, name, clips)


def probe_clips(clips: Sequence[Clip], num_cpus: float) -> dict[str, Probe | Quarantined]:
    """What each clip holds or why it cannot be used, by clip id; looked at in parallel tasks."""
    task = ray.remote(num_cpus=num_cpus)(_probe_some)
    parts = [clips[begin : begin + CLIPS_PER_TASK] for begin in range(0, len(clips), CLIPS_PER_TASK)]
    results = ray.get([task.remote(part) for part in parts])
    found = [probe for result in results for probe in result]
    return {clip.clip_id: probe for clip, probe in zip(clips, found, strict=True)}


def _probe_some(clips: Sequence[Clip]) -> list[Probe | Quarantined]:
    return [try_probe(clip) for clip in clips]


def _index(store: Store, data: DataConfig, name: str, held_out: list[Clip] | None) -> Index:
    path = f"index/{name}.json"
    if store.exists(path):
        return _read(store, path)
    clips = list_clips(data.layout, data.source) if held_out is None else held_out
    max_clips = data.max_clips if held_out is None else 0
    selected = select_clips(clips, max_clips)
    # Half a CPU: looking at a clip waits for storage about half of its time.
    index = build_index(
        selected,
        probe_clips(selected, num_cpus=0.5),
        fragment_frames=data.fragment_frames,
        frame_stride=data.frame_stride,
        max_bad_share=data.max_bad_share,
    )
    store.write(path, index.to_json().encode())
    return index


def _read(store: Store, path: str) -> Index:
    try:
        return Index.from_json(store.read(path))
    except json.JSONDecodeError as error:
        raise StorageError(f"{store.uri(path)} is not JSON: {error}. Remove it to have it made again.") from error
