"""Arrays to colours: label maps, overlays, flow, plateau maps and soft masks as RGB pictures."""

from __future__ import annotations

import colorsys
from collections.abc import Container

import numpy as np

from eisen_ray.errors import DataError

UNASSIGNED = (36, 38, 44)
"""Colour of label 0: dark and neutral, so that only segments are colourful."""

# Told apart at a glance, also by most colour-blind readers: neighbours in this list differ in hue and in lightness.
_FIRST_COLOURS = (
    (240, 128, 48), (66, 146, 220), (120, 200, 80), (224, 86, 146), (250, 212, 72), (126, 100, 214),
    (64, 196, 186), (216, 62, 62), (172, 218, 248), (148, 108, 72), (246, 178, 198), (64, 130, 88),
)  # fmt: skip

# The Middlebury wheel: corner colours at their places on a circle of 55 steps; reds and blues get more than greens.
_WHEEL_STEPS = (0, 15, 21, 25, 36, 49, 55)
_WHEEL_COLOURS = np.array(
    [(1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0)], dtype=np.float32
)


def label_palette(count: int) -> np.ndarray:
    """Colours of labels 0 .. count-1, uint8 [count, 3]; the colour of a label never depends on `count`."""
    colours = [UNASSIGNED, *_FIRST_COLOURS]
    for index in range(len(colours), count):
        # Steps of the golden ratio never come back to a hue; lightness and saturation vary with other periods.
        hue, lightness, saturation = (index * 0.618034) % 1.0, (0.62, 0.48, 0.74)[index % 3], (0.7, 0.5)[index % 2]
        red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return np.array(colours[:count], dtype=np.uint8).reshape(-1, 3)


def colour_labels(labels: np.ndarray) -> np.ndarray:
    """Integer label map [H, W] (0 = unassigned) -> uint8 [H, W, 3].

    Raises:
        DataError: not a two-dimensional map of integers from 0.
    """
    ids, dense = _dense(_checked_labels(labels))
    return label_palette(int(ids.max()) + 1)[ids][dense]


def overlay_labels(
    image: np.ndarray,
    labels: np.ndarray,
    *,
    opacity: float = 0.6,
    border: int = 1,
    dim_unassigned: float = 0.55,
    pale: Container[int] = (),
) -> np.ndarray:
    """Segments as tinted areas with thin light borders over a picture.

    Args:
        image: uint8 [H, W, 3].
        labels: integers [h, w], 0 = unassigned; enlarged to the picture's size without interpolation.
        opacity: share of the segment's colour, 0 to 1.
        border: width of the lines between segments, px; 0 = none.
        dim_unassigned: brightness that unassigned places keep, 0 to 1.
        pale: labels drawn at half the opacity.

    Returns:
        uint8 [H, W, 3].
    """
    image = _checked_image(image)
    labels = resize_labels(labels, *image.shape[:2])
    ids, dense = _dense(labels)
    strengths = np.array([opacity / 2 if label in pale else opacity for label in ids.tolist()], dtype=np.float32)
    assigned = (labels > 0)[..., None]
    grey = image.astype(np.float32).mean(axis=-1, keepdims=True)
    tinted = grey + strengths[dense][..., None] * (colour_labels(labels) - grey)
    picture = np.where(assigned, tinted, dim_unassigned * image)
    if border > 0:
        picture[label_borders(labels, border)] = 250
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def label_borders(labels: np.ndarray, width: int = 1) -> np.ndarray:
    """Places [H, W] bool where a segment meets another one or unassigned ground; lines `width` px wide."""
    labels = _checked_labels(labels)
    lines = np.zeros(labels.shape, dtype=bool)
    for axis in (0, 1):
        first, second = _shifted(labels, axis)
        # The line lies on the earlier pixel alone: on both, it would be two pixels wide.
        _shifted(lines, axis)[0][...] |= first != second
    for _ in range(width - 1):
        for axis in (0, 1):
            first, second = _shifted(lines.copy(), axis)
            _shifted(lines, axis)[1][...] |= first
    return lines


