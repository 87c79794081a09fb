"""Vapi's outbound campaigns: asked before each contact is dialled, told when the call has ended.

https://docs.vapi.ai/outbound-campaigns/webhooks: `campaign.predial` is answered `{"eligible": true}` or false. Whatever
else it is answered, and no answer, is a failure of the pre-dial there, and the call is not placed. The caller id is the
phone number that the message names, or `?from=` of the address. Who speaks is a synthetic voice, unless the address
says otherwise. `end-of-call-report` gives the channel back with the call's outcome; the call is found by whom it went
to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from app.accounts.authenticate import Caller
from app.guardrail.facts import OutcomeResult
from app.instants import read_instant
from app.intents.records import store as decision_records
from app.intents.services import Services
from app.numbering import sender_line, spellings
from app.numbering.national_spelling import country_of, national_spelling
from app.outcomes.tell_outcome import ToldOutcome
from app.platform.outcomes import FieldFault, Unusable
from app.replies.classify import classify_inbound

PREDIAL, END_OF_CALL = "campaign.predial", "end-of-call-report"
# A lease ends four hours and a minute after it was acquired, whatever is renewed.
CALLS_LAST = timedelta(hours=5)
# How far the clock by which a call's end is told may be behind ours, by which it was approved.
MAY_DIFFER = timedelta(seconds=3)
LONGEST_TEXT = 128
HOME = "US"
# Letters that are read of what a person said in one call, the last of them: who has had enough says so at the end. An
# hour of talk has as many. Each thing that is said costs as much as some letters more.
MOST_SAID, EACH = 50_000, 40
_RESULTS: Mapping[str, OutcomeResult] = {
    "customer-busy": "busy",
    "customer-did-not-answer": "no_answer",
    "voicemail": "machine",
    "customer-ended-call": "answered",
    "silence-timed-out": "answered",
    "exceeded-max-duration": "answered",
}
# Beginnings of the reasons of calls that somebody had answered.
_ANSWERED = ("assistant-ended-call", "assistant-said", "assistant-forwarded", "customer-ended-call")


@dataclass(frozen=True, slots=True)
class PredialQuestion:
    """Who would be called, for which campaign. ``key``: the same for the same question, where it can be told."""

    members: Mapping[str, Any]
    key: str | None


@dataclass(frozen=True, slots=True)
class CallEnd:
    """A call that has ended, and how. ``number`` is the line that it went to, a plus sign and digits.

    ``ended_at`` is told by Vapi's clock; None where it is not told.
    """

    number: str
    campaign: str | None
    told: ToldOutcome
    ended_at: datetime | None


def message_of(body: object) -> Mapping[str, Any]:
    """The message of a webhook. Raises Unusable."""
    if not isinstance(body, dict):
        raise Unusable([FieldFault("body", "must be an object", "", malformed=True)])
    return _object(body, "message")


def read_predial(message: Mapping[str, Any], defaults: Mapping[str, Any]) -> PredialQuestion:
    """The question as an intent's members; ``defaults`` are those of the address. Raises Unusable."""
    contact, phone = _object(message, "contact", "message.contact"), message.get("phoneNumber")
    shown = phone.get("number") if isinstance(phone, dict) else None
    campaign = _text(message, "campaignId", "message.campaignId")
    members = {
        "voice_type": "artificial",
        "from": shown,
        **{name: value for name, value in defaults.items() if value is not None},
        "to": _text(contact, "number", "message.contact.number"),
        "campaign": campaign,
    }
    stamp = message.get("timestamp")
    is_told = isinstance(stamp, int | float) and not isinstance(stamp, bool)
    key = f"vapi:{campaign}:{_text(contact, 'id', 'message.contact.id')}:{stamp}" if is_told else None
    return PredialQuestion(members, key)


def read_end(message: Mapping[str, Any]) -> CallEnd | None:
    """How the call ended; None where its number is not told, or is none.

    A report of a megabyte takes a second to read, so not in the event loop.
    Raises Unusable for nothing but a wish not to be called of somebody whose number cannot be read.
    """
    call = message.get("call") if isinstance(message.get("call"), dict) else {}
    assert isinstance(call, dict)
    for holder in (message, call):
        customer = holder.get("customer")
        if isinstance(customer, dict) and isinstance(customer.get("number"), str):
            written = customer["number"]
            break
    else:
        return None
    reason = message.get("endedReason") or call.get("endedReason")
    campaign = call.get("campaignId") or message.get("campaignId")
    seconds = message.get("durationSeconds")
    result = _result(str(reason))
    talked = seconds if result in ("answered", "machine") and _is_seconds(seconds) else None
    told = ToldOutcome(result, None, talked, _asked_not_to_be_called(message))
    number = _line(written, message, call)
    if number is None:
        if told.asked_not_to_be_called and not written.startswith(
            ("sip:", "sips:")
        ):  # whom no telephone calls
            raise _fault("message.customer.number", "must be a number, for whoever asked not to be called")
        return None
    return CallEnd(
        number,
        campaign if isinstance(campaign, str) else None,
        told,
        _instant(message.get("endedAt") or call.get("endedAt")),
    )


