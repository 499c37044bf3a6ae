"""A trained network at work: from a checkpoint and a user's pictures or video to label maps and overlays. No Ray."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from eisen_ray.build import build_eisen
from eisen_ray.config import RunConfig
from eisen_ray.data.frames import resize
from eisen_ray.errors import ConfigError, DataError, StorageError, WeightsError
from eisen_ray.learning.checkpoint import load_checkpoint, read_checkpoint
from eisen_ray.learning.checkpoint_files import MANIFEST_FILE
from eisen_ray.model.eisen import Eisen
from eisen_ray.report.media import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    VideoWriter,
    list_pictures,
    read_picture,
    read_video,
    video_rate,
    write_labels,
)
from eisen_ray.report.panels import match_labels, overlay_labels, resize_labels
from eisen_ray.settings import from_dict
from eisen_ray.supervision.confidence import confident_segments

SAY_EVERY_S = 10.0
"""A line of progress on a long video this often, seconds."""

Say = Callable[[str], object]


class Segmenter:
    """Segments single pictures of any size, always at the size the network was trained on.

    Args:
        model: the trained network; moved to `device`.
        config: the run that trained it; gives the training size and the rule of agreement.
        num_runs: passes with different random draws; more than one keeps only what they agree on.
        seed: of every picture's draws, so that a result does not depend on what was segmented before.
        device: torch device, such as `cpu` or `cuda:0`.
    """

    def __init__(
        self, model: Eisen, config: RunConfig, *, num_runs: int = 1, seed: int = 0, device: str = "cpu"
    ) -> None:
        if num_runs < 1:
            raise ConfigError(f"The number of runs is {num_runs}; expected at least 1.")
        self.model = model.to(device).eval()
        self.config = config
        self.num_runs, self.seed, self.device = num_runs, seed, torch.device(device)

    @torch.inference_mode()
    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """A picture, uint8 [H, W, 3] -> labels int64 [h, w] on the network's nodes; 0 = unassigned."""
        teacher = self.config.teacher
        small = resize(picture[None], self.config.data.image_height, self.config.data.image_width)
        images = torch.from_numpy(np.ascontiguousarray(small)).permute(0, 3, 1, 2).to(self.device)
        generator = torch.Generator(self.device).manual_seed(self.seed)
        if self.num_runs == 1:
            labels = self.model.segment(images, generator)
        else:
            runs = self.model.segment_runs(images, generator, self.num_runs)
            labels = confident_segments(runs, teacher.agreement, teacher.min_region_nodes)
        return labels[0].cpu().numpy()

    def outlined(self, labels: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """Labels [h, w] of a picture uint8 [H, W, 3] at its own size, int64 [H, W], with the network's outlines."""
        return resize_labels(self.model.outlined(labels, picture), *picture.shape[:2])


def load_segmenter(
    checkpoint: Path,
    *,
    num_runs: int = 1,
    seed: int = 0,
    device: str = "auto",
    grouping: Mapping[str, Any] | None = None,
) -> Segmenter:
    """The network of a checkpoint directory, or of the newest promoted round under a run's root.

    Args:
        checkpoint: folder.
        num_runs, seed, device: see `Segmenter`; device may be `auto`.
        grouping: fields of `GroupingConfig` that are to differ from the checkpoint's.

    Raises:
        WeightsError: no checkpoint there, or one that is damaged or from another version.
        ConfigError: a device that this machine does not have, or a value that grouping cannot have.
    """
    place = choose_device(device)
    directory = find_checkpoint(checkpoint)
    config = _stored_config(directory)
    config = replace(config, grouping=replace(config.grouping, **(grouping or {})))
    model = build_eisen(config.model, config.grouping)
    load_checkpoint(directory, model)
    return Segmenter(model, config, num_runs=num_runs, seed=seed, device=place)


def find_checkpoint(path: Path) -> Path:
    """The checkpoint directory that `path` is, or that the newest promoted round of the run `path` names.

    Raises:
        WeightsError: neither; the message says what was looked for.
    """
    if ":/" in str(path):  # Path makes one slash of two
        raise WeightsError(f"{path} is a URL; copy the checkpoint directory to this machine first.")
    if path.is_file():
        path = path.parent
    if not path.is_dir():
        raise WeightsError(f"No checkpoint at {path}: there is no such directory.")
    if (path / MANIFEST_FILE).is_file():
        return path
    rounds = [file for file in path.glob("rounds/*/teacher.json") if file.parent.name.isdigit()]
    if not rounds:
        raise WeightsError(
            f"No checkpoint in {path}: it holds neither {MANIFEST_FILE} nor rounds/<k>/teacher.json of a promoted "
            "round. Give a checkpoint directory, or the root of a run that has finished a round."
        )
    newest = max(rounds, key=lambda file: int(file.parent.name))
    try:
        directory = path / json.loads(newest.read_text(encoding="utf-8"))["checkpoint"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"Cannot read {newest} as a promoted round: {error!r}.") from error
    if not (directory / MANIFEST_FILE).is_file():
        raise WeightsError(f"{newest} names the checkpoint {directory}, which is not there.")
    return directory


def choose_device(device: str) -> str:
    """`auto` -> the GPU if there is one, else the CPU; anything else is checked.

    Raises:
        ConfigError: unknown, or absent from this machine.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"Cannot use device {device!r}: {reason}. Try `cpu` or `auto`.") from error
    return device


def segment_source(source: Path, output: Path, segmenter: Segmenter, *, every: int = 1, say: Say = print) -> None:
    """Segment a picture, a video, or all pictures of a folder, and write label maps and overlays to `output`.

    A picture gives `<name>_labels.png` (16-bit, 0 = unassigned) and `<name>_overlay.png`, a video the folder
    `<name>_labels` with one label map per frame and `<name>_overlay.mp4`, all at the source's own size.

    Args:
        source: file or folder.
        output: folder to write to; made if needed.
        segmenter: the network.
        every: keep every n-th frame of a video.
        say: takes a line for the user.

    Raises:
        DataError: nothing there, a kind of file that is not known, or one that cannot be read. Pictures of a folder
            that can be read are segmented first.
    """
    if every < 1:
        raise ConfigError(f"`every` is {every}; expected at least 1.")
    if source.is_dir():
        _segment_folder(source, output, segmenter, say)
        return
    if not source.is_file():
        raise DataError(f"No such picture, video or folder: {source}.")
    if source.suffix.lower() in VIDEO_SUFFIXES:
        _segment_video(source, output, segmenter, every, say)
    elif source.suffix.lower() in PICTURE_SUFFIXES:
        _segment_picture(source, output, source.stem, segmenter, say)
    else:
        known = " ".join(sorted(PICTURE_SUFFIXES | VIDEO_SUFFIXES))
        raise DataError(f"{source} is of an unknown kind; known are {known} and folders of pictures.")


def _segment_picture(source: Path, output: Path, name: str, segmenter: Segmenter, say: Say) -> None:
    picture = read_picture(source)
    labels = segmenter.outlined(segmenter(picture), picture)
    _make_folder(output)
    write_labels(output / f"{name}_labels.png", labels)
    overlay = overlay_labels(picture, labels, border=_border_px(picture))
    Image.fromarray(overlay).save(output / f"{name}_overlay.png")
    say(f"{source.name}: {_summary(labels)} -> {output / name}_overlay.png")


def _segment_folder(source: Path, output: Path, segmenter: Segmenter, say: Say) -> None:
    pictures = list_pictures(source)
    # a.jpg beside a.png: the full names keep their results apart.
    stems = Counter(path.stem for path in pictures)
    failures = []
    for path in pictures:
        try:
            _segment_picture(path, output, path.stem if stems[path.stem] == 1 else path.name, segmenter, say)
        except DataError as error:
            failures.append(str(error))
            say(f"{path.name}: not segmented")
    if failures:
        raise DataError(f"{len(failures)} of {len(pictures)} pictures could not be segmented. First: {failures[0]}")


def _segment_video(source: Path, output: Path, segmenter: Segmenter, every: int, say: Say) -> None:
    folder, overlay = output / f"{source.stem}_labels", output / f"{source.stem}_overlay.mp4"
    frames = read_video(source, every)
    rate = video_rate(source) / every
    _make_folder(folder)
    previous, count, said = None, 0, time.monotonic()
    with VideoWriter(overlay, rate) as writer:
        for number, picture in frames:
            grid = segmenter(picture)
            # Frames are segmented one by one; a segment keeps its label, hence its colour, where it overlaps.
            previous = grid if previous is None else match_labels(grid, previous)
            labels = segmenter.outlined(previous, picture)
            write_labels(folder / f"{number:06d}.png", labels)
            writer.write(overlay_labels(picture, labels, border=_border_px(picture)))
            count += 1
            if time.monotonic() - said > SAY_EVERY_S:
                said = time.monotonic()
                say(f"{source.name}: {count} frames done")
    say(f"{source.name}: {count} frames -> {overlay}")


def _stored_config(directory: Path) -> RunConfig:
    values = read_checkpoint(directory).meta.get("config")
    if not isinstance(values, dict):
        raise WeightsError(f"{directory / MANIFEST_FILE} holds no settings; expected the key 'config'.")
    try:
        return from_dict(RunConfig, values)
    except ConfigError as error:
        raise WeightsError(f"The settings in {directory / MANIFEST_FILE} do not fit this version: {error}") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    if not os.access(folder, os.W_OK):
        raise StorageError(f"Cannot write to the folder {folder}: permission denied.")


def _border_px(picture: np.ndarray) -> int:
    """Lines that stay thin but visible from thumbnails to 4K: one px per 400."""
    return max(1, round(max(picture.shape[:2]) / 400))


def _summary(labels: np.ndarray) -> str:
    count = len(np.unique(labels[labels > 0]))
    return f"{count} segment{'s' if count != 1 else ''}, {(labels == 0).mean():.0%} unassigned"
