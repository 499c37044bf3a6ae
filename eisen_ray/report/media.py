"""Pictures and video of a user's own: what `jobs/segment.py` reads, and the label maps and overlays it writes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eisen_ray.errors import DataError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".webm", ".gif", ".mov", ".m4v"})
MAX_LABEL = (1 << 16) - 1
"""Largest label that a 16-bit PNG holds."""


def list_pictures(folder: Path) -> list[Path]:
    """Pictures directly in `folder`, sorted by name.

    Raises:
        DataError: there are none.
    """
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise DataError(f"No pictures in {folder}; looked for {', '.join(sorted(PICTURE_SUFFIXES))}.")
    return pictures


def read_picture(path: Path) -> np.ndarray:
    """A picture file as uint8 [H, W, 3], upright (the camera's orientation tag is applied).

    Raises:
        DataError: the file cannot be read as a picture.
    """
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
            if picture.mode.startswith("I;16"):
                # PIL would clip 16-bit grey to 255 instead of scaling it.
                picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
            return np.array(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"Cannot read {path} as a picture: {error}") from error


def video_rate(path: Path) -> Fraction:
    """Frames per second that the file states; 10 if it states none."""
    with _open_video(path) as container:
        return container.streams.video[0].average_rate or Fraction(10)


def read_video(path: Path, every: int = 1) -> Iterator[tuple[int, np.ndarray]]:
    """Every n-th frame of a video with its number from 0, as uint8 [H, W, 3], upright.

    Raises:
        DataError: no video in the file, no frame in it, or a damaged one (the frames before it have been given).
    """
    count = 0
    with _open_video(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        try:
            for frame in container.decode(video=0):
                if count % every == 0:
                    # `rotation` counts anticlockwise, as rot90 does: phones store portrait video lying down.
                    turned = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)
                    yield count, np.ascontiguousarray(turned)
                count += 1
        except av.FFmpegError as error:
            raise DataError(f"Cannot decode {path} after {count} frames: {error}") from error
    if count == 0:
        raise DataError(f"{path} holds no video frame.")


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Save a label map [H, W] as 16-bit grey PNG (0 = unassigned).

    Raises:
        DataError: a label does not fit into 16 bits.
    """
    if labels.min() < 0 or labels.max() > MAX_LABEL:
        raise DataError(f"Labels run from {labels.min()} to {labels.max()}; a PNG holds 0 to {MAX_LABEL}.")
    Image.fromarray(labels.astype(np.uint16)).save(path)


class VideoWriter:
    """Writes RGB frames to an H.264 file; use as a context manager.

    Args:
        path: file to write, ending in `.mp4`.
        rate: frames per second.
    """

    def __init__(self, path: Path, rate: Fraction) -> None:
        self._container = av.open(str(path), mode="w")
        self._rate = rate
        self._stream: av.VideoStream | None = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def write(self, picture: np.ndarray) -> None:
        """Append one frame, uint8 [H, W, 3]; later frames are scaled to the size of the first."""
        if self._stream is None:
            height, width = (size + size % 2 for size in picture.shape[:2])
            self._stream = self._container.add_stream("libx264", rate=self._rate, options={"crf": "18"})
            self._stream.height, self._stream.width, self._stream.pix_fmt = height, width, "yuv420p"
        # H.264 stores colour at half the resolution, so sizes must be even: repeat the last line where one is missing.
        odd = [(0, size % 2) for size in picture.shape[:2]]
        frame = av.VideoFrame.from_ndarray(np.pad(picture, [*odd, (0, 0)], mode="edge"), format="rgb24")
        if (frame.height, frame.width) != (self._stream.height, self._stream.width):
            frame = frame.reformat(width=self._stream.width, height=self._stream.height)
        self._container.mux(self._stream.encode(frame))


def _open_video(path: Path) -> av.container.InputContainer:
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise DataError(f"Cannot read {path} as a video: {error}") from error
    if not container.streams.video:
        container.close()
        raise DataError(f"{path} holds no video stream.")
    return container
