"""One checkpoint on one set of pictures with masks, from the driver's side: find, segment, score, write, say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
import ray.data

from eisen_ray.data.clips import Clip
from eisen_ray.data.files import natural_key
from eisen_ray.data.frames import Quarantined
from eisen_ray.data.layouts import list_scored
from eisen_ray.data.packed import unpack_labels
from eisen_ray.data.scored_frames import MaskedClip, check_scored, read_to_show
from eisen_ray.errors import ConfigError
from eisen_ray.evaluate_config import EvaluateConfig
from eisen_ray.measures.image_scores import ImageScores
from eisen_ray.measures.scores import Scores, summarize
from eisen_ray.model.eisen import node_grid
from eisen_ray.report.evaluation import console_text, evaluation_page, pick_images, picked_row
from eisen_ray.report.sheet import SCORED_TITLES, contact_sheet, png_bytes
from eisen_ray.report.tables import progress_line
from eisen_ray.runtime.bootstrap import settled_place
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.cluster import Capacity, capacity, connect
from eisen_ray.runtime.datasets import Pool
from eisen_ray.runtime.progress import Pace
from eisen_ray.runtime.reporter import write_line
from eisen_ray.runtime.scoring import DecodeScored, ScoreMaps, find_all_masked, scored_rows
from eisen_ray.runtime.segmenting import SegmentScored
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import differences, digest, to_dict

SCORES, IMAGES, PAGE, SHEET = "scores.json", "images.jsonl", "evaluation.md", "sheet.png"
"""What an evaluation leaves behind: the scores, a line for every image, a page to read, pictures to look at."""

# A task looks at a few clips, which hides Ray's own millisecond.
CLIPS_PER_TASK = 4
# Looking and decoding wait for storage about half of the time; scoring is arithmetic on one core.
READ_CPUS, SCORE_CPUS = 0.5, 0.5
# As for a teacher: a fraction, so that actors never hold all CPUs and starve decoding.
ACTOR_CPUS = 0.25


@dataclass
class Found:
    """What came out of the cluster.

    Attributes:
        clips: by id.
        images: every scored image.
        labels: packed label map of each, by clip and frame.
        quarantine: what could not be scored, and why.
    """

    clips: dict[str, Clip] = field(default_factory=dict)
    images: list[ImageScores] = field(default_factory=list)
    labels: dict[tuple[str, int], bytes] = field(default_factory=dict)
    quarantine: list[Quarantined] = field(default_factory=list)


def evaluate(checkpoint: StoredCheckpoint, config: EvaluateConfig) -> Scores:
    """Score a checkpoint, write the results and print a short table.

    Raises:
        EisenError: something that the user can act on: no masks, a damaged checkpoint, storage that cannot be written.
    """
    config = replace(
        config,
        output=settled_place(config.output),
        data=replace(config.data, source=settled_place(config.data.source)),
    )
    # A folder that cannot be written shows now, not after the work.
    store = Store(config.output or f"{checkpoint.parent}/evaluations/{evaluation_name(checkpoint, config)}")
    store.check_writable()
    is_ours = not ray.is_initialized()
    connect()
    try:
        offered = capacity()
        check_actors(config, offered)
        found = score_all(checkpoint, config, offered)
    finally:
        if is_ours:
            ray.shutdown()
    source = config.data.source or config.data.layout
    check_scored(len(found.images), found.quarantine, source)
    scores = summarize(found.images, config.seed)
    write_results(store, checkpoint, config, found, scores)
    write_line("\n" + console_text(scores) + "\n")
    write_line(f"results  {store.uri(PAGE)}\npictures {store.uri(SHEET)}")
    return scores


def evaluation_name(checkpoint: StoredCheckpoint, config: EvaluateConfig) -> str:
    """A folder's name: the data, and a digest of all that shapes the scores, so that no result replaces another."""
    settings = to_dict(config)
    for place in ("output", "actors", "gpus_per_actor"):
        settings.pop(place)
    return f"{config.data.layout}-{config.data.split}-{digest(checkpoint.sha256, settings)[:8]}"


def check_actors(config: EvaluateConfig, offered: Capacity) -> None:
    """Refuse more actors than the cluster can ever start: Ray would wait without an end.

    Raises:
        ConfigError: with both numbers.
    """
    kind, there = ("GPUs", offered.gpus) if offered.has_gpus else ("CPUs", offered.cpus)
    share, beside = (config.gpus_per_actor, 0.0) if offered.has_gpus else (ACTOR_CPUS, READ_CPUS + SCORE_CPUS)
    if config.actors * share + beside > there + 1e-6:
        raise ConfigError(
            f"{config.actors} actors need {config.actors * share + beside:g} {kind}, decoding and scoring included; "
            f"the cluster has {there:g}. Lower actors or gpus_per_actor."
        )


def score_all(checkpoint: StoredCheckpoint, config: EvaluateConfig, offered: Capacity) -> Found:
    """Run the stages over everything that has a mask.

    Raises:
        DataError: no frame has one.
    """
    found = Found()
    clips = list_scored(config.data.layout, config.data.source, config.data.split)
    clips.sort(key=lambda clip: natural_key(clip.clip_id))
    masked = []
    for looked in look(clips):
        if isinstance(looked, Quarantined):
            found.quarantine.append(looked)
        else:
            masked.append(looked)
    check_scored(len(masked), found.quarantine, config.data.source or config.data.layout)
    rows = scored_rows(masked, config.max_images)
    total = sum(len(json.loads(row["frames"])) for row in rows)
    write_line(f"{total} images of {len({row['clip'] for row in rows})} clips, {len(found.quarantine)} clips left out")
    pace = Pace(total)
    for row in _stages(rows, checkpoint, config, offered).iter_rows():
        _collect(row, found)
        if pace.advance(len(json.loads(row["frames"])) + len(json.loads(row["failures"]))):
            write_line(progress_line("scored", pace.done, total, pace.elapsed_s))
    for item in found.quarantine[:5]:
        write_line(f"left out  {item.uri}: {item.reason}")
    return found


