"""Scores of a run's checkpoints while it trains, on held-out images, in the process that runs the rounds."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from eisen_ray.build import build_eisen
from eisen_ray.config import RunConfig
from eisen_ray.errors import WeightsError
from eisen_ray.evaluate_config import ScoredDataConfig
from eisen_ray.learning.checkpoint import load_checkpoint
from eisen_ray.runtime.features import Features, summed_facts
from eisen_ray.runtime.feed import last_checkpoint
from eisen_ray.runtime.layout import RoundWork, promotion_file
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.student import best_device
from eisen_ray.runtime.study_images import StudyFrame, StudyImage, read_study_image

# Ray Train commits a checkpoint some tenths of a second after the worker has written it.
LOOK_EVERY_S = 0.5

Scores = dict[str, float]


class Validator:
    """A context manager around `run_rounds`: a thread that scores every new checkpoint and reports it.

    Args:
        config: the run.
        work: under which the stored motion of the images lies.
        frames: what to score.
        objective: `mean_iou`, `agreement` or `motion_iou`; the latter two need no masks.
        report: gets the scores, with `step`, counted over all rounds.
    """

    def __init__(
        self,
        config: RunConfig,
        work: RoundWork,
        frames: Sequence[StudyFrame],
        objective: str,
        report: Callable[[Scores], None],
    ) -> None:
        self.config = config
        self.objective = objective
        self.curve: list[tuple[int, float]] = []
        """(step, objective) so far."""
        # The stored motion is that of the study's base; images are of this run's size.
        sized = replace(work, config=replace(work.config, data=config.data))
        self._images: list[StudyImage] = [read_study_image(frame, sized, ScoredDataConfig()) for frame in frames]
        self._report = report
        self._store = Store(config.root)
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(1, "validation")
        self._watching: Future[None] | None = None

    def __enter__(self) -> Validator:
        self._watching = self._pool.submit(self._watch)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._stopped.set()
        self._pool.shutdown()
        if error is None and self._watching is not None:
            self._watching.result()

    def final(self) -> Scores:
        """Scores of the last promoted student, and a point of the curve if there is none for its step yet."""
        rounds = self.config.rounds.num_rounds
        path = self._store.read_json(promotion_file(rounds))["checkpoint"]
        with tempfile.TemporaryDirectory() as folder:
            local = self._store.download(path, Path(folder))
            scores = self._scored(local, rounds)
        if not self.curve or self.curve[-1][0] < scores["step"]:
            self.curve.append((int(scores["step"]), scores[self.objective]))
        return scores

    def _watch(self) -> None:
        seen = ""
        while not self._stopped.wait(LOOK_EVERY_S):
            number = self._round()
            work = RoundWork(config=self.config, flow_identity="", round_number=number)
            found = last_checkpoint(work)
            if found is None or found.path == seen:
                continue
            seen = found.path
            try:
                with found.as_directory() as folder:
                    scores = self._scored(Path(folder), number)
            except (OSError, WeightsError):
                # A newer one may have replaced it meanwhile, or the round may have ended: then its folder goes.
                now = last_checkpoint(work)
                if now is not None and now.path == seen and not self._store.exists(promotion_file(number)):
                    raise
                continue
            self.curve.append((int(scores["step"]), scores[self.objective]))
            self._report(scores)

    def _round(self) -> int:
        """The round under way: the first that is not promoted."""
        count = self.config.rounds.num_rounds
        return next((each for each in range(1, count + 1) if not self._store.exists(promotion_file(each))), count)

    def _scored(self, folder: Path, number: int) -> Scores:
        model = build_eisen(self.config.model, self.config.grouping)
        loaded = load_checkpoint(folder, model)
        features = Features(model.eval().to(best_device()), self._images)
        grouping, passes = self.config.grouping, 2 if self.objective == "agreement" else 1
        found = features.score(self.config.model, grouping, (grouping.num_iterations,), self.config.seed, passes)
        scores = summed_facts(found[grouping.num_iterations], self.objective)
        before = (number - 1) * self.config.train.num_steps
        return {**scores, "step": float(before + int(loaded.meta["step"]))}
