"""A walk through the console as one person goes it of a morning, each step timed and looked at by axe."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from playwright.async_api import Page, expect

from tests.console.conftest import Looker
from tests.contract.dialler import Dialler

NUMBER, SPELT, WRITTEN = "+14155550188", "+1 (415) 555-0188", "(415) 555-0188"
_TELL_POLICY = """
    document.addEventListener('securitypolicyviolation', (event) =>
      console.error(`the policy refused ${event.violatedDirective} ${event.blockedURI}`))
"""
_ANSWERED = """() => {
    const page = performance.getEntriesByType('navigation')[0];
    return [page.responseEnd - page.requestStart, page.transferSize];
}"""


@dataclass(slots=True)
class Step:
    """What was done, how long the page that it ended on took to answer, and the whole step with the person's typing."""

    done: str
    answered_ms: float
    step_ms: float
    bytes: int


@dataclass(slots=True)
class Walk:
    """One person, at one size and in one light. ``wrong`` is what axe found, by step."""

    looker: Looker
    account: Dialler
    steps: list[Step] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def page(self) -> Page:
        """What is on the screen."""
        return self.looker.page

    async def go(self, done: str, act: Callable[[], Awaitable[object]]) -> None:
        """One step: timed until what it waits for is seen, then looked at."""
        began = time.perf_counter()
        await act()
        took = (time.perf_counter() - began) * 1000
        answered, size = await self.page.evaluate(_ANSWERED)
        self.steps.append(Step(done, answered, took, size))
        self.wrong += [f"{done}: {each}" for each in await self.looker.violations()]
        if await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.wrong.append(f"{done}: scrolls sideways")

    async def headed(self, words: str) -> None:
        """The page's heading says so."""
        await expect(self.page.get_by_role("heading", level=1)).to_contain_text(words)

    async def says(self, words: str) -> None:
        """The page says so."""
        await expect(self.page.locator("main")).to_contain_text(words)

    async def search(self, typed: str) -> None:
        """As from any page: the slash, what one has, and enter."""
        await self.page.keyboard.press("/")
        await self.page.keyboard.type(typed)
        await self.page.keyboard.press("Enter")


async def walk(looker: Looker, account: Dialler, refused: str, own: str) -> Walk:
    """The whole morning of an account: ``refused`` is a refusal's id, ``own`` a number of this walk alone."""
    walked, page = Walk(looker, account), looker.page
    await page.add_init_script(_TELL_POLICY)
    night = account.post("/v1/api-keys", {"name": f"night {own}", "scopes": ["admin"]}).json()["key"]

    async def signs_in() -> None:
        await looker.sign_in(night)
        await walked.headed("decisions in the last 24 hours")

    await walked.go("sign in, and see Today", signs_in)
    await _the_rows_behind_each_number(walked)
    await _what_is_asked_on_the_telephone(walked, refused)
    await _somebody_asks_to_be_left_alone(walked, own)
    await _a_policy_there_and_back(walked)
    await _a_look_at_the_others(walked)
    await _the_key_is_revoked(walked, f"night {own}", night)
    return walked


async def _the_rows_behind_each_number(walked: Walk) -> None:
    page = walked.page
    links = page.locator(".figures tbody a")
    addresses = [await each.get_attribute("href") for each in await links.all()]
    assert len(addresses) >= 3, "approved ones, and two reasons at least"
    for address in addresses:

        async def to_the_rows(address: str = address or "") -> None:
            await walked.looker.open("/console/today")
            line = page.locator(f'.figures tbody tr:has(a[href="{address}"])')
            figure = int((await line.locator("[data-live]").inner_text()).replace(",", ""))
            word = (await line.locator(".tag").inner_text()).strip()
            await line.get_by_role("link").click()
            await page.wait_for_url("**/console/decisions?**")
            rows = page.locator("table.stacked tbody tr")
            await expect(rows.first).to_be_visible()
            # What is counted under its first reason is found by each of them.
            shown = [" ".join(each.split()) for each in await rows.all_inner_texts()]
            strange = [each for each in shown if word not in each and not re.search(r"and \d+ more", each)]
            assert not strange, (address, word, strange)
            assert len(shown) >= min(figure, 20)

        await walked.go("from a number of Today to its rows", to_the_rows)