def _line(written: str, *holders: Mapping[str, Any]) -> str | None:
    """The number that was called, which Vapi passes on as its customer wrote it; None for what is none.

    Without a country's code it is a number of the country that it was called from, and else of the United States.
    """
    written = written.replace("\x00", "").removeprefix("tel:")
    ours = [
        each["number"]
        for holder in holders
        if isinstance(each := holder.get("phoneNumber"), dict) and "number" in each
    ]
    country = next((found for each in ours if (found := country_of(str(each))) is not None), HOME)
    try:
        return sender_line(written) or sender_line(national_spelling(country)(written))
    except ValueError:
        return None


async def find_intent(services: Services, caller: Caller, end: CallEnd) -> UUID | None:
    """The approved call that this must have been: the last one to the number, of the campaign where it is told.

    One that was approved after this one's end is another, whose channel a report that comes late, or again, leaves.
    """
    now: datetime = services.now()
    if end.campaign is not None and "\x00" in end.campaign:
        return None  # no campaign of ours has such a name
    since = now - CALLS_LAST
    until: datetime | None = None
    if end.ended_at is not None and end.ended_at < now:
        if end.ended_at < since:
            return None
        until = end.ended_at + MAY_DIFFER
    found = await decision_records.page(
        services.database,
        caller.account_id,
        filters={
            "to": spellings(end.number),
            "type": "call",
            "verdict": "approved",
            "campaign": end.campaign,
            "since": since,
            "until": until,
        },
        behind=None,
        limit=1,
    )
    return UUID(found.rows[0]["id"]) if found.rows else None


def _result(reason: str) -> OutcomeResult:
    known = _RESULTS.get(reason)
    if known is not None:
        return known
    return "answered" if reason.startswith(_ANSWERED) else "failed"


def _asked_not_to_be_called(message: Mapping[str, Any]) -> bool:
    """Whether the person said so: each thing that they said is read as a reply would be.

    A pause cuts a sentence in two, so what they said twice running is read as one as well.
    """
    artifact = message.get("artifact")
    said = _last(list(_spoken(artifact))) if isinstance(artifact, dict) else []
    asked = [words for words in said if words is not None]
    asked += [
        f"{before} {after}" for before, after in pairwise(said) if before is not None and after is not None
    ]
    return any(classify_inbound(words).action == "opt_out" for words in asked)


def _last(said: list[str | None]) -> list[str | None]:
    """The end of it, as much as a call can hold: reading takes time with every letter."""
    left, kept = MOST_SAID, len(said)
    while kept and left > 0:
        kept -= 1
        left -= len(said[kept] or "") + EACH
    return said[kept:]


def _spoken(artifact: Mapping[str, Any]) -> Iterator[str | None]:
    """What the person said, in order; None where the assistant spoke.

    Vapi makes the others of ``messages``; they are read where those are not there.
    """
    for name, words in (("messages", "message"), ("messagesOpenAIFormatted", "content")):
        listed = artifact.get(name)
        if isinstance(listed, list) and listed:
            for each in listed:
                if not isinstance(each, dict):
                    continue
                if each.get("role") == "user":
                    yield str(each.get(words, ""))
                elif each.get("role") in ("bot", "assistant"):
                    yield None
            return
    transcript = artifact.get("transcript")
    for line in transcript.splitlines() if isinstance(transcript, str) else ():
        speaker, _, words = line.partition(":")
        yield words.strip() if speaker.strip().lower() == "user" else None


def _instant(told: object) -> datetime | None:
    try:
        return read_instant(told) if isinstance(told, str) else None
    except ValueError:
        return None


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 86_400


def _object(members: Mapping[str, Any], name: str, field: str | None = None) -> Mapping[str, Any]:
    found = _present(members, name, field or name)
    if not isinstance(found, dict):
        raise _fault(field or name, "must be an object", malformed=True)
    return found


def _text(members: Mapping[str, Any], name: str, field: str) -> str:
    found = _present(members, name, field)
    if not isinstance(found, str):
        raise _fault(field, "must be a text", malformed=True)
    if not found or "\x00" in found:
        raise _fault(field, "must be a text")
    if len(found) > LONGEST_TEXT:  # it is part of a key
        raise _fault(field, f"must have at most {LONGEST_TEXT} characters")
    return found


def _present(members: Mapping[str, Any], name: str, field: str) -> object:
    if name not in members:
        raise _fault(field, "required field missing")
    return members[name]


def _fault(field: str, reason: str, *, malformed: bool = False) -> Unusable:
    return Unusable([FieldFault(field, reason, "/" + field.replace(".", "/"), malformed=malformed)])
