"""The page on the rules says what the packs say."""

from __future__ import annotations

from pathlib import Path

from app.content.packs.pack_loader import load_content_packs
from app.content.packs.packs_page import markdown_table, with_table

PAGE = Path(__file__).parents[2] / "docs" / "content.md"


def test_the_rules_table_is_in_step() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page, markdown_table(load_content_packs())), (
        "run: python -m app.content.packs.packs_page docs/content.md"
    )
