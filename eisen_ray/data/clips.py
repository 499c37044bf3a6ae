"""A clip: one run of video from one camera, wherever it lies, with its evaluation masks if there are any."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeVar

from eisen_ray.errors import DataError

T = TypeVar("T", bound="Plain")


class Plain:
    """Mix-in for frozen dataclasses that travel as JSON: in rows of a table, in files."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON types (tuples become lists)."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[call-overload]

    def to_json(self) -> str:
        """One line of JSON: a column of it has one type, whatever the fields hold."""
        return json.dumps(asdict(self), sort_keys=True)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls: type[T], values: dict[str, Any]) -> T:
        """The inverse of `to_dict`.

        Raises:
            DataError: fields are missing or unknown.
        """
        try:
            return cls(**cls._restore(dict(values)))
        except (TypeError, KeyError) as error:
            raise DataError(
                f"{cls.__name__} cannot be built from {sorted(values)} ({error}); expected what to_dict gives. "
                "Was it written by another version?"
            ) from error

    @classmethod
    def from_json(cls: type[T], text: str) -> T:
        """The inverse of `to_json`."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> dict[str, Any]:
        return values


@dataclass(frozen=True)
class Clip(Plain):
    """Where one clip lies. It says nothing about content: `frames.probe_clip` looks inside."""

    clip_id: str
    """Path below the source without suffix: unique in a source, readable, with slashes."""
    kind: Literal["video", "frames", "playroom"]
    """One video file; one image file per frame; the same with Playroom's colour-coded masks."""
    uris: tuple[str, ...]
    """The video file (one), or the frames' files in order."""
    masks: tuple[str, ...] = ()
    """Empty; or one `.npz` with [frames, H, W] integers; or a file per frame, "" where a frame has no mask."""
    split: str = "train"
    """"train", "val" or "test"."""
    meta: dict[str, Any] = field(default_factory=dict, hash=False)
    """Plain JSON values: `bytes` (length of the files), `mask_format`, `zone_id`, `arm_id` (mask id of a robot's
    arm), `problem` (why the clip cannot be used, known from its listing), `anchors` (video: where to seek)."""
    first_frame: int = 0
    """Number of the frame in `uris[0]`; above 0 only in clips that `narrowed` has cut."""

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "uris": tuple(values["uris"]), "masks": tuple(values["masks"])}

    @property
    def address(self) -> str:
        """Address for messages: the video file, or the first frame's."""
        return self.uris[0] if self.uris else self.clip_id

    def narrowed(self, start: int, stop: int) -> Clip:
        """The same clip, carrying only what frames `start` up to before `stop` need.

        Frame numbers stay those of the whole clip. A fragment of a long clip stays a short row this way.
        """
        if self.kind == "video":
            anchors = [anchor for anchor in self.meta.get("anchors", []) if anchor[0] <= start][-1:]
            meta = {key: value for key, value in self.meta.items() if key != "anchors"}
            return replace(self, meta={**meta, "anchors": anchors} if anchors else meta)
        window = slice(start - self.first_frame, stop - self.first_frame)
        masks = self.masks if self.has_mask_archive else self.masks[window]
        return replace(self, uris=self.uris[window], masks=masks, first_frame=start)

    @property
    def has_mask_archive(self) -> bool:
        """Whether all masks lie in one `.npz` file."""
        return len(self.masks) == 1 and self.masks[0].lower().endswith(".npz")

    def mask_of(self, frame: int) -> str:
        """Address of the mask file of a frame; "" if it has none or if all masks lie in one archive."""
        if self.has_mask_archive:
            return ""
        position = frame - (0 if self.kind == "video" else self.first_frame)
        return self.masks[position] if 0 <= position < len(self.masks) else ""


def problem_clip(clip_id: str, kind: Literal["video", "frames", "playroom"], problem: str) -> Clip:
    """A clip that is listed only to be named in the quarantine, with its reason."""
    return Clip(clip_id=clip_id, kind=kind, uris=(), meta={"problem": problem})
