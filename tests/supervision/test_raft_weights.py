"""RAFT weights: both layouts, every file type, and what is said when they do not fit."""

from __future__ import annotations

import io
import re
from pathlib import Path

import fsspec
import pytest
import safetensors.torch
import torch
from torchvision.models.optical_flow import raft_large, raft_small

from eisen_ray.errors import WeightsError
from eisen_ray.supervision.raft import load_raft
from eisen_ray.supervision.raft_weights import (
    WEIGHTS_VARIABLE,
    check_fits,
    convert_princeton_state,
    load_raft_state,
    resolve_weights,
    state_digest,
)
from tests.shared import SHARED, needs_shared

State = dict[str, torch.Tensor]
NETWORKS = {"small": raft_small, "large": raft_large}


@pytest.fixture(scope="module")
def states() -> dict[str, State]:
    torch.manual_seed(0)
    return {variant: network(weights=None).state_dict() for variant, network in NETWORKS.items()}


def original_name(name: str, variant: str) -> str:
    """The original code's name of a tensor that torchvision calls `name`, told the other way round."""
    name = name.replace("feature_encoder.", "fnet.").replace("context_encoder.", "cnet.")
    if name.startswith(("fnet.", "cnet.")):
        name = re.sub(r"^(.net)\.convnormrelu\.0\.", r"\1.conv1.", name)
        name = re.sub(r"^(.net)\.convnormrelu\.1\.", r"\1.norm1.", name)
        name = re.sub(r"^(.net)\.conv\.", r"\1.conv2.", name)
        name = re.sub(r"convnormrelu(\d)\.0\.", r"conv\1.", name)
        return re.sub(r"convnormrelu(\d)\.1\.", r"norm\1.", name)
    name = name.replace("motion_encoder.", "encoder.").replace("convcorr", "convc").replace("convflow", "convf")
    name = re.sub(r"(encoder\.conv\w*)\.0\.", r"\1.", name)
    gru = r"gru.conv\2." if variant == "small" else r"gru.conv\2\1."
    name = re.sub(r"recurrent_block\.convgru(\d)\.conv([zrq])\.", gru, name)
    return name.replace("mask_predictor.convrelu.0.", "update_block.mask.0.").replace(
        "mask_predictor.conv.", "update_block.mask.2."
    )


def original_state(state: State, variant: str) -> State:
    """A state as the original code would save it: prefix, its names, the shortcut's normalisation stored twice."""
    renamed = {original_name(name, variant): tensor for name, tensor in state.items()}
    twins = {name.replace("downsample.1", "norm3"): t for name, t in renamed.items() if "downsample.1" in name}
    return {f"module.{name}": tensor for name, tensor in {**renamed, **twins}.items()}


@pytest.mark.parametrize("variant", ["small", "large"])
def test_conversion_gives_every_tensor_its_place(states: dict[str, State], variant: str) -> None:
    state = states[variant]
    original = original_state(state, variant)
    assert len({name.replace(".norm3.", ".downsample.1.") for name in original}) == len(state)
    converted = convert_princeton_state(original)
    assert converted.keys() == state.keys()
    assert all(converted[name] is state[name] for name in state)


def test_original_names_of_the_large_network(states: dict[str, State]) -> None:
    names = {name.removeprefix("module.") for name in original_state(states["large"], "large")}
    expected = (
        "fnet.conv1.weight fnet.conv2.bias fnet.layer1.0.conv1.weight fnet.layer2.0.downsample.0.weight "
        "cnet.norm1.running_mean cnet.layer1.1.norm2.weight cnet.layer3.0.norm3.bias cnet.layer3.0.downsample.1.bias "
        "update_block.encoder.convc1.weight update_block.encoder.convc2.weight update_block.encoder.convf2.bias "
        "update_block.encoder.conv.weight update_block.gru.convz1.weight update_block.gru.convq2.bias "
        "update_block.flow_head.conv2.weight update_block.mask.0.weight update_block.mask.2.bias"
    )
    assert names.issuperset(expected.split())
    assert not any("feature" in name or "convnormrelu" in name for name in names)


