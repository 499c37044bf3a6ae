"""A table of peers from the driver's side: what is missing is trained and scored, what is there is kept."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import ray
import torch

from eisen_ray.compare_config import (
    CompareConfig,
    needs_dino,
    needs_network,
    shaping,
    supervision_of,
    variants_of,
)
from eisen_ray.data.clips import Clip
from eisen_ray.data.files import natural_key
from eisen_ray.data.frames import Quarantined
from eisen_ray.data.layouts import list_held_out
from eisen_ray.data.scored_frames import NUM_NAMED, MaskedClip, check_scored
from eisen_ray.errors import ConfigError
from eisen_ray.learning.checkpoint_files import MANIFEST_FILE
from eisen_ray.measures.scores import summarize
from eisen_ray.report.comparison import chosen, comparison_page, comparison_table, mean_ious, title_of
from eisen_ray.runtime.bootstrap import settled_place
from eisen_ray.runtime.checkpoints import StoredCheckpoint, find_checkpoint
from eisen_ray.runtime.cluster import Capacity, capacity, connect
from eisen_ray.runtime.evaluate import look
from eisen_ray.runtime.peer_pictures import Shown, comparison_sheet, pack_shown, shown_pictures, unpack_shown
from eisen_ray.runtime.peer_scoring import Came, PeerWork, asked_rows, came_out, scored_by_peer
from eisen_ray.runtime.peer_targets import PeerTargets
from eisen_ray.runtime.peer_training import Training, train_peer
from eisen_ray.runtime.placement import make_plan
from eisen_ray.runtime.progress import Pace, Record
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import digest, to_dict

TABLE, PAGE, SHEET = "compare.json", "compare.md", "compare.png"
"""What a comparison leaves behind, beside a record and some label maps of each row and the weights of trained peers."""


def compare(config: CompareConfig) -> list[dict[str, Any]]:
    """Make the rows of a table that are missing; write, print and draw all of them.

    Returns:
        One record for each row and variant.

    Raises:
        EisenError: something that the user can act on: no masks, a library that is missing, a damaged checkpoint.
    """
    config = settled(config)
    store = Store(config.root)
    store.check_writable()
    checkpoint = find_checkpoint(config.checkpoint) if config.checkpoint else None
    is_ours = not ray.is_initialized()
    connect()
    try:
        plan = make_plan(config.run, capacity())
        sized = replace(config, resources=plan.config.resources)
        return Table(sized, checkpoint, plan.offered, Reporter(store)).make()
    finally:
        if is_ours:
            ray.shutdown()


def settled(config: CompareConfig) -> CompareConfig:
    """The config with absolute local paths: actors have working folders of their own."""
    data = replace(
        config.data, source=settled_place(config.data.source), eval_source=settled_place(config.data.eval_source)
    )
    return replace(
        config,
        data=data,
        root=settled_place(config.root),
        targets=settled_place(config.targets),
        checkpoint=settled_place(config.checkpoint),
        dino=settled_place(config.dino),
        test_source=settled_place(config.test_source),
    )


def possible_rows(config: CompareConfig) -> tuple[list[str], list[str]]:
    """Rows that can be made, and a line for each that cannot, for want of a checkpoint or of DINO."""
    left_out = {row: "--checkpoint" for row in config.rows if needs_network(row) and not config.checkpoint}
    left_out |= {row: "--dino" for row in config.rows if needs_dino(row) and not config.dino}
    return [row for row in config.rows if row not in left_out], [
        f"left out  {row}: needs {option}" for row, option in left_out.items()
    ]


@dataclass
class Table:
    """The state of one comparison.

    Attributes:
        config: with absolute paths.
        checkpoint: our own network, if there is one.
        offered: the cluster.
        reporter: where lines go.
    """

    config: CompareConfig
    checkpoint: StoredCheckpoint | None
    offered: Capacity
    reporter: Reporter
    _sets: dict[str, list[MaskedClip]] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The root."""
        return Store(self.config.root)

    def make(self) -> list[dict[str, Any]]:
        """Make what is missing, row by row; the page is written after each.

        Raises:
            ConfigError: no row can be made.
        """
        rows, lines = possible_rows(self.config)
        for line in lines:
            self.reporter.say(line)
        if not rows:
            raise ConfigError("No row of the table can be made: all need a checkpoint or DINO. Give --checkpoint.")
        records: list[dict[str, Any]] = []
        for row in rows:
            records += self._records(row)
            write_pages(self.store, self.config, records)
        best = chosen(records, self.config.select_by)
        self.store.write(SHEET, self._sheet(best))
        write_pages(self.store, self.config, records, SHEET)
        for name in self.set_names:
            self.reporter.say(f"{name}\n{comparison_table(best, name)}\n")
        self.reporter.say(f"results  {self.store.uri(PAGE)}")
        self.reporter.say(f"pictures {self.store.uri(SHEET)}")
        return records

    def _records(self, row: str) -> list[dict[str, Any]]:
        variants = variants_of(row, self.config.variants)
        files = [self._file(row, variant) for variant in variants]
        missing = [place for place, file in enumerate(files) if not self.store.exists(file)]
        made = self._make(row, [variants[place] for place in missing]) if missing else []
        for place, (record, maps) in zip(missing, made, strict=True):
            # The record comes last: a row that has one is complete.
            self.store.write(maps_file(files[place]), maps)
            self.store.write_json(files[place], record)
        records = [self.store.read_json(file) for file in files]
        for place, record in enumerate(records):
            found = [f"{name} {value}" for name, value in mean_ious(record).items()]
            done = "" if place in missing else "  done before"
            self.reporter.say(f"{title_of(record)}  mIoU {', '.join(found)}{done}")
        return records

    def _make(self, row: str, variants: list[dict[str, float]]) -> list[tuple[dict[str, Any], bytes]]:
        trained = self._train(row) if supervision_of(row) else None
        work = PeerWork(
            config=self._targets.settled if row == "moving-region" else self.config,
            row=row,
            variants=tuple(variants),
            weights=trained["weights"] if trained else "",
            checkpoint=self.checkpoint if needs_network(row) else None,
        )
        began = time.monotonic()
        found = self._score(work)
        # Of the whole pipeline: reading, its actor's start and all variants included.
        pace = (time.monotonic() - began) / sum(len(each.images) for each in found)
        made = []
        for place, variant in enumerate(variants):
            record = {
                "row": row,
                "variant": variant,
                "trained": trained,
                "seconds_per_image": pace,
                "sets": {name: self._summed(found, name, place) for name in self.set_names},
            }
            own = [each for each in found if each.variant == place]
            made.append((record, pack_shown(own, self._shown, work.image_size)))
        return made

    def _sheet(self, records: Sequence[Mapping[str, Any]]) -> bytes:
        columns = []
        for record in records:
            file = maps_file(self._file(record["row"], record["variant"]))
            columns.append((title_of(record), unpack_shown(self.store.read(file)) if self.store.exists(file) else {}))
        return comparison_sheet(self._shown, columns, self.config.data.image_width)

    def _summed(self, found: list[Came], name: str, variant: int) -> dict[str, Any]:
        own = [each for each in found if (each.set_name, each.variant) == (name, variant)]
        images = [image for each in own for image in each.images]
        bad = [item for each in own for item in each.left_out]
        check_scored(len(images), bad, f"the set {name!r}")
        return {**summarize(images, self.config.seed).to_dict(), "left_out": [item.to_dict() for item in bad]}

    def _file(self, row: str, variant: Mapping[str, float]) -> str:
        names = [self.checkpoint.sha256 if self.checkpoint and needs_network(row) else ""]
        if row == "moving-region" or supervision_of(row) == "motion":
            names.append(self._targets.flow_identity)
        name = digest(row, dict(variant), shaping(row, self.config), names)
        return f"rows/{row.replace('/', '-').replace(':', '-')}-{name}.json"

    @property
    def set_names(self) -> list[str]:
        """Names of the sets that are scored."""
        return ["val", "test"] if self.config.test_source else ["val"]

    def _score(self, work: PeerWork) -> list[Came]:
        sets = {name: self._set(name) for name in self.set_names}
        rows = asked_rows(sets, self.config.max_images, len(work.variants))
        total = sum(len(json.loads(row["frames"])) for row in rows)
        pace = Pace(total)
        found = []
        for row in scored_by_peer(work, rows, self.offered.has_gpus).iter_rows():
            found.append(came_out(row))
            if pace.advance(len(found[-1].images) + len(found[-1].left_out)) and pace.done < total:
                self.reporter.progress(work.row, pace.done, total, pace.elapsed_s)
        return found

    def _set(self, name: str) -> list[MaskedClip]:
        if name not in self._sets:
            data = self.config.data
            source = data.eval_source if name == "val" else self.config.test_source
            clips: list[Clip] = list_held_out(data.layout, data.source, source)
            looked = look(sorted(clips, key=lambda clip: natural_key(clip.clip_id)))
            bad = [clip for clip in looked if isinstance(clip, Quarantined)]
            found = [clip for clip in looked if isinstance(clip, MaskedClip)]
            check_scored(len(found), bad, source or data.source or data.layout)
            self.reporter.say(f"{name}  {len(found)} clips with masks, {len(bad)} left out")
            for item in bad[:NUM_NAMED]:
                self.reporter.say(f"left out  {item.uri}: {item.reason}")
            self._sets[name] = found
        return self._sets[name]

    def _train(self, row: str) -> dict[str, Any]:
        training = Training(config=self.config, row=row, reading=self._targets.reading(supervision_of(row)))
        steps = self.config.learn.num_steps

        def tell(record: Record) -> None:
            self.reporter.progress(row, record["step"], steps, record["seconds"], loss=record["loss"])

        weights = train_peer(training, self.offered.has_gpus, tell)
        meta = self.store.read_json(f"{weights}/{MANIFEST_FILE}")["meta"]
        return {"weights": weights, **{key: meta[key] for key in ("step", "seconds", "loss")}}

    @cached_property
    def _shown(self) -> list[Shown]:
        return shown_pictures({name: self._set(name) for name in self.set_names}, self.config.max_images)

    @cached_property
    def _targets(self) -> PeerTargets:
        return PeerTargets(self.config, self.offered.has_gpus, self.reporter)