async def _what_is_asked_on_the_telephone(walked: Walk, refused: str) -> None:
    page = walked.page

    async def number() -> None:
        await walked.search(SPELT)
        await walked.headed(WRITTEN)
        await walked.says("asked by letter")

    async def decision() -> None:
        await walked.search(refused)
        await expect(page.get_by_role("heading", name="Why it was refused")).to_be_visible()
        await walked.says("DNC_BLOCKED")
        await walked.says("asked by letter")
        await walked.says("What to do")

    async def digits() -> None:
        await walked.search("0188")
        # A list of those that end so, or the sheet of the only one.
        await page.wait_for_url(re.compile(r"/console/numbers(\?ending=0188|/\+?[%0-9A-F]*14155550188)$"))
        await expect(page.locator("#main")).to_contain_text(WRITTEN)

    async def in_place() -> None:
        await walked.looker.open("/console/decisions?verdict=blocked")
        await page.locator("a[data-opens]").first.click()
        await expect(
            page.locator(".opened").get_by_role("heading", name="Why it was refused")
        ).to_be_visible()

    await walked.go(f"search {SPELT}", number)
    await walked.go("search an intent's id, and why it was refused", decision)
    await walked.go("search the last four digits", digits)
    await walked.go("open a refusal in its place", in_place)


async def _somebody_asks_to_be_left_alone(walked: Walk, own: str) -> None:
    page = walked.page

    async def suppresses() -> None:
        await walked.looker.open("/console/suppressions")
        await page.locator("#field-number").fill(own[2:])
        await page.locator("#field-reason").fill("said so to Ms Ruiz")
        await page.get_by_role("button", name="Put on the list").click()
        await expect(page.get_by_role("status").first).to_contain_text("is on the list")

    await walked.go("put a number on the list", suppresses)
    assert walked.account.get(f"/v1/suppressions/%2B{own[1:]}").status == 200


async def _a_policy_there_and_back(walked: Walk) -> None:
    page = walked.page
    before = walked.account.get("/v1/policy").json()

    async def looks() -> None:
        await walked.looker.open("/console/policy")
        await page.get_by_label("Not before").fill("10:30")
        await page.get_by_label("Why").fill("as counsel asked")
        await page.get_by_role("button", name="Show what would change").click()
        await expect(page.get_by_role("heading", name="This would change")).to_be_visible()

    async def puts() -> None:
        await page.get_by_role("button", name="Put it in force").click()
        await walked.says(f"Version {before['version'] + 1} is in force")

    async def puts_back() -> None:
        await walked.looker.open(f"/console/policy/versions/{before['version']}")
        await page.get_by_role("button", name="Put this version back").click()
        await walked.says(f"Version {before['version'] + 2} is in force")

    await walked.go("what a policy would have changed", looks)
    await walked.go("put it in force", puts)
    assert walked.account.get("/v1/policy").json()["house_window"]["start"] == "10:30"
    await walked.go("put the one before back", puts_back)
    assert walked.account.get("/v1/policy").json()["house_window"] == before["house_window"]


async def _a_look_at_the_others(walked: Walk) -> None:
    page = walked.page

    async def map_of_tomorrow() -> None:
        await walked.looker.open("/console/where")
        await walked.headed("We may call")
        await page.get_by_role("slider").focus()
        await page.keyboard.press("ArrowRight")
        await page.wait_for_url("**ahead=1**")

    async def text() -> None:
        await walked.looker.open("/console/texts")
        await page.get_by_label("The text").fill("Cheap viagra, no prescription")
        await page.locator("mark.blocks").first.wait_for()

    async def pool() -> None:
        await walked.looker.open("/console/pools")
        await page.locator("main table a").first.click()
        await walked.headed("The pool")

    await walked.go("the map, an hour later", map_of_tomorrow)
    await walked.go("a text, underlined while typing", text)
    await walked.go("a pool", pool)
    for path in ("registries", "consents", "outcomes", "law", "webhooks", "audit"):

        async def opens(path: str = path) -> None:
            await walked.looker.open(f"/console/{path}")
            await expect(page.get_by_role("heading", level=1)).to_be_visible()

        await walked.go(path, opens)


async def _the_key_is_revoked(walked: Walk, name: str, key: str) -> None:
    page = walked.page

    async def revokes() -> None:
        await walked.looker.open("/console/keys")
        await page.get_by_role("button", name=f"Revoke {name}").click()
        await page.wait_for_url("**/console/sign-in**")
        await walked.says("revoked")

    await walked.go("revoke one's key, and be signed out", revokes)
    assert walked.account.get("/v1/policy", key=key).status == 401
    await walked.looker.open("/console/today")
    assert "/sign-in" in page.url
