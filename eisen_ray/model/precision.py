"""In which precision large products are computed here: told by the device's units, the same in every process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]

# Processors without such units emulate bf16, at a loss. Of others than x86 nothing was measured.
_UNITS = ("avx512_bf16", "amx_bf16")


def product_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type in which message passing multiplies weights and states; sums are in float32 either way.

    Args:
        precision: `fp32`, `bf16`, or `auto`: bf16 if the device has units for it. [Decision 146]
        device: where.
    """
    if precision == "auto":
        precision = "bf16" if _has_units(device.type) else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _has_units(device_type: str) -> bool:
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Early versions of torch do not tell.
    told: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return device_type == "cpu" and any(told.get(unit) for unit in _UNITS)
