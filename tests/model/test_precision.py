"""The type of large products: asked for, or measured."""

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
    ("exact_s", "reduced_s", "given"),
    [(3.0, 1.0, torch.bfloat16), (1.4, 1.0, torch.float32), (1.0, 5.0, torch.float32)],
)
def test_auto_takes_bf16_only_for_a_clear_gain(
    monkeypatch: pytest.MonkeyPatch, exact_s: float, reduced_s: float, given: torch.dtype
) -> None:
    times = {torch.float32: exact_s, torch.bfloat16: reduced_s}
    monkeypatch.setattr(precision, "_product_time_s", lambda dtype, _device: times[dtype])
    precision._faster_dtype.cache_clear()
    assert product_dtype("auto", CPU) == given
    precision._faster_dtype.cache_clear()


def test_it_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    precision._faster_dtype.cache_clear()
    first = product_dtype("auto", CPU)
    monkeypatch.setattr(precision, "_product_time_s", lambda *_: pytest.fail("measured again"))
    assert product_dtype("auto", CPU) == first


def test_times_are_those_of_products() -> None:
    assert precision._product_time_s(torch.float32, "cpu") > 0
