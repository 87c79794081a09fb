"""What an inbound message means: a wish to be left alone, to be back, or to be helped.

Keywords are matched against the whole body after folding case, blanks and final punctuation (CTIA Messaging
Principles 5.1), in the languages of the biggest markets, and where a letter or two of them went wrong. Beyond the
keywords, 47 CFR 64.1200(a)(10) honours any wording that a reasonable person would take as a revocation of consent;
these are recognised by patterns over clauses. A clause that negates the wish ("don't stop"), limits it to an errand
("stop by tomorrow") or speaks of something else ("can't stop laughing") means nothing. In doubt between the two the
wish to be left alone wins only where the words are about messages, contact, a list or consent.

What was said in a call, as its transcript, is read in the same way.

Anybody can send a message. No pattern here takes more than linear time: words between two others are taken
one by one, each in one way only (`(?>...)`), and what is read is bounded before it is matched.
"""

# ruff: noqa: E501 - a pattern or a list of wordings is read best unbroken.

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.content.reading.fold import packaged_fold
from app.replies.dress import undressed
from app.replies.leading import LeadingKeyword
from app.replies.mistyped import is_mistyped, mended, undoubled
from app.replies.opt_in import is_opt_in
from app.replies.wording_files import (
    KEYWORDS_FILE,
    WORDINGS_FILE,
    accented,
    load_keywords,
    load_wordings,
    normal,
    version_of,
)

Action = Literal["opt_out", "opt_in", "help", "none"]
# Who was suppressed by a message follows from what is written in these files.
VERSION = version_of(Path(__file__), KEYWORDS_FILE, WORDINGS_FILE)

KEYWORDS = load_keywords()
_WORDINGS = load_wordings()
# What is certain, what is a wish unless something in its clause says otherwise, and what says so.
_CERTAIN, _WISHES, _NOT_A_WISH = _WORDINGS.certain, _WORDINGS.opt_out, _WORDINGS.none
# Words of politeness that change nothing about a keyword: "Stop please", "STOP now!!!", "ok stop".
_POLITE = re.compile(
    r"\b(?:please|pls|plz|plse|thanks|thank you|thx|ty|now|immediately|asap|ok|okay|kindly|right now|already|sir|just|hi|hello|hey|dude|bro|man|lol|guys|yall|fuck|fucking|damn"
    r"|por favor|gracias|porfa|ya|s'il vous plait|svp|stp|merci|bitte|danke|obrigad[oa]|per favore|grazie|aub|alsjeblieft|alstublieft|graag|prosze|lutfen|tolong|mohon|po|snalla|tack|takk|pozhaluysta|!+)\b"
)

_LONGEST = 10_000  # characters that are read: all that is handed in; of a longer transcript its beginning and its end
MAX_WORDS = 160  # characters of what was said that are kept
_DRAWN_OUT = re.compile(r"([a-z])\1\1")  # "stahhhp"
_MENDED_WORDS = 6
# "..., remove": a word by itself after the last comma.
_STOP_AT_LAST = re.compile(
    r",\s*(?:please |pls |just |so )?(?:stop|remove|unsubscribe|unsub)(?: me| now| please| pls| it)?\W*$"
)
# A bare "stop" at the head of a short message about nothing else.
_STOP_CLAUSE = re.compile(
    r"^(?:please |pls |plz |ok |i said |just |yes |no )*(?:stop|stopall|unsubscribe|cancel|quit|end|remove)(?: please| pls| all| now| it| this| already| immediately| me| us| sending| stuff| them| those| everything| that| these| thanks| thank you| stop)*$"
)
# "How do I stop ..." asks, unless what comes after it is about messages.
_ASKS_HOW = re.compile(
    r"\b(?=((?:how|can|could|do|will|would|should|did|does|is|are) (?:i|you|it|we|he|she|they|this)\b.{0,40}\b(?:stop|end|cancel|quit|remove)\b))"
)
_ABOUT_MESSAGES = re.compile(
    r"\b(?:text|messag|msg|contact|call|send|promo|spam|notif|alert|market|list|subscri)"
)
_ABOUT_CONTACT = re.compile(
    r"\b(?:text|txt|messag|msg|contact|call|send|spam|bother|harass|annoy|bug|pester|nag|disturb|solicit|stalk|advertis|market|promo|offer|push|notif|alert|blast|selling|hassl|robo|emailing|mailing me|writing|reaching|hitting|hounding|subscri|sms|list|crap|shit|bullshit|nonsense|junk|garbage)"
)
_CLAUSE_END = re.compile(r"[.!?;\n\r]+")
_HELP_WORDING = re.compile(
    r"^(?:i need help|help me|need help|more info|send info|ayuda|aide|more information|info please)$"
)


