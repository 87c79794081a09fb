"""What stands on the left of every page, in this order. A page is one line here.

A line: its words, its path under /console, the scope that the page needs, and its module under ``pages``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from app.accounts.authenticate import Caller


@dataclass(frozen=True, slots=True)
class Line:
    """One page's place on the rail. Who lacks the ``scope`` does not see it. ``short``: its words on a phone."""

    words: str
    path: str
    scope: str
    module: str
    short: str = ""

    @property
    def href(self) -> str:
        """Where it leads."""
        return f"/console/{self.path}"


RAIL: tuple[tuple[Line, ...], ...] = (
    (
        Line("Today", "today", "intents:read", "calling.today_page"),
        Line("Where may we call?", "where", "intents:read", "calling.where_page", short="Where?"),
        Line("Numbers", "numbers", "intents:read", "calling.numbers_page"),
        Line("Decisions", "decisions", "intents:read", "calling.decisions_page"),
    ),
    (
        Line("Suppressions", "suppressions", "suppressions:read", "people.suppressions_page"),
        Line("Registries", "registries", "", "people.registries_page"),
        Line("Consents", "consents", "consents:read", "people.consents_given_page"),
        Line("Replies", "replies", "suppressions:read", "people.replies_page"),
    ),
    (
        Line("Pools", "pools", "pools:read", "capacity.pools_page"),
        Line("Outcomes", "outcomes", "intents:read", "capacity.outcomes_page"),
    ),
    (
        Line("Texts", "texts", "intents:write", "rules.texts_page"),
        Line("Policy", "policy", "", "rules.policy_page"),
        Line("Law", "law", "", "rules.law_browser_page"),
    ),
    (
        Line("Webhooks", "webhooks", "admin", "access.webhooks_page"),
        Line("Keys", "keys", "admin", "access.keys_page"),
        Line("Accounts", "accounts", "operator", "access.accounts_page"),
        Line("Audit", "audit", "admin", "access.audit_page"),
    ),
)


def page_routers() -> Iterator[Any]:
    """The routers of every page on the rail."""
    for group in RAIL:
        for line in group:
            yield import_module(f"app.console.pages.{line.module}").router


def seen_by(caller: Caller) -> Sequence[Sequence[Line]]:
    """The groups of lines that the caller may follow."""
    groups = [[line for line in group if caller.may(line.scope)] for group in RAIL]
    return [group for group in groups if group]
