"""Which server is asked: of the hosts in the URL the one that takes writes, whatever the URL says of it.

Facts read from a standby may be older than what has been answered: a number that was suppressed a second ago is not
yet on its list. So every connection is asked, before it is used, whether its server takes writes, and those of
standbys are closed again. A host that keeps silent holds nobody up: the next is tried beside it after a moment, and
the one that was good is tried first from then on.

The same question shows a pooler between us and Postgres (the process that answers is not the one that greeted), and
settings that were lost on the way.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from app.platform.postgres.driver import Abrupt, Connection
from app.telemetry import STORE_CONNECTIONS

log = logging.getLogger("callgate.postgres")
CONNECT_SECONDS = 1.0
# So long a host may be silent before the next is tried beside it; all have been begun after three times that.
_STAGGER_SECONDS = 0.25
_DEFAULT_PORT = 5432
# What poolers hand on themselves.
_AT_STARTUP = ("application_name", "timezone")
_LOOK = """
    SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(),
           pg_catalog.current_setting('transaction_read_only'),
           ARRAY(SELECT name || '=' || setting FROM pg_catalog.pg_settings WHERE name = ANY ($1::text[]))
"""


class NoPrimary(ConnectionError):
    """None of the hosts takes writes. The message says of each why not."""


class PooledByStatement(ConnectionError):
    """A pooler gives each statement to another session, so that nothing can be done as a whole."""

    def __init__(self) -> None:
        super().__init__(
            "the pooler in front of Postgres pools by statement, and Callgate needs transactions:"
            " set pool_mode to transaction or session"
        )


@dataclass(frozen=True, slots=True)
class Host:
    """One of the hosts of a URL: a name, an address, or the directory of a Unix socket."""

    name: str
    port: int

    def __str__(self) -> str:
        return self.name if self.name.startswith("/") else f"{self.name}:{self.port}"


@dataclass(slots=True)
class Hosts:
    """The hosts of one URL, and what this process has learnt of them."""

    dsn: str
    # Empty: the URL names none, and the driver looks where libpq would.
    named: list[Host] = field(init=False)
    shared: set[Host | None] = field(default_factory=set)
    said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.named = _hosts_of(self.dsn)

    def say_once(self, message: str, *of: object) -> None:
        """A warning that is worth one line a process."""
        line = message % of
        if line not in self.said:
            self.said.add(line)
            log.warning(line)

    def remember(self, host: Host) -> None:
        """This one was good: it is tried first the next time."""
        if self.named and self.named[0] != host:
            self.named.remove(host)
            self.named.insert(0, host)


def hosts_of_url(url: str) -> Hosts:
    """The hosts of a URL in any usual spelling.

    The rest of it is read by the driver, as libpq documents it (`sslmode`, `sslrootcert`). SQLAlchemy would hand
    these on by names that the driver does not know.
    """
    _, separator, rest = url.partition("://")
    return Hosts(f"postgresql://{rest}" if separator else url)


def _hosts_of(dsn: str) -> list[Host]:
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    listed = unquote(parts.netloc.rpartition("@")[2]) or query.get("host", [os.environ.get("PGHOST", "")])[-1]
    if not listed or "service" in query:
        return []
    names = listed.split(",")
    ports = (query.get("port", [os.environ.get("PGPORT", "")])[-1] or str(_DEFAULT_PORT)).split(",")
    if len(ports) == 1:
        ports *= len(names)
    found = []
    for name, port in zip(names, ports, strict=False):
        host, own_port = name, port
        if not name.startswith("/"):
            head, colon, tail = name.rpartition(":")
            # An IPv6 address in brackets holds colons of its own.
            if colon and tail.isdigit() and (head.endswith("]") or ":" not in head):
                host, own_port = head, tail
        if own_port.isdigit() and host:
            found.append(Host(host.strip("[]"), int(own_port)))
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Opening:
    """How connections of one kind are opened: what the server is asked to set, and the deadline of a statement."""

    settings: Mapping[str, str]
    command_timeout: float | None = None
    connect_timeout: float = CONNECT_SECONDS
    only_reads: bool = False  # whichever host answers will do, a standby too

    async def connect(self, hosts: Hosts) -> Connection:
        """A connection to a server that takes writes, or to any. Raises NoPrimary, or what the only host said."""
        if len(hosts.named) < 2:
            host = hosts.named[0] if hosts.named else None
            try:
                return await self._open(hosts, host)
            except NoPrimary as refusal:
                raise NoPrimary(f"{host or 'the server'} {refusal}") from None
        return await self._first_of(hosts)

    async def _first_of(self, hosts: Hosts) -> Connection:
        waiting = list(hosts.named)
        stagger = min(_STAGGER_SECONDS, 3 * _STAGGER_SECONDS / len(waiting))
        tries: dict[asyncio.Task[Connection], Host] = {}
        refusals: dict[Host, BaseException] = {}
        won: Connection | None = None
        try:
            while won is None and (waiting or len(refusals) < len(hosts.named)):
                if waiting:
                    host = waiting.pop(0)
                    tries[asyncio.create_task(self._open(hosts, host))] = host
                under_way = [each for each in tries if tries[each] not in refusals]
                done, _ = await asyncio.wait(
                    under_way, timeout=stagger if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                for each in done:
                    refusal = each.exception()
                    if refusal is not None:
                        refusals[tries[each]] = refusal
                    elif won is None:
                        won = each.result()
                        hosts.remember(tries[each])
            if won is not None:
                return won
        finally:
            for each in tries:
                each.add_done_callback(lambda late: _hang_up(late, won))
                each.cancel()
        for refusal in refusals.values():
            if isinstance(refusal, PooledByStatement):
                raise refusal
        why = "; ".join(f"{host} {_because(refusals[host])}" for host in refusals)
        raise NoPrimary(f"none of the {len(refusals)} hosts takes writes: {why}") from refusals[host]

    async def _open(self, hosts: Hosts, host: Host | None) -> Connection:
        where = {} if host is None else {"host": host.name, "port": host.port}
        for _ in range(2):
            shared = host in hosts.shared
            try:
                async with asyncio.timeout(self.connect_timeout):
                    opened = await self._begin(hosts, where, shared)
            except asyncpg.PostgresError as error:
                # As PgBouncer says it, of what is not in its ignore_startup_parameters.
                if shared or "startup parameter" not in str(error):
                    raise
                hosts.shared.add(host)
                continue
            if opened is not None:
                return opened
            hosts.shared.add(host)
        raise ConnectionError("what answers is a pooler at one time and Postgres at another")

    async def _begin(self, hosts: Hosts, where: Mapping[str, Any], shared: bool) -> Connection | None:
        """A connection that is good; None when a pooler has turned out to be in front of it."""
        settings = {k: v for k, v in self.settings.items() if not shared or k in _AT_STARTUP}
        opened: Connection = await asyncpg.connect(
            hosts.dsn,
            **where,
            timeout=self.connect_timeout,
            command_timeout=self.command_timeout,
            connection_class=Connection if self.command_timeout is None else Abrupt,
            server_settings=settings,
            statement_cache_size=0 if shared else 100,
            target_session_attrs="any",  # we look ourselves
        )
        good = False
        try:
            good = await self._look(hosts, opened, shared)
        finally:
            if not good:
                opened.terminate()
        if not good:
            return None
        STORE_CONNECTIONS.labels("postgres").inc()
        return opened

    async def _look(self, hosts: Hosts, opened: Connection, shared: bool) -> bool:
        """Ask the server what it is and see to the settings; False when an unexpected pooler is before it."""
        wanted = {name: value for name, value in self.settings.items() if name not in _AT_STARTUP}
        try:
            await opened.execute("BEGIN")
        except asyncpg.PostgresError as error:
            if "statement pooling" in str(error):
                raise PooledByStatement from None
            raise
        look = await opened.prepared(_LOOK)
        pid, recovering, read_only, settings = await look.fetchrow([*wanted, "synchronous_commit"])
        if not self.only_reads and (recovering or read_only == "on"):
            raise NoPrimary("is a standby" if recovering else "is read only")
        if pid != opened.get_server_pid() and not shared:
            return False
        found: dict[str, str] = dict(each.split("=", 1) for each in settings)
        level = found.pop("synchronous_commit", "on")
        if level in ("on", "off"):
            # Said even where it is so already: a server that is told otherwise later must not take it back.
            # Stronger and weaker levels of replication are the operator's choice; on disk is our promise.
            wanted["synchronous_commit"] = "on"
        if level == "off":
            hosts.say_once("synchronous_commit is off for this role or database; Callgate's own commits wait")
        last = ["COMMIT"]
        if shared:
            opened.share(wanted)
            hosts.say_once(
                "Postgres is reached through a pooler: each statement runs in a transaction, which says its"
                " settings anew, and takes some round trips more"
            )
        else:
            lost = sorted(name for name in found if found[name] != wanted[name])
            if lost:
                hosts.say_once("Postgres did not take the settings %s with the connection", ", ".join(lost))
            lost += ["synchronous_commit"] if "synchronous_commit" in wanted else []
            last = [f"SET {name} = '{wanted[name]}'" for name in lost] + last
        await opened.execute("; ".join(last))
        return True


def _because(refusal: BaseException) -> str:
    if isinstance(refusal, NoPrimary):
        return str(refusal)
    if isinstance(refusal, TimeoutError):
        return "did not answer in time"
    said = str(refusal).partition("\n")[0]
    return f"refused ({type(refusal).__name__}: {said})" if said else f"refused ({type(refusal).__name__})"


def _hang_up(late: asyncio.Task[Connection], won: Connection | None) -> None:
    if not late.cancelled() and late.exception() is None and late.result() is not won:
        late.result().terminate()
