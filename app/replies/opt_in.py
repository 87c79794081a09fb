"""An opt-in is nothing but an opt-in: what lifts a person's STOP leaves no room for another reading."""

# ruff: noqa: E501 - a pattern is read best unbroken.

from __future__ import annotations

import re
import unicodedata

from app.replies.dress import without_signature
from app.replies.leading import asks
from app.replies.wording_files import Keywords, normal

_LONGEST = 200  # characters; who says more, says more than that
_COURTESY = re.compile(
    r"\b(?:please|pls|plz|thanks|thank you|thx|ty|now|ok|okay|kindly|hi|hello|hey|yes|por favor|gracias|s'il vous plait|svp|merci|bitte|danke|obrigad[oa]|per favore|grazie)\b"
)
_WORDING = re.compile(
    r"(?:i (?:want|wish|would like)(?: you)? to |i'd like to |i want you to )?(?:opt(?: me)?(?: back)? in|(?:re ?subscribe|subscribe me)|sign me (?:back )?up|add me back|start (?:texting|messaging|sending)(?: me)?|resume (?:the |your |my )?(?:messages|texts)|turn (?:the |your |my )?(?:texts|messages) back on)"
    r"(?: (?:to|for|on) (?:the |your |these |this |my )?(?:texts?|messages?|alerts|list|updates|reminders))?(?: again)?"
)


def is_opt_in(body: str, keywords: Keywords) -> str | None:
    """The folded keyword or wording, where the body is that and courtesy; None for anything more or else.

    A question, a negation, a name, a sign of refusal or another word: the STOP stays. What a telephone signs with
    ("Sent from my iPhone") is nobody's word, and is not looked at.
    """
    own = without_signature(body)
    if len(own) > _LONGEST or asks(own) or any(_says_more(sign, keywords) for sign in own):
        return None
    text = normal(own)
    for said in (text, " ".join(_COURTESY.sub(" ", text).split())):
        if said in keywords.opt_in or _WORDING.fullmatch(said):
            return said
    return None


def _says_more(sign: str, keywords: Keywords) -> bool:
    """Whether a sign beside the words may turn them round: anything drawn but a few friendly ones."""
    return (
        unicodedata.category(sign) in ("So", "Sm", "Sk", "Sc")
        and sign not in keywords.friendly
        and sign != "`"
    )
