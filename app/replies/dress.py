"""What programs put around a person's own words: a subject's "Re:", a mail below, "Sent from my iPhone"."""

from __future__ import annotations

import re

# ruff: noqa: E501 - a pattern is read best unbroken.

# "Re: Fwd: STOP", in the mail programs' languages.
_SUBJECT = re.compile(
    r"\s{0,20}(?:(?:re|fwd?|aw|wg|rv|tr|rif|antw|sv|enc|res|odp|ynt|ilt)\s{0,3}:\s{0,20}){1,8}", re.I
)
# Where the mail that is answered begins.
_QUOTED = re.compile(
    r"^\s{0,8}(?:>|-{2,}\s{0,3}(?:original|forwarded|ursprung|message d'origine|mensaje original)"
    r"|(?:on|le|el|am|em|il) [^\n]{4,120}(?:wrote|ecrit|écrit|escribi[oó]|schrieb|escreveu|scritto)\s{0,3}:)",
    re.I | re.M,
)
# What a telephone or a mail program signs with: at the end, on a line of its own or after a dash.
_SIGNED = re.compile(
    r"(?:^|[\n\r]|(?<=[-\u2013\u2014|*~•.!(,])) {0,4}[-\u2013\u2014|*~•]{0,3} {0,4}"
    r"(?:sent (?:from|via|with|using|by|on)\b|get outlook for\b|sent securely\b|envoy[eé] (?:de|depuis|avec|à partir|a partir)\b"
    r"|enviado (?:desde|do|da|de|via|con)\b|enviada do\b|von mein\w* \w+ gesendet|gesendet (?:von|mit|mithilfe)\b"
    r"|inviato (?:da|dal|con)\b|verzonden (?:vanaf|met|via)\b|skickat fr[aå]n\b|sendt fra\b|wys[lł]ano z\b"
    r"|yahoo mail\b|this message was sent\b)[^\n\r]{0,80}\s{0,40}\Z",
    re.I,
)
_LAST_LINES = 200  # characters from the end in which a signature is looked for


def without_signature(body: str) -> str:
    """The body without what the telephone or the program put below it by itself."""
    kept = body.rstrip()
    at = max(0, len(kept) - _LAST_LINES)
    found = _SIGNED.search(kept, at)
    # What stands before the last lines is no signature: a search from there takes it for the start of a line.
    return kept if found is None else kept[: found.start()].rstrip(" \t\r\n-\u2013\u2014|*~•(")


def undressed(body: str) -> str:
    """The body without its subject's marks, the mail that it answers, and its program's signature."""
    subject = _SUBJECT.match(body)
    own = body if subject is None else body[subject.end() :]
    quoted = _QUOTED.search(own)
    if quoted is not None:
        own = own[: quoted.start()]
    return without_signature(own)
