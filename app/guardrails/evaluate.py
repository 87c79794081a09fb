"""All guardrails over one intent: every reason is collected, none hides another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.guardrails.verdicts import PRECEDENCE, Check, Finding, Violation


@dataclass(frozen=True, slots=True)
class Verdict:
    """The guardrails' joint answer. It blocks when there is any violation."""

    checks: tuple[Check, ...]
    violations: tuple[Violation, ...]

    @property
    def blocked(self) -> bool:
        """Whether any guardrail refused."""
        return bool(self.violations)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the violations in order of precedence, each once."""
        return tuple(dict.fromkeys(violation.refusal.code for violation in self.violations))

    def joined_by(self, finding: Finding) -> Verdict:
        """This verdict with one guardrail more; a check of the same guardrail is replaced."""
        checks = [c for c in self.checks if c.guardrail != finding.check.guardrail]
        return combine(
            [*(Finding(c) for c in checks), Finding(finding.check)], self.violations + finding.violations
        )


_ORDER = {refusal: place for place, refusal in enumerate(PRECEDENCE)}
_GUARDRAILS = {
    name: place
    for place, name in enumerate(("suppression", "calling_window", "frequency", "content", "channel"))
}


def combine(findings: Iterable[Finding], violations: Iterable[Violation] = ()) -> Verdict:
    """The verdict of the findings, its checks and violations in the order of the contract."""
    found = list(findings)
    reasons = [*violations, *(violation for finding in found for violation in finding.violations)]
    return Verdict(
        tuple(sorted((f.check for f in found), key=lambda check: _GUARDRAILS[check.guardrail])),
        tuple(sorted(reasons, key=lambda violation: _ORDER[violation.refusal])),
    )
