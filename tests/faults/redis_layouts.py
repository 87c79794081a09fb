"""Redis as operators run it: a master with its replica under three sentinels, and a cluster of three with replicas."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.crc import key_slot

from tests.capacity.server import Server, end_with_the_tests, free_port, server_binary

SLOTS = 16384
SERVICE = "calls"


@dataclass(frozen=True)
class Watched:
    """A master, its replica, and the ports of the sentinels that agree on who is the master."""

    master: Server
    replica: Server
    ports: tuple[int, ...]

    @property
    def url(self) -> str:
        """As CALLGATE_REDIS_URL takes it."""
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in self.ports) + f"/{SERVICE}"


@dataclass(frozen=True)
class Cluster:
    """The masters in the order of their slots, a third each, and the replica of each."""

    masters: tuple[Server, ...]
    replicas: tuple[Server, ...]

    @property
    def url(self) -> str:
        """As CALLGATE_REDIS_URL takes it."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.masters)

    def place_of(self, account_id: str) -> int:
        """Which of the masters serves an account."""
        return key_slot(account_id.encode()) * len(self.masters) // SLOTS


def until(what: str, holds: Callable[[], object], seconds: float = 30) -> None:
    """Waits for something that comes by itself; a server that cannot be asked yet is asked again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except redis.RedisError:
            pass
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def is_master(server: Server) -> bool:
    """Whether a server takes writes."""
    return str(server.client.info("replication")["role"]) == "master"


def in_step(master: Server, replica: Server) -> bool:
    """Whether the replica has all that its master has."""
    of_replica, of_master = replica.client.info("replication"), master.client.info("replication")
    behind = int(of_master["master_repl_offset"]) - int(of_replica["slave_repl_offset"])
    return of_replica["master_link_status"] == "up" and behind <= 0


@contextmanager
def watched_by_sentinels(count: int = 3) -> Iterator[Watched]:
    """Sentinels that take a master for dead after half a second, most of which have to agree."""
    with ExitStack() as closing:
        master, replica = Server(port=free_port()), Server(port=free_port())
        for server in (master, replica):
            closing.callback(server.remove)
            server.start()
        replica.client.replicaof("127.0.0.1", str(master.port))
        until("the replica follows", lambda: in_step(master, replica))
        ports = tuple(free_port() for _ in range(count))
        for port in ports:
            closing.callback(
                _end, _sentinel(Path(master.folder) / f"sentinel-{port}.conf", port, master, count)
            )
        clients = [redis.Redis(port=port) for port in ports]
        for client in clients:
            closing.callback(client.close)
            until(
                "the sentinels know each other and the replica",
                lambda client=client: (  # type: ignore[misc]
                    len(client.sentinel_sentinels(SERVICE)) == count - 1 and client.sentinel_slaves(SERVICE)
                ),
            )
        yield Watched(master, replica, ports)


def _sentinel(configuration: Path, port: int, master: Server, count: int) -> subprocess.Popen[bytes]:
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor {SERVICE} 127.0.0.1 {master.port} {count // 2 + 1}\n"
        f"sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 3000\n"
    )
    return subprocess.Popen(
        [server_binary(), str(configuration), "--sentinel"],
        preexec_fn=end_with_the_tests,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=10)


@contextmanager
def three_masters(*, replicated: bool = True, node_timeout_ms: int = 2000) -> Iterator[Cluster]:
    """A cluster of three masters; with ``replicated`` each has a replica that takes its place when it dies."""
    with ExitStack() as closing:
        servers = []
        for _ in range(6 if replicated else 3):
            server = Server(
                "--cluster-enabled", "yes", "--cluster-node-timeout", str(node_timeout_ms), port=_bus_port()
            )
            closing.callback(server.remove)
            server.start()
            servers.append(server)
        masters, replicas = servers[:3], servers[3:]
        for number, master in enumerate(masters):
            master.command("CLUSTER", "ADDSLOTS", *range(SLOTS * number // 3, SLOTS * (number + 1) // 3))
        for server in servers[1:]:
            server.command("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
        known = b"cluster_known_nodes:%d" % len(servers)
        for server in servers:
            until("all know all", lambda server=server: known in server.command("CLUSTER", "INFO"))  # type: ignore[misc]
        for master, replica in zip(masters, replicas, strict=False):
            name = master.command("CLUSTER", "MYID").decode()
            until("it becomes a replica", lambda r=replica, n=name: r.command("CLUSTER", "REPLICATE", n))  # type: ignore[misc]
        for server in servers:
            until("the cluster serves", lambda s=server: b"cluster_state:ok" in s.command("CLUSTER", "INFO"))  # type: ignore[misc]
        for master, replica in zip(masters, replicas, strict=False):
            until("the replicas follow", lambda m=master, r=replica: in_step(m, r))  # type: ignore[misc]
        yield Cluster(tuple(masters), tuple(replicas))


def _bus_port() -> int:
    """A free port whose cluster bus, 10,000 above, is a port too."""
    while (port := free_port()) > 55535:
        pass
    return port
