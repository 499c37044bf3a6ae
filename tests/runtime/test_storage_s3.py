"""Storage and a whole run on s3:// against a local stand-in, on the loopback interface."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from eisen_ray.runtime.events import read_events
from eisen_ray.runtime.layout import CONTACT_SHEET, promotion_file
from eisen_ray.runtime.status import run_status
from eisen_ray.runtime.storage import Store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server_module = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    # The stand-in keeps its buckets for as long as the process lives.
    name = f"runs-{uuid.uuid4().hex[:8]}"
    fsspec.filesystem("s3").mkdir(name)
    yield f"s3://{name}"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_store_behaves_on_s3_as_locally(bucket: str, tmp_path: Path) -> None:
    store = Store(f"{bucket}/one")
    store.check_writable()
    assert store.files("") == set()
    store.write("f/aa/x", b"1")
    store.write("f/aa/x", b"2")
    assert store.read("f/aa/x") == b"2"
    assert store.files("f") == {"aa/x"}
    assert store.exists("f/aa/x")
    assert not store.exists("f/aa/y")
    assert store.uri("f") == f"{bucket}/one/f"
    assert store.local_root is None
    (tmp_path / "up" / "deep").mkdir(parents=True)
    (tmp_path / "up" / "deep" / "w").write_bytes(b"w")
    store.upload(tmp_path / "up", "c")
    assert (store.download("c", tmp_path / "down") / "deep" / "w").read_bytes() == b"w"
    store.delete("f")
    assert not store.exists("f/aa/x")


def test_one_of_many_creators_wins_on_s3(bucket: str) -> None:
    store = Store(f"{bucket}/two")
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda number: store.create_once("once", str(number).encode()), range(16)))
    assert sum(won) == 1
    assert store.read("once") == str(won.index(True)).encode()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whole_run_on_s3(bucket: str) -> None:
    root = f"{bucket}/three"
    command = [sys.executable, "jobs/bootstrap.py", "tiny", "--data.max-clips", "2", "--root", root]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for expected in ("round 1  student starts at step 0", "round 2  done before"):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        assert expected in done.stdout
    store = Store(root)
    assert store.exists(promotion_file(2))
    assert store.exists(CONTACT_SHEET)
    assert len(store.files("tensorboard")) == 2
    found = run_status(root)
    assert (found["state"], found["steps"]["done"], found["quarantine"]) == ("finished", 6, [])
    assert found["rounds"][1]["checkpoint"].startswith(f"{root}/rounds/2/checkpoint-")
    assert {"started", "progress", "step", "evaluated", "promoted", "ended"} <= {
        event["event"] for event in read_events(store)
    }