@dataclass(frozen=True, slots=True)
class InboundMeaning:
    """What an inbound message asks for, and the words that say so, as they were written."""

    action: Action
    keyword: str | None  # the keyword in upper case; None where it was said in other words
    words: str  # the body's own words, trimmed, at most 160 characters; empty for "none"


_LEADING = LeadingKeyword(KEYWORDS.leading, _POLITE, _ABOUT_CONTACT)


def classify_inbound(body: str, names: Sequence[str] = ()) -> InboundMeaning:
    """The meaning of an inbound message, or of what was said in a call. Never raises, whatever the text.

    ``names`` are the receiver's own: "CANCEL Acme" is no errand to Acme. Nothing but an opt-in is one: a question, a
    refusal or any further word in it lifts nothing.
    """
    body = _bounded(body)
    words = " ".join(body.split())[:MAX_WORDS]
    own = undressed(body)
    text = _bounded(normal(own))  # one character may fold to many
    keyword = _keyword(text)
    if keyword is not None:
        action: Action = "opt_out" if keyword in KEYWORDS.opt_out else "help"
        written = "opt-out" if keyword == "opt out" and "-" in packaged_fold()(body) else keyword
        return InboundMeaning(action, written.upper(), words)
    if _is_as_good_as_stop(own, text):
        return InboundMeaning("opt_out", None, words)
    wish = _wish_to_be_left_alone(body)
    if wish is not None:
        # Of a long one, as a transcript is, what is kept are the words that ask.
        said = words if len(body) <= MAX_WORDS else " ".join(wish.split())[:MAX_WORDS]
        return InboundMeaning("opt_out", None, said)
    leading = _LEADING.find(own, names)
    if leading is not None:
        return InboundMeaning("opt_out", leading.upper() if leading in KEYWORDS.opt_out else None, words)
    opt_in = is_opt_in(body, KEYWORDS)
    if opt_in is not None:
        return InboundMeaning("opt_in", opt_in.upper() if opt_in in KEYWORDS.opt_in else None, words)
    if _HELP_WORDING.match(text):
        return InboundMeaning("help", None, words)
    mistyped = mended(text, KEYWORDS.mended, KEYWORDS.never_mistyped, _MENDED_WORDS)
    if mistyped is not None and _wish_to_be_left_alone(mistyped) is not None:
        return InboundMeaning("opt_out", None, words)
    return InboundMeaning("none", None, "")


def _bounded(text: str) -> str:
    """What is read of a text: all of it, or its beginning and its end, which is where a wish stands."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}\n{text[1 - _LONGEST // 2 :]}"


def _without_politeness(text: str) -> str:
    return " ".join(_POLITE.sub(" ", text).split())


def _keyword(text: str) -> str | None:
    for candidate in (text, _without_politeness(text)):
        if candidate in KEYWORDS.opt_out or candidate in KEYWORDS.help:
            return candidate
    return None


def _is_as_good_as_stop(body: str, text: str) -> bool:
    """A word for it in any language, a sign, a literal wording, or a keyword with a letter gone wrong."""
    if not text:
        return any(sign in KEYWORDS.signs for sign in body)
    bare = _without_politeness(text)
    if text in KEYWORDS.whole or bare in KEYWORDS.whole or accented(body) in KEYWORDS.exact:
        return True
    if _DRAWN_OUT.search(bare) and undoubled(bare) in KEYWORDS.whole:
        return True
    if is_mistyped(bare, KEYWORDS.mistyped, KEYWORDS.never_mistyped):
        return True
    padded, joined = f" {text} ", text.replace(" ", "")
    return any(said in padded for said in KEYWORDS.spaced) or any(
        said in joined for said in KEYWORDS.unspaced
    )


def _wish_to_be_left_alone(body: str) -> str | None:
    """The words that ask, clause by clause: "Thanks, but please stop texting me. I moved" has one clause that counts."""
    for part in _CLAUSE_END.split(body):
        clause = _bounded(normal(part))  # one character may fold to many
        if not clause:
            continue
        if any(pattern.search(clause) for pattern in _CERTAIN):
            return part
        if _is_no_wish(clause):
            continue
        if _STOP_CLAUSE.match(clause) or any(pattern.search(clause) for pattern in _WISHES):
            return part
    last = _bounded(packaged_fold()(body)).rstrip()
    if _STOP_AT_LAST.search(last) is not None and not _is_no_wish(normal(last)):
        return last[-MAX_WORDS:]
    return None


def _is_no_wish(clause: str) -> bool:
    if any(pattern.search(clause) for pattern in _NOT_A_WISH):
        return True
    asked = max((found.end(1) for found in _ASKS_HOW.finditer(clause)), default=-1)
    if asked < 0:
        return False
    return not any(found.start() >= asked for found in _ABOUT_MESSAGES.finditer(clause))
