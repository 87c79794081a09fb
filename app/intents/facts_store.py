"""One statement that gathers everything a decision needs, for one intent or for many at once.

It answers who the key is as well: a key revoked a moment ago is revoked for every process, because nobody
remembers keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import text

from app.accounts.key_store import Key, read_key
from app.accounts.policy_document import read_policy
from app.guardrail.facts import (
    AccountPolicy,
    CampaignDay,
    Consent,
    Emergency,
    Facts,
    ProclaimedHoliday,
    SuppressionEntry,
)
from app.intents.recorded_attempts import RecordedAttempts, at_us, json_list
from app.platform.postgres.database import Database
from app.platform.postgres.line_sql import joined, under_every_spelling
from app.platform.postgres.prepared_query import PreparedQuery
from app.suppression.registries.store import (
    hits_from_json,
    registries_in_force,
    registries_in_force_sql,
    registry_hits_sql,
)

# No cap of the law or of a policy looks back further (see AccountPolicy's limits in the API).
ATTEMPTS_LOOK_BACK_DAYS = 31
# A day in the place of the call may be the one before the day in UTC, and nobody looks further back.
DAYS_BEHIND = 2


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A pool as configured."""

    capacity: int
    calls_per_second: int | None
    burst: int | None
    reserve: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit of an account, a campaign or a sender."""

    capacity: int | None
    messages_per_second: int | None
    messages_per_day: int | None


@dataclass(frozen=True, slots=True)
class Ask:
    """What a decision needs to know about: whose key, which number, pool, campaign and sender.

    ``at`` is the instant to judge at, when it is not now: what will have expired by then is left out. Whether a
    registry is too old is a question of now all the same. ``others`` and ``other_senders`` are the further spellings
    of the number's and of the sender's line. ``presents_consent`` asks as well when what the person agreed to last
    ended.
    """

    key_hash: bytes
    number: str
    pool: str = ""
    campaign: str = ""
    sender: str = ""
    at: datetime | None = None
    others: tuple[str, ...] = ()
    other_senders: tuple[str, ...] = ()
    presents_consent: bool = False


@dataclass(frozen=True, slots=True)
class Gathered:
    """The answer to an Ask. ``key`` is None when no such key exists, and then the rest is empty."""

    key: Key | None
    facts: Facts = field(default_factory=Facts)
    epoch: int = 0
    fence: int = 0
    pool: PoolRow | None = None
    limits: Mapping[str, LimitRow] = field(default_factory=dict)
    attempts: RecordedAttempts | None = None
    # Postgres's clock when it read this.
    read_at: datetime | None = None


def _us(column: str) -> str:
    """Microseconds since 1970, which JSON carries exactly."""
    # What never ends may stand in the table as infinity, which has no epoch.
    return f"(extract(epoch FROM nullif({column}, 'infinity')) * 1000000)::bigint"


# The process may be ahead of Postgres, or behind. What forbids holds as long as either clock says so, and what allows
# only while both do.
_EARLIER = "LEAST(ask.at, statement_timestamp() + (ask.at - CAST(:now AS timestamptz)))"
_LATER = "GREATEST(ask.at, statement_timestamp() + (ask.at - CAST(:now AS timestamptz)))"
_ENTRIES = "channel, reason, source, created_at, expires_at"
_IN_FORCE = f"(expires_at IS NULL OR expires_at > {_EARLIER})"
_CONSENTS = "id, kind, channels, given_at, expires_at"
_GIVEN = f"ended_at IS NULL AND given_at <= {_EARLIER}"
# One that is over by either clock is over at the instant that is asked about, and the refusal can say so.
_OVER = f"LEAST(c.expires_at, CASE WHEN c.expires_at <= {_LATER} THEN ask.at END)"
_RECENT = f"type <> 'emergency' AND at > {_EARLIER} - interval '{ATTEMPTS_LOOK_BACK_DAYS} days'"


# What a consent that is presented is weighed against; those on record end in their own rows.
_OPTED_OUT = "source = 'opt_out' AND action IN ('added', 'changed')"


def _gather_sql(others: str | None) -> str:
    def of_line(table: str, columns: str, condition: str) -> str:
        """The account's rows of the line that is asked about."""
        return under_every_spelling(
            lambda number: (
                f"SELECT {columns} FROM {table} WHERE account_id = a.id AND number = {number} AND {condition}"
            ),
            "ask.number",
            others,
        )

    def last_end() -> str:
        return under_every_spelling(
            lambda number: (
                f"""
                SELECT max(ended_at) AS at FROM consents
                 WHERE account_id = a.id AND number = {number} AND ended_by IN ('withdrawn', 'opt_out')
                UNION ALL
                SELECT max(received_at) FROM inbound_messages
                 WHERE account_id = a.id AND from_number = {number} AND action = 'opt_out'
                UNION ALL
                SELECT max(at) FROM suppression_events
                 WHERE account_id = a.id AND number = {number} AND {_OPTED_OUT}"""
            ),
            "ask.number",
            others,
        )

    return f"""
    SELECT k.id, k.account_id, k.scopes, k.key_hash, k.expires_at, k.revoked_at,
           a.is_first, a.policy::text, a.policy_version, a.epoch,
           (SELECT max(t.fence) FROM attempts t WHERE t.account_id = a.id),
           (SELECT jsonb_agg(jsonb_build_array(s.channel, s.reason, s.source,
                                               {_us("s.created_at")}, {_us("s.expires_at")})
                             ORDER BY s.created_at)
              FROM {of_line("suppressions", _ENTRIES, _IN_FORCE)} s)::text,
           (SELECT jsonb_agg(jsonb_build_array(c.id, c.kind, c.channels, {_us("c.given_at")}, {_us(_OVER)})
                             ORDER BY c.given_at)
              FROM {of_line("consents", _CONSENTS, _GIVEN)} c)::text,
           (SELECT jsonb_agg(recent.entry)
              FROM (SELECT jsonb_build_array(t.intent_id, t.type, {_us("t.at")}, t.subject, t.result) AS entry
                      FROM {of_line("attempts", "intent_id, type, at, subject, result", _RECENT)} t
                     ORDER BY t.at DESC LIMIT 1000) recent)::text,
           (SELECT jsonb_build_array(p.capacity, p.calls_per_second, p.burst, p.reserve)
              FROM pools p WHERE p.account_id = a.id AND p.name = ask.pool)::text,
           (SELECT jsonb_object_agg(l.name, jsonb_build_array(l.capacity, l.messages_per_second, l.messages_per_day))
              FROM limits l
             WHERE l.account_id = a.id
               AND l.name = ANY (ARRAY['account', 'campaign:' || ask.campaign]
                                 || string_to_array(ask.senders, ' ')))::text,
           {registry_hits_sql("NULLIF(ask.number, '')", others)}::text,
           {registries_in_force_sql("GREATEST(CAST(:now AS timestamptz), statement_timestamp())")}::text,
           (SELECT jsonb_agg(jsonb_build_array(e.region, {_us("e.until")}, e.reason))
              FROM emergencies e WHERE e.until > {_EARLIER})::text,
           clock_timestamp(),
           CASE WHEN ask.presents THEN (SELECT {_us("max(e.at)")} FROM {last_end()} e) END,
           CASE WHEN a.policy ->> 'abandonment' IS NOT NULL THEN
             (SELECT jsonb_agg(jsonb_build_array(d.day - DATE '1970-01-01', d.answered + d.abandoned, d.abandoned)
                               ORDER BY d.day)
                FROM outcome_days d
               WHERE d.account_id = a.id AND d.campaign = ask.campaign
                 AND d.day >= (ask.at AT TIME ZONE 'UTC')::date - {ATTEMPTS_LOOK_BACK_DAYS})
           END::text,
           (SELECT jsonb_agg(jsonb_build_array(h.region, h.day, h.name) ORDER BY h.region, h.day)
              FROM proclaimed_holidays h WHERE h.day >= CAST(ask.at AT TIME ZONE 'UTC' AS date) - {DAYS_BEHIND})::text
      FROM unnest(CAST(:hashes AS bytea[]), CAST(:numbers AS text[]), CAST(:others AS text[]),
                  CAST(:pools AS text[]), CAST(:campaigns AS text[]), CAST(:senders AS text[]),
                  CAST(:ats AS timestamptz[]), CAST(:presents AS boolean[]))
           WITH ORDINALITY AS ask(key_hash, number, others, pool, campaign, senders, at, presents, place)
      LEFT JOIN api_keys k ON k.key_hash = ask.key_hash
      LEFT JOIN accounts a ON a.id = k.account_id
     ORDER BY ask.place
    """


