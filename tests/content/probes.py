"""The rates at which texts that nobody tuned for are missed, and honest ones are blocked.

``python -m tests.content.probes`` prints them for the files of this folder, or for files of the same shape:
``python -m tests.content.probes BLOCK PASS``. Texts that the packs have since been written for say nothing of
unseen ones; docs/content.md has the rates of each round's first run.
"""

from __future__ import annotations

import sys

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy
from app.replies.classify import classify_inbound
from tests.content.texts import read

Texts = list[tuple[str, str]]


def blocking(scanner: ContentScanner, body: str, *, first_contact: bool = False) -> set[str]:
    """The rules that block the text for an account without a policy."""
    found = scanner.scan(body, AccountPolicy(), first_contact).findings
    return {finding.rule for finding in found if finding.severity == "block"}


def missed(scanner: ContentScanner, texts: Texts) -> Texts:
    """The texts that their rule does not block."""
    return [(rule, body) for rule, body in texts if rule not in blocking(scanner, body)]


def blocked(scanner: ContentScanner, texts: Texts) -> Texts:
    """The honest texts that are blocked, each with a rule that blocks it."""
    return [(min(rules), body) for _, body in texts if (rules := blocking(scanner, body))]


def misread(texts: Texts) -> Texts:
    """The inbound messages that are taken for an opt-out and are none, or the other way round."""
    return [
        (meaning, body)
        for meaning, body in texts
        if (classify_inbound(body).action == "opt_out") != (meaning == "opt_out")
    ]


def rate(name: str, wrong: Texts, texts: Texts) -> str:
    """One line, and the texts themselves below it."""
    lines = [f"{name}: {len(wrong)} of {len(texts)} ({len(wrong) / len(texts):.1%})"]
    return "\n".join([*lines, *(f"  {rule}: {body}" for rule, body in wrong)])


if __name__ == "__main__":
    block_file, pass_file = sys.argv[1:3] if len(sys.argv) > 2 else ("probes_block.txt", "probes_pass.txt")
    loaded = ContentScanner.load()
    forbidden, honest, inbound = read(block_file), read(pass_file), read("probes_inbound.txt")
    print(rate("forbidden, missed", missed(loaded, forbidden), forbidden))  # noqa: T201
    print(rate("honest, blocked", blocked(loaded, honest), honest))  # noqa: T201
    print(rate("inbound, misread", misread(inbound), inbound))  # noqa: T201
