"""What peers learn from, made where it is missing: the list of fragments, and the student's own motion targets."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from eisen_ray.build import build_flow
from eisen_ray.compare_config import CompareConfig
from eisen_ray.data.index import Fragment
from eisen_ray.errors import DataError
from eisen_ray.runtime.indexing import training_index
from eisen_ray.runtime.layout import RoundWork, stored_fragments
from eisen_ray.runtime.passes import make_flow
from eisen_ray.runtime.peer_samples import Reading
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.student import best_device


class PeerTargets:
    """Supervision of a table's peers; nothing is worked out before it is asked for.

    Args:
        config: the table, with absolute paths.
        on_gpu: whether flow actors get GPUs.
        reporter: where lines go.
    """

    def __init__(self, config: CompareConfig, on_gpu: bool, reporter: Reporter) -> None:
        self.config, self.on_gpu, self.reporter = config, on_gpu, reporter

    def reading(self, supervision: str) -> Reading:
        """What training under `motion` or `full` reads.

        Raises:
            DataError: no fragment can be used.
        """
        is_full = supervision == "full"
        work = RoundWork(config=self.config.run, flow_identity="") if is_full else self._work
        fragments = self._fragments if is_full else self._moving
        texts = [fragment.to_json() for fragment in fragments]
        return Reading(work, texts, supervision, self.config.learn.shuffle_images)

    @property
    def flow_identity(self) -> str:
        """Which flow estimator this is, to the hash of its weights."""
        return self._estimator[1]

    @property
    def settled(self) -> CompareConfig:
        """The config in which, after a fallback, no actor looks for the missing weights again."""
        is_fallback = self._estimator[0] == "dis"
        return replace(self.config, flow=replace(self.config.flow, estimator="dis")) if is_fallback else self.config

    @cached_property
    def _estimator(self) -> tuple[str, str]:
        estimator = build_flow(self.config.flow, best_device())
        return estimator.name, estimator.identity

    @cached_property
    def _work(self) -> RoundWork:
        return RoundWork(config=self.settled.run, flow_identity=self.flow_identity)

    @cached_property
    def _fragments(self) -> list[Fragment]:
        return list(training_index(Store(self.config.root), self.config.data).fragments)

    @cached_property
    def _moving(self) -> list[Fragment]:
        """Training fragments whose motion is stored."""
        made = make_flow(self._work, self._fragments, self.on_gpu, self.reporter)
        self.reporter.say(f"flow  {made.stored} fragments stored before, {made.made} made, {made.failed} left out")
        stored = stored_fragments(self._work.targets, self._work.motion_folder)
        found = [each for each in self._fragments if each.fragment_id in stored]
        if not found:
            raise DataError("No training fragment has motion; the reasons are in the folder quarantine under the root.")
        return found
