"""What a first message owes: the sender's name (CTIA Messaging Principles and Best Practices 5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

# "Acme Clinic: ...", "[Acme] ...", "This is Ann from Acme", "... - Acme". Looked at only while the account
# has configured no names of its own, and then on the text as it was written.
_OPENING = re.compile(r"\s*(?:\[(?P<bracket>[^\]\n]{2,40})\]|(?P<name>[^\W\d_][^:\n]{1,40}?)\s?:(?!//)\s)")
_INTRODUCED = re.compile(
    r"\b(?:this is|it's|it’s|from|with|at|by|c'est|ici|soy|somos|de parte de"
    r"|welcome to|bienvenidos? a|bienvenue chez)"
    r"\s+(?:the\s+|your\s+)?[^\W\d_a-z][\w&'’.-]+"
)
_SIGNED = re.compile(r"[\s.!](?:-|–|—|~)\s?[^\W\d_a-z][\w&'’. -]{1,30}\W*\Z")
_NO_NAME = frozenset(
    {"reminder", "hi", "hello", "hey", "alert", "notice", "update", "urgent", "fyi", "sale",
     "offer", "important", "attention", "final notice", "warning", "news", "new", "today", "now",
     "free", "deal", "bonus", "note",
     "p.s", "ps", "http", "https", "dear customer", "dear friend", "code", "your code", "re", "fw", "fwd",
     "aviso", "hola", "rappel", "bonjour", "recordatorio", "oferta", "winner", "congratulations", "www",
     "last chance", "act now", "limited time", "flash sale", "good news", "reply", "text", "call", "msg"}
)  # fmt: skip


def names_sender(body: str, view: str, names: Iterable[str]) -> bool:
    """Whether the text says who it is from.

    ``view`` is the folded text with punctuation as blanks; ``names`` are the account's, folded alike. An
    account without names is judged by whether the text opens, introduces or signs itself with one.
    """
    padded = f" {' '.join(view.split())} "
    configured = list(names)
    if configured:
        return any(f" {name} " in padded or f" {name}'s " in padded for name in configured)
    opening = _OPENING.match(body)
    if opening:
        name = (opening.group("bracket") or opening.group("name")).strip().casefold()
        if name not in _NO_NAME and name.split()[0].strip(",!") not in {
            "hi",
            "hello",
            "hey",
            "hola",
            "bonjour",
            "dear",
        }:
            return True
    return bool(_INTRODUCED.search(body) or _SIGNED.search(body))
