"""One intent from request to answer crosses from room to room a dozen times at most, and never upward."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import httpx
import pytest

from app.accounts.manage_keys import ensure_bootstrap_key
from app.accounts.store import installation_secret
from app.clock import utc_now
from app.intents.law.pack_switch import fixed
from app.intents.services import RuleSet
from app.main import build
from app.platform.postgres.database import Database
from app.settings import Settings
from tests.house.tree import APP, CHECKOUT

MOST = 15
TOUR = (CHECKOUT / "docs/tour.md").read_text(encoding="utf-8")
# Plain values that every room speaks in, and a clock by its name.
VOCABULARY = ("guardrail/", "numbering/zones.py")
Crossings = set[tuple[str, str]]


def drawn(arrow: str) -> Crossings:
    """The pairs of rooms that the tour's diagram joins by such an arrow."""
    diagram = TOUR.partition("```mermaid")[2].partition("```")[0]
    return set(re.findall(rf"^ *(\w+){re.escape(arrow)}(\w+):", diagram, re.MULTILINE))


def heights() -> dict[str, int]:
    """How far below the door each room lies. Those behind a bar lie on one height and do not know each other."""
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return {room: depth for depth, layer in enumerate(layers) for room in re.findall(r"\w+", layer)}


def test_a_dozen_crossings_at_most_are_drawn_and_none_goes_upward() -> None:
    depth = heights()
    assert len(drawn("->>")) <= MOST
    assert [pair for pair in drawn("->>") if depth[pair[0]] >= depth[pair[1]]] == []


def test_the_tour_says_how_many_there_are() -> None:
    words = {15: "Fifteen", 14: "Fourteen", 13: "Thirteen"}
    assert f"**{words[len(drawn('->>'))]} crossings" in TOUR


@pytest.mark.parametrize("kind", ["call", "sms"])
async def test_the_diagram_shows_the_rooms_that_a_request_goes_through(
    database_url: str, redis_url: str, rule_set: RuleSet, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Their rounds would be seen among the request's ways.
    monkeypatch.setattr("app.main.maintain", no_upkeep)
    monkeypatch.setattr("app.main.Courier.watch", no_upkeep)
    key = "cg_the-key-of-the-one-who-looks"
    database = Database(database_url, timeout_seconds=10, pool_size=1)
    async with database.begin() as connection:
        secret = await installation_secret(connection)
    await ensure_bootstrap_key(database, key, utc_now())
    await database.close()
    edge = build(Settings(redis_timeout_ms=1500), fixed(rule_set), database_url, redis_url, secret=secret)
    given = {"type": kind, "from": "+12125550100"}
    bodies: list[dict[str, str]] = [
        {**given, "to": "+14155551234", "purpose": "emergency"},  # bound by no window: approved at any hour
        {**given, "to": "+14155551235"},  # and one for the law to look at
    ]
    inner = edge.app  # type: ignore[attr-defined]
    async with inner.router.lifespan_context(inner):
        transport = httpx.ASGITransport(app=edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
            answered = []
            with watched() as seen:
                for body in bodies:
                    if kind == "sms":
                        body["body"] = "The river is rising. Leave for the school on the hill now."
                    headers = {"Authorization": f"Bearer {key}"}
                    answered.append(
                        (await client.post("/v1/intents", json=body, headers=headers)).status_code
                    )
    assert answered[0] == 201
    assert answered[1] in (201, 403)
    assert seen <= drawn("->>") | drawn("-)"), "crossings that the tour does not draw"
    if kind == "call":
        assert seen >= drawn("->>") | drawn("-)"), "crossings that are none any more"


async def no_upkeep(_: object) -> None:
    """Nothing beside the request."""


@contextmanager
def watched() -> Iterator[Crossings]:
    """The pairs of rooms of which one called into the other meanwhile, in this thread."""
    seen: Crossings = set()

    def look(frame: FrameType, event: str, _: object) -> None:
        into = _room(frame) if event == "call" else None
        if into is None:
            return
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(str(APP)):
            caller = caller.f_back
        came_from = _room(caller) if caller is not None else None
        if came_from not in (None, into):
            seen.add((str(came_from), into))

    sys.setprofile(look)
    try:
        yield seen
    finally:
        sys.setprofile(None)


def _room(frame: FrameType) -> str | None:
    """The room that a frame's code lies in; None for the ground floor, and for what is not ours."""
    file = frame.f_code.co_filename
    if not file.startswith(f"{APP}/"):
        return None
    inside = file.removeprefix(f"{APP}/")
    room, _, rest = inside.partition("/")
    return room if rest and not inside.startswith(VOCABULARY) else None
