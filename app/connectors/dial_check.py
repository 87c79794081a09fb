"""A dial plan that can fetch an address and compare what it gets: `ALLOW` and the intent's id, or `DENY` and why.

Whoever looks at the first word alone, or at the status alone, is told the same: there is no other 200 than an ALLOW.
What no verdict could be found for is a problem document, whose first character is a brace.
"""

from __future__ import annotations

from app.connectors.asked_call import AskedCall


def line_of(asked: AskedCall) -> str:
    """One line: the word, then the code where it is refused, then the id by which the end of the call is told."""
    words = ["ALLOW"] if asked.approved else ["DENY", asked.code]
    return " ".join([*words, asked.intent_id]).rstrip() + "\n"
