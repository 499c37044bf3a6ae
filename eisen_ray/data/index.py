"""From clips to fragments: the units of work, storage and retry, and the list of what cannot be used."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eisen_ray.data.clips import Clip, Plain
from eisen_ray.data.files import natural_key
from eisen_ray.data.frames import Probe, Quarantined
from eisen_ray.errors import DataError

MAX_FRAGMENT_FRAMES = 4096
"""A pair's id is its fragment's ordinal times this plus the frame's position in the fragment."""
NUM_NAMED = 5
"""Unusable clips that an error names; the quarantine list has all."""
NAME_LENGTH = 80
"""Characters of the clip's id that a fragment's id keeps: ids become file names, and those are limited."""


@dataclass(frozen=True)
class Fragment(Plain):
    """A run of frames of one clip. Neighbouring fragments share one frame, so that no pair is lost."""

    fragment_id: str
    """Stable, unique and safe as a file name."""
    ordinal: int
    """Position in the sorted list of fragments."""
    clip: Clip
    """The clip, narrowed to this fragment."""
    start: int
    """Number of the first frame in the whole clip."""
    num_frames: int
    """Frames, at least 2; n frames give n-1 pairs."""
    stride: int
    """Step between the frames, in frames of the clip."""

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "clip": Clip.from_dict(values["clip"])}

    @property
    def frames(self) -> list[int]:
        """Numbers of the frames in the whole clip."""
        return list(range(self.start, self.start + self.num_frames * self.stride, self.stride))


@dataclass(frozen=True)
class Index(Plain):
    """All fragments of a source in order, and what had to be left out."""

    fragments: tuple[Fragment, ...]
    quarantine: tuple[Quarantined, ...]
    num_clips: int
    """Clips that give fragments."""

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {
            **values,
            "fragments": tuple(
                item if isinstance(item, Fragment) else Fragment.from_dict(item) for item in values["fragments"]
            ),
            "quarantine": tuple(Quarantined.from_dict(item) for item in values["quarantine"]),
        }

    def to_json(self) -> str:
        """As JSON, a line for each fragment. Built piece by piece: a long index as nested lists takes gigabytes."""
        fragments = ",\n".join(fragment.to_json() for fragment in self.fragments)
        quarantine = json.dumps([item.to_dict() for item in self.quarantine])
        return f'{{"num_clips": {self.num_clips},\n"quarantine": {quarantine},\n"fragments": [\n{fragments}]}}\n'

    @classmethod
    def from_json(cls, text: str | bytes) -> Index:
        """The inverse of `to_json`."""
        # A fragment takes the place of its nested lists as soon as it is read.
        values = json.loads(text, object_hook=_fragment_or_plain)
        return cls.from_dict(values)

    @property
    def num_frames(self) -> int:
        """Frames over all fragments; one shared by two fragments counts twice."""
        return sum(fragment.num_frames for fragment in self.fragments)

    @property
    def num_pairs(self) -> int:
        """Pairs of neighbouring frames over all fragments."""
        return sum(fragment.num_frames - 1 for fragment in self.fragments)


def _fragment_or_plain(values: dict[str, Any]) -> Any:
    return Fragment.from_dict(values) if "fragment_id" in values else values


