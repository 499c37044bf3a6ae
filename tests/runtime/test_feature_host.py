from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from eisen_ray.data.index import Index
from eisen_ray.data.masks import masked_frames
from eisen_ray.evaluate_config import ScoredDataConfig
from eisen_ray.runtime.checkpoints import StoredCheckpoint
from eisen_ray.runtime.feature_host import FeatureHost, ScoredBy
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.study_images import StudyFrame


def test_a_host_scores_what_it_can_read(checkpoint: StoredCheckpoint, held_out: Index) -> None:
    fragment = held_out.fragments[0]
    good = [
        StudyFrame(fragment.clip, frame, masked=True) for frame in masked_frames(fragment.clip, fragment.frames)[:2]
    ]
    gone = StudyFrame(replace(fragment.clip, uris=("/no/such/file.mp4",)), 0)
    work = RoundWork(config=checkpoint.config, flow_identity="")
    host = FeatureHost(ScoredBy(checkpoint, ScoredDataConfig(), 1 << 20, 1), [*good, gone], work)
    assert host.num_images() == 2
    found = host.score(checkpoint.config.model, checkpoint.config.grouping, (1, 2), 0, 1)
    assert {count: len(facts) for count, facts in found.items()} == {1: 2, 2: 2}
    assert all(0 <= facts["mean_iou"] <= 1 for facts in found[2])


def test_its_class_is_light() -> None:
    script = "import sys; import eisen_ray.runtime.feature_host; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
