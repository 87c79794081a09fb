"""What a service does for the seals, beside its decisions: it makes them, says how far behind it is, and keeps the
texts of the rules that it decides by."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncEngine

from app import telemetry
from app.evidence import store as evidence
from app.evidence.proof.signing import SealKeyError
from app.evidence.sealing import rule_text_store as rule_texts
from app.evidence.sealing.rule_texts import texts_of
from app.evidence.sealing.seal_hours import GRACE, HOUR, hour_of, seal_due
from app.evidence.sealing.seal_key_file import SealKeyFile
from app.intents.services import Services
from app.platform.outcomes import CannotDecide
from app.platform.postgres.database import is_away

log = logging.getLogger("callgate.seals")
EVERY_SECONDS = 30.0
LOOK_SECONDS = 0.5
# Retention drops whole months, and so does this.
LEAVES_KEPT_LONGER = timedelta(days=32)


async def keep_sealing(services: Services, file: SealKeyFile) -> None:
    """Until cancelled."""
    kept: set[str] = set()
    said = ""
    while True:
        tried = _pack(services)
        try:
            await keep_rule_texts(services, kept)
            await seal_round(services, file)
        except SealKeyError as error:
            if str(error) != said:
                log.error("nothing is sealed: %s", error)
            said = str(error)
        except Exception as error:
            if is_away(error):
                log.warning("sealing waits for its store: %s", type(error).__name__)
            else:
                log.exception("sealing failed; it will be tried again")
        await _until_due(services, tried)


async def _until_due(services: Services, tried: str) -> None:
    """Until the next round: at once when another pack is in force, whose files go when the next takes its place."""
    until = monotonic() + EVERY_SECONDS
    while monotonic() < until:
        await asyncio.sleep(LOOK_SECONDS)
        if _pack(services) != tried:
            return


def _pack(services: Services) -> str:
    """The digest of the pack in force; empty at the moment in which there is none here."""
    try:
        return services.rule_set.window_rules.digest
    except CannotDecide:
        return ""


async def seal_round(services: Services, file: SealKeyFile) -> None:
    """Seal what can be, and tell how much could not. Raises SealKeyError."""
    engine = services.database.bulk
    await note_behind(engine)
    made, _ = await seal_due(engine, file.read)
    if made:
        await forget_old_leaves(services)
        await note_behind(engine)


async def note_behind(engine: AsyncEngine) -> None:
    """Set the figure by what Postgres says."""
    async with engine.connect() as connection:
        _, sealed_until = await evidence.progress(connection)
        over = hour_of(await evidence.server_time(connection) - GRACE)
    telemetry.SEALS_BEHIND.set(max(0, int((over - sealed_until) / HOUR)))


async def forget_old_leaves(services: Services) -> None:
    """What the decisions' retention has taken needs no list of leaves any more."""
    before = services.now() - timedelta(days=services.retention_days) - LEAVES_KEPT_LONGER
    async with services.database.bulk.begin() as connection:
        accounts = await evidence.all_accounts(connection)
    for account_id in accounts:
        async with services.database.bulk.begin() as connection:
            await evidence.forget_leaves(connection, account_id, before)


async def keep_rule_texts(services: Services, kept: set[str]) -> None:
    """Keep the files of the pack in force, once for each digest. ``kept``: those that are known to be there."""
    pack = services.rule_set.window_rules
    if pack.digest in kept:
        return
    files = await asyncio.to_thread(texts_of, pack)
    if files is not None:
        async with services.database.begin() as connection:
            await rule_texts.keep(connection, pack.digest, pack.name, files, services.now())
    kept.add(pack.digest)
