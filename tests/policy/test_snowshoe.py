"""One text over many senders, or to very many numbers: a warning by default, a refusal by policy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest

from tests.contract.dialler import Dialler, sms
from tests.policy.account import Account, reasons
from tests.service import RunningService

OFFER = "Lakeside Garden Centre: all planters are half price until Sunday."


class Texter(Dialler):
    """A dialler with one number for all its texts, whose window is open now."""

    @cached_property
    def number(self) -> str:
        """That number."""
        return self.open_number()


@pytest.fixture
def dialler(account: Account) -> Texter:
    """The account's key."""
    return Texter(account.service, account.key)


def send(
    dialler: Texter, sender: int, body: str = OFFER, **fields: object
) -> tuple[int, dict[str, Any], list[Any]]:
    """Status, document, and the findings of the rule."""
    number = fields.pop("to", dialler.number)
    intent = {**sms(str(number), body=body), "from": f"+1212555{sender:04d}", **fields}
    answer = dialler.post("/v1/intents", intent)
    document = answer.json()
    listed: list[Any] = []
    for check in document.get("checks", ()):
        listed += check.get("warnings", ())
    for violation in document.get("violations", ()):
        listed += violation.get("findings", ())
    return answer.status, document, [found for found in listed if found["rule"] == "volume.snowshoe"]


def snowshoe(account: Account, **limits: object) -> None:
    account.policy(content={"snowshoe": limits})


def test_more_senders_than_the_limit_are_warned_of_with_counts_and_limits(
    account: Account, dialler: Texter
) -> None:
    snowshoe(account, senders=2, window="PT30M")
    for sender in (1, 2, 1):
        assert send(dialler, sender, to=dialler.open_number())[::2] == (201, [])
    status, approval, (warning,) = send(dialler, 3, to=dialler.open_number())
    assert status == 201
    assert (warning["severity"], warning["senders"], warning["numbers"]) == ("warn", 3, 3)
    assert warning["limits"] == {"senders": 2, "numbers": 100_000, "window": "PT30M"}
    assert (warning["start"], warning["end"], warning["excerpt"]) == (0, len(OFFER), OFFER)
    assert warning["why"]
    assert warning["remedy"]
    recorded = dialler.get(f"/v1/intents/{approval['id']}").json()
    content = next(check for check in recorded["checks"] if check["guardrail"] == "content")
    assert content["warnings"] == [warning]


def test_by_default_ten_senders_are_nothing_and_an_eleventh_is_a_warning(dialler: Texter) -> None:
    assert all(send(dialler, sender)[::2] == (201, []) for sender in range(10))
    assert send(dialler, 10)[2][0]["limits"] == {
        "senders": 10,
        "numbers": 100_000,
        "window": "PT1H",
    }


def test_blocked_by_policy_with_the_content_problem_and_the_first_senders_go_on(
    account: Account, dialler: Texter
) -> None:
    snowshoe(account, action="block", senders=2)
    assert [send(dialler, sender)[0] for sender in (1, 2)] == [201, 201]
    for _ in range(2):
        status, problem, (found,) = send(dialler, 3)
        assert (status, problem["code"], found["severity"], found["senders"]) == (
            422,
            "CONTENT_BLOCKED",
            "block",
            3,
        )
    assert [violation["code"] for violation in problem["violations"]] == ["CONTENT_BLOCKED"]
    recorded = dialler.get(f"/v1/intents/{problem['intent_id']}").json()
    assert (recorded["verdict"], recorded["code"]) == ("blocked", "CONTENT_BLOCKED")
    outcomes = {check["guardrail"]: check["outcome"] for check in recorded["checks"]}
    assert (outcomes["content"], outcomes["channel"]) == ("block", "skip")
    assert send(dialler, 1)[0] == 201
    snowshoe(account, action="off")
    assert send(dialler, 3)[::2] == (201, [])


@pytest.mark.parametrize(
    "again",
    [
        OFFER.upper(),
        OFFER.replace("a", "\u0430").replace("e", "\u0435"),  # refused for the disguise, so it never counts
        "Lakeside  Garden Centre - all planters are half-price, until Sunday!",
    ],
)
def test_a_reader_s_same_text_is_the_same_text(account: Account, dialler: Texter, again: str) -> None:
    snowshoe(account, action="block", senders=1)
    assert send(dialler, 1)[0] == 201
    assert send(dialler, 2, again)[0] == 422
    assert send(dialler, 2, OFFER.replace("Sunday", "Monday"))[0] == 201


