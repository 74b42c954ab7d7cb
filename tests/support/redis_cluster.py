"""Real Redis Clusters and Sentinels for a test, on ports of the loopback."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import redis

from gateway.store.redis.names import PLACE_SHIFT, SLOTS, SLOTS_PER_PLACE
from tests.support.redis_server import RedisServer

START_TIMEOUT_S = 20.0
MASTERS = 3
LOCAL = ("--bind", "127.0.0.1", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
NODE_TIMEOUT_MS = 1_000
"""After this long a master counts as failed and a replica takes its place."""


class ClusterNode(RedisServer):
    """One node, on TCP."""

    def __init__(self, directory: Path, binary: str, port: int, settings: tuple[str, ...]) -> None:
        super().__init__(directory, binary, ("--port", str(port), *settings))
        self.port = port


class RedisCluster:
    """`with RedisCluster(binary) as cluster:`. Three masters share the slots evenly."""

    def __init__(self, binary: str, replicas: int = 0, spare: int = 0) -> None:
        """`replicas`: of each master. `spare`: masters more, that hold no slots yet."""
        self.directory = Path(tempfile.mkdtemp(prefix="cgrc-"))
        ports = cluster_ports(MASTERS * (1 + replicas) + spare)
        nodes: list[ClusterNode] = []
        for number, port in enumerate(ports):
            place = self.directory / str(number)
            place.mkdir()
            settings = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS))
            # One without a master answers for its own slots: as it should be where a part is better than nothing.
            settings += ("--cluster-require-full-coverage", "no", *LOCAL)
            nodes.append(ClusterNode(place, binary, port, settings))
        self.masters = nodes[:MASTERS]
        """Those that were given slots at the start, in the order of their slots."""
        self.replicas = nodes[MASTERS : MASTERS * (1 + replicas)]
        """In the order of their masters."""
        self.spare = nodes[MASTERS * (1 + replicas) :]
        self.nodes = nodes

    @property
    def url(self) -> str:
        """As `redis.url` has it: two nodes of it, the first of which may be dead."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:2])

    def __enter__(self) -> RedisCluster:
        for node in self.nodes:
            node.start()
        self._form()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _form(self) -> None:
        for number, node in enumerate(self.masters):
            ask(node, "CLUSTER", "ADDSLOTS", *range(number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS))
        for number, node in enumerate(self.nodes):
            ask(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            ask(node, "CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        self._until(lambda: all(self._knows_all(node) for node in self.nodes))
        for number, node in enumerate(self.replicas):
            ask(node, "CLUSTER", "REPLICATE", ask(self.masters[number % MASTERS], "CLUSTER", "MYID"))
        self.settle()
        self._until(lambda: all(b"master_link_status:up" in ask(one, "INFO", "replication") for one in self.replicas))

    def settle(self) -> None:
        """Wait until every node finds the cluster whole."""
        self._until(lambda: all(self._finds_it_whole(node) for node in self.nodes))

    def master_of(self, callee_hash: bytes) -> ClusterNode:
        """Who was given a callee at the start."""
        slot = (int.from_bytes(callee_hash, "big") >> PLACE_SHIFT) * SLOTS_PER_PLACE
        return self.masters[next(n for n in range(MASTERS) if slot < (n + 1) * SLOTS // MASTERS)]

    def move_slots(self, slots: range, source: ClusterNode, target: ClusterNode) -> None:
        """As redis-cli does it: key by key, then the slot."""
        with source.client() as giver, target.client() as taker:
            names = [str(ask(node, "CLUSTER", "MYID").decode()) for node in (source, target)]
            for slot in slots:
                taker.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[0])
                giver.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[1])
                while keys := giver.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
                    giver.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
                for client in (taker, giver):
                    client.execute_command("CLUSTER SETSLOT", slot, "NODE", names[1])

    def _finds_it_whole(self, node: ClusterNode) -> bool:
        info = ask(node, "CLUSTER", "INFO")
        return b"cluster_state:ok" in info and b"cluster_slots_ok:%d\r" % SLOTS in info

    def _knows_all(self, node: ClusterNode) -> bool:
        lines = ask(node, "CLUSTER", "NODES").splitlines()
        return len(lines) == len(self.nodes) and not any(b"handshake" in line for line in lines)

    def _until(self, condition: Any) -> None:
        give_up = time.monotonic() + START_TIMEOUT_S
        while not condition():
            assert time.monotonic() < give_up, "the cluster did not form in time"
            time.sleep(0.02)


def cluster_ports(count: int) -> list[int]:
    """Free ports, each with the one 10,000 above it, where a node talks to the others; both below the ports that the
    system gives to whoever asks for any."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(10_000, 22_000)
        if port not in found and _is_free(port) and _is_free(port + 10_000):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def ask(node: RedisServer, *words: Any) -> Any:
    """One command's raw reply."""
    with redis.Redis(unix_socket_path=str(node.socket)) as client:
        client.response_callbacks.clear()
        return client.execute_command(*words)


class Sentinels:
    """A master, its replicas, and Sentinels that watch them."""

    SERVICE = "calls"

    def __init__(self, binary: str, replicas: int = 1, sentinels: int = 3) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cgse-"))
        ports = cluster_ports(1 + replicas + sentinels)
        self.nodes: list[ClusterNode] = []
        for number in range(1 + replicas):
            place = self.directory / str(number)
            place.mkdir()
            self.nodes.append(ClusterNode(place, binary, ports[number], LOCAL))
        self._binary = binary
        self._sentinel_ports = ports[1 + replicas :]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """As `redis.url` has it."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in self._sentinel_ports)}/{self.SERVICE}"

    def __enter__(self) -> Sentinels:
        for node in self.nodes:
            node.start()
        for node in self.nodes[1:]:
            ask(node, "REPLICAOF", "127.0.0.1", self.nodes[0].port)
            while b"master_link_status:up" not in ask(node, "INFO", "replication"):
                time.sleep(0.02)
        for port in self._sentinel_ports:
            path = self.directory / f"sentinel-{port}.conf"
            path.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {self.directory}\n"
                f"sentinel monitor {self.SERVICE} 127.0.0.1 {self.nodes[0].port} 2\n"
                f"sentinel down-after-milliseconds {self.SERVICE} 500\nsentinel failover-timeout {self.SERVICE} 2000\n"
            )
            arguments = [self._binary, str(path), "--sentinel"]
            self._sentinels.append(
                subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            )  # fmt: skip
        for port in self._sentinel_ports:
            self._until_all_known(port)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for process in self._sentinels:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _until_all_known(self, port: int) -> None:
        give_up = time.monotonic() + START_TIMEOUT_S
        with redis.Redis(port=port) as client:
            while True:
                try:
                    state: Any = client.sentinel_master(self.SERVICE)
                    others = state["num-other-sentinels"] == len(self._sentinel_ports) - 1
                    if others and state["num-slaves"] == len(self.nodes) - 1:
                        return
                except redis.ConnectionError:
                    pass
                assert time.monotonic() < give_up, "the Sentinels did not find each other in time"
                time.sleep(0.05)
