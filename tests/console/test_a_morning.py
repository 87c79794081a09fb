"""A morning at the console, as one person walks it in a browser, from the sign-in until the key is revoked."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.console.conftest import PHONE, WIDE, Looker
from tests.contract.dialler import Dialler, new_account

pytestmark = [pytest.mark.alone, pytest.mark.timeout(120)]
ROWS = 100_000
NUMBER, WRITTEN = "+14155550188", "(415) 555-0188"


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (WIDE, "light")], ids=["phone", "desk"])
async def test_a_person_gets_through_the_morning_without_a_shell(
    looker: Looker, dialler: Dialler, size: dict[str, int], scheme: str
) -> None:
    dialler.put(f"/v1/suppressions/{NUMBER}", {"reason": "asked by letter"})
    refused = dialler.call(to=NUMBER)
    assert refused.status == 403
    dialler.approved()
    other = new_account(dialler.service)
    other.put("/v1/suppressions/+14155550199", {"reason": "of somebody else"})
    night = dialler.post("/v1/api-keys", {"name": "night", "scopes": ["admin"]}).json()

    page = await looker.sign_in(night["key"])
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]

    await looker.open("/console/today")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("2 decisions in the last 24 hours")
    await looker.open("/console/where")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("We may call")

    # A number on the telephone: is it on a list, and why was it refused?
    await page.keyboard.press("/")
    await page.keyboard.type("415.555.0188")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(WRITTEN)
    await expect(page.locator("main")).to_contain_text("asked by letter")
    await page.goto(f"{looker.service.base_url}/console/find?q={refused.json()['intent_id']}")
    await expect(page.locator("main")).to_contain_text("suppression")
    await expect(page.locator("main")).to_contain_text("DNC_BLOCKED")

    # Somebody else asks not to be contacted.
    await looker.open("/console/suppressions")
    await page.locator("#field-number").fill("212 555 0123")
    await page.locator("#field-reason").fill("said so to Ms Ruiz")
    await page.get_by_role("button", name="Put on the list").click()
    await expect(page.get_by_role("status")).to_contain_text("is on the list")
    assert dialler.get("/v1/suppressions/+12125550123").status == 200

    # The list of the company that was bought.
    lines = "".join(f"+1646{2000000 + each}\n" for each in range(ROWS))
    file = {"name": "bought.csv", "mimeType": "text/csv", "buffer": f"number\n{lines}".encode()}
    await page.get_by_text("Upload a file").click()
    await page.locator("#field-file").set_input_files(file)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Upload").click()
    await page.wait_for_url(re.compile("/console/suppressions/imports/"))
    await expect(page.locator("#import")).to_contain_text("Rows read")
    await expect(page.locator("#import")).to_contain_text("Done.", timeout=30_000)
    await expect(page.locator("#import")).to_contain_text("100,000")
    await page.get_by_role("button", name="Take it back").click()
    await expect(page.get_by_role("status").first).to_contain_text("100,000 entries were taken back")

    # Nobody before ten, says counsel; and then not.
    await looker.open("/console/policy")
    await page.get_by_label("Not before").fill("10:00")
    await page.get_by_label("Why").fill("as counsel asked")
    await page.get_by_role("button", name="Show what would change").click()
    await expect(page.get_by_role("heading", name="This would change")).to_be_visible()
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("main")).to_contain_text("Version 1 is in force")
    assert dialler.get("/v1/policy").json()["house_window"]["start"] == "10:00"
    await page.get_by_label("Not before").fill("08:30")
    await page.get_by_role("button", name="Show what would change").click()
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("main")).to_contain_text("Version 2 is in force")
    await looker.open("/console/policy/versions/1")
    await page.get_by_role("button", name="Put this version back").click()
    await expect(page.locator("main")).to_contain_text("Version 3 is in force")
    assert dialler.get("/v1/policy").json()["house_window"]["start"] == "10:00"

    # What others own is not there, whatever the address says.
    await looker.open("/console/suppressions")
    assert "(415) 555-0199" not in await page.inner_text("body")

    # The key is revoked, by its own holder, and that is the end of the session.
    await looker.open("/console/keys")
    await page.get_by_role("button", name="Revoke night").click()
    await page.wait_for_url(re.compile("/console/sign-in"))
    await expect(page.locator("main")).to_contain_text("revoked")
    assert dialler.get("/v1/policy", key=night["key"]).status == 401
