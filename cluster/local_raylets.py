"""What local.sh starts: a head and some raylets in this process' group, until a signal ends them.

Usage: `python cluster/local_raylets.py RAYLETS FIRST_PORT FOLDER`. Prints a line when all are up.

Not `ray start --node-ip-address=127.0.0.1`: Ray 2.60 replaces that address by the machine's outer one and listens on
all interfaces. Only where it takes the machine for one that cannot be in a cluster does it stay on loopback.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Any

STORE_BYTES = 200 * 1024**2
# A decoding machine in small: two tasks of a CPU, or four of half a one.
CPUS = 2


def main(raylets: int, first_port: int, folder: str) -> None:
    """Start them, wait for SIGTERM or SIGINT, end them."""
    # Read when Ray is imported.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ["RAY_TMPDIR"] = folder
    _adopt_orphans()
    from ray.cluster_utils import Cluster

    head = {
        "num_cpus": 0,
        "num_gpus": 0,
        "labels": {"role": "head"},
        "gcs_server_port": first_port,
        "include_dashboard": True,
        "dashboard_host": "127.0.0.1",
        "dashboard_port": first_port + 5,
        # Any free one: the usual one may belong to another cluster on this machine.
        "dashboard_agent_listen_port": 0,
        "object_store_memory": STORE_BYTES,
    }
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for number in range(raylets):
        # A folder of its own for what jobs upload: Ray 2.60 unpacks anew for each raylet, and first removes
        # what it finds there, also under a running driver.
        cluster.add_node(
            num_cpus=CPUS, num_gpus=0, labels={"role": "decode"}, object_store_memory=STORE_BYTES,
            runtime_env_dir_name=f"runtime_resources_{number}",
        )  # fmt: skip
    cluster.wait_for_nodes()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    print("up", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    end(cluster)


def end(cluster: Any) -> None:
    """End the raylets in order, then, by its id, each process below this one that is still there: jobs, for example."""
    # Ray brings its own copy; found once Ray is imported.
    import psutil

    below = psutil.Process().children(recursive=True)
    cluster.shutdown()
    _, still_there = psutil.wait_procs(below, timeout=3)
    for process in still_there:
        process.kill()
    psutil.wait_procs(still_there, timeout=3)


def _adopt_orphans() -> None:
    """On Linux, whatever loses its parent below this process becomes its child, so that `end` finds it."""
    if sys.platform == "linux":
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


if __name__ == "__main__":
    os.setsid()
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
