"""callgate number: everything about one number, on one sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.accounts.cli import AccountOption, AsJson
from app.accounts.command_access import NumberArgument, act, number_or_exit
from app.intents.check.inquiry import facts_about, rule_set_or_exit
from app.platform.environment import settings_or_exit
from app.platform.printing import console, print_json, print_rows

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.number_sheet.read_sheet import NumberSheet
    from app.platform.stores import Stores

_SHOWN = 10


def number(
    number: str = NumberArgument,
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Show what is known of a number: lists, consents, replies, attempts, decisions, and when it may be reached.

    The exit status is 0, whatever stands on the sheet.
    """
    wanted = number_or_exit(number)
    rule_set, retention = rule_set_or_exit(texts=False), settings_or_exit().decision_retention_days
    facts = facts_about(wanted, account)

    async def work(services: Stores, caller: Caller) -> NumberSheet:
        from app.number_sheet.read_sheet import read_sheet

        return await read_sheet(
            services.database,
            rule_set,
            caller.account_id,
            wanted,
            facts,
            now=services.now(),
            retention_days=retention,
        )

    sheet = act(account, work)
    from app.number_sheet.sheet_document import sheet_document

    document = sheet_document(sheet)
    if as_json:
        print_json(document)
    else:
        _show(document)


def _show(sheet: dict[str, Any]) -> None:
    out = console()
    state = "suppressed" if sheet["suppressed"] else "on no list"
    out.print(f"{sheet['number']}: {state}", markup=False)
    if sheet["undiallable"]:
        out.print(f"nobody can dial it: {sheet['undiallable']}", markup=False)
    for kind, window in sheet["windows"].items():
        if window is not None:
            out.print(f"{kind}: {_spoken(window)}", markup=False)
    listed = [(e["created_at"], e["channel"], e["source"], e["reason"]) for e in sheet["suppressions"]]
    listed += [
        (e["version_date"], ", ".join(e["applies_to"]), e["registry"], e["kind"]) for e in sheet["registries"]
    ]
    _table("Lists", ("since", "channel", "source", "reason"), listed)
    consents = [
        (e["given_at"], e["kind"], ", ".join(e["channels"]), e["ended_by"] or e["expires_at"] or "")
        for e in sheet["consents"]
    ]
    _table("Consents", ("given", "kind", "channels", "until"), consents)
    replies = [(e["received_at"], e["action"], e["words"]) for e in sheet["replies"]]
    _table("Replies", ("received", "taken as", "words"), replies)
    decisions = [
        (
            e["decided_at"],
            e["type"],
            e["code"] or e["verdict"],
            (e["outcome"] or {}).get("result", ""),
            e["id"],
        )
        for e in sheet["decisions"]
    ]
    _table("Decisions", ("decided", "type", "verdict", "ended", "id"), decisions)
    attempts = sheet["attempts"]
    out.print(
        f"\nAttempts that caps may count: {attempts['calls']} calls, {attempts['texts']} texts", markup=False
    )


def _spoken(window: dict[str, Any]) -> str:
    where = ", ".join(window["timezones"][:3]) or window["unresolved"] or "nowhere"
    if window["open_now"]:
        return f"open now, until {window['closes_at']} ({where})"
    if window["next_opens_at"]:
        return f"closed, opens {window['next_opens_at']} ({where})"
    return f"closed for the next days ({where})"


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if rows:
        console().print(f"\n{title}", markup=False)
        print_rows(heads, rows[:_SHOWN])
