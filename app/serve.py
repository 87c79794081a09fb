"""callgate serve: everything that has to be there first, then one socket and its workers."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from app import clock
from app.platform.environment import USAGE, Stores, fail, run_plainly, stores
from app.platform.server.metrics_files import metrics_directory

if TYPE_CHECKING:
    from app.settings import Settings


class _AskedEarly:
    """SIGHUP before the rules are read: remembered, where the system's own answer would end the process."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: object) -> None:
        self.asked = True


def serve(
    host: str | None = typer.Option(None, help="Address to listen on; CALLGATE_HOST."),
    port: int | None = typer.Option(None, min=0, max=65535, help="Port to listen on; CALLGATE_PORT."),
    workers: int | None = typer.Option(None, min=1, max=256, help="Worker processes; CALLGATE_WORKERS."),
) -> None:
    """Serve HTTP until SIGTERM or SIGINT, with embedded servers where no URLs are configured."""
    for name, value in (("HOST", host), ("PORT", port), ("WORKERS", workers)):
        if value is not None:
            os.environ[f"CALLGATE_{name}"] = str(value)
    signal.signal(signal.SIGHUP, _AskedEarly())
    with stores(own=True) as found:
        raise typer.Exit(_serve(found))


def _serve(found: Stores) -> int:
    if found.settings.workers == 1:
        return _listen_and_serve(found, None)
    # Before prometheus_client is imported by anything: several processes share one set of figures in files.
    with metrics_directory() as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
        return _listen_and_serve(found, str(directory))


def _listen_and_serve(found: Stores, metrics_dir: str | None) -> int:
    with contextlib.ExitStack() as stack:
        return _serve_with(found, metrics_dir, stack)


def _serve_with(found: Stores, metrics_dir: str | None, stack: contextlib.ExitStack) -> int:
    from app import telemetry
    from app.console.open_id.connect import open_id_of
    from app.evidence.proof.signing import SealKeyError
    from app.evidence.sealing.seal_key_file import seal_key_file
    from app.ids import new_id
    from app.intents.law.pack_switch import PackKeeper
    from app.intents.law.reload_file import ReloadFile
    from app.intents.services import load_rule_set
    from app.law.window_loader import DIRECTORY as PACKAGED
    from app.main import build, issuer_settings
    from app.platform.embedded import default_data_dir
    from app.platform.files.broken_file import BrokenRuleFile
    from app.platform.http.problems import ProblemWriter, dump, problem_headers
    from app.platform.server import prefork
    from app.platform.server.listener import listen
    from app.webhooks.destinations import Allowed

    class CountedWorkers:
        """The keeper of the rules, told of each worker, and a count of those that took another's place."""

        def __init__(self) -> None:
            self.begun: set[int] = set()
            self.ended, self.serves = keeper.ended, keeper.serves

        def begins(self, slot: int) -> None:
            if slot in self.begun:
                telemetry.WORKERS_RESTARTED.inc()
            self.begun.add(slot)
            keeper.begins(slot)

    settings = found.settings
    traces = bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    if traces and not all(map(find_spec, ("opentelemetry.sdk", "opentelemetry.exporter"))):
        fail(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and traces need what `pip install callgate[otel]` brings",
            USAGE,
        )
    try:
        Allowed(settings.webhook_allow)
    except ValueError as error:
        fail(f"CALLGATE_WEBHOOK_ALLOW: {error}", USAGE)
    try:
        open_id_of(issuer_settings(settings), b"", "")
    except ValueError as error:
        fail(str(error), USAGE)
    telemetry.configure_logging(settings.log_format, settings.log_level)
    data_dir = settings.data_dir or default_data_dir()
    seal_key = seal_key_file(settings.seal_key_file, data_dir)
    try:
        if seal_key.is_named:
            seal_key.read()
    except SealKeyError as error:
        fail(f"{error}; `callgate evidence new-key FILE` makes one")
    try:
        listener = listen(settings.host, settings.port, reuse_port=settings.reuse_port)
    except OSError as error:
        fail(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}")
    port = listener.getsockname()[1]
    public_url = settings.public_url or settings.model_copy(update={"port": port}).own_url()
    copies = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callgate-law-")))
    try:
        keeper = PackKeeper(
            (settings.rules_dir or PACKAGED).absolute(), copies, settings.workers, load_rule_set
        )
    except BrokenRuleFile as error:
        fail(f"a rule file is broken: {error}")
    early = signal.signal(signal.SIGHUP, keeper.reload)
    if isinstance(early, _AskedEarly) and early.asked:
        # What was read may be older than what was asked for.
        keeper.reload()
    told = ReloadFile(data_dir, settings.port)
    if told.hold(keeper.standing):
        keeper.report = told.write
    key, secret = run_plainly(_prepare(found))
    _greet(settings, public_url, key)
    writer = ProblemWriter(settings.problem_type_base, public_url)

    def bad_request(detail: str) -> tuple[bytes, dict[str, str]]:
        request_id = new_id(clock.utc_now())
        document = writer.document("bad-request", instance=request_id, detail=detail)
        return dump(document), {**problem_headers(document), "X-Request-Id": str(request_id)}

    def tick() -> None:
        keeper.step()
        if found.embedded is not None:
            for name in found.embedded.restart_fallen():
                print(f"callgate: the embedded {name} had ended and was started again", file=sys.stderr)  # noqa: T201

    return prefork.serve_forever(
        listener,
        lambda: build(
            settings,
            keeper.rule_sets,
            found.database_url,
            found.redis_url,
            public_url=public_url,
            metrics_dir=metrics_dir,
            secret=secret,
            seal_key=seal_key,
            traces=traces,
        ),
        workers=settings.workers,
        limits=prefork.ServerLimits(silent_seconds=settings.worker_silent_seconds),
        bad_request=bad_request,
        trusted_proxies=settings.trusted_proxies,
        tick=tick,
        crew=CountedWorkers(),
    )


