"""In which precision large products are cheapest here: measured once per process, not guessed from a name."""

from __future__ import annotations

import functools
import time
from typing import Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]

# bf16 must win clearly: processors without bf16 units emulate it, and a tie should go to the more exact type.
_CLEAR_GAIN = 1.5
_REPEATS = 5


def product_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type in which message passing multiplies weights and states; sums are in float32 either way.

    Args:
        precision: `fp32`, `bf16`, or `auto`: bf16 if the device multiplies it at least 1.5 times as fast.
        device: where.
    """
    if precision == "auto":
        return _faster_dtype(device.type)
    return torch.bfloat16 if precision == "bf16" else torch.float32


@functools.cache
def _faster_dtype(device_type: str) -> torch.dtype:
    exact, reduced = (_product_time_s(dtype, device_type) for dtype in (torch.float32, torch.bfloat16))
    return torch.bfloat16 if exact > _CLEAR_GAIN * reduced else torch.float32


def _product_time_s(dtype: torch.dtype, device_type: str) -> float:
    """Seconds of a product as message passing has them: a few tiles of 64 receivers with 1024 senders each."""
    weights = torch.ones(16, 64, 1024, dtype=dtype, device=device_type)
    states = torch.ones(16, 1024, 32, dtype=dtype, device=device_type)
    times = []
    for _ in range(_REPEATS + 1):
        began = time.perf_counter()
        # Reading one value waits for the device.
        (weights @ states)[0, 0, 0].item()
        times.append(time.perf_counter() - began)
    return min(times[1:])