def maps_file(record_file: str) -> str:
    """Where the label maps of a row lie that its sheet shows, beside its record."""
    return f"{record_file.removesuffix('.json')}.npz"


def write_pages(store: Store, config: CompareConfig, records: list[dict[str, Any]], sheet: str = "") -> None:
    """Write the records as JSON and as a page, which shows `sheet` if there is one."""
    offered = ray.cluster_resources()
    data = config.data
    facts = {
        "training": f"layout {data.layout}, `{data.source or 'inside the package'}`",
        "validation": f"`{data.eval_source or 'held-out part of the layout'}`",
        "test": f"`{config.test_source}`" if config.test_source else "none",
        "pictures": f"{data.image_width}x{data.image_height}, at most {config.max_images or 'all'} of each set",
        "our own network": f"`{config.checkpoint}`" if config.checkpoint else "none given",
        "peers that learn": f"{config.learn.size}, {config.learn.num_steps} steps of {config.learn.batch_size} images",
        "seed": str(config.seed),
        "machine": f"{offered.get('CPU', 0):g} CPUs, {offered.get('GPU', 0):g} GPUs, {platform.machine()}, "
        f"torch {torch.__version__}",
    }
    store.write_json(TABLE, {"config": to_dict(config), "facts": facts, "rows": records})
    store.write(PAGE, comparison_page(records, facts, config.select_by, sheet).encode())
