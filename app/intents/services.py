"""Everything that the workflows work with, made once per process and handed to each of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any, Literal, Protocol, cast

from app import VERSION, clock
from app.consents.verdict import ConsentLaw
from app.content import CallsOnly, ContentScanner, packaged_scanner
from app.content.account_phrases import folded_phrase
from app.content.signs.public_suffixes import registrable_domain
from app.guardrail.facts import IntentType
from app.intents.archive.archived_months_store import month_of
from app.intents.archive.read_archive import find_archived
from app.intents.decision_row import Decision, Recorded
from app.intents.facts_store import Ask, Gathered, gather
from app.intents.parts.store import StoredParts
from app.intents.store import record
from app.law import window_loader as window_rules
from app.law.conditions import consent_rules, disclosures, list_rules
from app.law.conditions.kept_lists import KeptList, kept_lists
from app.law.conditions.list_rules import ListRules
from app.law.window_rules import WindowRules
from app.numbering import NumberLocator
from app.numbering import load as load_number_locator
from app.numbering import versions as place_versions
from app.outcomes.outcome_services import OutcomeServices
from app.outcomes.store import DecidedIntent
from app.platform.files.broken_file import BrokenRuleFile
from app.platform.idempotency.store import Claimed
from app.platform.postgres.database import PostgresUnavailable
from app.platform.postgres.request_batcher import RequestBatcher
from app.replies import classify as opt_out


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules and tables: read once, before the processes part, and never changed."""

    scanner: ContentScanner
    window_rules: WindowRules
    consent_law: ConsentLaw
    list_rules: ListRules
    number_locator: NumberLocator
    versions: Mapping[str, str]
    kept_lists: tuple[KeptList, ...] = ()


class RuleSetInForce(Protocol):
    """Where the rule set is that counts now, see app.intents.law.pack_switch."""

    def current(self) -> RuleSet:
        """The rules to begin a decision with; keep them until it is made."""


# What is left to do about an approval that was not answered, see app.intents.upkeep.compensation.
CompensationAction = Literal["withdraw", "void", "look"]


@dataclass(frozen=True, slots=True)
class PendingCompensation:
    """An approval that may have taken a channel and was not answered. ``claim``: to be given up first, if any."""

    undo: CompensationAction
    account_id: uuid.UUID
    intent_id: uuid.UUID
    number: str
    attempt_token: str
    claim: Claimed | None = None


@dataclass(slots=True, kw_only=True)
class Services(OutcomeServices):
    """The stores, the rules and the few values of the settings that decisions depend on."""

    rule_sets: RuleSetInForce
    retention_days: int
    event_retention_days: int = 30
    # What the log said of the registries last, see app.intents.upkeep.watch_registries.
    registry_warnings: frozenset[str] = frozenset()
    # Approvals that were not answered, and when (on the loop's clock, 0: not yet) each was first looked at.
    pending: dict[PendingCompensation, float] = field(default_factory=dict)
    parts: StoredParts = field(default_factory=StoredParts)
    facts: RequestBatcher[Ask, Gathered] = field(init=False)
    ledger: RequestBatcher[Decision, Recorded] = field(init=False)

    def __post_init__(self) -> None:
        OutcomeServices.__post_init__(self)
        away = (PostgresUnavailable,)
        self.facts = RequestBatcher(self._gather, fatal_errors=away)
        self.ledger = RequestBatcher(self._record, max_in_flight=3, fatal_errors=away)

    @property
    def rule_set(self) -> RuleSet:
        """The rules in force; what takes more than one look takes them once."""
        return self.rule_sets.current()

    async def archived_intent(self, account_id: uuid.UUID, intent_id: uuid.UUID) -> DecidedIntent | None:
        """The account's decision of a month that is in a file, or None. Raises ArchiveUnavailable."""
        month = await self.database.run(
            lambda connection: month_of(connection, intent_id), may_run_twice=True
        )
        rows = await find_archived(month, account_id, [intent_id]) if month is not None else []
        for row in rows:
            if row.verdict != "void":
                return DecidedIntent(
                    cast(IntentType, row.type), row.verdict, row.decided_at, row.to_number, row.campaign
                )
        return None

    async def _gather(self, asks: Sequence[Ask]) -> Sequence[Gathered | Exception]:
        asked_at = monotonic()
        found = await gather(self.database, asks, self.now())
        told = found[0].read_at
        if told is not None:
            self.clocks.learn(told, asked_at, monotonic())
        # Asked at the same time as the facts, so that nothing is judged by a clock that has been set meanwhile.
        self.clocks.refuse_if_off()
        return found

    async def _record(self, decisions: Sequence[Decision]) -> Sequence[Recorded | Exception]:
        try:
            await self.parts.ask(self.database)
            return await record(self.database, decisions, self.parts)
        except PostgresUnavailable:
            raise
        except Exception as error:
            if len(decisions) == 1:
                return [error]
        # One row that Postgres will not take must not take its neighbours down with it.
        return [(await self._record([decision]))[0] for decision in decisions]