# Nearly every number has one spelling. So as not to pay for a second where there is none, there are two statements.
GATHER = PreparedQuery(text(_gather_sql(None)))
GATHER_SPELLED = PreparedQuery(text(_gather_sql("ask.others")))


async def gather(database: Database, asks: Sequence[Ask], now: datetime) -> list[Gathered]:
    """Answer every ask in one statement, in order. Raises PostgresUnavailable."""
    statement = GATHER_SPELLED if any(ask.others for ask in asks) else GATHER
    rows = await database.fetch(statement, asked(asks, now), may_run_twice=True)
    return [_gathered(row, ask) for row, ask in zip(rows, asks, strict=True)]


def asked(asks: Sequence[Ask], now: datetime) -> dict[str, Any]:
    """The parameters of GATHER."""
    return {
        "now": now,
        "ats": [ask.at or now for ask in asks],
        "presents": [ask.presents_consent for ask in asks],
        "hashes": [ask.key_hash for ask in asks],
        "numbers": [ask.number for ask in asks],
        # Of nearly all none has others; ``unnest`` fills up with nulls what is not sent.
        "others": [joined(ask.others) for ask in asks] if any(ask.others for ask in asks) else None,
        "pools": [ask.pool for ask in asks],
        "campaigns": [ask.campaign for ask in asks],
        "senders": [" ".join(f"sender:{each}" for each in (ask.sender, *ask.other_senders)) for ask in asks],
    }


