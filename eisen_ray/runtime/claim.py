"""A root belongs to one run: its settings are written once, and a later run with others is refused."""

from __future__ import annotations

from typing import Any

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError
from eisen_ray.runtime.layout import CONFIG
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import differences, to_dict

# Where things lie and who runs where.
_PLACES = ("root", "targets", "resources")


def claim(store: Store, config: RunConfig, flow_identity: str) -> None:
    """Write the run's settings once; later runs under the same root must have the same.

    What does not shape results may differ: the root's own name, pools and workers, how often to log and to save, and
    the number of rounds, which may grow.

    Raises:
        ConfigError: names each setting that differs.
    """
    wanted = {"config": to_dict(config), "flow_identity": flow_identity}
    if store.create_json_once(CONFIG, wanted):
        return
    found = store.read_json(CONFIG)
    lines = differences(_shaping(found), _shaping(wanted))
    if lines:
        listed = "\n  ".join(lines)
        raise ConfigError(
            f"{store.uri('')} was begun with other settings:\n  {listed}\n"
            "Give these settings again to continue it, or another --root to begin anew."
        )
    store.write_json(CONFIG, wanted)


def _shaping(claimed: dict[str, Any]) -> dict[str, Any]:
    """The settings that shape results, of a claimed root."""
    config = {key: value for key, value in claimed["config"].items() if key not in _PLACES}
    config["train"] = {
        key: value for key, value in config["train"].items() if key not in ("log_every_steps", "checkpoint_every_steps")
    }
    config["rounds"] = {key: value for key, value in config["rounds"].items() if key != "num_rounds"}
    return {**config, "flow_identity": claimed["flow_identity"]}
