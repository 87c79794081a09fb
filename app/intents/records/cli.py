"""callgate decisions: what was decided and why, as it was recorded, without HTTP."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from app.accounts.cli import AccountOption, AsJson
from app.accounts.command_access import act, instant_or_exit, number_or_exit
from app.intents.records.whole_commands import VerdictName, export, recount, stats, writer_of_settings
from app.platform.environment import USAGE, fail, settings_or_exit
from app.platform.printing import print_json, print_rows

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.platform.stores import Stores

app = typer.Typer(help="Recorded decisions.", no_args_is_help=True)


@app.command("list")
def list_some(
    to: str | None = typer.Option(None, metavar="NUMBER", help="To this person only."),
    verdict: VerdictName | None = typer.Option(None, help="Only these."),
    code: str | None = typer.Option(None, help="Refused with it, as DNC_BLOCKED."),
    since: str | None = typer.Option(None, help="RFC 3339: decided at or after."),
    until: str | None = typer.Option(None, help="RFC 3339: decided before."),
    limit: int = typer.Option(20, min=1, max=500, help="At most so many."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """The latest decisions, newest first."""
    wanted = number_or_exit(to) if to is not None else None
    begins = instant_or_exit("--since", since) if since is not None else None
    ends = instant_or_exit("--until", until) if until is not None else None
    retention = timedelta(days=settings_or_exit().decision_retention_days)

    async def work(services: Stores, caller: Caller) -> list[dict[str, Any]]:
        from app.intents.records import store as decision_records
        from app.numbering import spellings

        oldest = services.now() - retention
        filters = {
            "to": spellings(wanted) if wanted is not None else None,
            "verdict": verdict.value if verdict is not None else None,
            "code": code,
            "since": max(begins, oldest) if begins is not None else oldest,
            "until": ends,
        }
        found: list[dict[str, Any]] = []
        before: uuid.UUID | None = None
        while len(found) < limit:
            page = await decision_records.page(
                services.database, caller.account_id, filters=filters, behind=before, limit=limit - len(found)
            )
            found += page.rows
            before = page.next_id
            if before is None:
                break
        return found

    found = act(account, work)
    if as_json:
        from app.intents.decision_answers import recorded

        writer = writer_of_settings()
        print_json([recorded(each, writer) for each in found])
        return
    from app.instants import rfc3339

    rows = [
        (rfc3339(each["decided_at"]), each["to"], str(each["code"] or each["verdict"]), each["id"])
        for each in found
    ]
    print_rows(("decided", "to", "verdict", "id"), rows)


@app.command("show")
def show(
    intent_id: str = typer.Argument(metavar="ID", help="The intent's id."),
    account: str | None = AccountOption,
) -> None:
    """One decision with its checks, its violations and the versions of the rules, as JSON."""
    try:
        identifier = uuid.UUID(intent_id)
    except ValueError:
        fail(f"{intent_id} is not an intent's id", USAGE)

    async def work(services: Stores, caller: Caller) -> dict[str, Any]:
        from app.intents.decision_answers import outcome_of, recorded
        from app.intents.records.read_decision import read_decision
        from app.platform.outcomes import NotFound

        try:
            found = await read_decision(services.database, caller, identifier)
        except NotFound:
            raise NotFound(f"There is no decision {identifier}.") from None
        return {**recorded(found.decision, writer_of_settings()), "outcome": outcome_of(found.outcome)}

    print_json(act(account, work))


app.command("export")(export)
app.command("stats")(stats)
app.command("recount")(recount)
