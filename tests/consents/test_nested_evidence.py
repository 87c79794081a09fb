"""Evidence is nested as people nest it: none that is taken in keeps a list, an export or a seal from being written."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from app.platform.written_json import nested_deeper, written
from tests.consent_lists.test_consents_in_bulk import NDJSON, bring_in, line, ndjson
from tests.contract.dialler import Dialler, call

# What JSON is written with by itself; within an answer, a record or a list it is a few levels more.
MOST_LEVELS = 254
GIVEN = "2026-01-05T12:00:00Z"


def nested(levels: int) -> dict[str, Any]:
    value: Any = "the form at the counter"
    for _ in range(levels):
        value = {"page": value}
    found: dict[str, Any] = value
    return found


def refused_wherever_it_comes_in(dialler: Dialler, number: str, evidence: object) -> None:
    """Put, presented with an intent, and in a list, whose other line is taken."""
    consent = {"kind": "express", "given_at": GIVEN, "evidence": evidence}
    put = dialler.put(f"/v1/consents/{number}", {**consent, "channels": ["call"]})
    assert (put.status, put.json()["errors"][0]["field"]) == (422, "evidence")
    posted = dialler.post("/v1/intents", {**call(number), "consent": consent})
    assert (posted.status, posted.json()["errors"][0]["field"]) == (422, "consent.evidence")
    list_ = ndjson(line(number, evidence=evidence), line("+14155550122"))
    job = bring_in(dialler, list_, NDJSON, "?partial=true")
    assert (job["added"], job["rejected"]) == (1, 1)


@pytest.mark.parametrize("evidence", ["", "  ", "\t\n", "\u200b", "\u00a0\u200d", "\u3164", {}])
def test_evidence_in_which_nothing_can_be_seen_is_none_wherever_it_comes_in(
    dialler: Dialler, evidence: object
) -> None:
    number = "+14155550123"
    refused_wherever_it_comes_in(dialler, number, evidence)
    assert dialler.get(f"/v1/consents/{number}").status == 404


@pytest.mark.parametrize("levels", [65, 250, 251, 252, 253, MOST_LEVELS, 255, 300])
def test_evidence_that_is_nested_too_deeply_is_refused_wherever_it_comes_in(
    dialler: Dialler, levels: int
) -> None:
    number, evidence = "+14155550121", nested(levels)
    refused_wherever_it_comes_in(dialler, number, evidence)
    for path in ("/v1/consents", "/v1/consents/export?format=ndjson", "/v1/intents", f"/v1/numbers/{number}"):
        assert dialler.get(path).status == 200, path


def test_the_deepest_evidence_that_is_taken_in_is_listed_and_exported_as_it_was(dialler: Dialler) -> None:
    number, evidence = "+14155550123", nested(64)
    consent = {"kind": "express", "given_at": GIVEN, "evidence": evidence}
    assert dialler.put(f"/v1/consents/{number}", {**consent, "channels": ["call"]}).status == 201
    posted = dialler.post("/v1/intents", {**call(number), "consent": consent})
    assert dialler.get("/v1/consents").json()["items"][0]["evidence"] == evidence
    exported = json.loads(dialler.get("/v1/consents/export?format=ndjson").body)
    assert exported["evidence"] == evidence
    decided = posted.json().get("id") or posted.json()["intent_id"]
    assert dialler.get(f"/v1/intents/{decided}").json()["consent"]["evidence"] == evidence
    assert dialler.get("/v1/intents").json()["items"][0]["consent"]["evidence"] == evidence


def test_what_an_earlier_release_took_in_is_written_within_anything() -> None:
    options = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    shallow = {"b": [1, 1.5e16, None, {"z": "é", "a": True}], "a": nested(100)}
    assert written(shallow, options) == orjson.dumps(shallow, option=options)
    for levels in (253, MOST_LEVELS, 255, 300):
        value = {"items": [{"b": 1, "a": nested(levels)}]}
        text = written(value, options)
        assert orjson.loads(text) == value
        assert text == json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def test_what_is_no_json_is_told_whatever_its_depth() -> None:
    for wrong in (2**70, object(), "\ud800"):
        with pytest.raises(orjson.JSONEncodeError):
            written({"a": wrong})
        with pytest.raises(orjson.JSONEncodeError):
            written({**nested(300), "a": wrong})
    with pytest.raises(orjson.JSONEncodeError):
        written(nested(3000))


@pytest.mark.parametrize("levels", [1, 2, 64, 5000])
def test_levels_are_counted_through_objects_and_lists(levels: int) -> None:
    lists: Any = 1
    for _ in range(levels):
        lists = [0, lists]
    for value in (nested(levels), lists):
        assert nested_deeper(value, levels - 1)
        assert not nested_deeper(value, levels)
