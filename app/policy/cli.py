"""callgate policy: an account's policy, shown and replaced, without HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from app.accounts.cli import AccountOption
from app.accounts.command_access import act
from app.platform.environment import UNAVAILABLE, USAGE, fail
from app.platform.printing import print_json

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.accounts.read_policy import PolicyInForce
    from app.platform.stores import Stores

app = typer.Typer(help="The account's policy, as JSON.", no_args_is_help=True)
MAX_BYTES = 1 << 20


@app.command("show")
def show(account: str | None = AccountOption) -> None:
    """Print the policy in force. What it prints can be changed and put back as it is."""

    async def work(services: Stores, caller: Caller) -> PolicyInForce:
        from app.accounts.read_policy import current_policy

        return await current_policy(services, caller)

    found = act(account, work)
    from app.policy.http import policy_document

    print_json(policy_document(found))


@app.command("put")
def put(
    file: str = typer.Argument(metavar="FILE", help="The whole policy as JSON; - is standard input."),
    account: str | None = AccountOption,
    comment: str = typer.Option(
        "", "--comment", metavar="WHY", help="Kept with the version; up to 500 characters."
    ),
) -> None:
    """Replace the whole policy; in force from the next decision on.

    The exit status is 2 when something in it cannot be used, and 1 when it has a version and the policy in force is
    of another by now.
    """
    text = _read(file)

    import orjson
    from pydantic import ValidationError

    from app.content import packaged_scanner
    from app.platform.files.broken_file import BrokenRuleFile
    from app.platform.http.fields import faults_of
    from app.policy.change_policy import change_policy
    from app.policy.http import PolicyBody, policy_document

    try:
        body = PolicyBody.model_validate(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        fail(f"{file} is no JSON: {error}", USAGE)
    except ValidationError as error:
        faults = faults_of([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])
        fail("; ".join(f"{fault.field} {fault.reason}".strip() for fault in faults[:5]), USAGE)
    try:
        scanner = packaged_scanner()
    except BrokenRuleFile as error:
        fail(f"a rule file is broken: {error}", UNAVAILABLE)

    async def work(services: Stores, caller: Caller) -> PolicyInForce:
        document = body.model_dump(exclude={"inbound", "version", "comment"})
        inbound = body.inbound.model_dump(exclude_unset=True)
        why = (comment or body.comment)[:500]
        return await change_policy(services, scanner, caller, document, inbound, body.version, why)

    print_json(policy_document(act(account, work)))


def _read(file: str) -> bytes:
    try:
        if file == "-":
            text = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                text = opened.read(MAX_BYTES + 1)
    except OSError as error:
        fail(f"{file}: {error.strerror}", USAGE)
    if len(text) > MAX_BYTES:
        fail(f"{file} is longer than 1 MiB", USAGE)
    return text
