"""The stored rows: flow and label maps of one fragment as one Parquet file, one row per frame.

Any Parquet tool reads them. Columns: `frame` (number in the clip), `n` (planes in the row: 1 for labels, 2 per frame
offset for flow, u then v), `h`, `w`, and `data`: little-endian 16-bit numbers, C order [n, h, w]. Flow is signed
fixed point, 1/32 px, -32768 = no value; labels are unsigned. File metadata (`eisen_ray.*`) says the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eisen_ray.errors import DataError

VERSION = 1
"""Of the schema; a reader refuses another one."""
FLOW_STEPS_PER_PX = 32
"""Resolution of stored flow: 1/32 px, far below the error of any estimator."""
NO_FLOW = -32768
"""Stored in place of NaN: the pair does not exist."""
FLOW_LIMIT = 32767
"""Larger flow (over 1023 px) is stored as this."""
COMPRESSION_LEVEL = 3

SCHEMA = pa.schema([
    pa.field("frame", pa.int64(), nullable=False),
    pa.field("n", pa.int32(), nullable=False),
    pa.field("h", pa.int32(), nullable=False),
    pa.field("w", pa.int32(), nullable=False),
    pa.field("data", pa.large_binary(), nullable=False),
])  # fmt: skip


class Stored(NamedTuple):
    """What one file holds."""

    fragment_id: str
    digest: str
    frames: np.ndarray
    """int64 [n], frame numbers in the clip."""
    values: np.ndarray
    """Flow: float32 [n, O, 2, h, w], px, NaN = no value. Labels: uint16 [n, h, w]."""


def encode_flow(flow: np.ndarray, *, fragment_id: str, digest: str, frames: Sequence[int]) -> bytes:
    """Flow of a fragment as Parquet bytes.

    Args:
        flow: float [n, O, 2, h, w], px at this resolution; O frame offsets; NaN where a pair does not exist.
        fragment_id: the fragment.
        digest: names the settings that made it.
        frames: n frame numbers.

    Raises:
        DataError: another shape or count.
    """
    if flow.ndim != 5 or flow.shape[2] != 2:
        raise DataError(f"{fragment_id}: flow of shape {flow.shape}; expected [n, offsets, 2, h, w].")
    steps = np.clip(np.rint(flow.astype(np.float32) * FLOW_STEPS_PER_PX), -FLOW_LIMIT, FLOW_LIMIT)
    fixed = np.where(np.isnan(steps), NO_FLOW, steps).astype("<i2")
    planes = fixed.reshape(len(flow), -1, *flow.shape[3:])
    return _encode(planes, "flow", fragment_id, digest, frames)


def decode_flow(
    content: bytes, *, fragment_id: str | None = None, digest: str | None = None, size: tuple[int, int] | None = None
) -> Stored:
    """The inverse of `encode_flow`; values float32 [n, O, 2, h, w].

    Args:
        content: the file.
        fragment_id: fragment that is expected; None: any.
        digest: digest that is expected; None: any.
        size: (h, w) that is expected; None: any.

    Raises:
        DataError: damaged, of another kind or version, or not what is expected.
    """
    stored = _decode(content, "flow", "<i2", fragment_id, digest, size)
    count, planes, height, width = stored.values.shape
    if planes % 2:
        raise DataError(f"{stored.fragment_id}: {planes} planes of flow; expected u and v for every offset.")
    fixed = stored.values.reshape(count, planes // 2, 2, height, width)
    flow = fixed.astype(np.float32) / FLOW_STEPS_PER_PX
    flow[fixed == NO_FLOW] = np.nan
    return stored._replace(values=flow)


def encode_labels(labels: np.ndarray, *, fragment_id: str, digest: str, frames: Sequence[int]) -> bytes:
    """Label maps of a fragment as Parquet bytes.

    Args:
        labels: integers [n, h, w], 0..65535, 0 = none.
        fragment_id: the fragment.
        digest: names the settings that made them.
        frames: n frame numbers.

    Raises:
        DataError: another shape or count, or labels out of range.
    """
    if labels.ndim != 3 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{fragment_id}: labels {labels.dtype} of shape {labels.shape}; expected integers [n, h, w].")
    if labels.size and (labels.min() < 0 or labels.max() > np.iinfo(np.uint16).max):
        raise DataError(f"{fragment_id}: labels {labels.min()}..{labels.max()}; expected 0..65535.")
    return _encode(labels.astype("<u2")[:, None], "labels", fragment_id, digest, frames)


def decode_labels(
    content: bytes, *, fragment_id: str | None = None, digest: str | None = None, size: tuple[int, int] | None = None
) -> Stored:
    """The inverse of `encode_labels`; values uint16 [n, h, w].

    Args:
        content: the file.
        fragment_id: fragment that is expected; None: any.
        digest: digest that is expected; None: any.
        size: (h, w) that is expected; None: any.

    Raises:
        DataError: damaged, of another kind or version, or not what is expected.
    """
    stored = _decode(content, "labels", "<u2", fragment_id, digest, size)
    if stored.values.shape[1] != 1:
        raise DataError(f"{stored.fragment_id}: {stored.values.shape[1]} planes of labels in a row; expected 1.")
    return stored._replace(values=stored.values[:, 0].astype(np.uint16))


def _encode(planes: np.ndarray, kind: str, fragment_id: str, digest: str, frames: Sequence[int]) -> bytes:
    count, num_planes, height, width = planes.shape
    if len(frames) != count or count == 0:
        raise DataError(f"{fragment_id}: {count} maps for {len(frames)} frames; expected as many, at least one.")
    table = pa.table(
        {
            "frame": [int(frame) for frame in frames],
            "n": [num_planes] * count,
            "h": [height] * count,
            "w": [width] * count,
            "data": [plane.tobytes() for plane in planes],
        },
        schema=SCHEMA,
    )
    facts = {
        "version": VERSION, "kind": kind, "fragment_id": fragment_id, "digest": digest, "dtype": planes.dtype.str,
        "steps_per_px": FLOW_STEPS_PER_PX if kind == "flow" else 0, "no_value": NO_FLOW if kind == "flow" else 0,
    }  # fmt: skip
    table = table.replace_schema_metadata({f"eisen_ray.{key}": json.dumps(value) for key, value in facts.items()})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="zstd", compression_level=COMPRESSION_LEVEL, use_dictionary=False,
        write_statistics=False, write_page_checksum=True,
    )  # fmt: skip
    return sink.getvalue().to_pybytes()


def _decode(
    content: bytes, kind: str, dtype: str, fragment_id: str | None, digest: str | None, size: tuple[int, int] | None
) -> Stored:
    table = _read_table(content, kind, fragment_id)
    facts = _facts(table, kind, fragment_id)
    expected = {"version": VERSION, "kind": kind, "dtype": dtype, "fragment_id": fragment_id, "digest": digest}
    for key, value in expected.items():
        if value is not None and facts.get(key) != value:
            raise DataError(
                f"Stored {kind} of {facts.get('fragment_id')}: {key} is {facts.get(key)!r}; expected {value!r}. "
                "It was made with other settings or by another version: delete it, it will be made again."
            )
    shapes = set(zip(*(table.column(name).to_pylist() for name in ("n", "h", "w")), strict=True))
    if len(shapes) != 1 or (size is not None and {shape[1:] for shape in shapes} != {tuple(size)}):
        raise DataError(
            f"Stored {kind} of {facts['fragment_id']}: sizes (n, h, w) {sorted(shapes)}; expected one"
            f"{f' of (h, w) {tuple(size)}' if size else ''}. Delete it, it will be made again."
        )
    shape = shapes.pop()
    rows = [row.as_buffer() for row in table.column("data")]
    num_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if any(row is None or row.size != num_bytes for row in rows):
        raise DataError(
            f"Stored {kind} of {facts['fragment_id']}: a row is not {num_bytes} bytes long, as {shape} needs. "
            "Delete it, it will be made again."
        )
    values = np.stack([np.frombuffer(row, dtype).reshape(shape) for row in rows])
    return Stored(facts["fragment_id"], facts["digest"], table.column("frame").to_numpy().astype(np.int64), values)


def _read_table(content: bytes, kind: str, fragment_id: str | None) -> pa.Table:
    try:
        table = pq.read_table(
            pa.BufferReader(content), use_threads=False, page_checksum_verification=True, memory_map=False
        )
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"Stored {kind} of {fragment_id or 'a fragment'} ({len(content)} bytes) cannot be read ({error}); "
            "expected a complete Parquet file. Delete it, it will be made again."
        ) from error
    if not table.schema.equals(SCHEMA, check_metadata=False) or len(table) == 0:
        raise DataError(
            f"Stored {kind} of {fragment_id or 'a fragment'}: {len(table)} rows with columns {table.column_names}; "
            f"expected {SCHEMA.names}. It is not a file of this program: delete it."
        )
    return table


def _facts(table: pa.Table, kind: str, fragment_id: str | None) -> dict[str, Any]:
    raw = table.schema.metadata or {}
    try:
        return {
            key.decode().removeprefix("eisen_ray."): json.loads(value)
            for key, value in raw.items()
            if key.startswith(b"eisen_ray.")
        }
    except ValueError as error:
        raise DataError(
            f"Stored {kind} of {fragment_id or 'a fragment'}: metadata cannot be read ({error}). Delete it."
        ) from error
