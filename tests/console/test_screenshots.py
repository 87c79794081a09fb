"""Six pages as docs/console.md and the README show them, on sample data. ``make screenshots`` keeps them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, ViewportSize

from tests.console.conftest import Looker
from tests.console.sample import NUMBER, TEXT, furnish
from tests.contract.dialler import Dialler, new_account
from tests.service import CHECKOUT, RunningService

pytestmark = pytest.mark.timeout(120)
PICTURES = ("today", "where", "number", "decision", "texts", "policy")
MOST_BYTES = 120_000
SIZE = ViewportSize(width=1000, height=600)


@pytest.fixture
def business(start_service: Callable[..., RunningService], database_url: str) -> Dialler:
    """An account with a month behind it, on a service of its own."""
    dialler = new_account(start_service(environment="sample"))
    furnish(dialler, database_url, 40_000)
    return dialler


@pytest.fixture
async def visitor(business: Dialler, chromium: Browser) -> AsyncIterator[Looker]:
    """Somebody in New York who has signed in to it."""
    context = await chromium.new_context(
        timezone_id="America/New_York", locale="en-US", viewport=SIZE, color_scheme="light"
    )
    context.set_default_timeout(15_000)
    found = Looker(business.service, context, await context.new_page())
    await found.sign_in(business.key)
    yield found
    await context.close()
    assert found.complaints == []


async def test_six_pages_are_pictured_on_sample_data(
    visitor: Looker, business: Dialler, tmp_path: Path
) -> None:
    kept = os.environ.get("CALLGATE_TEST_SCREENSHOTS")
    folder = CHECKOUT / kept if kept else tmp_path
    refused = business.get("/v1/intents?limit=1&code=DNC_BLOCKED").json()["items"][0]
    places = {
        "today": ("today", "decisions in the last 24 hours"),
        "where": ("where", "We may call"),
        "number": (f"numbers/{quote(NUMBER)}", "asked by letter"),
        "decision": (f"decisions/{refused['id']}", "Refused"),
        "policy": ("policy", "as counsel asked"),
        "texts": ("texts", "Try it"),
    }
    assert set(places) == set(PICTURES)
    for name, (path, words) in places.items():
        page = await visitor.open(f"/console/{path}")
        if name == "texts":
            await page.get_by_label("The text").fill(TEXT)
            await page.locator("mark.blocks").first.wait_for()
        assert words.lower() in (await page.inner_text("body")).lower(), name
        picture = await page.screenshot(path=folder / f"console-{name}.png", animations="disabled")
        assert 10_000 < len(picture) < MOST_BYTES, name


def test_the_pictures_of_the_documents_are_there_and_light() -> None:
    shown = (CHECKOUT / "docs/console.md").read_text(encoding="utf-8")
    for name in PICTURES:
        assert f"(images/console-{name}.png)" in shown
        assert 10_000 < (CHECKOUT / f"docs/images/console-{name}.png").stat().st_size < MOST_BYTES
    assert "(docs/images/console-today.png)" in (CHECKOUT / "README.md").read_text(encoding="utf-8")
