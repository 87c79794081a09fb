"""A look under every spelling of a line, which for nearly every number costs what a look under one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def under_every_spelling(select: Callable[[str], str], number_sql: str, others_sql: str | None) -> str:
    """A subquery in parentheses: the rows of ``select(number)`` for each spelling of a line.

    ``number_sql`` and ``others_sql`` are expressions of type text of an outer row: the number as it was asked for, and
    the further spellings as ``joined`` writes them; None where there never are any. Both branches compare with one
    number at a time, so that each look goes by the index of the whole key. A list of numbers would leave the planner
    the choice to read all that the account has, which it takes while it believes that to be little. Where there are
    no others, the second branch is not run.
    """
    if others_sql is None:
        return f"({select(number_sql)})"
    return f"""(
        {select(number_sql)}
        UNION ALL
        SELECT found.* FROM unnest(string_to_array({others_sql}, ' ')) AS spelled(number)
         CROSS JOIN LATERAL (SELECT * FROM ({select("spelled.number")}) AS one OFFSET 0) AS found
         WHERE {others_sql} IS NOT NULL
    )"""


def joined(others: Sequence[str]) -> str | None:
    """The further spellings of a line in one text, None where there are none."""
    return " ".join(others) or None
