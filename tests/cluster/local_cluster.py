"""A cluster that cluster/local.sh has started, as tests use it: its environment, its processes, its end."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

from tests.cluster.printed import printed

DASHBOARD_OFFSET = 5


def environment_for(folder: Path) -> dict[str, str]:
    """A user's: without what the suite sets for its own clusters."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_A")}
    return {**kept, "EISEN_LOCAL": str(folder), "EISEN_LOCAL_PORT": str(free_port())}


def free_port() -> int:
    """A port that is free like the dashboard's behind it, below the range that Ray gives to its workers."""
    # Not the first: two suites on one machine would take the same.
    for port in random.sample(range(7310, 9900, 10), 259):
        if all(_is_free(each) for each in (port, port + DASHBOARD_OFFSET)):
            return port
    raise AssertionError("no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def client(local: dict[str, str]) -> dict[str, str]:
    """A machine elsewhere that knows the dashboard's address and the token: README's two variables, no `ray://`."""
    kept = {name: value for name, value in local.items() if not name.startswith("RAY_")}
    variables = printed("export").removeprefix("export ").split()
    assert [each.split("=")[0] for each in variables] == ["RAY_AUTH_MODE", "RAY_API_SERVER_ADDRESS"]
    for name in ("RAY_AUTH_MODE", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN_PATH"):
        kept[name] = local[name]
    return kept


def command(pid: int) -> str:
    """A process' command line; empty when it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def pids_with(text: str) -> list[int]:
    """Processes with this text in their command line."""
    return [int(each.name) for each in Path("/proc").glob("[0-9]*") if text in command(int(each.name))]
