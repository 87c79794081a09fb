"""A browser where Debian's Chromium is, and what every page that it opened is held to at the end."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tests.console.person import forget_attempts
from tests.service import RunningService

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's browser; the test is skipped where it is not."""
    if CHROMIUM is None:
        pytest.skip("Debian's chromium is not here: apt-get install chromium")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        await browser.close()


class Looker:
    """A person with a browser. What the browser complained of is kept: there must be nothing at the end."""

    def __init__(self, service: RunningService, context: BrowserContext, page: Page) -> None:
        self.service, self.context, self.page = service, context, page
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def open(self, path: str) -> Page:
        """The page at a path of the service."""
        await self.page.goto(self.service.base_url + path)
        return self.page

    async def sign_in(self, key: str) -> Page:
        """As a person does it: the key into the field, and enter."""
        forget_attempts(self.service)
        page = await self.open("/console")
        await page.get_by_label("API key").fill(key)
        await page.keyboard.press("Enter")
        await page.wait_for_url(lambda url: "/sign-in" not in url)
        return page

    async def violations(self) -> list[str]:
        """What axe finds on the page as it is shown now."""
        found = await Axe().run(self.page)
        return [
            f"{each['id']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
            for each in found.response["violations"]
            for node in each["nodes"]
        ]

    async def looks_sound(self) -> None:
        """No violation and no sideways scrolling, small in the dark and wide in the light."""
        wrong = []
        for size, scheme in ((PHONE, "dark"), (WIDE, "light")):
            await self.page.set_viewport_size(size)  # type: ignore[arg-type]
            await self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            wrong += [f"{size['width']} {scheme}: {each}" for each in await self.violations()]
            if await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wrong.append(f"{size['width']}: scrolls sideways")
        assert wrong == [], self.page.url


@pytest.fixture
async def looker(gate: RunningService, chromium: Browser) -> AsyncIterator[Looker]:
    """A person with a fresh browser whose clock is Los Angeles's."""
    context = await chromium.new_context(timezone_id="America/Los_Angeles", locale="en-US")
    context.set_default_timeout(15_000)
    found = Looker(gate, context, await context.new_page())
    yield found
    await context.close()
    assert found.complaints == []
