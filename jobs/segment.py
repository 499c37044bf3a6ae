"""Segment pictures and video: `python -m jobs.segment PICTURE`, with the network in the package or one of your own."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import tyro

from eisen_ray.command_line import run_job


def segment(
    source: tyro.conf.Positional[Path],
    /,
    *,
    checkpoint: Path | None = None,
    output: Path = Path("segments"),
    every: int = 1,
    runs: int = 1,
    seed: int = 0,
    device: str = "auto",
    enlarge: float | None = None,
    mirror: bool | None = None,
    num_passes: int | None = None,
    snap_to_edges: float | None = None,
    min_edge_share: float | None = None,
) -> None:
    """Segment a picture, a video, or a folder of pictures with a trained network.

    A picture gives NAME_labels.png (16-bit, 0 = unassigned) and NAME_overlay.png; a video gives a folder
    NAME_labels with one label map per frame and NAME_overlay.mp4. Pictures are resized to the size the network was
    trained on (data.image_height, data.image_width of its config); results have the picture's own size.

    Args:
        source: Picture (jpg, png, webp, bmp), video (mp4, avi, mkv, webm, mov, gif) or folder of pictures.
        checkpoint: Checkpoint directory, or the root of a run: then the newest promoted round is used. Without it, the
            small network in the package, which knows simulated tables and rooms (docs/results/small-model.md).
        output: Folder for the results; made if needed.
        every: Segment every n-th frame of a video.
        runs: Passes with different random draws; with more than one, only what they agree on stays.
        seed: Seed of the random draws; the same for every picture.
        device: Torch device: auto (a GPU if there is one), cpu, cuda, cuda:1, ...
        enlarge: Enlarge pictures so many times beyond the training size, for smaller things; slower by its fourth
            power. By default as in the checkpoint (grouping.enlarge).
        mirror: Look at pictures in a mirror, too, and take the mean. By default as in the checkpoint (grouping.mirror).
        num_passes: Take what stands best on edges of the picture from so many passes; slower by as much. By default as
            in the checkpoint (grouping.num_passes).
        snap_to_edges: Move outlines to edges of the picture within this share of its shorter side; 0: they run on
            nodes. By default as in the checkpoint (grouping.snap_to_edges).
        min_edge_share: Leave out segments of whose outline less than this share stands on edges of the picture: 0.6
            leaves the things and few pieces of table and wall. By default as in the checkpoint.
    """
    from eisen_ray.inference import load_segmenter, segment_source
    from eisen_ray.weights import SMALL

    asked = {
        "enlarge": enlarge, "mirror": mirror, "num_passes": num_passes, "snap_to_edges": snap_to_edges,
        "min_edge_share": min_edge_share,
    }  # fmt: skip
    finer = {name: value for name, value in asked.items() if value is not None}
    segmenter = load_segmenter(checkpoint or SMALL, num_runs=runs, seed=seed, device=device, grouping=finer)
    segment_source(source, output, segmenter, every=every)


def main() -> NoReturn:
    """The command line."""
    run_job(lambda: tyro.cli(segment, prog="segment"))


if __name__ == "__main__":
    main()
