"""The type of large products: asked for, or by the device's units."""

from __future__ import annotations

import pytest
import torch

from eisen_ray.model import precision
from eisen_ray.model.precision import product_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize(("asked", "given"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_what_is_asked_for_is_given(asked: precision.Precision, given: torch.dtype) -> None:
    assert product_dtype(asked, CPU) == given


@pytest.mark.parametrize(
    ("units", "given"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, torch.float32),
        ({"architecture": "aarch64", "bf16": True}, torch.float32),
    ],
)
def test_auto_takes_bf16_where_a_processor_has_units_for_it(
    monkeypatch: pytest.MonkeyPatch, units: dict[str, object], given: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units, raising=False)
    assert product_dtype("auto", CPU) == given


def test_auto_is_exact_where_torch_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert product_dtype("auto", CPU) == torch.float32


@pytest.mark.parametrize(("has_units", "given"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_asks_a_gpu_for_units_not_for_emulation(
    monkeypatch: pytest.MonkeyPatch, has_units: bool, given: torch.dtype
) -> None:
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or has_units
    )
    assert product_dtype("auto", torch.device("cuda")) == given


def test_auto_is_exact_on_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert product_dtype("auto", torch.device("mps")) == torch.float32
