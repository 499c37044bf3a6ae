"""RAFT weights: where they come from, in which layout, and what they hash to.

Two layouts are in use for the same network: torchvision's, and that of the original code (princeton-vl), which
differ only in the names of the tensors. Files are opened through fsspec, so a path or any URL that fsspec knows works.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import fsspec
import safetensors.torch
import torch
from torch import Tensor
from torchvision.models.optical_flow import Raft_Large_Weights, Raft_Small_Weights

from eisen_ray.errors import WeightsError

WEIGHTS_VARIABLE = "EISEN_RAFT_WEIGHTS"
"""Environment variable that names a weights file where the setting is empty."""

DOWNLOADS = {"large": Raft_Large_Weights.C_T_SKHT_V2, "small": Raft_Small_Weights.C_T_V2}
"""torchvision's weights per variant: for `large` the mixture with Sintel, as in the paper; `small` exists only
trained on chairs and things."""

_DOWNLOAD_TIMEOUT_S = 30.0

# Original name -> torchvision's, the first pattern that matches the whole name; {} are the groups.
_RENAMES = (
    (r"fnet\.(.*)", "feature_encoder.{}"),
    (r"cnet\.(.*)", "context_encoder.{}"),
    (r"update_block\.encoder\.convc(\d)\.(\w+)", "update_block.motion_encoder.convcorr{}.0.{}"),
    (r"update_block\.encoder\.convf(\d)\.(\w+)", "update_block.motion_encoder.convflow{}.0.{}"),
    (r"update_block\.encoder\.conv\.(\w+)", "update_block.motion_encoder.conv.0.{}"),
    (r"update_block\.gru\.conv([zrq])\.(\w+)", "update_block.recurrent_block.convgru1.conv{}.{}"),
    (r"update_block\.gru\.conv([zrq])(\d)\.(\w+)", "update_block.recurrent_block.convgru{1}.conv{0}.{2}"),
    (r"update_block\.flow_head\.(.*)", "update_block.flow_head.{}"),
    (r"update_block\.mask\.0\.(\w+)", "mask_predictor.convrelu.0.{}"),
    (r"update_block\.mask\.2\.(\w+)", "mask_predictor.conv.{}"),
)
_ENCODER_RENAMES = (
    (r"conv1\.(\w+)", "convnormrelu.0.{}"),
    (r"norm1\.(\w+)", "convnormrelu.1.{}"),
    (r"conv2\.(\w+)", "conv.{}"),
    (r"(layer\d\.\d)\.conv(\d)\.(\w+)", "{}.convnormrelu{}.0.{}"),
    (r"(layer\d\.\d\.downsample\.\d\.\w+)", "{}"),
    (r"(layer\d\.\d)\.norm(\d)\.(\w+)", "{}.convnormrelu{}.1.{}"),
)
# The original registers the shortcut's normalisation twice: as norm3 of the block and inside downsample.
_SHORTCUT_NORM = re.compile(r"(.*\.layer\d\.\d)\.norm3\.(\w+)")


def resolve_weights(weights: str) -> str:
    """The file that a setting means: itself, or for an empty one the environment's; "" if neither is given."""
    return weights or os.environ.get(WEIGHTS_VARIABLE, "")


def load_raft_state(variant: str, weights: str) -> dict[str, Tensor]:
    """Read RAFT weights in torchvision's layout.

    Args:
        variant: "large" or "small".
        weights: path or URL of a .pth or .safetensors file in either layout; the name of one of torchvision's own
            weights ("C_T_V2"); or "" for torchvision's default (see `DOWNLOADS`).

    Raises:
        WeightsError: nothing can be had or read, or the content is not a plain set of tensors.
    """
    weights = resolve_weights(weights)
    named = {entry.name: entry for entry in type(DOWNLOADS[variant])}
    if weights == "" or weights in named:
        return _download(variant, named[weights] if weights else DOWNLOADS[variant])
    state = _strip_prefix(_read_file(weights))
    if any(name.startswith("fnet.") for name in state):
        return convert_princeton_state(state)
    return state


