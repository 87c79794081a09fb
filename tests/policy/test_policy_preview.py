"""What a policy would have changed is told before it is put, and what it tells is what it would have done."""

from __future__ import annotations

from typing import Any

from tests.contract.dialler import Dialler, call, new_account, sms
from tests.contract.problem import check_problem
from tests.service import RunningService

BEER = "Fresh craft beer tonight, two for one at the brewery!"


def preview(dialler: Dialler, **policy: Any) -> dict[str, Any]:
    answer = dialler.post("/v1/policy/preview", {"policy": policy})
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def test_a_policy_is_held_against_the_decisions_of_the_last_days(dialler: Dialler) -> None:
    number, suppressed = dialler.open_number(), dialler.open_number()
    dialler.post("/v1/suppressions", {"number": suppressed})
    ids = [dialler.approved(to=number, campaign="spring")["id"] for _ in range(3)]
    assert dialler.post("/v1/intents", call(suppressed)).status == 403
    same = preview(dialler)
    assert (same["decisions"], same["looked_at"], same["complete"]) == (4, 4, True)
    assert (same["now_refused"], same["now_approved"], same["other_reasons"], same["samples"]) == (
        0,
        0,
        0,
        [],
    )

    capped = preview(dialler, caps=[{"max": 1, "period": "PT24H", "counts": ["call"]}])
    assert (capped["now_refused"], capped["now_approved"]) == (2, 0)
    assert capped["by_code"] == [{"code": "FREQUENCY_CAPPED", "gained": 2, "lost": 0}]
    assert capped["by_campaign"][0] == {
        "campaign": "spring",
        "decisions": 3,
        "now_refused": 2,
        "now_approved": 0,
    }
    assert [sample["id"] for sample in capped["samples"]] == ids[1:]
    assert "the account's policy" in capped["samples"][0]["details"][0]

    never = preview(dialler, house_window={"start": "00:00", "end": "00:01"})
    assert never["now_refused"] >= 3
    assert never["other_reasons"] == 1, "the suppressed one would have been refused for the hour as well"
    ours = preview(dialler, callers=["+12125550199"], callers_only=True)
    assert ours["by_code"] == [{"code": "VALIDATION_ERROR", "gained": 4, "lost": 0}]
    asked = preview(dialler, consent={"call": "all"})
    assert asked["now_refused"] == 3
    assert dialler.get("/v1/policy").json()["version"] == 0, "nothing was put"


def test_what_the_policy_of_that_day_refused_and_another_would_not_is_told(dialler: Dialler) -> None:
    number = dialler.open_number()
    strict = {
        "caps": [{"max": 1, "period": "PT24H", "counts": ["call"]}],
        "content": {"block_phrases": ["two for one"]},
    }
    assert dialler.put("/v1/policy", strict).status == 200
    first = dialler.post("/v1/intents", call(number))
    second = dialler.post("/v1/intents", call(number))
    assert (first.status, second.status) == (201, 403)
    text = dialler.post("/v1/intents", sms(number, body="Tables: two for one tonight."))
    assert text.status == 422, text.body
    assert dialler.put("/v1/policy", {"names": ["The Table"]}).status == 200
    found = preview(dialler)
    assert (found["now_refused"], found["now_approved"]) == (0, 2)
    assert {each["code"]: each["lost"] for each in found["by_code"]} == {
        "FREQUENCY_CAPPED": 1,
        "CONTENT_BLOCKED": 1,
    }
    lifted = {sample["id"]: sample["before"] for sample in found["samples"]}
    assert lifted[second.json()["intent_id"]] == ["FREQUENCY_CAPPED"]


def test_a_preview_wants_a_policy_that_could_be_put_and_a_month_at_most(
    dialler: Dialler, gate: RunningService
) -> None:
    def refused(body: dict[str, Any]) -> list[str]:
        problem = check_problem(
            dialler.post("/v1/policy/preview", body), "validation-error", dialler.service.base_url
        )
        return [error["pointer"] for error in problem["errors"]]

    assert refused({"policy": {"content": {"allow": ["no.such"]}}}) == ["/policy/content/allow"]
    month = {"since": "2026-01-01T00:00:00Z", "until": "2026-03-01T00:00:00Z"}
    assert refused({"policy": {}, **month}) == ["/since"]
    assert dialler.with_key("intents:read").post("/v1/policy/preview", {"policy": {}}).status == 403
    assert preview(new_account(gate), caps=[])["decisions"] == 0
