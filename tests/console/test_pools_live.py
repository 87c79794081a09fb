"""Pools: what is in use changes by itself while somebody looks."""

from __future__ import annotations

import json

from tests.console.conftest import Looker
from tests.console.person import signed_in
from tests.contract.dialler import Dialler


def test_what_is_in_use_is_told_as_an_event_to_whoever_may_see_it(dialler: Dialler) -> None:
    dialler.pool("live", 4)
    dialler.approved(pool="live")
    person = signed_in(dialler.service, dialler.key)
    answer = person.get("/console/pools?part=live")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = json.loads(answer.body.decode().split("data: ")[1])
    assert {name: told[f"{name} live"] for name in ("in use", "free", "share")} == {
        "in use": 1,
        "free": 3,
        "share": 25,
    }
    reader = signed_in(dialler.service, dialler.with_key("intents:read").key)
    assert reader.get("/console/pools?part=live").status == 403
    assert "Last used" in person.reads("/console/keys")


async def test_a_person_watches_a_channel_being_taken(looker: Looker, dialler: Dialler) -> None:
    dialler.pool("denver", 4)
    page = await looker.sign_in(dialler.key)
    await looker.open("/console/pools")
    row = page.locator("tr", has=page.get_by_role("link", name="denver"))
    await row.locator('[data-live="in use denver"]').first.get_by_text("0", exact=True).wait_for()
    dialler.approved(pool="denver")
    await row.locator('span[data-live="in use denver"]').get_by_text("1", exact=True).wait_for()
    await row.locator('[data-live="share denver"]').get_by_text("25", exact=True).wait_for()
    assert await row.locator("meter").evaluate("(meter) => meter.value") == 1
    await looker.looks_sound()
