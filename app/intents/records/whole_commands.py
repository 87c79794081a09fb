"""callgate decisions export, stats and recount: what is about many decisions at once."""

from __future__ import annotations

import sys
import uuid
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from app import clock
from app.accounts.cli import AccountOption, AsJson, with_database
from app.accounts.command_access import act, instant_or_exit, number_or_exit
from app.platform.environment import UNAVAILABLE, USAGE, fail, settings_or_exit
from app.platform.printing import console, print_json, print_rows
from app.suppression.cli import ListFormat, standard_output, whole_file

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.platform.http.problems import ProblemWriter
    from app.platform.stores import Stores

Since = typer.Option(None, "--since", help="RFC 3339: decided at or after.")
Until = typer.Option(None, "--until", help="RFC 3339: decided before.")


class VerdictName(str, Enum):  # noqa: UP042  typer shows the values
    """How it was decided."""

    approved = "approved"
    blocked = "blocked"


class IntentType(str, Enum):  # noqa: UP042
    """What was asked for."""

    call = "call"
    sms = "sms"


class OrderName(str, Enum):  # noqa: UP042
    """Which end comes first."""

    desc = "desc"
    asc = "asc"


class IntervalName(str, Enum):  # noqa: UP042
    """By what the time is cut."""

    hour = "hour"
    day = "day"


class GroupName(str, Enum):  # noqa: UP042
    """What is told apart."""

    verdict = "verdict"
    code = "code"
    type = "type"
    campaign = "campaign"
    pool = "pool"
    key = "key"


def writer_of_settings() -> ProblemWriter:
    """What writes violations as the service does."""
    from app.platform.http.problems import ProblemWriter

    settings = settings_or_exit()
    return ProblemWriter(settings.problem_type_base, settings.own_url())


def export(
    to: str | None = typer.Option(None, metavar="NUMBER", help="To this person only."),
    sender: str | None = typer.Option(None, "--from", metavar="NUMBER", help="From this caller id only."),
    type: IntentType | None = typer.Option(None, help="Only these."),
    verdict: VerdictName | None = typer.Option(None, help="Only these."),
    code: str | None = typer.Option(None, help="Refused with it, as DNC_BLOCKED."),
    campaign: str | None = typer.Option(None, help="Of this campaign only."),
    pool: str | None = typer.Option(None, help="For channels of this pool only."),
    since: str | None = Since,
    until: str | None = Until,
    order: OrderName = typer.Option(OrderName.desc, help="desc: the newest first."),
    format: ListFormat = typer.Option(ListFormat.csv, help="How it is written."),
    output: Path | None = typer.Option(
        None, "--output", "-o", metavar="FILE", help="Standard output when absent; .gz is packed."
    ),
    account: str | None = AccountOption,
) -> None:
    """Export recorded decisions, of any number. A file is there whole or not at all."""
    wanted = number_or_exit(to) if to is not None else None
    begins, ends = _period(since, until)
    retention = timedelta(days=settings_or_exit().decision_retention_days)

    async def write(services: Stores, caller: Caller, out: IO[bytes]) -> None:
        from app.intents.decision_answers import recorded
        from app.intents.records.export_decisions import export_decisions
        from app.numbering import spellings

        writer, oldest = writer_of_settings(), services.now() - retention
        filters = {
            "to": spellings(wanted) if wanted is not None else None,
            "from": sender,
            "type": type.value if type is not None else None,
            "verdict": verdict.value if verdict is not None else None,
            "code": code,
            "campaign": campaign,
            "pool": pool,
            "since": max(begins, oldest) if begins is not None else oldest,
            "until": ends,
        }
        async for piece in export_decisions(
            services.database.bulk,
            caller.account_id,
            format.value,
            filters=filters,
            order=order.value,
            show=lambda decision: recorded(decision, writer),
        ):
            try:
                out.write(piece)
            except BrokenPipeError:
                raise
            except OSError as error:
                fail(f"the export cannot be written: {error.strerror}", UNAVAILABLE)

    with whole_file(output) if output is not None else standard_output() as out:
        act(account, lambda services, caller: write(services, caller, out))


def stats(
    since: str | None = Since,
    until: str | None = Until,
    interval: IntervalName = typer.Option(
        IntervalName.hour, help="hour: of at most 31 days; day: of at most 400."
    ),
    group_by: GroupName | None = typer.Option(None, "--group-by", help="Tell these apart."),
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Count decisions by hour or day (UTC), from the counts that the service keeps."""
    from app.intents.counts.read_counts import MOST_INTERVALS, period_of, read_counts

    begins, ends = _period(since, until)
    now = clock.utc_now()
    oldest = now - timedelta(days=settings_or_exit().decision_retention_days)
    period = period_of(begins, ends, interval.value, now, oldest)
    if period is None:
        fail(
            f"--since must be before --until, and at most {MOST_INTERVALS[interval.value]} {interval.value}s",
            USAGE,
        )
    subject = group_by.value if group_by is not None else None

    async def work(services: Stores, caller: Caller) -> Any:
        return await read_counts(
            services.database, caller.account_id, period, interval.value, subject or "verdict"
        )

    found = act(account, work)
    from app.intents.counts.http import statistics_document

    document = statistics_document(found, period, interval.value, subject)
    if as_json:
        print_json(document)
        return
    heads = [_head(group) for group in document["groups"]]
    rows = []
    for item in document["items"]:
        counts = {_head(group): group["decisions"] for group in item["groups"]}
        rows.append(
            (item["begins"], f"{item['decisions']:,}", *(f"{counts.get(head, 0):,}" for head in heads))
        )
    rows.append(
        ("in all", f"{document['decisions']:,}", *(f"{group['decisions']:,}" for group in document["groups"]))
    )
    print_rows((interval.value, "decisions", *heads), rows)
    if document["counted_until"] is not None:
        console().print(f"The counting is behind: nothing after {document['counted_until']} is in it.")


def recount() -> None:
    """Count every decision of every account anew. The service goes on; until it is done, `stats` says how far it is."""

    async def work(database: Any) -> None:
        from app.ids import instant_of
        from app.instants import rfc3339
        from app.intents.counts.count_decisions import recount_decisions

        def tell(reached: uuid.UUID) -> None:
            if sys.stderr.isatty():
                typer.echo(f"\rcounted until {rfc3339(instant_of(reached))}", err=True, nl=False)

        await recount_decisions(database, on_range=tell)

    with_database(work)
    typer.echo("Everything is counted.")


def _period(since: str | None, until: str | None) -> tuple[Any, Any]:
    return (
        instant_or_exit("--since", since) if since is not None else None,
        instant_or_exit("--until", until) if until is not None else None,
    )


def _head(group: dict[str, Any]) -> str:
    return "others" if group["others"] else group["value"] or "none"
