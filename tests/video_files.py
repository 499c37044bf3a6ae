"""Small videos, pictures and folders for tests: made here, in the layouts that people have."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import av
import numpy as np
from PIL import Image

CODECS = {
    "mp4": ("libx264", "yuv420p", {"bf": "2", "g": "20"}),
    "avi": ("mpeg4", "yuv420p", {"bf": "2", "g": "20"}),
    "mkv": ("libx264", "yuv420p", {"bf": "3", "g": "18"}),
    "webm": ("libvpx-vp9", "yuv420p", {"g": "20", "cpu-used": "8"}),
    "gif": ("gif", "rgb8", {}),
}


def moving_frames(count: int, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """uint8 [count, height, width, 3]: noise that slides by 1 px a frame, so that no two frames are alike."""
    picture = np.random.default_rng(seed).integers(0, 256, (height, width + count, 3), dtype=np.uint8)
    return np.stack([picture[:, shift : shift + width] for shift in range(count)])


def video_bytes(suffix: str, frames: np.ndarray, **container_options: str) -> bytes:
    """The frames as a video file of the kind that `suffix` names, without its dot."""
    codec, pixel_format, options = CODECS[suffix]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video.{suffix}"
        with av.open(str(path), "w", container_options=container_options) as container:
            stream = container.add_stream(codec, rate=10, options=options)
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixel_format
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        return path.read_bytes()


def full_decode(content: bytes) -> np.ndarray:
    """Every frame of a video, decoded from the start without any seek."""
    with av.open(io.BytesIO(content)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def picture_bytes(array: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
    """A picture file of uint8 [H, W] or [H, W, 3]; `mode` "P" writes [H, W] as palette indices."""
    picture = Image.fromarray(array)
    if mode == "P":
        picture.putpalette(list(range(256)) * 3)
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def archive_bytes(**arrays: np.ndarray) -> bytes:
    """A `.npz` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> str:
    """Write files below a folder; the folder as text."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder)


def frame_files(folder: str, frames: np.ndarray, name: str = "{:05d}.png") -> dict[str, bytes]:
    """One picture file per frame, by path."""
    kind = "JPEG" if name.endswith("jpg") else "PNG"
    return {f"{folder}/{name.format(number)}": picture_bytes(frame, kind) for number, frame in enumerate(frames)}
