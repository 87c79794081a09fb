"""Each refusal code in people's words: one sentence, one remedy, one colour, everywhere the same.

The colours have their names in ``assets/console.css``. Never colour alone: the letter and the word go with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.guardrail.refusals import PRECEDENCE


@dataclass(frozen=True, slots=True)
class Reason:
    """``word`` heads columns and chips, ``sentence`` completes "Refused: …", ``colour`` is the class in the styles."""

    code: str
    letter: str
    word: str
    sentence: str
    remedy: str
    colour: str


APPROVED = Reason("", "✓", "Approved", "Nothing spoke against it.", "", "approved")
_TOLD: Mapping[str, tuple[str, str, str, str, str]] = {
    "dnc-blocked": (
        "S",
        "Suppressed",
        "The number is on a list of people who must not be contacted.",
        "Take it out of the campaign. Only the person can undo an opt-out of theirs; a registry is lifted by a "
        "consent where the law says so.",
        "suppression",
    ),
    "consent-required": (
        "P",
        "No consent",
        "The law, or your policy, wants the person's consent first, and none that would do is known.",
        "Put the consent on record, or have the dialler present it with its evidence.",
        "consent",
    ),
    "tcpa-blocked": (
        "W",
        "Closed hours",
        "At that moment nobody may be contacted where the person is, or may be.",
        "Come back when the window opens. If the place is uncertain, tell what you know of it.",
        "window",
    ),
    "frequency-capped": (
        "F",
        "Too often",
        "The person had been contacted as often as the law, or your policy, allows.",
        "Wait until an earlier attempt has left the period.",
        "frequency",
    ),
    "abandonment-exceeded": (
        "A",
        "Abandoned calls",
        "The campaign had left more of its answered calls without an agent than your policy allows.",
        "Dial this campaign more slowly, or with more agents.",
        "abandonment",
    ),
    "content-blocked": (
        "T",
        "The text",
        "The text says something that carriers filter or fine.",
        "Change what is marked in the text.",
        "content",
    ),
    "channel-budget-exceeded": (
        "C",
        "No channel free",
        "Every channel of the pool was in use.",
        "Wait for calls to end, give back leases that are left over, or raise the pool's capacity.",
        "channel",
    ),
    "rate-limited": (
        "R",
        "Too fast",
        "The pool, or the sender, had begun as many a second as it may.",
        "Space the attempts, or raise the rate.",
        "channel",
    ),
}
REASONS: tuple[Reason, ...] = tuple(Reason(each.code, *_TOLD[each.slug]) for each in PRECEDENCE)
_BY_CODE = {reason.code: reason for reason in REASONS}


def reason_of(code: str | None) -> Reason:
    """The reason of a code, ``DNC_BLOCKED`` or ``dnc-blocked``; that of an approval for none."""
    return _BY_CODE[code.upper().replace("-", "_")] if code else APPROVED
