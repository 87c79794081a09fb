"""Each page's main job, walked by a person of either of two accounts, small and wide, dark and light.

``make walk DECISIONS=5000000`` walks the same on as many generated decisions, and prints how long each step took.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser

from benchmarks.console import fill
from tests.console.conftest import PHONE, WIDE, Looker
from tests.console.person import signed_in, words
from tests.console.walk import NUMBER, Walk, walk
from tests.contract.dialler import Dialler, new_account
from tests.servers import Servers, run_apart
from tests.service import PATIENT, RunningService

DECISIONS = int(os.environ.get("CALLGATE_TEST_WALK", "20000"))
pytestmark = [pytest.mark.alone, pytest.mark.timeout(300 + DECISIONS // 2_000)]
MOST_MILLISECONDS = 300.0
LIGHTS = [(PHONE, "dark"), (WIDE, "light"), (PHONE, "light"), (WIDE, "dark")]
# Each size and each light once among the ordinary tests; all four by ``make walk`` and ``make test-slow``.
ORDINARY = 2


@dataclass(frozen=True, slots=True)
class Business:
    """Two accounts on one service, each with decisions of thirty days, and one refusal of each."""

    service: RunningService
    accounts: tuple[Dialler, Dialler]
    refused: tuple[str, str]


@pytest.fixture(scope="module")
def business() -> Iterator[Business]:
    """On stores of its own, so that nothing else is in its way."""
    servers = Servers()
    try:
        url = servers.database_url(servers.fresh_database())
        settings = {"database_url": url, "redis_url": servers.redis_url, **PATIENT}
        with RunningService(settings) as service:
            first, second = new_account(service), new_account(service)
            run_apart(fill(url, first.account_id, second.account_id, DECISIONS))
            refused = []
            for each in (first, second):
                each.put(f"/v1/suppressions/{NUMBER}", {"reason": "asked by letter"})
                refused.append(each.call(to=NUMBER).json()["intent_id"])
                each.put("/v1/policy", {"names": ["Acme"]})
            yield Business(service, (first, second), (refused[0], refused[1]))
    finally:
        servers.close()


@pytest.fixture
async def somebody(business: Business, chromium: Browser) -> AsyncIterator[Looker]:
    """Somebody in New York with a fresh browser, who has complained of nothing at the end."""
    context = await chromium.new_context(timezone_id="America/New_York", locale="en-US")
    context.set_default_timeout(20_000)
    found = Looker(business.service, context, await context.new_page())
    yield found
    await context.close()
    assert found.complaints == []


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            place, id=f"{size['width']}-{light}", marks=pytest.mark.slow if place >= ORDINARY else ()
        )
        for place, (size, light) in enumerate(LIGHTS)
    ],
)
async def test_a_person_walks_every_page_s_main_job(somebody: Looker, business: Business, place: int) -> None:
    size, light = LIGHTS[place]
    await somebody.page.set_viewport_size(size)  # type: ignore[arg-type]
    await somebody.page.emulate_media(color_scheme=light)  # type: ignore[arg-type]
    account = business.accounts[place % 2]
    walked = await walk(somebody, account, business.refused[place % 2], f"+1646555{place:04}")
    assert not walked.wrong, "\n".join(walked.wrong)
    if DECISIONS >= 1_000_000:
        _tell(walked, f"{size['width']} pixels, {light}")


def test_neither_account_finds_anything_of_the_other(business: Business) -> None:
    for mine, theirs in ((0, 1), (1, 0)):
        account, other = business.accounts[mine], business.accounts[theirs]
        person = signed_in(business.service, account.key)
        answer = person.get(f"/console/decisions/{business.refused[theirs]}")
        assert (answer.status, "There is nothing here" in words(answer)) == (404, True)
        secret = f"told to account {theirs} alone"
        other.put("/v1/suppressions/+12025550147", {"reason": secret})
        for path in ("suppressions", "numbers/+12025550147", "audit", "keys", "decisions", "today"):
            assert secret not in words(person.get(f"/console/{path}"))


def _tell(walked: Walk, where: str) -> None:
    lines = [f"\n{where}, {DECISIONS:,} decisions", "| step | page ms | step ms | kB |", "|---|---|---|---|"]
    lines += [
        f"| {each.done} | {each.answered_ms:.0f} | {each.step_ms:.0f} | {each.bytes / 1000:.0f} |"
        for each in walked.steps
    ]
    slow = [each.done for each in walked.steps if each.answered_ms > MOST_MILLISECONDS]
    lines.append(f"over {MOST_MILLISECONDS:.0f} ms: {', '.join(slow) or 'none'}\n")
    sys.stdout.write("\n".join(lines))