def resize_labels(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Nearest-neighbour resize of a label map [h, w] -> [height, width], same integer type."""
    labels = _checked_labels(labels)
    if labels.shape == (height, width):
        return labels
    rows = ((np.arange(height) + 0.5) * labels.shape[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * labels.shape[1] / width).astype(np.int64)
    return labels[rows[:, None], columns[None, :]]


def match_labels(labels: np.ndarray, reference: np.ndarray, *, min_iou: float = 0.1) -> np.ndarray:
    """Rename segments so that the same thing has the same label, hence the same colour, in both maps.

    Pairs are taken greedily by intersection over union, one to one. Segments without partner take the smallest
    labels that are free in both maps, so labels stay small however long a video is.

    Args:
        labels: integers [H, W], 0 = unassigned; the map to rename.
        reference: integers [h, w]; resized to `labels` if needed.
        min_iou: weaker pairs stay unmatched.

    Returns:
        int64 [H, W]: the same partition with new labels.
    """
    labels = _checked_labels(labels)
    reference = resize_labels(reference, *labels.shape)
    partners = _greedy_partners(labels, reference, min_iou)
    taken = set(np.unique(reference).tolist()) | {0}
    ids, dense = np.unique(labels, return_inverse=True)
    renamed, free = [], 1
    for label in ids.tolist():
        if label != 0 and label not in partners:
            while free in taken:
                free += 1
            taken.add(free)
            partners[label] = free
        renamed.append(partners.get(label, 0))
    return np.array(renamed, dtype=np.int64)[dense.reshape(labels.shape)]


def colour_flow(flow: np.ndarray, max_px: float | None = None) -> np.ndarray:
    """Optical flow as hue (direction) and saturation (length), on Middlebury's colour wheel.

    Args:
        flow: float [2, H, W], px, u right and v down; NaN = no flow known.
        max_px: length drawn in full colour; None: the 99th percentile of this picture, at least 1 px. Longer
            vectors are darkened.

    Returns:
        uint8 [H, W, 3]; white = no motion, dark = no flow known.
    """
    flow = np.asarray(flow, dtype=np.float32)
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise DataError(f"Flow has shape {flow.shape}; expected [2, H, W].")
    known = np.isfinite(flow).all(axis=0)
    u, v = np.where(known, flow, 0.0)
    length = np.hypot(u, v)
    if max_px is None:
        max_px = max(1.0, float(np.percentile(length[known], 99)) if known.any() else 1.0)
    radius = (length / max_px)[..., None]
    place = (np.arctan2(-v, -u) + np.pi) / (2 * np.pi) * _WHEEL_STEPS[-1]
    hue = np.stack([np.interp(place, _WHEEL_STEPS, _WHEEL_COLOURS[:, c]) for c in range(3)], axis=-1)
    # 0.75: the wheel's own way to mark vectors beyond its rim.
    colour = np.where(radius <= 1.0, 1.0 - radius * (1.0 - hue), 0.75 * hue)
    return np.where(known[..., None], np.rint(255 * colour), UNASSIGNED).astype(np.uint8)


def colour_plateau(plateau: np.ndarray) -> np.ndarray:
    """Plateau map [H, W, Q] -> uint8 [H, W, 3]: its three main directions (PCA) as red, green and blue."""
    plateau = np.asarray(plateau, dtype=np.float64)
    if plateau.ndim != 3:
        raise DataError(f"A plateau map has shape {plateau.shape}; expected [H, W, Q].")
    height, width, channels = plateau.shape
    centred = plateau.reshape(-1, channels) - plateau.reshape(-1, channels).mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :3]
    # An eigenvector's sign is arbitrary: make its largest entry positive, so that pictures can be compared.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    shares = centred @ axes
    low, high = np.percentile(shares, [1, 99], axis=0)
    scaled = np.clip((shares - low) / np.maximum(high - low, 1e-12), 0, 1)
    picture = np.full((height * width, 3), 0.5)
    picture[:, : scaled.shape[1]] = scaled
    return np.rint(255 * picture).astype(np.uint8).reshape(height, width, 3)


def colour_masks(masks: np.ndarray) -> np.ndarray:
    """Soft masks [K, H, W] in 0..1 -> uint8 [H, W, 3]: each in its colour, mixed by weight, dark where none holds."""
    masks = np.clip(np.asarray(masks, dtype=np.float32), 0, 1)
    if masks.ndim != 3:
        raise DataError(f"Masks have shape {masks.shape}; expected [K, H, W].")
    # Masks that overlap share a place; a sum below 1 leaves the rest to the dark ground.
    total = np.maximum(masks.sum(axis=0), 1.0)
    colours = label_palette(len(masks) + 1).astype(np.float32)
    ground = 1.0 - masks.sum(axis=0) / total
    picture = np.einsum("khw,kc->hwc", masks / total, colours[1:]) + ground[..., None] * colours[0]
    return np.rint(picture).astype(np.uint8)


def _greedy_partners(labels: np.ndarray, reference: np.ndarray, min_iou: float) -> dict[int, int]:
    both = (labels > 0) & (reference > 0)
    base = int(reference.max()) + 1
    codes, shared = np.unique(labels[both].astype(np.int64) * base + reference[both], return_counts=True)
    sizes = dict(zip(*(part.tolist() for part in np.unique(labels, return_counts=True)), strict=True))
    reference_sizes = dict(zip(*(part.tolist() for part in np.unique(reference, return_counts=True)), strict=True))
    candidates = [
        (count / (sizes[code // base] + reference_sizes[code % base] - count), code // base, code % base)
        for code, count in zip(codes.tolist(), shared.tolist(), strict=True)
    ]
    partners: dict[int, int] = {}
    for iou, label, partner in sorted(candidates, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if iou >= min_iou and label not in partners and partner not in partners.values():
            partners[label] = partner
    return partners


def _dense(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label values and, per place, the index into them; small labels index themselves, which saves a sort."""
    largest = int(labels.max())
    if largest < 1 << 16:
        return np.arange(largest + 1), labels
    ids, dense = np.unique(labels, return_inverse=True)
    return ids, dense.reshape(labels.shape)


def _shifted(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Views of all but the last, and of all but the first, along one axis."""
    return (array[:-1], array[1:]) if axis == 0 else (array[:, :-1], array[:, 1:])


def _checked_labels(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "iub" or labels.size == 0:
        raise DataError(f"A label map has shape {labels.shape} and type {labels.dtype}; expected integers [H, W].")
    if labels.min() < 0:
        raise DataError(f"A label map holds {labels.min()}; expected labels from 0 (0 = unassigned).")
    return labels.astype(np.uint8) if labels.dtype.kind == "b" else labels


def _checked_image(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise DataError(f"A picture has shape {image.shape} and type {image.dtype}; expected uint8 [H, W, 3].")
    return image
