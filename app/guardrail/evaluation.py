"""All guardrails over one intent: every reason is collected, none hides another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.guardrail.refusals import PRECEDENCE, Check, Finding, Violation


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

    def with_result(self, finding: Finding) -> Verdict:
        """This verdict with one guardrail more; a check of the same guardrail is replaced."""
        name, check = finding.check.guardrail, finding.check
        checks = [check if one.guardrail == name else one for one in self.checks]
        if check not in checks:
            checks.append(check)
        return _in_order(checks, [*self.violations, *finding.violations])


_ORDER = {refusal: place for place, refusal in enumerate(PRECEDENCE)}
_GUARDRAILS = {
    name: place
    for place, name in enumerate(
        ("suppression", "calling_window", "frequency", "abandonment", "content", "channel")
    )
}


def combine(findings: Iterable[Finding], violations: Iterable[Violation] = ()) -> Verdict:
    """The verdict of the findings, its checks and violations in the order of the contract."""
    found = list(findings)
    reasons = [*violations]
    for finding in found:
        reasons += finding.violations
    return _in_order([finding.check for finding in found], reasons)


def _in_order(checks: list[Check], reasons: list[Violation]) -> Verdict:
    checks.sort(key=lambda check: _GUARDRAILS[check.guardrail])
    reasons.sort(key=lambda violation: _ORDER[violation.refusal])
    return Verdict(tuple(checks), tuple(reasons))
