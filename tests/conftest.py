"""What every test gets: a quiet Ray environment, one torch thread, one small cluster for the whole session."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator

import pytest

# Before the first import of ray, and inherited by every process that a test starts.
os.environ.update(
    {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",  # otherwise a token file is left in the home folder
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # halves the fixed cost of a fit()
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
        "RAY_TRAIN_METRICS_ENABLED": "0",
        "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
        "RAY_DEDUP_LOGS": "0",
        "AWS_EC2_METADATA_DISABLED": "true",  # no slow search for credentials
        "OMP_NUM_THREADS": "1",
    }
)
os.environ.pop("AWS_CA_BUNDLE", None)

# A suite started in the background ignores Ctrl-C, and so would the processes that it starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

OBJECT_STORE_BYTES = 200 * 1024**2


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """Small tensors on shared cores: more threads only wait for each other."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def short_folder() -> Iterator[str]:
    """Folder with a short path: Ray's socket paths must stay below 107 bytes."""
    folder = tempfile.mkdtemp(prefix="er", dir="/tmp")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ray_cluster(short_folder: str) -> Iterator[None]:
    """One local Ray for the session: 4 logical CPUs, no dashboard, a small object store."""
    import ray

    ray.init(
        address="local",
        num_cpus=4,
        num_gpus=0,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        _temp_dir=short_folder,
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A new bucket, `s3://name`, of a stand-in for S3 on the loopback interface, given by the usual variables."""
    server_module = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    # Its log of requests is not what a test tells.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
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
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