def look(clips: Sequence[Clip]) -> list[MaskedClip | Quarantined]:
    """Which frames of each clip have masks, looked at in parallel tasks."""
    task = ray.remote(num_cpus=READ_CPUS)(find_all_masked)
    parts = [clips[begin : begin + CLIPS_PER_TASK] for begin in range(0, len(clips), CLIPS_PER_TASK)]
    return [looked for part in ray.get([task.remote(part) for part in parts]) for looked in part]


def _stages(
    rows: list[dict[str, Any]], checkpoint: StoredCheckpoint, config: EvaluateConfig, offered: Capacity
) -> ray.data.Dataset:
    data = checkpoint.config.data
    gpus = config.gpus_per_actor if offered.has_gpus else 0.0
    pool = Pool(config.actors, config.actors, gpus, ACTOR_CPUS, 0)
    network = {"checkpoint": checkpoint, "config": config, "num_threads": pool.num_threads}
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    dataset = dataset.map(DecodeScored(data.image_height, data.image_width), num_cpus=READ_CPUS)
    dataset = dataset.map(SegmentScored, fn_constructor_kwargs=network, **pool.arguments())
    return dataset.map(ScoreMaps(config, _grid(checkpoint, config)), num_cpus=SCORE_CPUS)


def _grid(checkpoint: StoredCheckpoint, config: EvaluateConfig) -> tuple[int, int]:
    """Of the label maps."""
    data = checkpoint.config.data
    if config.grouping.snap_to_edges:
        return data.image_height, data.image_width
    return node_grid(data.image_height, data.image_width, config.grouping.enlarge)


def _collect(row: dict[str, Any], found: Found) -> None:
    clip = Clip.from_json(row["clip"])
    found.clips[clip.clip_id] = clip
    found.quarantine += [Quarantined.from_dict(item) for item in json.loads(row["failures"])]
    for values, labels in zip(json.loads(row["scores"]), row["labels"], strict=True):
        image = ImageScores.from_dict(values)
        found.images.append(image)
        found.labels[image.clip_id, image.frame] = labels


def write_results(
    store: Store, checkpoint: StoredCheckpoint, config: EvaluateConfig, found: Found, scores: Scores
) -> None:
    """Write scores, images, page and pictures."""
    images = sorted(found.images, key=lambda image: (natural_key(image.clip_id), image.frame))
    record = {
        "checkpoint": checkpoint.store.uri(checkpoint.path),
        "weights_sha256": checkpoint.sha256,
        "config": to_dict(config),
        "image_size": [checkpoint.config.data.image_height, checkpoint.config.data.image_width],
        "scores": scores.to_dict(),
        "quarantine": [item.to_dict() for item in found.quarantine],
    }
    store.write_json(SCORES, record)
    store.write(IMAGES, "".join(json.dumps(image.to_dict(), allow_nan=False) + "\n" for image in images).encode())
    sheet = _sheet(checkpoint, config, found)
    if sheet:
        store.write(SHEET, sheet)
    failures = [f"{item.uri}: {item.reason}" for item in found.quarantine]
    page = evaluation_page(scores, _facts(checkpoint, config), failures, SHEET if sheet else "")
    store.write(PAGE, page.encode())


def _facts(checkpoint: StoredCheckpoint, config: EvaluateConfig) -> dict[str, str]:
    data, scored = checkpoint.config.data, config.data
    changed = differences(to_dict(checkpoint.config.grouping), to_dict(config.grouping), "grouping.")
    return {
        "checkpoint": f"`{checkpoint.store.uri(checkpoint.path)}`, weights {checkpoint.sha256[:12]}",
        "data": f"layout {scored.layout}, `{scored.source or 'inside the package'}`, split {scored.split}",
        "images": f"segmented at {data.image_width}x{data.image_height}, scored at the size of the masks",
        "passes": f"{config.passes}, seed {config.seed}",
        "grouping": "; ".join(changed) if changed else "as in the checkpoint",
    }


def _sheet(checkpoint: StoredCheckpoint, config: EvaluateConfig, found: Found) -> bytes:
    """Best, median and worst images, read again: keeping all of them would fill the driver's memory."""
    data = checkpoint.config.data
    grid = _grid(checkpoint, config)
    rows = []
    for pick in pick_images(found.images):
        name, frame = pick.image.clip_id, pick.image.frame
        scored = read_to_show(found.clips[name], frame, data.image_width)
        if scored is None:
            continue
        if config.data.ignore_id:
            scored.truth[scored.truth == config.data.ignore_id] = 0
        rows.append(picked_row(pick, scored.image, unpack_labels(found.labels[name, frame], grid), scored.truth))
    if not rows:
        return b""
    heading = f"{Path(checkpoint.path).name} on {config.data.source or config.data.layout}"
    return png_bytes(contact_sheet(rows, SCORED_TITLES, heading=heading, cell_px=256))
