"""The ways in which a gate can fail to approve, as answers on the wire.

Each has two shapes: that of POST /v1/intents, and that of GET /connectors/check, where the same fault can be said in
one line. None in the second: there it is no fault, or none that a line can show.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.clock import utc_now

JSON, PROBLEM, PLAIN, HTML = "application/json", "application/problem+json", "text/plain", "text/html"


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """An answer as it is sent.

    ``cut``: bytes of the body after which the connection is closed, though more is announced. ``late``: seconds until
    it begins. ``status`` 0: nothing is sent, and the connection stays open.
    """

    status: int
    media_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    late: float = 0.0


# From the intent that is asked for (type, to, from) to the answer.
Answering = Callable[[Mapping[str, Any]], WireAnswer]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail. ``away``: nobody listens at all."""

    name: str
    says: str
    intent: Answering | None = None
    line: Answering | None = None
    away: bool = False


def approval(asked: Mapping[str, Any], **changed: Any) -> dict[str, Any]:
    """An approval of that call, whole and fresh, but for what is changed."""
    made = "".join(secrets.token_hex(4) for _ in range(3))
    intent_id = f"019aa8a5-{made[:4]}-7{made[4:7]}-8{made[7:10]}-{made[:12]}"
    now = utc_now()
    whole: dict[str, Any] = {
        "id": intent_id,
        "type": "call",
        "verdict": "approved",
        "to": asked.get("to"),
        "from": asked.get("from"),
        "decided_at": _instant(now),
        "checks": [],
        "lease": {
            "id": intent_id,
            "pool": "default",
            "expires_at": _instant(now + timedelta(hours=1)),
            "in_use": 1,
            "capacity": 10,
        },
    }
    return {**whole, **changed}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def approved(asked: Mapping[str, Any]) -> WireAnswer:
    """The only answer on which a call may be placed."""
    document = approval(asked)
    return _json(201, JSON, document, Location=f"/v1/intents/{document['id']}")


def allowed(_: Mapping[str, Any]) -> WireAnswer:
    """The same in one line."""
    return _line(200, f"ALLOW {approval({})['id']}")


def _json(status: int, media_type: str, document: object, **headers: str) -> WireAnswer:
    return WireAnswer(status, media_type, json.dumps(document).encode(), headers)


def _line(status: int, text: str, **headers: str) -> WireAnswer:
    return WireAnswer(status, PLAIN, f"{text}\n".encode(), headers)


def _problem(status: int, slug: str, **members: Any) -> WireAnswer:
    document = {
        "type": f"https://api.trunx.io/errors/{slug}",
        "title": slug.replace("-", " ").title(),
        "status": status,
        "detail": "Refused by the conformance kit.",
        "code": slug.upper().replace("-", "_"),
        "instance": "urn:uuid:019aa8a5-6d80-7cc3-98c4-dc0c0c07398f",
        "docs": f"http://127.0.0.1/errors/{slug}",
        **members,
    }
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    return WireAnswer(status, PROBLEM, json.dumps(document).encode(), headers)


def _refused(slug: str, status: int) -> Fault:
    intent_id = approval({})["id"]

    def answer(_: Mapping[str, Any]) -> WireAnswer:
        return _problem(status, slug, intent_id=intent_id, violations=[])

    return Fault(f"refused: {slug}", f"{status} with the problem {slug}", answer, answer)


def _could_not(name: str, status: int, slug: str) -> Fault:
    def answer(_: Mapping[str, Any]) -> WireAnswer:
        return _problem(status, slug)

    return Fault(name, f"{status} with the problem {slug}", answer, answer)


def _nothing(_: Mapping[str, Any]) -> WireAnswer:
    return WireAnswer(0, "", b"")


def _elsewhere(_: Mapping[str, Any]) -> WireAnswer:
    return WireAnswer(307, HTML, b"", {"Location": "/v1/approved"})


def _changed(name: str, says: str, **changed: Any) -> Fault:
    return Fault(name, says, lambda asked: _json(201, JSON, approval(asked, **changed)))


