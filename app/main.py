"""Builds the ASGI application and what it lives on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.types import ASGIApp

from app import VERSION
from app.accounts import http as admin
from app.accounts.account_services import ClassLimit
from app.accounts.audit import http as audit
from app.accounts.caller import GuardedRoute
from app.accounts.store import installation_secret
from app.calling_window import http as emergencies
from app.calling_window.holidays import http as holidays
from app.capacity.leases import http as leases
from app.capacity.leases.ledger import PostgresLedger
from app.capacity.limits import http as limits
from app.capacity.pools import http as pools
from app.capacity.semaphore import Semaphore
from app.connectors import http as connectors
from app.consent_lists import http as consent_lists
from app.consents import http as consents
from app.console import http as console
from app.console.console_services import ConsoleServices
from app.console.open_id.connect import IssuerSettings, open_id_of
from app.console.session_store import Sessions
from app.content import http as content
from app.events import http as events
from app.evidence import http as evidence
from app.evidence.public_keys import PublishedKeys
from app.evidence.sealing.seal_key_file import SealKeyFile
from app.evidence.sealing.seal_upkeep import keep_sealing
from app.health import http as health
from app.health.readiness import Readiness
from app.intents import http as intents
from app.intents.counts import http as decision_counts
from app.intents.law import http as law
from app.intents.law.pack_switch import RuleSets
from app.intents.records import http as decision_routes
from app.intents.scrub import http as scrub
from app.intents.services import RuleSetInForce, Services
from app.intents.upkeep.compensation import settle_what_can_be
from app.intents.upkeep.maintain import maintain
from app.intents.windows import http as calling_windows
from app.number_sheet import http as number_sheet
from app.outcomes import http as outcomes
from app.platform.clocks import Clocks
from app.platform.http import docs_page, error_pages, problems
from app.platform.http.openapi.description import describe
from app.platform.http.problems import ProblemWriter
from app.platform.http.request_middleware import DirectRoute, RequestMiddleware
from app.platform.http.stream_timeouts import StreamPace
from app.platform.postgres.database import Database, PostgresUnavailable
from app.platform.postgres.migrate import newest_revision
from app.platform.postgres.read_replica import ReadReplica
from app.platform.redis.router import RedisRouter
from app.policy import http as policy
from app.policy.preview import http as policy_preview
from app.replies import http as inbound_messages
from app.replies.carriers import http as carriers
from app.settings import Settings
from app.suppression import http as suppressions
from app.suppression.lists import http as imports
from app.suppression.registries import http as registries
from app.webhooks import http as webhooks
from app.webhooks.courier import Courier
from app.webhooks.destinations import Allowed
from app.webhooks.send_event import Sender

ROUTES = (
    decision_counts,
    decision_routes,  # after what else begins with its path: it would read that as an id
    intents,
    calling_windows,
    number_sheet,
    content,
    pools,
    limits,
    leases,
    outcomes,
    imports,  # before suppressions, whose paths would read theirs as numbers
    suppressions,
    registries,
    scrub,
    inbound_messages,
    carriers,
    connectors,
    consent_lists,  # before consents, whose paths would read theirs as numbers
    consents,
    policy,
    policy_preview,
    emergencies,
    holidays,
    law,
    evidence,
    events,
    webhooks,
    admin,
    audit,
    error_pages,
    docs_page,
    health,
    console,
)


async def equip(
    settings: Settings,
    rule_sets: RuleSetInForce,
    database_url: str,
    redis_url: str,
    secret: bytes | None = None,
) -> Services:
    """Make the ways to the stores, of which neither has to be there yet: what needs one is 503 until it is.

    ``secret`` is the installation's, which keys the names in Redis and never changes. Without it Postgres is asked
    for it now. Raises PostgresUnavailable.
    """
    database = Database(
        database_url,
        timeout_seconds=settings.database_timeout_ms / 1000,
        pool_size=settings.database_pool_size,
    )
    replica = None
    if settings.database_read_url is not None:
        replica = ReadReplica(
            database,
            settings.database_read_url,
            timeout_seconds=settings.database_timeout_ms / 1000,
            pool_size=settings.database_pool_size,
        )
    if secret is None:
        async with database.begin() as connection:
            secret = await installation_secret(connection)
    clocks = Clocks(timedelta(milliseconds=settings.clock_tolerance_ms))
    with contextlib.suppress(
        PostgresUnavailable
    ):  # it starts whether or not Postgres is there, and asks again
        await clocks.ask(database)
    semaphore = Semaphore(
        redis_url,
        timeout_ms=settings.redis_timeout_ms,
        secret=secret,
        ledger=PostgresLedger(database, clocks),
    )
    await semaphore.start()
    return Services(
        database=database,
        replica=replica,
        semaphore=semaphore,
        rate_limiter=semaphore,
        rule_sets=rule_sets,
        clocks=clocks,
        class_limits={
            name: ClassLimit(rate.limit, rate.window_seconds) for name, rate in settings.rate_limits().items()
        },
        default_capacity=settings.default_channel_capacity,
        retention_days=settings.decision_retention_days,
        event_retention_days=settings.event_retention_days,
    )


def issuer_settings(settings: Settings) -> IssuerSettings:
    """What was set of the issuer that people of the console sign in through."""
    return IssuerSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        roles=settings.oidc_roles,
        roles_claim=settings.oidc_roles_claim,
        account_claim=settings.oidc_account_claim,
        account=settings.oidc_account,
    )


def _direct_routes() -> dict[tuple[str, str], DirectRoute]:
    """By method and path, those that are asked so often that they read their bodies themselves."""
    return {
        (method, route.path): direct
        for route in intents.router.routes
        if isinstance(route, GuardedRoute) and (direct := route.direct()) is not None
        for method in route.methods or ()
    }


def build(
    settings: Settings,
    rule_sets: RuleSets,
    database_url: str,
    redis_url: str,
    *,
    public_url: str | None = None,
    metrics_dir: str | None = None,
    secret: bytes,
    seal_key: SealKeyFile | None = None,
    traces: bool = False,
) -> ASGIApp:
    """The application; it starts whether or not its stores are there, see ``equip``. Without ``seal_key`` it seals
    nothing."""
    url = public_url or settings.own_url()
    writer = ProblemWriter(settings.problem_type_base, url)
    sender = Sender(Allowed(settings.webhook_allow))
    open_id = open_id_of(issuer_settings(settings), secret, url)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = await equip(settings, rule_sets, database_url, redis_url, secret)
        app.state.services, app.state.scanner = services, rule_sets.current().scanner
        app.state.readiness = Readiness(services, newest_revision())
        sessions = RedisRouter(redis_url, timeout_ms=settings.redis_timeout_ms)
        await sessions.start()
        app.state.console = ConsoleServices(
            Sessions(sessions),
            settings.environment or urlsplit(url).netloc,
            url.startswith("https://"),
            open_id=open_id,
            issuer=urlsplit(settings.oidc_issuer or "").netloc,
        )
        # What was loaded lives as long as the process. Left among the young, it is walked by every full
        # collection, a pause of some 100 ms: longer than Redis may take to answer.
        gc.collect()
        gc.freeze()
        # A request makes a few hundred objects and no cycles to speak of: the default of 700 looks at them all
        # several times while they are still in use.
        gc.set_threshold(20_000, 20, 50)
        upkeep = asyncio.create_task(maintain(services))
        courier = Courier(services, sender, first_retry_seconds=settings.webhook_retry_seconds)
        others = [asyncio.create_task(work()) for work in (rule_sets.watch, courier.watch)]
        if seal_key is not None:
            others.append(asyncio.create_task(keep_sealing(services, seal_key)))
        try:
            yield
        finally:
            for task in (upkeep, *others, *services.jobs):
                task.cancel()
            await asyncio.gather(upkeep, *others, *services.jobs, return_exceptions=True)
            await settle_what_can_be(services)
            await sessions.close()
            await services.semaphore.close()
            await services.database.close()
            if services.replica is not None:
                await services.replica.close()

    app = FastAPI(
        title="Callgate",
        version=VERSION,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # asked for anew at every request
    )
    app.state.writer = writer
    app.state.metrics_dir = metrics_dir
    app.state.seal_key, app.state.published_keys = seal_key, PublishedKeys()
    app.state.sender = sender
    app.state.pace = StreamPace(window_seconds=settings.stream_timeout_seconds)
    if open_id is not None:  # before the console's own routes, the last of which answers whatever is no page
        app.include_router(open_id.router)
    for module in ROUTES:
        app.include_router(module.router)
    problems.install(app, writer, error_pages.missing_page)
    describe(app, writer)
    edge = RequestMiddleware(
        app,
        writer,
        max_body_bytes=settings.max_body_bytes,
        body_seconds=settings.body_timeout_seconds,
        direct=_direct_routes(),
    )
    if not traces:
        return edge
    from app.tracing import Tracing

    return Tracing(edge)
