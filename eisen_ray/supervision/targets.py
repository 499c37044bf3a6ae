"""The student's targets: motion and the teacher's confident segments as one label map (Section 3.2, 7.1-7.2).

Training uses `target_labels` only: nodes of equal label belong together, nodes of label 0 give no row of the loss.
Equations (7) to (11) speak of pairs of nodes; they stand below, one function each, and
`tests/supervision/test_targets.py` proves that the label map says the same wherever the loss looks [Decision 2].
"""

from __future__ import annotations

import torch
from torch import Tensor

from eisen_ray.errors import DataError
from eisen_ray.model.regions import connected_regions


def target_labels(
    motion: Tensor,
    teacher: Tensor | None = None,
    residual_min_nodes: int = 20,
    min_moving_share: float = 0.0,
    split_residual: bool = True,
    heal_rims: bool = False,
    explaining_away: bool = True,
) -> Tensor:
    """Overlay confident segments on motion segments.

    A node takes its confident segment if it has one, else its motion segment. What the teacher leaves of a motion
    segment is a newly found thing: each connected part of it becomes its own segment. Motion segments that the
    teacher does not touch stay as they are.

    Args:
        motion: int64 [B, H, W], motion segments, 0 = static.
        teacher: int64 [B, H, W], confident segments, 0 = none; None in the first round.
        residual_min_nodes: smaller connected parts of a residual are dropped (authors: 20 px): the rim that remains
            where a teacher's mask is a little too small is no object.
        min_moving_share: only confident segments of which at least this share moves are used; 0 = all of them, also
            where nothing moves (equation (10)). The authors' second round used those that touch motion.
        split_residual: off: a residual keeps one label, however many parts it has, and nothing is dropped; exactly
            equation (11).
        heal_rims: what is dropped of a residual, and parts nowhere 3 nodes thick, go to the confident segment that
            explains most of the same motion, instead of to nothing [Decision 10].
        explaining_away: off: a node that moves keeps its motion segment, and only the others take confident ones.

    Returns:
        int64 [B, H, W], 0 = no information. Confident segments keep their ids, motion gets larger ones.

    Raises:
        DataError: shapes differ.
    """
    if teacher is None:
        return motion.clone()
    if motion.shape != teacher.shape or motion.ndim != 3:
        raise DataError(f"Motion is {tuple(motion.shape)}, teacher {tuple(teacher.shape)}; expected [B, H, W] twice.")
    if min_moving_share > 0:
        teacher = torch.where(_share(teacher, motion > 0) >= min_moving_share, teacher, 0)
    if not explaining_away:
        return torch.where(motion > 0, motion + teacher.amax(dim=(1, 2), keepdim=True), teacher)
    explained = teacher > 0
    remaining = torch.where(explained, 0, motion)
    offset = teacher.amax(dim=(1, 2), keepdim=True)
    labels = torch.where(remaining > 0, remaining + offset, teacher)
    if not split_residual:
        return labels
    residual = (remaining > 0) & (_share(motion, explained) > 0)
    parts = connected_regions(torch.where(residual, remaining, -1), residual_min_nodes, max_regions=motion[0].numel())
    rest = torch.zeros_like(motion)
    if heal_rims:
        parts = torch.where(_share(parts, _cores(parts > 0)) > 0, parts, 0)
        rest = _explainer(motion, teacher)
    offset = offset + motion.amax(dim=(1, 2), keepdim=True)
    return torch.where(residual, torch.where(parts > 0, parts + offset, rest), labels)


def split_by_motion(motion: Tensor, teacher: Tensor) -> Tensor:
    """Confident segments as far as motion bears them out, after equation (7) [Decision 134].

    Nodes of which one moves while the other rests do not belong together. A confident segment is therefore what moves
    of it if most of it does, else what rests of it; the smaller part falls out and is taught as if the teacher had not
    seen it.

    Args:
        motion: int64 [B, H, W], motion segments, 0 = static.
        teacher: int64 [B, H, W], confident segments, 0 = none.

    Returns:
        int64 [B, H, W], the segments with the same ids. In a picture without any motion nothing is split.
    """
    moving = motion > 0
    mostly = _share(teacher, moving) >= 0.5
    return torch.where(mostly == moving, teacher, 0)