def every_fault(slow_seconds: float) -> list[Fault]:
    """All of them; an approval that comes ``slow_seconds`` late comes too late."""
    return [
        Fault("away", "nobody listens", away=True),
        Fault("silent", "takes the question and never answers", _nothing, _nothing),
        Fault(
            "slow",
            f"an approval {slow_seconds:g} s late",
            lambda asked: _late(approved(asked), slow_seconds),
            lambda asked: _late(allowed(asked), slow_seconds),
        ),
        _could_not("unavailable", 503, "service-unavailable"),
        _could_not("internal", 500, "internal"),
        _could_not("too many", 429, "rate-limited"),
        _could_not("unauthorized", 401, "unauthorized"),
        _could_not("forbidden", 403, "forbidden"),
        _could_not("conflict", 409, "conflict"),
        _could_not("bad request", 400, "bad-request"),
        *(
            _refused(slug, status)
            for slug, status in (
                ("dnc-blocked", 403),
                ("consent-required", 403),
                ("tcpa-blocked", 403),
                ("frequency-capped", 403),
                ("abandonment-exceeded", 403),
                ("content-blocked", 422),
                ("channel-budget-exceeded", 429),
            )
        ),
        Fault(
            "garbled",
            "201 with bytes that are no JSON",
            lambda _: WireAnswer(201, JSON, b'{"verdict": "approved", \xff\xfe'),
            lambda _: WireAnswer(200, PLAIN, b"\x00\xff?LLOW"),
        ),
        Fault(
            "truncated",
            "an approval that is cut off in the middle",
            lambda asked: _cut(approved(asked)),
            lambda asked: _cut(allowed(asked), 3),
        ),
        Fault(
            "cut at its end",
            "an approval whose last byte does not come",
            lambda asked: _cut(approved(asked), -1),
        ),
        Fault(
            "empty",
            "the status of an approval without a body",
            lambda _: WireAnswer(201, JSON, b""),
            lambda _: WireAnswer(200, PLAIN, b""),
        ),
        Fault(
            "wrong content type",
            "an approval as text/html",
            lambda asked: _json(201, HTML, approval(asked)),
            lambda _: WireAnswer(200, HTML, b"<html><body>It works! ALLOW</body></html>"),
        ),
        Fault("200 instead of 201", "an approval with 200", lambda asked: _json(200, JSON, approval(asked))),
        Fault("202 instead of 201", "an approval with 202", lambda asked: _json(202, JSON, approval(asked))),
        Fault(
            "redirected",
            "307 to a page of somebody else",
            _elsewhere,
            _elsewhere,
        ),
        Fault(
            "replayed",
            "an approval of an earlier call, marked Idempotent-Replayed, whose lease is over",
            lambda asked: _json(201, JSON, approval(asked), **{"Idempotent-Replayed": "true"}),
            lambda _: _problem(409, "conflict"),
        ),
        _changed("another call's", "an approval for another number", to="+14155550199"),
        _changed("blocked inside", "201 whose verdict is blocked", verdict="blocked"),
        _changed("no channel", "an approval of a call without a lease", lease=None),
        Fault(
            "channel over",
            "an approval whose lease has ended",
            lambda asked: _json(201, JSON, _expired(approval(asked))),
        ),
        Fault(
            "list",
            "201 with a list",
            lambda asked: _json(201, JSON, [approval(asked)]),
            lambda _: _line(200, "Page of the proxy: ALLOW all"),
        ),
    ]


def _late(answer: WireAnswer, seconds: float) -> WireAnswer:
    return WireAnswer(answer.status, answer.media_type, answer.body, answer.headers, None, seconds)


def _cut(answer: WireAnswer, at: int | None = None) -> WireAnswer:
    length = len(answer.body)
    place = length // 2 if at is None else at if at >= 0 else length + at
    return WireAnswer(answer.status, answer.media_type, answer.body, answer.headers, place)


def _expired(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "lease": {**document["lease"], "expires_at": "2020-01-01T00:00:00.000Z"}}
