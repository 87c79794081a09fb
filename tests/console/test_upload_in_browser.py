"""A list is uploaded in a browser: dropped, its columns confirmed, tried, seen on its way, and taken back."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.console.conftest import PHONE, WIDE, Looker
from tests.contract.dialler import Dialler

pytestmark = [pytest.mark.alone, pytest.mark.timeout(180)]
ROWS = 100_000
DROPPED = """
(form, text) => {
  const moved = new DataTransfer();
  moved.items.add(new File([text], "bought.csv", { type: "text/csv" }));
  for (const kind of ["dragover", "drop"])
    form.dispatchEvent(new DragEvent(kind, { dataTransfer: moved, bubbles: true, cancelable: true }));
}
"""
KEEPS = """
() => {
  window.told = [];
  new MutationObserver(() => window.told.push(document.getElementById("import").innerText)).observe(
    document.getElementById("import"), { childList: true });
}
"""


def bought() -> str:
    lines = "".join(f"Ann;(646) 2{each // 10_000:02d}-{each % 10_000:04d};x\n" for each in range(ROWS))
    return f"Name;Telefon;Vermerk\n{lines}Bob;nobody;y\n"


@pytest.mark.parametrize(
    ("size", "scheme"),
    [pytest.param(PHONE, "dark", id="phone", marks=pytest.mark.slow), pytest.param(WIDE, "light", id="desk")],
)
async def test_a_list_of_a_hundred_thousand_is_dropped_tried_and_taken_with_its_progress_seen(
    looker: Looker, dialler: Dialler, size: dict[str, int], scheme: str
) -> None:
    page = await looker.sign_in(dialler.key)
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await looker.open("/console/suppressions")
    await page.get_by_role("link", name="Upload a file").click()
    await page.locator("#upload").evaluate(DROPPED, bought())
    await expect(page.locator("#columns")).to_contain_text("bought.csv: guessed from its headings")
    await expect(page.locator("#column-1")).to_have_value("number:Telefon")
    await expect(page.get_by_label("Numbers are written")).to_have_value("US")
    await expect(page.locator("#columns tbody tr").first).to_contain_text("(646) 200-0000, calls and texts")
    await page.get_by_label("Vermerk").select_option(label="why")
    await expect(page.get_by_role("button", name="Upload")).to_be_visible()
    assert await looker.violations() == []
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")

    # A trial of the whole of it, as slowly as from an office, so that its progress can be seen.
    wire = await looker.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 600_000}
    await wire.send("Network.emulateNetworkConditions", slow)
    await page.evaluate(KEEPS)
    await page.get_by_role("button", name="Try it").click()
    result = page.locator("#import")
    await expect(result).to_contain_text("It failed, and nothing was changed.", timeout=90_000)
    await expect(result).to_contain_text("1 row: number must be E.164")
    await expect(result).to_contain_text("Bob;nobody;y")
    told = await page.evaluate("window.told")
    seen = [
        each for each in told if re.search(r"[\d,]+ rows a second, about \d+ (second|minute)s? left", each)
    ]
    assert seen, told
    assert all("Rows read\n100,001" not in each for each in seen[:1])
    await expect(result).to_be_focused()
    assert await looker.violations() == []

    await page.get_by_label("Take the good rows").check()
    await page.get_by_role("button", name="Try it").click()
    await expect(result).to_contain_text("This was a trial: nothing was changed.", timeout=90_000)
    await expect(result).to_contain_text("Would be added\n100,000", use_inner_text=True)
    assert dialler.get("/v1/suppressions?limit=1").json()["items"] == []

    await wire.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    await page.get_by_role("button", name="Upload").click()
    await page.wait_for_url(re.compile("/console/suppressions/imports/"), timeout=90_000)
    await expect(page.locator("#import")).to_contain_text("Done.", timeout=90_000)
    await expect(page.locator("#import")).to_contain_text("Added\n100,000", use_inner_text=True)
    assert dialler.get("/v1/suppressions/%2B16462099999").json()["entries"][0]["reason"] == "x"
    await looker.looks_sound()
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Take it back").click()
    await expect(page.get_by_role("status").first).to_contain_text("100,000 entries were taken back")
    assert dialler.get("/v1/suppressions/%2B16462099999").status == 404


async def test_what_goes_wrong_with_an_upload_is_told_where_it_was_begun(
    looker: Looker, dialler: Dialler
) -> None:
    page = await looker.sign_in(dialler.key)
    await looker.open("/console/suppressions/upload")
    await looker.looks_sound()
    field = page.locator("#field-file")
    utf16 = {"name": "list.csv", "mimeType": "text/csv", "buffer": "number\n+14155550188\n".encode("utf-16")}
    await field.set_input_files(utf16)  # type: ignore[arg-type]
    await expect(page.locator("#columns")).to_contain_text("UTF-16; send it as UTF-8")
    await expect(page.get_by_role("button", name="Upload")).to_have_count(0)
    rows = {"name": "list.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    await field.set_input_files(rows)  # type: ignore[arg-type]
    await expect(page.locator("#columns")).to_contain_text("No column is taken for the number")
    await page.get_by_label("a", exact=True).focus()
    await page.get_by_label("a", exact=True).select_option(label="the number")
    await expect(page.locator("#columns")).to_contain_text("rejected: number must be E.164")
    await expect(page.locator("#column-0")).to_be_focused()
    await looker.looks_sound()
    # The connection breaks off on the way; nothing is lost, and it can be sent once more.
    await page.route("**/console/suppressions/imports?**", lambda route: route.abort())
    await page.get_by_role("button", name="Upload").click()
    await expect(page.locator("#import")).to_contain_text("Nothing was changed; send it once more")
    looker.complaints = [each for each in looker.complaints if "ERR_FAILED" not in each]
    await page.unroute("**/console/suppressions/imports?**")
    await expect(page.get_by_role("button", name="Upload")).to_be_enabled()
    await page.get_by_label("Take the good rows").check()
    await page.get_by_role("button", name="Upload").click()
    await page.wait_for_url(re.compile("/console/suppressions/imports/"))
    await expect(page.locator("#import")).to_contain_text("Done.")


async def test_a_list_is_uploaded_by_keyboard_without_a_script(looker: Looker, dialler: Dialler) -> None:
    page = await looker.sign_in(dialler.key)
    await page.route("**/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    await looker.open("/console/suppressions/upload")
    rows = {
        "name": "list.csv",
        "mimeType": "text/csv",
        "buffer": b"Phone,Phone 2\n+14155550187,+14155550188\n",
    }
    await page.locator("#field-file").set_input_files(rows)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Look at the columns").press("Enter")
    await expect(page.locator("#column-0")).to_have_value("number:Phone")
    await page.get_by_label("Phone", exact=True).select_option(label="passed over")
    await page.get_by_label("Phone 2", exact=True).select_option(label="the number")
    await page.locator("#field-file").set_input_files(rows)  # type: ignore[arg-type]
    await looker.looks_sound()
    await page.get_by_role("button", name="Upload").press("Enter")
    await expect(page.locator("#import")).to_contain_text("Rows read")
    await page.reload()
    await expect(page.locator("#import")).to_contain_text("Added\n1", use_inner_text=True)
    assert dialler.get("/v1/suppressions/%2B14155550188").status == 200
    assert dialler.get("/v1/suppressions/%2B14155550187").status == 404