def test_reminders_with_a_name_or_a_time_in_them_never_add_up(account: Account, dialler: Texter) -> None:
    snowshoe(account, action="block", senders=1)
    names = ["Ana", "Ben", "Chen", "Dora"]
    sent = [
        send(dialler, place, f"Hi {name}, see you at Lakeside Dental.") for place, name in enumerate(names)
    ]
    assert [status for status, _, _ in sent] == [201] * 4


def test_a_preview_and_a_refused_intent_count_nothing(account: Account, dialler: Texter) -> None:
    snowshoe(account, action="block", senders=1)
    for sender in range(3):
        preview = dialler.post(
            "/v1/intents/preview", {**sms(dialler.number, body=OFFER), "from": f"+121255500{sender}0"}
        )
        assert preview.json()["verdict"] == "approved"
    suppressed = dialler.open_number()
    dialler.post("/v1/suppressions", {"number": suppressed})
    assert send(dialler, 5, to=suppressed)[0] == 403
    assert send(dialler, 6)[0] == 201
    assert send(dialler, 7)[0] == 422


def test_a_batch_counts_like_single_texts_and_a_replayed_answer_not_again(
    account: Account, dialler: Texter
) -> None:
    snowshoe(account, action="block", senders=2)
    intents = [{**sms(dialler.number, body=OFFER), "from": f"+121255501{n:02d}"} for n in range(6)]
    results = dialler.post("/v1/intents/batch", {"intents": intents}).json()["results"]
    assert sorted(result["status"] for result in results) == [201, 201, 422, 422, 422, 422]
    other = {"to": dialler.number, "body": "Lakeside Garden Centre: closed on Monday."}
    for _ in range(2):
        sent = dialler.post(
            "/v1/intents", {**sms(**other), "from": "72345"}, headers={"Idempotency-Key": "k"}
        )
        assert sent.status == 201
    assert send(dialler, 1, **other)[0] == 201


def test_an_emergency_goes_to_everybody_in_the_same_words(operator: Account) -> None:
    snowshoe(operator, action="block", senders=1)
    dialler = Texter(operator.service, operator.key)
    try:
        assert {send(dialler, sender, purpose="emergency")[0] for sender in range(3)} == {201}
    finally:
        operator.policy()


def test_the_limits_hold_at_once_and_over_all_processes(start_service: Callable[..., RunningService]) -> None:
    first = start_service()
    here = Account(first, first.key)
    there = Account(start_service(bootstrap_key=first.key), first.key)
    for account, sender in ((here, 1), (there, 2), (here, 3)):
        assert send(Texter(account.service, account.key), sender)[0] == 201
    snowshoe(here, action="block", senders=3)
    assert send(Texter(there.service, there.key), 4)[0] == 422
    snowshoe(there, action="block", senders=4)
    assert send(Texter(here.service, here.key), 4)[0] == 201


@pytest.mark.parametrize(
    ("limits", "status", "field"),
    [
        ({"action": "refuse"}, 422, "content.snowshoe.action"),
        ({"senders": 0}, 422, "content.snowshoe.senders"),
        ({"senders": 1001}, 422, "content.snowshoe.senders"),
        ({"numbers": 99}, 422, "content.snowshoe.numbers"),
        ({"numbers": "many"}, 400, "content.snowshoe.numbers"),
        ({"window": "PT59S"}, 422, "content.snowshoe.window"),
        ({"window": "P2D"}, 422, "content.snowshoe.window"),
        ({"window": "an hour"}, 400, "content.snowshoe.window"),
        ({"sender": 5}, 422, "content.snowshoe.sender"),
    ],
)
def test_what_cannot_be_used_is_named(
    account: Account, limits: dict[str, object], status: int, field: str
) -> None:
    assert field in reasons(account.put("/v1/policy", {"content": {"snowshoe": limits}}), status)


def test_its_severity_is_its_action_and_nothing_else(account: Account) -> None:
    body = {"content": {"severities": {"volume.snowshoe": "block"}}}
    assert "content.severities.volume.snowshoe" in reasons(account.put("/v1/policy", body), 422)
