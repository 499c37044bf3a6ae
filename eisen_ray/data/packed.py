"""Label maps on their way between processes: compressed, each on its own. A map of 128x128 nodes takes about 1 KB."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from eisen_ray.errors import DataError

_DTYPE = np.dtype("<u2")


def pack_labels(labels: np.ndarray) -> list[bytes]:
    """Label maps, integers 0..65535 [n, h, w], as n strings of bytes."""
    return [pa.compress(one.tobytes(), codec="zstd", asbytes=True) for one in np.asarray(labels, _DTYPE)]


def unpack_labels(packed: bytes, size: tuple[int, int]) -> np.ndarray:
    """The inverse of `pack_labels` for one map: uint16 [h, w].

    Raises:
        DataError: the bytes do not hold a map of this size.
    """
    num_bytes = size[0] * size[1] * _DTYPE.itemsize
    try:
        content = pa.decompress(packed, num_bytes, codec="zstd", asbytes=True)
        return np.frombuffer(content, _DTYPE).reshape(size).astype(np.uint16)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{len(packed)} packed bytes are no label map of {size[0]}x{size[1]} nodes ({error}); expected what "
            "`pack_labels` made of one of this size."
        ) from error
