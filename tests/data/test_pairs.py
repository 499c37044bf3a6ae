from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eisen_ray.data import pairs
from eisen_ray.errors import DataError

FACTS = {"fragment_id": "clip-000000-3x1-abc", "digest": "0123456789abcdef"}


def some_flow() -> np.ndarray:
    flow = np.random.default_rng(0).normal(0, 20, (3, 2, 2, 5, 7)).astype(np.float32)
    flow[2, 0] = np.nan
    return flow


def stored_flow() -> bytes:
    return pairs.encode_flow(some_flow(), frames=[4, 6, 8], **FACTS)


def test_flow_comes_back_within_half_a_step() -> None:
    flow = some_flow()
    stored = pairs.decode_flow(stored_flow(), size=(5, 7), **FACTS)
    assert (stored.fragment_id, stored.digest, stored.frames.tolist()) == (*FACTS.values(), [4, 6, 8])
    assert stored.values.dtype == np.float32
    assert stored.values.shape == flow.shape
    assert np.array_equal(np.isnan(stored.values), np.isnan(flow))
    assert np.nanmax(np.abs(stored.values - flow)) <= 0.5 / 32


def test_large_flow_saturates_and_never_becomes_absent() -> None:
    flow = np.array([5000, -5000, np.inf, -np.inf, 0.25, np.nan], np.float32).reshape(1, 1, 2, 1, 3)
    stored = pairs.decode_flow(pairs.encode_flow(flow, frames=[0], **FACTS))
    limit = 32767 / 32
    assert np.array_equal(stored.values.ravel(), [limit, -limit, limit, -limit, 0.25, np.nan], equal_nan=True)


def test_labels_come_back_exactly() -> None:
    labels = np.random.default_rng(0).integers(0, 65536, (3, 5, 7))
    content = pairs.encode_labels(labels, frames=[4, 6, 8], **FACTS)
    stored = pairs.decode_labels(content, size=(5, 7), **FACTS)
    assert stored.values.dtype == np.uint16
    assert np.array_equal(stored.values, labels)
    assert content == pairs.encode_labels(labels, frames=[4, 6, 8], **FACTS)


def test_any_parquet_reader_can_read_the_rows() -> None:
    table = pq.read_table(io.BytesIO(stored_flow()))
    assert table.column_names == ["frame", "n", "h", "w", "data"]
    row = table.to_pylist()[1]
    assert (row["frame"], row["n"], row["h"], row["w"]) == (6, 4, 5, 7)
    plane = np.frombuffer(row["data"], "<i2").reshape(row["n"], row["h"], row["w"]) / 32
    assert np.abs(plane.reshape(2, 2, 5, 7) - some_flow()[1]).max() <= 0.5 / 32
    facts = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert facts["eisen_ray.version"] == "1"
    assert facts["eisen_ray.kind"] == '"flow"'
    assert facts["eisen_ray.digest"] == '"0123456789abcdef"'
    assert facts["eisen_ray.steps_per_px"] == "32"


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        ({"digest": "other"}, r"digest is '0123456789abcdef'; expected 'other'"),
        ({"fragment_id": "other"}, r"fragment_id is 'clip-000000-3x1-abc'; expected 'other'"),
        ({"size": (5, 8)}, r"sizes \(n, h, w\) \[\(4, 5, 7\)\]; expected one of \(h, w\) \(5, 8\)"),
    ],
)
def test_other_rows_than_expected_are_refused(expectation, message) -> None:
    with pytest.raises(DataError, match=message):
        pairs.decode_flow(stored_flow(), **expectation)


def test_another_kind_or_version_is_refused(monkeypatch) -> None:
    content = stored_flow()
    with pytest.raises(DataError, match="kind is 'flow'; expected 'labels'"):
        pairs.decode_labels(content)
    monkeypatch.setattr(pairs, "VERSION", 2)
    with pytest.raises(DataError, match=r"version is 1; expected 2.*another version"):
        pairs.decode_flow(content)


def test_damage_is_refused() -> None:
    content = stored_flow()
    for damaged in (b"", b"PAR1", content[:100], content[:-20], b"no parquet file at all" * 9):
        with pytest.raises(DataError, match="cannot be read"):
            pairs.decode_flow(damaged, **FACTS)
    rng = np.random.default_rng(0)
    for _ in range(200):
        flipped = bytearray(content)
        flipped[rng.integers(len(flipped))] ^= 1 << int(rng.integers(8))
        try:
            stored = pairs.decode_flow(bytes(flipped), **FACTS)
        except DataError:
            continue
        assert np.array_equal(stored.values, pairs.decode_flow(content).values, equal_nan=True)
        assert stored.frames.tolist() == [4, 6, 8]


def with_columns(**columns: pa.Array) -> bytes:
    table = pq.read_table(io.BytesIO(stored_flow()))
    for name, column in columns.items():
        position = table.schema.get_field_index(name)
        table = table.set_column(position, table.schema.field(position), column)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_rows_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(DataError, match="sizes"):
        pairs.decode_flow(with_columns(h=pa.array([5, 5, 6], pa.int32())))
    with pytest.raises(DataError, match="a row is not 336 bytes long"):
        pairs.decode_flow(with_columns(h=pa.array([6, 6, 6], pa.int32())))
    data = pa.array([bytes(3 * 5 * 7 * 2)] * 3, pa.large_binary())
    with pytest.raises(DataError, match="3 planes of flow"):
        pairs.decode_flow(with_columns(n=pa.array([3, 3, 3], pa.int32()), data=data))
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": [1]}), sink)
    with pytest.raises(DataError, match=r"columns \['x'\]"):
        pairs.decode_flow(sink.getvalue())


@pytest.mark.parametrize(
    ("array", "frames", "message"),
    [
        (np.zeros((2, 3, 4), int), [0], "2 maps for 1 frames"),
        (np.zeros((0, 3, 4), int), [], "0 maps for 0 frames"),
        (np.zeros((3, 4), int), [0], r"expected integers \[n, h, w\]"),
        (np.zeros((1, 3, 4)), [0], "labels float64"),
        (np.full((1, 3, 4), -1), [0], "expected 0..65535"),
        (np.full((1, 3, 4), 65536), [0], "expected 0..65535"),
    ],
)
def test_wrong_labels_are_refused(array, frames, message) -> None:
    with pytest.raises(DataError, match=message):
        pairs.encode_labels(array, frames=frames, **FACTS)


def test_wrong_flow_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected \[n, offsets, 2, h, w\]"):
        pairs.encode_flow(np.zeros((1, 2, 3, 4)), frames=[0], **FACTS)
