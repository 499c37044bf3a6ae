"""Storage and a whole run on s3:// against a local stand-in, on the loopback interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from eisen_ray.config import RunConfig
from eisen_ray.data.files import resolve
from eisen_ray.data.layouts import list_held_out, list_scored
from eisen_ray.data.scored_frames import find_masked
from eisen_ray.errors import StorageError
from eisen_ray.evaluate_config import EvaluateConfig
from eisen_ray.runtime.checkpoints import find_checkpoint
from eisen_ray.runtime.layout import CONTACT_SHEET, RoundWork, Teacher, promotion_file
from eisen_ray.runtime.promotion import promote, promoted
from eisen_ray.runtime.scoring import DecodeScored, ScoreMaps, scored_rows
from eisen_ray.runtime.segmenting import SegmentScored
from eisen_ray.runtime.storage import Store
from tests.runtime.networks import TINY_RUN, store_network

s3fs = pytest.importorskip("s3fs")

ROOT = Path(__file__).resolve().parents[2]


def test_store_behaves_on_s3_as_locally(bucket: str, tmp_path: Path) -> None:
    store = Store(f"{bucket}/one")
    store.check_writable()
    assert store.files("") == set()
    # As Arrow leaves them, beside Ray Train's checkpoints.
    s3fs.S3FileSystem().pipe({f"{bucket}/one/f/": b"", f"{bucket}/one/f/aa/": b""})
    assert store.files("f") == set()
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


def test_two_drivers_promote_one_student(bucket: str, config: RunConfig) -> None:
    work = RoundWork(config=replace(config, root=f"{bucket}/race"), flow_identity="dis")
    candidates = [Teacher(path=f"rounds/1/checkpoint-{number}", sha256=str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        winners = list(threads.map(lambda candidate: promote(work, candidate, {"step": 6}), candidates))
    assert len(set(winners)) == 1
    assert winners[0] in candidates
    assert promoted(work.store, 1) == winners[0]


def test_an_upload_that_arrives_short_is_an_error(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(f"{bucket}/short")
    send = s3fs.S3FileSystem._pipe_file

    async def cut(self: s3fs.S3FileSystem, path: str, data: bytes, **arguments: object) -> None:
        await send(self, path, data[:-1], **arguments)

    monkeypatch.setattr(s3fs.S3FileSystem, "_pipe_file", cut)
    s3fs.S3FileSystem.clear_instance_cache()
    for write in (store.write, store.create_once):
        with pytest.raises(StorageError, match=r"short/f holds 3 bytes after 4 were sent"):
            write("f", b"four")
        store.delete("f")


def test_missing_bucket_is_told(bucket: str) -> None:
    store = Store(f"{bucket}-absent/run")
    with pytest.raises(StorageError, match=r"not writable: .*bucket does not exist\. Create the bucket, or correct"):
        store.check_writable()
    for use in (store.read, lambda path: store.create_once(path, b"")):
        with pytest.raises(StorageError, match="Create the bucket"):
            use("f")


@pytest.fixture
def refusing(bucket: str) -> Iterator[str]:
    """The bucket, with the stand-in now asking every caller who it is."""
    set_auth("0")
    yield bucket
    set_auth("inf")


def set_auth(after_requests: str) -> None:
    address = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
    headers = {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(address, after_requests.encode(), headers, method="POST")).read()


def test_denied_is_told_by_every_method(refusing: str) -> None:
    store = Store(f"{refusing}/run")
    advice = r"Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or the machines' role: .* get, put, delete and list"
    with pytest.raises(StorageError, match=f"not writable: .* cannot be written: .*{advice}"):
        store.check_writable()
    uses = {
        "read": lambda: store.read("f"),
        "looked for": lambda: store.exists("f"),
        "listed": lambda: store.files("f"),
        "created": lambda: store.create_once("f", b""),
        "written": lambda: store.write_folder("f", {"x": b""}),
    }
    for doing, use in uses.items():
        with pytest.raises(StorageError, match=f"cannot be {doing}: .*{advice}"):
            use()


def test_no_credentials_are_told(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StorageError, match=r"not writable: .*Unable to locate credentials\. Set AWS_ACCESS_KEY_ID"):
        Store(f"{bucket}/run").check_writable()


def test_no_network_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens on port 9. The client tries again and again, for some ten seconds; here it need not.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:9/.*\. Check the network and AWS_ENDPOINT_URL"):
        Store(f"{bucket}/run").check_writable()


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
