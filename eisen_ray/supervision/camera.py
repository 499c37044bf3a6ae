"""The part of a flow field that the camera makes: a robust parametric fit to what most of the image does."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_FIT_NODES = 4096  # nodes that take part in the fit, at most: eight unknowns need no more
_ITERATIONS = 20
_MIN_SCALE_PX = 0.1  # RAFT's own noise: a smaller spread would be fitted, not measured


def camera_flow(flow: Tensor) -> Tensor:
    """Flow that a moving camera makes on a plane, fitted to the background [Decision 11].

    Eight parameters (translation, rotation, zoom, shear and the two terms of a tilting plane), found by iteratively
    reweighted least squares with Geman and McClure's weights, started at the median flow. Deterministic. What moves
    must cover less than about half of the image, as for any rule that calls the largest part the background.

    Args:
        flow: float [B, 2, H, W], px, u right and v down; NaN counts as rest.

    Returns:
        float32 [B, 2, H, W], px. Subtract it to see what moves by itself.
    """
    height, width = flow.shape[-2:]
    basis = _planar_basis(height, width, flow.device)
    step = max(1, math.ceil(math.sqrt(height * width / _FIT_NODES)))
    sampled = basis[::step, ::step].flatten(0, 1)
    observed = flow[..., ::step, ::step].flatten(2).transpose(1, 2).double().nan_to_num()
    parameters = torch.zeros(len(flow), basis.shape[-1], dtype=torch.float64, device=flow.device)
    parameters[:, 0], parameters[:, 3] = observed.median(dim=1).values.unbind(-1)
    products = (sampled.transpose(1, 2) @ sampled).flatten(1)
    for _ in range(_ITERATIONS):
        parameters = _reweighted_fit(sampled, products, observed, parameters)
    return torch.einsum("hwcp,bp->bchw", basis, parameters).float()


def _planar_basis(height: int, width: int, device: torch.device) -> Tensor:
    """Velocities [H, W, 2, 8] of a plane's points for each parameter; half the image height is the unit."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=torch.float64, device=device),
        torch.linspace(-1, 1, width, dtype=torch.float64, device=device) * (width / height),
        indexing="ij",
    )
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    u = torch.stack([one, x, y, zero, zero, zero, x * x, x * y], dim=-1)
    v = torch.stack([zero, zero, zero, one, x, y, x * y, y * y], dim=-1)
    return torch.stack([u, v], dim=-2)


def _reweighted_fit(basis: Tensor, products: Tensor, observed: Tensor, parameters: Tensor) -> Tensor:
    """One step: weights from the present residuals, then least squares.

    Takes basis [n, 2, 8], each node's own normal matrix [n, 64], flow [B, n, 2] and parameters [B, 8]; returns [B, 8].
    """
    num_parameters = parameters.shape[1]
    predicted = parameters @ basis.flatten(0, 1).T
    residual = (observed - predicted.view_as(observed)).norm(dim=-1)
    scale = (1.4826 * residual.median(dim=1, keepdim=True).values).clamp(min=_MIN_SCALE_PX)
    weights = (1 + (residual / scale).square()).reciprocal().square()
    normal = (weights @ products).unflatten(1, (num_parameters, num_parameters))
    right = (weights[..., None] * observed).flatten(1) @ basis.flatten(0, 1)
    # Keeps tiny or uniform grids solvable; far below any real weight.
    ridge = 1e-9 * weights.sum(dim=1)[:, None] * torch.ones_like(parameters)
    return torch.linalg.solve(normal + ridge.diag_embed(), right)
