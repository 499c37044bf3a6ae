"""Turns AWS' notice that a spot machine will be taken back into a drain of its Ray node.

Ray has no eye on that notice. Drained in time, training workers write a checkpoint before the machine goes, and no new
task lands on it. Runs beside each worker: `python -m eisen_ray.runtime.spot_watcher --address HEAD:6379`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

# Link-local, the same on every EC2 machine; the environment variable is the one that AWS' own tools read.
ENDPOINT = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254")
# AWS announces a reclaim two minutes ahead and advises to ask every five seconds.
POLL_SECONDS = 5.0
TOKEN_SECONDS = 21_600
NOTICE_SECONDS = 120
HTTP_SECONDS = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notice:
    """An announced end.

    Attributes:
        kind: `spot` (the machine will be taken) or `rebalance` (it may be, sooner than others).
        deadline: Unix time of the end, seconds; for `rebalance` as if the notice came now.
    """

    kind: str
    deadline: float


class Metadata:
    """EC2's metadata service, version 2: every question carries a token."""

    def __init__(self, endpoint: str = ENDPOINT) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = ""

    def get(self, path: str) -> str | None:
        """The content at a path, or None where there is none.

        Raises:
            OSError: the service does not answer.
        """
        for _ in range(2):
            self._token = self._token or self._ask(
                "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
            )
            try:
                return self._ask("GET", f"/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": self._token})
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                if error.code != 401:
                    raise
                # The token has run out; the next round asks for another.
                self._token = ""
        raise PermissionError(f"{self._endpoint} refuses the token that it has just given.")

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(self._endpoint + path, method=method, headers=headers)
        # No proxy: the address is this machine's own.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=HTTP_SECONDS) as answer:
            return str(answer.read().decode())

    def notice(self, with_rebalance: bool) -> Notice | None:
        """What is announced now; a reclaim goes before a recommendation."""
        action = self.get("spot/instance-action")
        if action:
            return Notice("spot", _end_of(action))
        if with_rebalance and self.get("events/recommendations/rebalance"):
            return Notice("rebalance", time.time() + NOTICE_SECONDS)
        return None


def _end_of(action: str) -> float:
    """Unix time in `{"action": "terminate", "time": "2026-01-31T08:22:00Z"}`; two minutes from now if unreadable."""
    try:
        text = json.loads(action)["time"]
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    except (KeyError, TypeError, ValueError):
        logger.warning("A spot notice of unknown form: %r", action)
        return time.time() + NOTICE_SECONDS


def wait_for_notice(metadata: Metadata, *, with_rebalance: bool, poll_seconds: float = POLL_SECONDS) -> Notice:
    """Ask until something is announced. A service that does not answer is asked again."""
    silent = False
    while True:
        try:
            found = metadata.notice(with_rebalance)
        except OSError as error:
            if not silent:
                logger.warning("No answer from EC2's metadata service (%s); asking on.", error)
            silent, found = True, None
        else:
            silent = False
        if found:
            return found
        time.sleep(poll_seconds)


def drain(address: str, node_id: str, notice: Notice) -> bool:
    """Tell Ray's head that this node ends, and when; repeated until it is accepted or too late.

    Args:
        address: the head, HOST:PORT.
        node_id: this node's id, hexadecimal.
        notice: what was announced.

    Returns:
        Whether the head accepted.
    """
    while True:
        left = max(1, int(notice.deadline - time.time()))
        command = [
            _ray(), "drain-node", "--address", address, "--node-id", node_id,
            "--reason", "DRAIN_NODE_REASON_PREEMPTION",
            "--reason-message", f"EC2 announced: {notice.kind}",
            "--deadline-remaining-seconds", str(left),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            logger.warning("Drained %s: %s, %d s left.", node_id, notice.kind, left)
            return True
        logger.warning("Draining %s failed: %s", node_id, (done.stderr or done.stdout).strip()[-500:])
        if time.time() + POLL_SECONDS >= notice.deadline:
            return False
        time.sleep(POLL_SECONDS)


def _ray() -> str:
    """The `ray` command of this environment."""
    return str(Path(sysconfig.get_path("scripts")) / "ray")


def _node_here(address: str) -> str:
    """The id of the Ray node on this machine, asked by joining the cluster for a moment."""
    import ray

    ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    node_id: str = ray.get_runtime_context().get_node_id()
    ray.shutdown()
    return node_id


def watch(arguments: Sequence[str], find_node: Callable[[str], str] = _node_here) -> int:
    """The command line: wait for a notice, drain, end. 0 if the head accepted."""
    parser = argparse.ArgumentParser(prog="spot_watcher", description=__doc__)
    parser.add_argument("--address", required=True, help="the head, HOST:PORT")
    parser.add_argument("--node-id", default="", help="hexadecimal; default: the node on this machine")
    parser.add_argument("--drain-on-rebalance", action="store_true", help="drain on the mere recommendation, too")
    parser.add_argument("--poll-seconds", type=float, default=POLL_SECONDS)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    # Now, not when the notice has come: it takes some seconds.
    node_id = chosen.node_id or find_node(chosen.address)
    logger.info("Watching for %s.", node_id)
    notice = wait_for_notice(
        Metadata(), with_rebalance=chosen.drain_on_rebalance, poll_seconds=chosen.poll_seconds
    )  # [Decision 101]
    if drain(chosen.address, node_id, notice):
        return 0
    # A recommendation that came to nothing is no end: the reclaim itself may still be announced.
    return 1


if __name__ == "__main__":
    sys.exit(watch(sys.argv[1:]))