def _share(segments: Tensor, mask: Tensor) -> Tensor:
    """Share of each node's segment that lies in the mask: float [B, H, W]; 0 where segments is 0."""
    flat = segments.flatten(1)
    size, inside = torch.zeros(2, len(flat), int(flat.max()) + 1, device=flat.device)
    size.scatter_add_(1, flat, torch.ones_like(flat, dtype=size.dtype))
    inside.scatter_add_(1, flat, mask.flatten(1).to(size.dtype))
    share = inside / size.clamp(min=1)
    share[:, 0] = 0
    return share.gather(1, flat).view(segments.shape)


def _cores(mask: Tensor) -> Tensor:
    """Nodes of a mask [B, H, W] whose 3x3 neighbourhood lies in it."""
    outside = torch.nn.functional.pad((~mask).float(), (1, 1, 1, 1), value=1.0)
    return torch.nn.functional.max_pool2d(outside[:, None], 3, stride=1)[:, 0] == 0


def _explainer(motion: Tensor, teacher: Tensor) -> Tensor:
    """For each node, the confident segment that covers most of the node's motion segment: int64 [B, H, W]."""
    num_motion, num_teacher = int(motion.max()) + 1, int(teacher.max()) + 1
    pair = (motion * num_teacher + teacher).flatten(1)
    overlap = torch.zeros(len(pair), num_motion * num_teacher, device=pair.device)
    overlap.scatter_add_(1, pair, torch.ones_like(pair, dtype=overlap.dtype))
    overlap = overlap.view(-1, num_motion, num_teacher)
    overlap[:, :, 0] = 0  # no segment explains nothing
    return overlap.argmax(dim=-1).gather(1, motion.flatten(1)).view(motion.shape)


def label_pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """What a label map [..., N] says of pairs: connectivity and supervised rows, bool [..., N, N] each."""
    known = _row(labels > 0).expand(*labels.shape, labels.shape[-1])
    return (_row(labels) == _column(labels)) & known, known


def split_moving_from_static(connectivity: Tensor, moving: Tensor) -> Tensor:
    """[Eq. (7)]: pairs of which exactly one end moves are not connected.

    Args:
        connectivity: bool [..., N, N], C so far.
        moving: bool [..., N], the indicator I.
    """
    return connectivity & ~(_row(moving) ^ _column(moving))


def motion_loss_mask(moving: Tensor) -> Tensor:
    """[Eq. (8)]: bool [..., N, N], pairs of which at least one end moves."""
    return _row(moving) | _column(moving)


def motion_connectivity(moving: Tensor, motion_segments: Tensor) -> Tensor:
    """[Eq. (9)]: bool [..., N, N], pairs that move in the same motion segment; all others 0, which includes (7)."""
    same = _row(motion_segments) == _column(motion_segments)
    return same & _row(moving) & _column(moving)


def teacher_loss_mask(motion_segments: Tensor, teacher_segments: Tensor) -> Tensor:
    """[Eq. (10)]: bool [..., N, N], pairs of which at least one end moves or is confidently segmented."""
    known = motion_segments + teacher_segments > 0
    return _row(known) | _column(known)


def explain_away(connectivity: Tensor, teacher_segments: Tensor) -> Tensor:
    """[Eq. (11)]: where an end is confidently segmented, the teacher decides; elsewhere motion's C of (9) stays.

    Args:
        connectivity: bool [..., N, N], from `motion_connectivity`.
        teacher_segments: int64 [..., N].
    """
    confident = _row(teacher_segments) + _column(teacher_segments) > 0
    return torch.where(confident, _row(teacher_segments) == _column(teacher_segments), connectivity)


def _row(x: Tensor) -> Tensor:
    return x[..., :, None]


def _column(x: Tensor) -> Tensor:
    return x[..., None, :]
