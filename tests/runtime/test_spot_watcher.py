"""The spot notice against a metadata service on loopback, and a drain against a real raylet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eisen_ray.runtime import spot_watcher
from eisen_ray.runtime.spot_watcher import Metadata, Notice, drain, wait_for_notice
from tests.shared import REPOSITORY

SPOT = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"


@dataclass
class Service:
    """Plays EC2's metadata service, version 2: no content without a token that is still valid."""

    pages: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    failures: int = 0
    asked: int = 0
    endpoint: str = ""


@pytest.fixture
def service() -> Iterator[Service]:
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            good = self.path == "/latest/api/token" and ttl and 1 <= int(ttl) <= 21600
            token = f"token-{len(state.tokens)}-{time.monotonic_ns()}"
            if good:
                state.tokens.add(token)
            self.answer(200 if good else 400, token)

        def do_GET(self) -> None:
            state.asked += 1
            if state.failures:
                state.failures -= 1
                self.answer(500, "")
            elif self.headers.get("X-aws-ec2-metadata-token") not in state.tokens:
                self.answer(401, "")
            else:
                self.answer(200 if self.path in state.pages else 404, state.pages.get(self.path, ""))

        def answer(self, code: int, text: str) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.endpoint = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


def announced(seconds: float) -> str:
    moment = time.gmtime(time.time() + seconds)
    return json.dumps({"action": "terminate", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)})


def test_nothing_is_announced_on_most_days(service: Service) -> None:
    assert Metadata(service.endpoint).notice(with_rebalance=True) is None
    assert len(service.tokens) == 1


def test_the_notice_carries_its_moment(service: Service) -> None:
    service.pages[SPOT] = announced(100)
    notice = Metadata(service.endpoint).notice(with_rebalance=False)
    assert notice is not None
    assert notice.kind == "spot"
    assert 98 <= notice.deadline - time.time() <= 100


def test_a_token_that_ran_out_is_renewed(service: Service) -> None:
    metadata = Metadata(service.endpoint)
    metadata.notice(with_rebalance=False)
    service.tokens.clear()
    service.pages[SPOT] = announced(100)
    assert metadata.notice(with_rebalance=False) is not None


def test_a_service_that_never_takes_its_token_is_an_error(service: Service) -> None:
    service.tokens = _Forgetful()
    with pytest.raises(PermissionError, match="refuses the token"):
        Metadata(service.endpoint).notice(with_rebalance=False)


class _Forgetful(set[str]):
    def add(self, element: str) -> None:
        """Forget it."""


@pytest.mark.parametrize("content", ["soon", "{}", "[]", '{"time": "tomorrow"}'])
def test_a_notice_of_unknown_form_is_still_a_notice(service: Service, content: str) -> None:
    service.pages[SPOT] = content
    notice = Metadata(service.endpoint).notice(with_rebalance=False)
    assert notice is not None
    assert 110 <= notice.deadline - time.time() <= 120


def test_a_recommendation_counts_only_when_asked_for_and_after_a_reclaim(service: Service) -> None:
    service.pages[REBALANCE] = '{"noticeTime": "2026-01-31T08:22:00Z"}'
    metadata = Metadata(service.endpoint)
    assert metadata.notice(with_rebalance=False) is None
    found = metadata.notice(with_rebalance=True)
    assert found
    assert found.kind == "rebalance"
    service.pages[SPOT] = announced(60)
    found = metadata.notice(with_rebalance=True)
    assert found
    assert found.kind == "spot"


def test_waiting_outlives_failures_and_ends_with_the_notice(service: Service) -> None:
    service.failures = 3
    threading.Timer(0.3, lambda: service.pages.update({SPOT: announced(100)})).start()
    notice = wait_for_notice(Metadata(service.endpoint), with_rebalance=False, poll_seconds=0.05)
    assert notice.kind == "spot"
    assert service.asked > 4


def recorded(monkeypatch: pytest.MonkeyPatch, folder: Path, code: int = 0) -> Path:
    """A `ray` that writes down its arguments."""
    log = folder / "log"
    script = folder / "ray"
    script.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >> {log}\nexit {code}\n')
    script.chmod(0o755)
    monkeypatch.setattr(spot_watcher, "_ray", lambda: str(script))
    return log


def test_the_drain_says_why_and_how_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = recorded(monkeypatch, tmp_path)
    assert drain("head:6379", "ab12", Notice("spot", time.time() + 90.5))
    said = log.read_text().strip("|").split("|")
    assert said[:5] == ["drain-node", "--address", "head:6379", "--node-id", "ab12"]
    assert said[said.index("--reason") + 1] == "DRAIN_NODE_REASON_PREEMPTION"
    assert int(said[said.index("--deadline-remaining-seconds") + 1]) in (89, 90)


def test_a_refused_drain_is_repeated_until_it_is_too_late(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = recorded(monkeypatch, tmp_path, code=1)
    monkeypatch.setattr(spot_watcher, "POLL_SECONDS", 0.1)
    assert not drain("head:6379", "ab12", Notice("spot", time.time() + 0.6))
    assert log.read_text().count("drain-node") > 1


def test_the_command_waits_drains_and_ends(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = recorded(monkeypatch, tmp_path)
    monkeypatch.setattr(spot_watcher, "ENDPOINT", service.endpoint)
    monkeypatch.setattr(Metadata.__init__, "__defaults__", (service.endpoint,))
    service.pages[SPOT] = announced(100)
    assert spot_watcher.watch(["--address", "head:6379"], find_node=lambda address: "ab12") == 0
    assert "ab12" in log.read_text()


CLUSTER_OF_TWO = """
import json, os, subprocess, sys, threading, time
import ray
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 * 1024**2})
worker = cluster.add_node(num_cpus=1, object_store_memory=100 * 1024**2, resources={"spot": 1})
cluster.wait_for_nodes()
ray.init(address=cluster.address, log_to_driver=False)
watcher = subprocess.Popen(
    [sys.executable, "-m", "eisen_ray.runtime.spot_watcher", "--address", cluster.address,
     "--node-id", worker.node_id, "--poll-seconds", "0.2"])

@ray.remote(num_cpus=1, resources={"spot": 1})
class Holder:
    def ping(self):
        return True

holder = Holder.remote()
ray.get(holder.ping.remote())
time.sleep(1)
before = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
print("READY", flush=True)
code = watcher.wait(timeout=60)
from ray._raylet import GcsClient
draining = GcsClient(address=cluster.address).get_draining_nodes()
print(json.dumps({"code": code, "before": len(before), "worker": worker.node_id,
                  "draining": {node: int(end) for node, end in draining.items()}}), flush=True)
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_real_raylet_drains_with_the_announced_deadline(service: Service, short_folder: str) -> None:
    environment = {**os.environ, "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.endpoint, "RAY_TMPDIR": short_folder}
    environment["PYTHONPATH"] = str(REPOSITORY)
    command = [sys.executable, "-c", CLUSTER_OF_TWO]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert any("READY" in line for line in lines)
    service.pages[SPOT] = announced(100)
    end = time.time() + 100
    told, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    found = json.loads(told.strip().splitlines()[-1])
    assert found["code"] == 0
    assert found["before"] == 2
    assert list(found["draining"]) == [found["worker"]]
    assert abs(found["draining"][found["worker"]] / 1000 - end) < 10