@needs_shared("data/weights/raft-small/raft-small.pth")
def test_official_file_fits_name_by_name(states: dict[str, State]) -> None:
    file = SHARED / "data/weights/raft-small/raft-small.pth"
    official = torch.load(file, map_location="cpu", weights_only=True)
    assert official.keys() == original_state(states["small"], "small").keys()
    loaded = load_raft_state("small", str(file))
    check_fits(loaded, states["small"], "small")
    assert sum(tensor.numel() for tensor in loaded.values()) == 990_162


def test_every_layout_and_file_gives_the_same_network(states: dict[str, State], tmp_path: Path) -> None:
    state = states["small"]
    files = {"torchvision.pth": state, "princeton.pth": original_state(state, "small")}
    for name, content in files.items():
        torch.save(content, tmp_path / name)
    safetensors.torch.save_file(state, tmp_path / "torchvision.safetensors")
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with fsspec.open("memory://weights/raft.pth", "wb") as file:
        file.write(buffer.getvalue())
    places = [str(tmp_path / name) for name in (*files, "torchvision.safetensors")]
    networks = [load_raft("small", place) for place in (*places, "memory://weights/raft.pth")]
    assert {network.weights_digest for network in networks} == {state_digest(state)}
    for network in networks:
        loaded = network.raft.state_dict()
        assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_digest_follows_the_values(states: dict[str, State]) -> None:
    state = dict(states["small"])
    before = state_digest(state)
    assert state_digest(dict(reversed(state.items()))) == before
    state["feature_encoder.conv.bias"] = state["feature_encoder.conv.bias"] + 1
    assert state_digest(state) != before


def test_setting_wins_over_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, "from-environment.pth")
    assert resolve_weights("") == "from-environment.pth"
    assert resolve_weights("given.pth") == "given.pth"
    monkeypatch.delenv(WEIGHTS_VARIABLE)
    assert resolve_weights("") == ""


def test_the_other_variant_is_named(states: dict[str, State], tmp_path: Path) -> None:
    torch.save(original_state(states["large"], "large"), tmp_path / "large.pth")
    with pytest.raises(WeightsError, match=r"do not fit raft-small.*raft-large's"):
        load_raft("small", str(tmp_path / "large.pth"))


def test_missing_unexpected_and_misshapen_tensors_are_named(states: dict[str, State]) -> None:
    state = dict(states["small"])
    state["stranger"] = state.pop("feature_encoder.conv.bias")
    state["context_encoder.conv.bias"] = torch.zeros(3)
    message = r"1 missing \(first: feature_encoder.conv.bias\).*first: stranger.*context_encoder.conv.bias is \(3,\)"
    with pytest.raises(WeightsError, match=message):
        check_fits(state, states["small"], "small")


@pytest.mark.parametrize("name", ["fnet.conv9000.x.weight", "head.weight", "update_block.gru.convw.weight"])
def test_unknown_names_are_refused(states: dict[str, State], name: str) -> None:
    state = original_state(states["small"], "small") | {f"module.{name}": torch.zeros(1)}
    with pytest.raises(WeightsError, match=re.escape(name)):
        convert_princeton_state(state)


def test_differing_copies_are_refused(states: dict[str, State]) -> None:
    state = original_state(states["large"], "large")
    state["module.cnet.layer2.0.norm3.weight"] = state["module.cnet.layer2.0.norm3.weight"] + 1
    with pytest.raises(WeightsError, match="different copies"):
        convert_princeton_state(state)


@pytest.mark.parametrize("name", ["damaged.pth", "damaged.safetensors"])
def test_damaged_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="not a readable weights file"):
        load_raft_state("small", str(tmp_path / name))


def test_other_content_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {"a": 1}}, tmp_path / "nested.pth")
    with pytest.raises(WeightsError, match="plain mapping"):
        load_raft_state("small", str(tmp_path / "nested.pth"))


@pytest.mark.parametrize("place", ["absent/raft.pth", "nosuchprotocol://bucket/raft.pth"])
def test_absent_files_are_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(WeightsError, match="Cannot open RAFT weights"):
        load_raft_state("small", place if "://" in place else str(tmp_path / place))
