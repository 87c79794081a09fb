"""A dial plan that can fetch an address and compare what it gets: `ALLOW` and the intent's id, or a problem.

Whoever looks at the first word alone, or at the status alone, is told the same: there is no other 200 than an ALLOW,
and whatever else comes back begins with a brace.
"""

from __future__ import annotations

from app.connectors.asked_call import AskedCall


def line_of(asked: AskedCall) -> str | None:
    """The word and the id by which the end of the call is told; None where it is refused."""
    return f"ALLOW {asked.intent_id}\n" if asked.approved else None