def convert_princeton_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a state of the original RAFT code to torchvision's names; every tensor is used exactly once.

    Args:
        state: tensors by original name, with or without the prefix "module.".

    Raises:
        WeightsError: a name that RAFT does not have, two tensors for one name, or a doubly stored normalisation
            whose copies differ.
    """
    state = _strip_prefix(state)
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if duplicate := _SHORTCUT_NORM.fullmatch(name):
            twin = state.get("{}.downsample.1.{}".format(*duplicate.groups()))
            if twin is not None:
                if not torch.equal(twin, tensor):
                    raise WeightsError(f"RAFT weights hold two different copies of {name}; the file is damaged.")
                continue
        target = _renamed(name)
        if target in renamed:
            raise WeightsError(f"RAFT weights hold two tensors for {target}; expected one.")
        renamed[target] = tensor
    return renamed


def check_fits(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], variant: str) -> None:
    """Compare names and shapes with the network's.

    Raises:
        WeightsError: naming the first missing, unexpected and misshapen tensors.
    """
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    shapes = [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    problems = [f"{len(missing)} missing (first: {missing[0]})"] if missing else []
    problems += [f"{len(unexpected)} unexpected (first: {unexpected[0]})"] if unexpected else []
    problems += [f"{len(shapes)} of another shape (first: {shapes[0]})"] if shapes else []
    if problems:
        other = "small" if variant == "large" else "large"
        raise WeightsError(
            f"Weights do not fit raft-{variant}: tensors {'; '.join(problems)}. Are they raft-{other}'s?"
        )


def state_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of the values, the same for both layouts, file formats and devices."""
    sha = hashlib.sha256()
    for name in sorted(state):
        if name.endswith("num_batches_tracked"):
            continue
        sha.update(name.encode())
        sha.update(state[name].detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return sha.hexdigest()


def _renamed(name: str) -> str:
    target = _match(_RENAMES, name)
    encoder, _, inner = (target or "").partition(".")
    if encoder in ("feature_encoder", "context_encoder"):
        inner = _match(_ENCODER_RENAMES, inner) or ""
        target = f"{encoder}.{inner}" if inner else None
    if target is None:
        raise WeightsError(f"{name} is not a tensor of RAFT; expected weights of princeton-vl's or torchvision's RAFT.")
    return target


def _match(renames: tuple[tuple[str, str], ...], name: str) -> str | None:
    for pattern, template in renames:
        if match := re.fullmatch(pattern, name):
            return template.format(*match.groups())
    return None


def _strip_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _read_file(uri: str) -> dict[str, Tensor]:
    try:
        with fsspec.open(uri, "rb") as file:
            content = file.read()
    except Exception as error:  # every protocol has its own errors; the user needs the place and the reason
        raise WeightsError(f"Cannot open RAFT weights {uri!r}: {error}. Check path or URL and access.") from error
    parse: Callable[[bytes], object] = safetensors.torch.load if uri.endswith(".safetensors") else _parse_torch
    try:
        state = parse(content)
    except Exception as error:  # torch and safetensors raise many kinds for a damaged file
        raise WeightsError(f"{uri!r} is not a readable weights file ({len(content)} bytes): {error}") from error
    if not isinstance(state, dict) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{uri!r} holds {type(state).__name__}; expected a plain mapping of names to tensors.")
    return state


def _parse_torch(content: bytes) -> object:
    # The official files were saved on a GPU.
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _download(variant: str, entry: Raft_Large_Weights | Raft_Small_Weights) -> dict[str, Tensor]:
    try:
        with _socket_timeout(_DOWNLOAD_TIMEOUT_S):
            state = entry.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong hash is a RuntimeError
        raise WeightsError(
            f"Cannot download raft-{variant} weights {entry.url}: {error}. Give a file or URL as flow.weights or in "
            f"{WEIGHTS_VARIABLE} (torchvision's or princeton-vl's raft-{variant}), or set flow.estimator to dis."
        ) from error
    return dict(state)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """torch.hub opens URLs without a timeout: behind a silent firewall it would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
