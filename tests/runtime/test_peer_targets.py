from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eisen_ray.config import FlowConfig
from eisen_ray.runtime.layout import stored_fragments
from eisen_ray.runtime.peer_targets import PeerTargets
from eisen_ray.runtime.reporter import Reporter
from eisen_ray.runtime.storage import Store
from eisen_ray.supervision import raft_weights
from tests.runtime.peers import small_table


def test_motion_is_made_once_and_masks_need_no_flow(
    tmp_path: Path, ray_cluster: None, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small_table(tmp_path)
    reporter = Reporter(Store(config.root))
    full = PeerTargets(config, False, reporter).reading("full")
    assert (len(full.fragments), full.work.flow_identity) == (3, "")
    assert not Store(config.root).exists("flow")
    motion = PeerTargets(config, False, reporter).reading("motion")
    assert motion.fragments == full.fragments
    assert len(stored_fragments(motion.work.targets, motion.work.motion_folder)) == 3
    assert "0 fragments stored before, 3 made, 0 left out" in capsys.readouterr().out
    again = PeerTargets(config, False, reporter).reading("motion")
    assert again == motion
    assert "3 fragments stored before, 0 made" in capsys.readouterr().out


def test_after_a_fallback_nobody_looks_for_weights_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EISEN_RAFT_WEIGHTS", raising=False)
    config = small_table(tmp_path)
    targets = PeerTargets(config, False, Reporter(Store(config.root)))
    assert targets.settled == config
    assert targets.flow_identity.startswith("dis")
    wanted = replace(config, flow=FlowConfig(estimator="raft-small", fallback=True, height=128, width=128))
    monkeypatch.setattr(type(raft_weights.DOWNLOADS["small"]), "get_state_dict", _no_network)
    fallen = PeerTargets(wanted, False, Reporter(Store(config.root)))
    assert fallen.settled.flow.estimator == "dis"
    assert fallen.flow_identity == targets.flow_identity


def _no_network(*_: object, **__: object) -> None:
    raise OSError("no network")
