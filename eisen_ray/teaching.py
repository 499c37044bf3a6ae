"""What a frozen teacher tells its student, and how that is merged with motion. Part of the config."""

from __future__ import annotations

from dataclasses import dataclass

from eisen_ray.ranges import at_least, require, within


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Confident segments: what several passes of the frozen teacher agree on (Section 3.2)."""

    num_runs: int = 4
    """Passes with different random draws (authors: 4)."""
    num_iterations: int = 15
    """KProp iterations in these passes (authors: 15)."""
    plateau_width: int = 32
    """Q in these passes (release: 32)."""
    threshold: float = 0.0
    """As `grouping.threshold`, for these passes; 0: that one."""
    num_passes: int = 1
    """As `grouping.num_passes`: each of these passes is chosen from so many."""
    enlarge: float = 1.0
    """As `grouping.enlarge`, for these passes; needs `snap_to_edges`, which brings segments to the student's nodes."""
    agreement: float = 1.0
    """Share of the passes that must agree on a pair of nodes (authors: 1.0)."""
    min_region_nodes: int = 20
    """Confident segments smaller than this are dropped, nodes (of the enlarged picture)."""
    max_area: float = 1.0
    """Confident segments that cover more than this share of the image are dropped."""
    snap_to_edges: float = 0.0
    """As `grouping.snap_to_edges`, for confident segments; they are brought back to the student's nodes."""
    min_edge_share: float = 0.0
    """As `grouping.min_edge_share`, for confident segments."""
    min_moving_share: float = 0.0
    """Use only confident segments of which at least this share moves; 0: all of them (eq. (10))."""
    explaining_away: bool = True
    """Off: what moves stays one segment, whatever the teacher knows of it; its segments label what rests (ablation)."""
    last_explaining_round: int = 0
    """Explain motion away up to this round, and leave it one segment in those after it; 0: in all rounds."""
    split_by_motion: bool = False
    """A confident segment of which a part moves and a part rests keeps only the larger of the two (after eq. (7))."""
    heal_rims: bool = False
    """Add thin leftovers of an explained motion to the segment that explains it, instead of dropping them."""

    def __post_init__(self) -> None:
        at_least(self, num_runs=1, num_iterations=1, plateau_width=1, num_passes=1)
        at_least(self, min_region_nodes=0, last_explaining_round=0)
        within(self, agreement="(0, 1]", max_area="(0, 1]", min_moving_share="[0, 1]", snap_to_edges="[0, 0.5]")
        within(self, min_edge_share="[0, 1]", enlarge="[1, 8]", threshold="[0, 1)")
        needed = self.min_edge_share or self.enlarge > 1
        require(self.snap_to_edges or not needed, "teacher.snap_to_edges", 0, "above 0 (enlarge, min_edge_share)")