def load_rule_set(rules: Path | None = None, *, texts: bool = True) -> RuleSet:
    """Read every rule and table, the rules of the law from their own directory where one is given.

    A broken one raises BrokenRuleFile, and nothing starts. Without ``texts`` the scanner knows no pack, for a command
    that asks about a call: the packs take the longest.
    """
    scanner = packaged_scanner() if texts else CallsOnly()
    if texts:
        # What policies and inbound messages are read with; it loads itself at its first use, which shall be now.
        folded_phrase("first use")
        registrable_domain("example.com")
    directory = rules or window_rules.DIRECTORY
    rest = RuleSet(
        scanner=scanner,
        **_law_of(directory),
        number_locator=load_number_locator(),
        versions={
            "callgate": VERSION,
            "content": scanner.version,
            **place_versions(),
            "opt_outs": opt_out.VERSION,
        },
    )
    return _with_law_versions(rest, prepare=texts)


def with_pack(rest: RuleSet, directory: Path) -> RuleSet:
    """The same with the law of another directory. BrokenRuleFile when that must not be used."""
    return _with_law_versions(replace(rest, **_law_of(directory)))


def check_pack(directory: Path) -> WindowRules:
    """Its hours, once every file of the directory was read as a service reads it. Raises BrokenRuleFile."""
    rules: WindowRules = _law_of(directory)["window_rules"]
    with _a_value_is_the_files_fault(directory):
        _prepare(rules)
    return rules


def _law_of(directory: Path) -> dict[str, Any]:
    """What a pack's directory holds, read and checked whole. Raises BrokenRuleFile."""
    with _a_value_is_the_files_fault(directory):
        return _read(directory)


@contextmanager
def _a_value_is_the_files_fault(directory: Path) -> Iterator[None]:
    """Also one that no reader foresaw: a service is not to end because of what somebody wrote there."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise BrokenRuleFile(directory, None, f"has a value that no rule can have: {error!r}") from error


def _prepare(rules: WindowRules) -> None:
    """The holidays of all calendars: who asks once works out those that it needs."""
    year = clock.utc_now().year
    rules.prepare((year, year + 1))


def _read(directory: Path) -> dict[str, Any]:
    return {
        "window_rules": window_rules.load(directory),
        "consent_law": ConsentLaw(
            consent_rules.load(directory / consent_rules.PATH.name),
            disclosures.load(directory / disclosures.PATH.name),
        ),
        "list_rules": list_rules.load(directory / list_rules.PATH.name),
        "kept_lists": kept_lists(directory),
    }


def _with_law_versions(found: RuleSet, *, prepare: bool = True) -> RuleSet:
    rules = found.window_rules
    if prepare:
        with _a_value_is_the_files_fault(rules.directory or Path(rules.name)):
            _prepare(rules)
    law = {
        "calling_windows": rules.version,
        "consents": found.consent_law.rules.version,
        "disclosures": found.consent_law.disclosures.version,
        "lists": found.list_rules.version,
        "law": rules.digest,
        "law_pack": rules.name,
    }
    return replace(found, versions={**found.versions, **law})