def select_clips(clips: Sequence[Clip], max_clips: int) -> list[Clip]:
    """At most `max_clips` clips (0 = all), spread evenly over the list sorted by id.

    Raises:
        DataError: two clips have the same id.
    """
    ordered = sorted(clips, key=lambda clip: natural_key(clip.clip_id))
    twice = [clip_id for clip_id, count in Counter(clip.clip_id for clip in ordered).items() if count > 1]
    if twice:
        raise DataError(f"Clip ids {twice[:3]} occur more than once; expected different ids. Rename the files.")
    if max_clips <= 0 or len(ordered) <= max_clips:
        return ordered
    return [ordered[position * len(ordered) // max_clips] for position in range(max_clips)]


def build_index(
    clips: Sequence[Clip],
    probes: Mapping[str, Probe | Quarantined],
    *,
    fragment_frames: int,
    frame_stride: int = 1,
    max_clips: int = 0,
    max_bad_share: float = 0.2,
) -> Index:
    """Cut the usable clips into fragments.

    Args:
        clips: what a layout's `list_clips` gave.
        probes: by clip id, what `frames.try_probe` gave for at least the selected clips.
        fragment_frames: frames in a fragment, 2..4096; the last one of a clip may be shorter.
        frame_stride: keep every n-th frame of a clip.
        max_clips: use at most so many clips, spread evenly; 0 = all.
        max_bad_share: largest share of the clips with files that may be unusable. Folders without any are named in
            the quarantine, but a stray folder of notes is not held against the video.

    Raises:
        DataError: too many clips are unusable, or no fragment remains.
    """
    if not 2 <= fragment_frames <= MAX_FRAGMENT_FRAMES or frame_stride < 1:
        raise DataError(
            f"fragment_frames {fragment_frames}, frame_stride {frame_stride}; "
            f"expected 2..{MAX_FRAGMENT_FRAMES} and at least 1. Set data.fragment_frames, data.frame_stride."
        )
    fragments: list[Fragment] = []
    quarantine: list[Quarantined] = []
    selected = select_clips(clips, max_clips)
    for clip in selected:
        probe = probes.get(clip.clip_id)
        if probe is None:
            raise DataError(f"{clip.clip_id}: was not probed; expected a probe for every selected clip.")
        if isinstance(probe, Quarantined):
            quarantine.append(probe)
            continue
        cut = _cut(clip, probe, fragment_frames, frame_stride, len(fragments))
        if not cut:
            reason = f"{probe.num_frames} frames, fewer than 2 with frame_stride {frame_stride}. Lower it."
            quarantine.append(Quarantined(clip.clip_id, clip.address, reason))
        fragments += cut
    _check_share(selected, quarantine, fragments, max_bad_share)
    return Index(tuple(fragments), tuple(quarantine), len(selected) - len(quarantine))


def _cut(clip: Clip, probe: Probe, length: int, stride: int, ordinal: int) -> list[Fragment]:
    num_kept = -(-probe.num_frames // stride)
    if probe.anchors:
        clip = replace(clip, meta={**clip.meta, "anchors": [list(anchor) for anchor in probe.anchors]})
    fragments: list[Fragment] = []
    for first in range(0, num_kept - 1, length - 1):
        start, count = first * stride, min(length, num_kept - first)
        fragments.append(
            Fragment(
                fragment_id=_fragment_id(clip, start, count, stride),
                ordinal=ordinal + len(fragments),
                clip=clip.narrowed(start, start + (count - 1) * stride + 1),
                start=start,
                num_frames=count,
                stride=stride,
            )
        )
    return fragments


def _fragment_id(clip: Clip, start: int, count: int, stride: int) -> str:
    # The length in bytes is part of it: a video replaced by another one does not inherit the old one's flow.
    identity = "\n".join([clip.clip_id, clip.address, str(len(clip.uris)), str(clip.meta.get("bytes", 0))])
    code = hashlib.sha256(identity.encode()).hexdigest()[:10]
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", clip.clip_id)[-NAME_LENGTH:].lstrip(".-") or "clip"
    return f"{name}-{start:06d}-{count}x{stride}-{code}"


def _check_share(
    clips: Sequence[Clip], quarantine: Sequence[Quarantined], fragments: Sequence[Fragment], max_bad_share: float
) -> None:
    bad = {item.clip_id for item in quarantine}
    with_files = [clip for clip in clips if clip.uris]
    num_bad = sum(clip.clip_id in bad for clip in with_files)
    lines = [f"  {item.uri}: {item.reason}" for item in quarantine[:NUM_NAMED]]
    named = "\n".join([*lines, *([f"  and {len(quarantine) - NUM_NAMED} more"] if len(quarantine) > NUM_NAMED else [])])
    if with_files and num_bad / len(with_files) > max_bad_share:
        raise DataError(
            f"{num_bad} of {len(with_files)} clips cannot be used ({num_bad / len(with_files):.0%}); at most "
            f"{max_bad_share:.0%} may be (data.max_bad_share). Repair or remove them, or raise the limit:\n{named}"
        )
    if not fragments:
        raise DataError(f"No clip of {len(clips)} can be used; expected at least one. Check data.source:\n{named}")
