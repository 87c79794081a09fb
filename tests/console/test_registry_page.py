"""A registry has a page: whom it binds, how long it is good for, and every list that was loaded into it."""

from __future__ import annotations

import re

from tests.console.person import signed_in
from tests.contract.dialler import Dialler
from tests.contract.streams import ended
from tests.service import RunningService


def test_a_registry_shows_every_list_that_was_loaded_into_it(dialler: Dialler, gate: RunningService) -> None:
    name = f"reg-{dialler.account_id[-8:]}"
    operator = Dialler(gate, gate.key)
    settings = {"kind": "custom", "applies_to": ["call"], "purposes": ["marketing"], "max_age_days": 31}
    assert operator.put(f"/v1/registries/{name}", settings).status in (200, 201)
    person = signed_in(dialler.service, dialler.with_key("inbound:write").key)
    assert "It was never loaded, and binds nobody" in person.reads(f"/console/registries/{name}")
    for rows in (b"+14155550188\n", b"+14155550188\n+14155550189\n"):
        loaded = gate.request(
            "POST", f"/v1/registries/{name}/versions?version_date=2026-11-20", rows, key=gate.key,
            headers={"Content-Type": "text/plain"},
        )  # fmt: skip
        assert loaded.status == 202, loaded.body
        ended(operator, loaded.headers["location"])
    page = person.reads(f"/console/registries/{name}")
    assert "2 lists on this page" in page
    assert "calls; marketing" in page
    assert re.search(r"2026-11-20 2 .* in force 2026-11-20 1 ", page), page
    assert f"/console/registries/{name}" in person.get("/console/registries").body.decode()
    assert person.get("/console/registries/none-of-ours").status == 404
    assert operator.delete(f"/v1/registries/{name}").status == 204
