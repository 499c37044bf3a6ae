"""Where everything lies under a root, and the digests that name what a stage has made.

A digest covers exactly the settings that shape the bytes: what must not change them (pool sizes, the number of steps)
is left out, so that a rerun finds what is there; what may change them is in, so that nothing stale is ever read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from eisen_ray.config import DataConfig, RunConfig
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import digest, to_dict
from eisen_ray.teaching import TeacherConfig

CONFIG = "config.json"
CONTACT_SHEET = "report/contact_sheet.png"

# Raised when stored bytes change their meaning although no setting did.
_STORED_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A promoted student: the frozen teacher of the next round."""

    path: str
    """Folder of its checkpoint, relative to the root."""
    sha256: str
    """Hash of its weights file."""


@dataclass(frozen=True, kw_only=True)
class RoundWork:
    """What the stages of one round need to know; sent to every actor and task."""

    config: RunConfig
    flow_identity: str
    """Which flow estimator, to the hash of its weights."""
    round_number: int = 1
    teacher: Teacher | None = None
    """None in round 1: an untrained teacher has no confident segments."""

    @property
    def store(self) -> Store:
        """The run's storage root."""
        return Store(self.config.root)

    @property
    def targets(self) -> Store:
        """Where flow, motion and segments lie, named by digests: the root, or a place that runs share."""
        return Store(self.config.targets or self.config.root)

    @property
    def teaching(self) -> TeacherConfig:
        """The config's `teacher` in this round: `explaining_away` is off after the last round that has it."""
        teacher = self.config.teacher
        ended = 0 < teacher.last_explaining_round < self.round_number
        return replace(teacher, explaining_away=teacher.explaining_away and not ended)

    @property
    def grid(self) -> tuple[int, int]:
        """Nodes of the student's affinity grid, (height, width)."""
        return self.config.data.image_height // 4, self.config.data.image_width // 4

    @property
    def flow_folder(self) -> str:
        """Stored flow: made once ever."""
        data, flow = self.config.data, self.config.flow
        return "flow/" + digest(
            _STORED_VERSION,
            self.flow_identity,
            [flow.height, flow.width],
            list(self.grid),
            list(self.config.motion.offsets),
            _video_settings(data),
        )

    @property
    def motion_folder(self) -> str:
        """Stored motion segments: made once ever."""
        return "motion/" + digest(_STORED_VERSION, self.flow_folder, self.config.motion, self.config.seed)

    @property
    def segments_folder(self) -> str:
        """Stored confident segments of this round's teacher."""
        # How segments are used, not how they are made.
        overlay = ("min_moving_share", "explaining_away", "last_explaining_round", "split_by_motion", "heal_rims")
        teacher = {key: value for key, value in to_dict(self.config.teacher).items() if key not in overlay}
        weights = self.teacher.sha256 if self.teacher else ""
        return "segments/" + digest(
            _STORED_VERSION,
            weights,
            self.config.model,
            self.config.grouping,
            teacher,
            [self.config.data.image_height, self.config.data.image_width],
            _video_settings(self.config.data),
            self.config.seed,
        )


def round_folder(round_number: int) -> str:
    """Folder of a round's results."""
    return f"rounds/{round_number}"


def reading_file(round_number: int) -> str:
    """The fragments of a round, pinned when its training begins."""
    return f"{round_folder(round_number)}/reading.json"


def training_folder(round_number: int) -> str:
    """Ray Train's own folder of a round; removed once its student is promoted."""
    return f"training/round-{round_number}"


def evaluation_file(round_number: int) -> str:
    """Scores and health of a round's student."""
    return f"{round_folder(round_number)}/evaluation.json"


def sheet_file(round_number: int) -> str:
    """A round's contact sheet."""
    return f"{round_folder(round_number)}/contact_sheet.png"


def promotion_file(round_number: int) -> str:
    """The file whose existence is the promotion."""
    return f"{round_folder(round_number)}/teacher.json"


def fragment_file(folder: str, fragment_id: str) -> str:
    """A fragment's file in a folder; two hex digits spread the files over 256 sub-folders."""
    return f"{folder}/{_spread(fragment_id)}/{fragment_id}.parquet"


def digest_of(folder: str) -> str:
    """The digest in a folder's name."""
    return folder.rsplit("/", 1)[-1]


def stored_fragments(store: Store, folder: str) -> set[str]:
    """Ids of the fragments stored in a folder."""
    return {name.split("/", 1)[1].removesuffix(".parquet") for name in store.files(folder) if "/" in name}


def stable_seed(*parts: Any) -> int:
    """A seed that depends on the given values only: a fragment gets the same draws in whatever actor it lands."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


def training_index_file(data: DataConfig) -> str:
    """The list of the training fragments."""
    name = digest(
        "train", data.layout, data.source, data.fragment_frames, data.frame_stride, data.max_clips, data.max_bad_share
    )
    return f"index/{name}.json"


def _video_settings(data: Any) -> list[Any]:
    return [data.layout, data.source, data.frame_stride, data.pair_stride]


def _spread(fragment_id: str) -> str:
    return hashlib.sha256(fragment_id.encode()).hexdigest()[:2]
