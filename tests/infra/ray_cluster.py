"""A Ray cluster of two nodes on this machine, for tests."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from infra.ray.driver import private_environment

ROOT = Path(__file__).resolve().parents[2]
STORE_BYTES = 100 * 2**20
# A node that is gone is noticed after seconds, not after half a minute.
NOTICING = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 6}
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": str(ROOT),  # where its processes find the rooms, and the work of tests
    "OMP_NUM_THREADS": "1",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "3",  # a head that is gone is given up after so long
}


@contextlib.contextmanager
def two_nodes() -> Iterator[tuple[Any, Any]]:
    """The cluster, and the node that is not its head; each has one processor."""
    with mock.patch.dict(os.environ, {**private_environment(), **ENVIRONMENT}):
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        cluster = Cluster(initialize_head=True, head_node_args={**head, "_system_config": NOTICING})
        try:
            yield cluster, cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        finally:
            cluster.shutdown()


def listening() -> set[str]:
    """Addresses at which children of this process, and theirs, listen."""
    return {
        connection.laddr.ip.removeprefix("::ffff:")
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE
        for connection in child.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def kill_an_actor(cluster: Any) -> int:
    """SIGKILL to a process of the pool; its number."""
    raylets = [
        psutil.Process(info.process.pid)
        for node in cluster.list_all_nodes()
        for info in node.all_processes.get("raylet", [])
    ]
    actors = [child for raylet in raylets for child in raylet.children() if "MapWorker" in " ".join(child.cmdline())]
    actors[0].kill()
    return int(actors[0].pid)


def lose(cluster: Any) -> None:
    """Kill all processes of all nodes at once."""
    for node in cluster.list_all_nodes():
        node.kill_all_processes(check_alive=False, allow_graceful=False)
