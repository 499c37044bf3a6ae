"""From a layout's name to its reader, and which clips are for training and which for evaluation."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Literal

from eisen_ray.data import bridge, davis, frame_folders, playroom, sample, videos
from eisen_ray.data.clips import Clip
from eisen_ray.errors import DataError

Split = Literal["auto", "val", "test", "train", "all"]

LAYOUTS: dict[str, ModuleType] = {
    "sample": sample,
    "videos": videos,
    "frames": frame_folders,
    "davis": davis,
    "bridge": bridge,
    "playroom": playroom,
}


def list_clips(layout: str, source: str) -> list[Clip]:
    """Training clips of a source.

    Args:
        layout: a key of `LAYOUTS`.
        source: folder or URL; may be empty for `sample`.

    Raises:
        DataError: unknown layout, or nothing of that layout at `source`.
    """
    return _reader(layout).list_clips(source)


def list_held_out(layout: str, source: str, eval_source: str = "") -> list[Clip]:
    """Evaluation clips: the layout's own held-out split, or everything at `eval_source` where there is none.

    Args:
        layout: a key of `LAYOUTS`.
        source: folder or URL of the training video.
        eval_source: folder or URL of held-out video; empty: the held-out split of `source`, which may be nothing.

    Raises:
        DataError: unknown layout, or nothing of that layout at the source.
    """
    reader = _reader(layout)
    if not eval_source:
        return reader.held_out(source)
    own = reader.held_out(eval_source)
    return own or [replace(clip, split="val") for clip in reader.list_clips(eval_source)]


def list_scored(layout: str, source: str, split: Split = "auto") -> list[Clip]:
    """Clips to score with masks.

    Args:
        layout: a key of `LAYOUTS`.
        source: folder or URL; may be empty for `sample`.
        split: `auto`: the held-out split, or everything where there is none. `val`: the held-out split. `test`: the
            test split, where the layout has one. `train`: what training uses. `all`: everything.

    Raises:
        DataError: unknown layout, a split that it has not, or nothing of that layout at `source`.
    """
    reader = _reader(layout)
    if split == "test":
        if reader is not bridge:
            raise DataError(
                f"Layout {layout!r} has no test split; expected 'bridge'. Set data.split to 'val' or 'all'."
            )
        return bridge.held_out(source, "test")
    everything = getattr(reader, "every_clip", reader.list_clips)
    found = {
        "auto": lambda: reader.held_out(source) or everything(source),
        "val": lambda: reader.held_out(source),
        "train": lambda: reader.list_clips(source),
        "all": lambda: everything(source),
    }
    clips: list[Clip] = found[split]()
    return clips


def _reader(layout: str) -> ModuleType:
    if layout not in LAYOUTS:
        raise DataError(f"Layout {layout!r} is not known; expected one of {', '.join(LAYOUTS)}. Set data.layout.")
    return LAYOUTS[layout]
