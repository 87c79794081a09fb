"""The sheet as it is answered, over HTTP and at the command line."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from app.calling_window import WindowForecast, outlook_document
from app.consents.standing import unless_reassigned
from app.guardrail.facts import IntentType
from app.instants import rfc3339
from app.intents.decision_answers import outcome_of
from app.number_sheet.read_sheet import MOST_DECISIONS, NumberSheet
from app.outcomes.store import StoredOutcome
from app.platform.http.responses import entry_document
from app.replies.store import InboundMessage


def sheet_document(sheet: NumberSheet) -> dict[str, Any]:
    """Everything, JSON-ready."""
    facts = sheet.facts
    attempts = sorted(facts.attempts, key=lambda attempt: attempt.at, reverse=True)
    return {
        "number": sheet.number,
        "spellings": list(sheet.spellings),
        "undiallable": sheet.undiallable,
        "read_at": rfc3339(sheet.read_at),
        "suppressed": bool(sheet.entries or facts.registry_hits),
        "suppressions": [entry_document(entry) for entry in sheet.entries],
        "registries": [
            {
                "registry": hit.registry,
                "kind": hit.kind,
                "region": hit.region,
                "version_date": hit.version_date,
                "applies_to": sorted(hit.applies_to),
                "purposes": sorted(hit.purposes),
                "since": hit.since.isoformat() if hit.since is not None else None,
            }
            for hit in facts.registry_hits
        ],
        "registries_asked": [
            {"registry": each.name, "version_date": each.version_date, "too_old": each.too_old}
            for each in facts.registries
        ],
        "history": [entry_document(event) for event in sheet.history],
        "consents": [entry_document(consent) for consent in sheet.consents],
        "consents_in_force": [consent.id for consent in unless_reassigned(facts)],
        "replies": [_reply(message) for message in sheet.replies],
        "attempts": {
            "calls": sum(attempt.type == "call" for attempt in attempts),
            "texts": sum(attempt.type == "sms" for attempt in attempts),
            "items": [
                {
                    "type": attempt.type,
                    "at": rfc3339(attempt.at),
                    "subject": attempt.subject,
                    "result": attempt.result,
                }
                for attempt in attempts[:MOST_DECISIONS]
            ],
        },
        "decisions": [_decision(decision, sheet.outcomes) for decision in sheet.decisions],
        "windows": {kind: _window(sheet.outlook.get(kind), kind) for kind in ("call", "sms")},
    }


def _reply(message: InboundMessage) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "from": message.from_number,
        "to": message.to_number,
        "action": message.action,
        "keyword": message.keyword,
        "words": message.words,
        "received_at": rfc3339(message.received_at),
    }


def _decision(decision: Mapping[str, Any], ended: Mapping[uuid.UUID, StoredOutcome]) -> dict[str, Any]:
    kept = ("id", "type", "verdict", "code", "to", "from", "purpose", "campaign", "key_id")
    return {
        **{name: decision[name] for name in kept},
        "decided_at": rfc3339(decision["decided_at"]),
        "reasons": [violation["detail"] for violation in decision["violations"]],
        "outcome": outcome_of(ended.get(uuid.UUID(decision["id"]))),
    }


def _window(forecast: WindowForecast | None, kind: IntentType | str) -> dict[str, Any] | None:
    if forecast is None:
        return None
    told: Any = outlook_document(forecast)
    spans = told["open"]
    open_now = bool(forecast.open) and forecast.open[0][0] <= forecast.start < forecast.open[0][1]
    return {
        "type": kind,
        "purpose": forecast.purpose,
        "open_now": open_now,
        "closes_at": spans[0]["closes_at"] if open_now else None,
        "next_opens_at": next((span["opens_at"] for span in spans[open_now:]), None),
        "open": [{name: span[name] for name in ("opens_at", "closes_at", "local")} for span in spans],
        "timezones": [zone["timezone"] for zone in told["timezones"]],
        "regions": sorted({region for zone in told["timezones"] for region in zone["regions"]}),
        "rules": [
            {"id": rule["id"], "name": rule["name"], "citation": rule["citation"]} for rule in told["rules"]
        ],
        "unresolved": told["unresolved"],
        "hint": told["hint"],
    }