async def _prepare(found: Stores) -> tuple[str | None, bytes]:
    """Migrate, make partitions and the bootstrap key; answers the key if it was generated just now, and the
    installation's secret, which the workers take over: they start whether or not Postgres is there."""
    from app.accounts.manage_keys import ensure_bootstrap_key
    from app.accounts.store import installation_secret
    from app.intents.records import partitions
    from app.platform.postgres.database import Database, PostgresUnavailable, is_away, why_away
    from app.platform.postgres.migrate import migrate

    database = Database(found.database_url, timeout_seconds=10, pool_size=1)
    try:
        if found.settings.migrate_on_start:
            await migrate(found.database_url)
        async with database.begin() as connection:
            now = await partitions.server_now(connection)
            await partitions.make_ahead(connection, now, found.settings.decision_retention_days)
            secret = await installation_secret(connection)
        made = await ensure_bootstrap_key(database, found.settings.bootstrap_key, clock.utc_now())
    except Exception as error:
        if isinstance(error, PostgresUnavailable) or is_away(error):
            fail(f"the database cannot be asked ({why_away(error)}); is CALLGATE_DATABASE_URL right?")
        raise
    finally:
        await database.close()
    for note in made.notes:
        print(f"callgate: {note}", file=sys.stderr)  # noqa: T201
    return made.key, secret


def _greet(settings: Settings, url: str, key: str | None) -> None:
    """Say where it answers, the key if it is new, and a request that works when pasted."""
    shown = key or "$KEY"
    body = '{"type": "call", "to": "+14155551234", "from": "+12125550100"}'
    lines = [f"Callgate answers at {url}  (pages: {url}/docs, {url}/errors)"]
    if key is not None:
        lines += ["", f"Bootstrap key, shown this once: {key}"]
    elif settings.bootstrap_key is not None:
        lines += ["", "The bootstrap key is the one in CALLGATE_BOOTSTRAP_KEY."]
    else:
        lines += [
            "",
            "The first key was shown at the first start. Another one: callgate keys create NAME"
            " --scope admin --scope operator",
        ]
    lines += [
        f"The console, for people, who sign in with a key: {url}/console",
        "",
        "Ask whether a call may go out:",
        f"  curl -s {url}/v1/intents -H 'Authorization: Bearer {shown}' "
        f"-H 'Content-Type: application/json' -d '{body}'".replace(
            "'Authorization: Bearer $KEY'", '"Authorization: Bearer $KEY"'
        ),
        "",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201
