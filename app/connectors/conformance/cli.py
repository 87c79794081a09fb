"""callgate conformance: whether a connector lets a call through when the gate does not approve."""

from __future__ import annotations

import os

import typer

from app.accounts.cli import AsJson
from app.platform.environment import UNAVAILABLE, USAGE, fail
from app.platform.printing import print_json, print_rows

KEY = "cg_conformance_kit_0000000000000000"


def conformance(
    url: str | None = typer.Argument(
        None, help='Of the connector: POST {"to", "from"} there tries a call and answers {"placed": bool}.'
    ),
    command: str | None = typer.Option(
        None, "--run", help="Or a command, with {to} and {from} in it: status 0 is placed, 1 not placed."
    ),
    listen: str = typer.Option(
        "127.0.0.1:8765", help="Where the gate of the kit listens, for the connector."
    ),
    slow: float = typer.Option(8.0, min=0.1, max=600, help="Seconds by which an approval comes too late."),
    patience: float = typer.Option(60.0, min=1, max=3600, help="Seconds that one trial may take."),
    as_json: bool = AsJson,
) -> None:
    """Play a gate that fails in every way in front of a connector, and show that no call gets through.

    Point the connector at the address of --listen instead of at Callgate, with any key. Each fault is one trial: the
    kit has the connector try a call and asks whether it was placed. The first and the last trial are approved, and
    must be. The exit status is 0 when every trial is as it should be, 1 when one is not, 2 for a mistake in the
    command, and 3 when the connector could not be tried.
    """
    if (url is None) == (command is None):
        fail("name the connector's address, or --run a command", USAGE)
    host, separator, port = listen.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65_535:
        fail("--listen must be host:port", USAGE)

    from app.connectors.conformance.faulty_gate import FaultyGate
    from app.connectors.conformance.trials import TrialBroken, by_address, by_command, run_trials

    gate = FaultyGate(host.strip("[]"), int(port))
    try:
        gate.open()
    except OSError as error:
        fail(f"--listen {listen}: {error.strerror}", USAGE)
    try:
        if url is not None:
            attempt = by_address(url, patience)
        else:
            environment = {**os.environ, "CALLGATE_URL": gate.url, "CALLGATE_KEY": KEY}
            attempt = by_command(command or "", patience, environment)
        verdicts = list(run_trials(gate, attempt, slow))
    except ValueError as error:
        fail(f"the connector's address {error}", USAGE)
    except TrialBroken as error:
        fail(str(error), UNAVAILABLE)
    finally:
        gate.close()
    passed = all(verdict.passed for verdict in verdicts)
    if as_json:
        items = [
            {"fault": each.fault, "says": each.says, "outcome": each.outcome, "passed": each.passed}
            for each in verdicts
        ]
        print_json({"passed": passed, "trials": items})
    else:
        rows = [(each.fault, each.says, each.outcome, f"{each.seconds:.1f} s") for each in verdicts]
        print_rows(("the gate", "says", "the call", "after"), rows)
        typer.echo("no call got through" if passed else "NOT CONFORMANT")
    raise typer.Exit(0 if passed else 1)
