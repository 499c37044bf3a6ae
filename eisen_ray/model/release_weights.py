"""The authors' public checkpoint: its tensor names, and their conversion to ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from eisen_ray.errors import WeightsError
from eisen_ray.model.backbone import ResNet50DeepLab

_NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")
_NUM_BLOCKS = {"res2": 3, "res3": 4, "res4": 6, "res5": 3}

# Applied in this order; a convolution of the encoder and its normalisation are one module there, two here.
_RENAMES = (
    (r"^decoder\.(res[23])\.project_conv\.", r"decoder.\1.project."),
    (r"^decoder\.(res[23])\.fuse_conv\.", r"decoder.\1.fuse."),
    (r"^decoder\.res5\.project_conv\.convs\.4\.1\.", "decoder.aspp.pooled."),
    (r"^decoder\.res5\.project_conv\.convs\.", "decoder.aspp.branches."),
    (r"^decoder\.res5\.project_conv\.project\.", "decoder.aspp.project."),
    (r"^backbone\.(.*(?:conv\d|shortcut))\.weight$", r"encoder.\1.conv.weight"),
    (r"^backbone\.", "encoder."),
)

_HEAD_NAMES = {
    f"{theirs}.{part}": f"head.{ours}.{part}"
    for theirs, ours in (("feat_conv", "reduce"), ("key_proj", "key"), ("query_proj", "query"))
    for part in ("weight", "bias")
}


def release_tensor_names() -> tuple[str, ...]:
    """Names of the backbone's parameters and buffers in the release, in its order, without batch counters."""
    return (*_decoder_names(), *_encoder_names())


def _decoder_names() -> Iterator[str]:
    for level in ("res2", "res3"):
        for layer in ("project_conv", "fuse_conv.0", "fuse_conv.1"):
            yield f"decoder.{level}.{layer}.weight"
    for branch in ("convs.0", "convs.1", "convs.2", "convs.3", "convs.4.1"):
        yield f"decoder.res5.project_conv.{branch}.weight"
    yield "decoder.res5.project_conv.convs.4.1.bias"
    yield "decoder.res5.project_conv.project.weight"


def _encoder_names() -> Iterator[str]:
    layers = [f"stem.conv{number}" for number in (1, 2, 3)]
    for stage, num_blocks in _NUM_BLOCKS.items():
        for block in range(num_blocks):
            parts = ("shortcut", "conv1", "conv2", "conv3") if block == 0 else ("conv1", "conv2", "conv3")
            layers += [f"{stage}.{block}.{part}" for part in parts]
    for layer in layers:
        yield f"backbone.{layer}.weight"
        yield from (f"backbone.{layer}.norm.{tensor}" for tensor in _NORM_TENSORS)


def rename_release_tensor(name: str) -> str:
    """Our name, in `ResNet50DeepLab`, of a backbone tensor of the release."""
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def convert_release_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The release's model state as the state of `Eisen` with `ResNet50DeepLab` and `AffinityHead`.

    Batch counters, which the network does not use, start at 0 where the state has none.

    Args:
        state: tensors by name, as `torch.load` gives them; `module.` of a parallel wrapper may lead each name.

    Returns:
        Tensors under `backbone.` and `head.`.

    Raises:
        WeightsError: tensors are missing, unknown, or of another shape.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    expected = {f"backbone.{name}": f"backbone.{rename_release_tensor(name)}" for name in release_tensor_names()}
    expected |= _HEAD_NAMES
    counters = {name: name.removeprefix("backbone.") for name in state if name.endswith(".num_batches_tracked")}
    _refuse_unknown(expected.keys() - state.keys(), state.keys() - expected.keys() - counters.keys())
    converted = {ours: state[theirs] for theirs, ours in expected.items()}
    with torch.device("meta"):
        template = ResNet50DeepLab().state_dict()
    for name, shape in ((name, tensor.shape) for name, tensor in template.items()):
        if name.endswith(".num_batches_tracked"):
            converted[f"backbone.{name}"] = torch.zeros((), dtype=torch.int64)
        elif converted[f"backbone.{name}"].shape != shape:
            received = tuple(converted[f"backbone.{name}"].shape)
            raise WeightsError(f"Release tensor for backbone.{name} has shape {received}; expected {tuple(shape)}.")
    for name, counter in counters.items():
        converted[f"backbone.{rename_release_tensor(counter)}"] = state[name]
    return converted


def _refuse_unknown(missing: set[str], unknown: set[str]) -> None:
    if missing or unknown:
        raise WeightsError(
            f"Not the release's EISEN model: {_sample(missing)} missing, {_sample(unknown)} unknown. "
            "Pass the model's state dict of the August 2022 release."
        )


def _sample(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return f"{len(names)} tensors ({shown}{', ...' if len(names) > 3 else ''})" if names else "none"
