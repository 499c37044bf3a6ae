"""Storage and a whole run on s3:// against a local stand-in, on the loopback interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from eisen_ray.data.files import resolve
from eisen_ray.data.layouts import list_held_out, list_scored
from eisen_ray.data.scored_frames import find_masked
from eisen_ray.evaluate_config import EvaluateConfig
from eisen_ray.runtime.checkpoints import find_checkpoint
from eisen_ray.runtime.layout import CONTACT_SHEET, promotion_file
from eisen_ray.runtime.scoring import DecodeScored, ScoreMaps, scored_rows
from eisen_ray.runtime.segmenting import SegmentScored
from eisen_ray.runtime.storage import Store
from tests.runtime.networks import TINY_RUN, store_network

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


def put_sample(bucket: str) -> str:
    """A held-out clip of the package as data in the object store; its source."""
    clip = list_held_out("sample", "")[0]
    for uri in (*clip.uris, *clip.masks):
        filesystem, path = resolve(uri)
        Store(f"{bucket}/data").write(Path(path).name, filesystem.cat_file(path))
    return f"{bucket}/data"


def test_network_and_masks_are_read_from_s3(bucket: str) -> None:
    sha256 = store_network(f"{bucket}/nets", "rounds/1/c")
    Store(f"{bucket}/nets").write_json("rounds/1/teacher.json", {"checkpoint": "rounds/1/c"})
    checkpoint = find_checkpoint(f"{bucket}/nets")
    assert (checkpoint.sha256, checkpoint.parent) == (sha256, f"{bucket}/nets/rounds/1")
    assert find_checkpoint(f"{bucket}/nets/rounds/1/c").config == TINY_RUN
    (clip,) = list_scored("videos", put_sample(bucket))
    config = EvaluateConfig(grouping=TINY_RUN.grouping)
    decoded = DecodeScored(32, 48)(scored_rows([find_masked(clip)], 2)[0])
    scored = ScoreMaps(config, (8, 12))(SegmentScored(checkpoint, config)(decoded))
    assert [values["frame"] for values in json.loads(scored["scores"])] == [0, 4]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_evaluation_from_and_to_s3(bucket: str) -> None:
    store_network(f"{bucket}/nets", "net")
    command = [sys.executable, "jobs/evaluate.py", f"{bucket}/nets/net", "--data.layout", "videos"]
    command += ["--data.source", put_sample(bucket), "--max-images", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {name.rpartition("/")[2] for name in Store(f"{bucket}/nets").files("evaluations")}
    assert names == {"scores.json", "images.jsonl", "evaluation.md", "sheet.png"}
    assert f"{bucket}/nets/evaluations/videos-auto-" in done.stdout


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
