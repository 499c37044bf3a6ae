from __future__ import annotations

import subprocess
import sys

from eisen_ray.data.index import Index
from eisen_ray.runtime.actors import FlowActor
from eisen_ray.runtime.layout import RoundWork
from eisen_ray.runtime.stages import FlowStage
from tests.runtime.test_stages import decoded


def test_an_actor_does_what_its_stage_does(work: RoundWork, index: Index) -> None:
    made = FlowActor(work, 1)(decoded(index.fragments[0], work))
    again = FlowStage(work)(decoded(index.fragments[0], work))
    assert made["flow_computed"] > 0
    assert again["flow_computed"] == 0
    assert made["motion"] == again["motion"]


def test_planning_loads_no_torch() -> None:
    # Ray's controller and each of its splitting processes unpickle all of this.
    script = "import sys; import eisen_ray.runtime.feed; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
