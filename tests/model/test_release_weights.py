"""Names of the public checkpoint, their strict conversion, and golden case 16."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from eisen_ray.errors import WeightsError
from eisen_ray.model.affinity import AffinityHead
from eisen_ray.model.backbone import ResNet50DeepLab
from eisen_ray.model.release_weights import convert_release_state, release_tensor_names, rename_release_tensor

GOLDEN = Path(__file__).parents[1] / "golden"


def recorded_shapes() -> dict[str, tuple[int, ...]]:
    with (GOLDEN / "16_backbone_tensors.csv").open(newline="") as file:
        return {row["name"]: tuple(map(int, row["shape"].split("x"))) for row in csv.DictReader(file)}


def formula_tensor(order: int, name: str, shape: tuple[int, ...]) -> Tensor:
    """The weights with which case 16 was recorded: a formula of tensor and element number."""
    count = np.arange(1, math.prod(shape) + 1, dtype=np.float64)
    u = (count * 0.6180339887498949 + 0.37 * (order + 1)) % 1.0 - 0.5
    if name.endswith(("running_var", "norm.weight")):
        values = 1 + 0.2 * u
    elif len(shape) == 1:
        values = 0.1 * u
    else:
        values = u * math.sqrt(24 / math.prod(shape[1:]))
    return torch.from_numpy(values.reshape(shape).astype(np.float32))


@pytest.fixture(scope="module")
def release_state() -> dict[str, Tensor]:
    shapes = recorded_shapes()
    state = {f"backbone.{name}": formula_tensor(i, name, shape) for i, (name, shape) in enumerate(shapes.items())}
    state |= {"feat_conv.weight": torch.ones(32, 128, 1, 1), "feat_conv.bias": torch.ones(32)}
    for name in ("key_proj", "query_proj"):
        state |= {f"{name}.weight": torch.full((32, 32), float(len(name))), f"{name}.bias": torch.zeros(32)}
    return state


def test_names_and_shapes_are_the_releases() -> None:
    shapes = recorded_shapes()
    assert release_tensor_names() == tuple(shapes)
    ours = {name: tuple(t.shape) for name, t in ResNet50DeepLab().state_dict().items() if "num_batches" not in name}
    assert {rename_release_tensor(name): shape for name, shape in shapes.items()} == ours


def test_case16_features_equal_the_releases(release_state: dict[str, Tensor]) -> None:
    golden = np.load(GOLDEN / "16_backbone_probe.npz")
    converted = convert_release_state(release_state)
    prefix = "backbone."
    model = ResNet50DeepLab().eval()
    model.load_state_dict({n.removeprefix(prefix): t for n, t in converted.items() if n.startswith(prefix)})
    image = torch.from_numpy(golden["image"])
    with torch.no_grad():
        levels, features = model.encoder(image), model(image)
    for number, level in enumerate(levels, start=2):
        assert level.abs().mean().item() == pytest.approx(float(golden[f"res{number}_mean_abs"]), rel=1e-4)
    for received, name in ((levels[0][0, :8], "res2_slice"), (levels[3][0, :64], "res5_slice"), (features, "out")):
        expected = torch.from_numpy(golden[name])
        assert (received - expected).abs().max().item() <= 1e-4 * expected.abs().max().item(), name


def test_conversion_fills_the_head_and_keeps_batch_counters(release_state: dict[str, Tensor]) -> None:
    counter = "backbone.backbone.stem.conv1.norm.num_batches_tracked"
    wrapped = {f"module.{name}": tensor for name, tensor in release_state.items()}
    converted = convert_release_state(wrapped | {f"module.{counter}": torch.tensor(7)})
    assert converted["backbone.encoder.stem.conv1.norm.num_batches_tracked"] == 7
    assert converted["backbone.encoder.stem.conv2.norm.num_batches_tracked"] == 0
    head = {name.removeprefix("head."): t for name, t in converted.items() if name.startswith("head.")}
    AffinityHead(128).load_state_dict(head)
    assert head["query.weight"][0, 0] == len("query_proj")


def test_conversion_refuses_missing_unknown_and_misshapen_tensors(release_state: dict[str, Tensor]) -> None:
    missing = {name: t for name, t in release_state.items() if name != "key_proj.bias"}
    with pytest.raises(WeightsError, match=r"1 tensors \(key_proj\.bias\) missing, none unknown"):
        convert_release_state(missing)
    with pytest.raises(WeightsError, match=r"none missing, 1 tensors \(extra\) unknown"):
        convert_release_state(release_state | {"extra": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"stem\.conv1\.conv\.weight has shape \(1,\); expected \(64, 3, 3, 3\)"):
        convert_release_state(release_state | {"backbone.backbone.stem.conv1.weight": torch.zeros(1)})