@lru_cache(maxsize=4096)
def _policy(stored: str, version: int) -> AccountPolicy:
    return read_policy(orjson.loads(stored), version)


@lru_cache(maxsize=256)
def _holidays(stored: str | None) -> tuple[ProclaimedHoliday, ...]:
    """The proclaimed days ahead: the same for every account, so read once."""
    return tuple(
        ProclaimedHoliday(region, date.fromisoformat(day), name) for region, day, name in json_list(stored)
    )


def instant(microseconds: int | None) -> datetime | None:
    """The instant of microseconds since 1970, or None."""
    return None if microseconds is None else datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def _gathered(row: Sequence[Any], ask: Ask) -> Gathered:
    if row[0] is None:
        return Gathered(key=None, read_at=row[19])
    key = read_key((*row[:4], row[6], row[4], row[5]))
    pool = json_list(row[14])
    attempts = RecordedAttempts(row[13])
    facts = Facts(
        policy=_policy(row[7], row[8]),
        suppressions=tuple(
            SuppressionEntry(ask.number, channel, reason, source, at_us(created), instant(expires))
            for channel, reason, source, created, expires in json_list(row[11])
        ),
        registry_hits=hits_from_json(json_list(row[16])),
        registries=registries_in_force(row[17]),
        consents=tuple(
            Consent(i, kind, frozenset(channels), at_us(given), instant(expires))
            for i, kind, channels, given, expires in json_list(row[12])
        ),
        emergencies=tuple(
            Emergency(region, at_us(until), reason) for region, until, reason in json_list(row[18])
        ),
        holidays=_holidays(row[22]),
        attempts=attempts,
        consents_ended_at=instant(row[20]),
        campaign_days=tuple(
            CampaignDay(date(1970, 1, 1) + timedelta(days=day), answered, abandoned)
            for day, answered, abandoned in json_list(row[21])
        ),
    )
    return Gathered(
        key=key,
        facts=facts,
        epoch=row[9],
        fence=row[10] or 0,
        pool=PoolRow(pool[0], pool[1], pool[2], pool[3] or {}) if pool else None,
        limits={name: LimitRow(*values) for name, values in orjson.loads(row[15]).items()} if row[15] else {},
        attempts=attempts,
        read_at=row[19],
    )
