"""Each promise of the README is in the table of its proofs, and each proof is a test that is there."""

from __future__ import annotations

import re

from tests.house.tree import CHECKOUT

PAGE = (CHECKOUT / "docs/promises.md").read_text(encoding="utf-8")
PROMISES = re.findall(
    r"^- \*\*(.+?)\.?\*\*",
    (CHECKOUT / "README.md")
    .read_text(encoding="utf-8")
    .partition("## What it promises")[2]
    .partition("\n## ")[0],
    re.MULTILINE,
)


def test_every_promise_of_the_readme_has_a_proof() -> None:
    assert len(PROMISES) > 6
    told = [row.partition(":")[0].strip() for row in re.findall(r"^\| (.+?) \|", PAGE, re.MULTILINE)]
    assert [promise for promise in PROMISES if not any(promise.startswith(each) for each in told)] == []


def test_every_proof_is_a_test_that_is_there() -> None:
    proofs = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(proofs) > 20
    missing = [
        f"{file}::{name}"
        for file, name in proofs
        if not (CHECKOUT / file).is_file() or (name and f"def {name}(" not in (CHECKOUT / file).read_text())
    ]
    assert missing == []
