"""What an inbound message means: a wish to be left alone, to be back, or to be helped.

Keywords are matched against the whole body after folding case, blanks and final punctuation (CTIA Messaging
Principles 5.1). Beyond the keywords, 47 CFR 64.1200(a)(10) honours any wording that a reasonable person would
take as a revocation of consent; these are recognised by patterns over clauses. A clause that negates the wish
("don't stop"), limits it to an errand ("stop by tomorrow") or speaks of something else ("can't stop
laughing") means nothing. In doubt between the two the wish to be left alone wins only where the words are
about messages, contact, a list or consent.

Anybody can send a message. No pattern here takes more than linear time: words between two others are taken
one by one, each in one way only (`(?>...)`), and what is read is bounded before it is matched.
"""

# ruff: noqa: E501 - a pattern or a list of wordings is read best unbroken.

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.content.reading.fold import packaged_fold
from app.platform.files.digest import digest_of

Action = Literal["opt_out", "opt_in", "help", "none"]
# Who was suppressed by a message follows from what is written in this file.
VERSION = digest_of(Path(__file__))

OPT_OUT_KEYWORDS = frozenset(
    {
        "stop",
        "stopall",
        "stop all",
        "unsubscribe",
        "cancel",
        "end",
        "quit",
        "revoke",
        "optout",
        "opt out",
        "remove",
        "arret",
    }
)
OPT_IN_KEYWORDS = frozenset({"start", "unstop"})
HELP_KEYWORDS = frozenset({"help", "info"})
# Words of politeness that change nothing about a keyword: "Stop please", "STOP now!!!", "ok stop".
_POLITE = re.compile(
    r"\b(?:please|pls|plz|plse|thanks|thank you|thx|ty|now|immediately|asap|ok|okay|kindly|right now|already|sir|just|hi|hello|hey"
    r"|por favor|gracias|s'il vous plait|svp|merci|!+)\b"
)
# Said in a word or two that are no keyword of the list, and mean the same.
_AS_GOOD_AS_STOP = frozenset(
    {"alto", "parar", "pare", "baja", "cancelar", "desuscribir", "desabonner", "unsub", "unsubcribe", "unsuscribe", "stopp",
     "sotp", "stp", "stop stop", "stop stop stop", "stop it", "stop this", "end all", "quit it", "remove me", "cancel all",
     "opt me out", "optout all", "stop end", "stop quit", "stop unsubscribe", "text stop", "reply stop", "send stop",
     "no more", "remove number", "unsubscribing", "no mas", "darme de baja", "darse de baja", "dar de baja", "desuscribirme",
     "cancelar suscripcion", "detener", "salir", "paren", "desabonnement", "desinscription", "arreter", "arretez"}
)  # fmt: skip

_LONGEST = 1600  # characters of a message that are read for wordings, as many as a text of ten segments has
_FILLERS = 40  # words that may stand between "stop" and what is to stop
_CONTACT = (
    r"(?:text(?:s|ing)?|txt(?:s|ing)?|messag(?:e|es|ing)|msg(?:s|ing)?|contact(?:ing)?|call(?:s|ing)?|e ?mail(?:s|ing)?|sms"
    r"|spam(?:ming|s)?|bother(?:ing)?|harass(?:ing)?|bugging|pester(?:ing)?|bombard(?:ing)?|solicit(?:ing|ations?)?|promo(?:s|tions?)?"
    r"|alerts?|notifications?|reminders?|ads?|offers|advertis(?:ing|ements)|marketing|communications?)"
)
_SENDING = r"(?:text|txt|message|msg|contact|call|email|e mail|bother|spam|write|send|solicit|harass|reach out|disturb|notify|alert)"
_OPT_OUT_WORDING = [
    re.compile(pattern)
    for pattern in (
        rf"\b(?:stop|quit|cease|discontinue|end|halt|turn off|shut off|no more|no further|no future|enough with|enough of|done with|sick of|tired of|knock off)\b (?>(?:with|w|it|sending|all|of|the|these|those|this|any|your|ur|me|us|my|phone|to|more|stupid|constant|annoying|unwanted|\S+ing) ){{0,{_FILLERS}}}{_CONTACT}\b",
        rf"\b(?:do not|don't|dont|dnt|never|stop trying to|no longer|pls no|not to|cannot|you may not|quit trying to) (?:ever |please |want you to |wish you to |need you to |you |dare |like you to )*{_SENDING}\b(?: (?:or |and |nor )(?:to )?{_SENDING})*(?: (?:this|me|us|my|any|again|anymore|here|more)\b|$)",
        rf"\b(?:do not|don't|dont|no longer|didn't|did not|never) (?:want|wish|care|agree|consent|need|like|ask|asked|sign up|signed up|subscribe|authorize|like)\b(?: \S+){{0,6}}? {_CONTACT}\b",
        r"\b(?:take|remove|delete|drop|get|scratch|cross|strike|erase|scrub) (?:me|us|my (?:number|name|phone|cell|info|contact)|this number|this phone|number)\b(?: \S+){0,3}? (?:off|from|out of)\b(?! (?:hold|speaker|mute|the wait|wait))",
        r"\b(?:remove|delete|erase|lose|forget|block) (?:me|my (?:number|name|phone number|phone|info|contact info|data)|this number)\b",
        r"\b(?:unsubscribe|unsub|unenroll|deregister|unregister)\b|\bopt(?:ing)? (?:me |us |my number |this number |my phone )?out\b(?! (?:fee|form|option|deadline|period)s?\b)(?! of (?:the|a|an|my) (?!list|program|texts?|messages?|alerts?|service|subscription|sms|program))|\b(?:i|we) (?:have )?(?:already )?opted out\b(?: (?:already|before|twice|months|weeks|last|and|but|of (?:this|these|your|all|texts|messages|alerts|sms))|$)",
        r"\b(?:revoke|revoking|withdraw|withdrawing|rescind|retract|cancel|take back|discontinue|end|terminate) (?:my |all |any |prior |the |previous |this |these |those |your |such |future )*(?:consent|permission|subscription|authorization|opt ?in|messages|texts|alerts|notifications|sms)\b",
        r"\b(?:leave me alone|leave us alone|go away|lose my number|wrong number|you have the wrong|cease and desist|not interested(?: any ?more| at all| please| thanks| thank you| sorry| ever| in (?:receiving|getting|your|any|these|this|hearing|being))?$|(?:no longer|not) interested in (?:receiving|getting|hearing|being|your (?:texts?|messages?|offers?|services?|ads?|promotions?)|these|any)|not interested (?:stop|remove|take|don't|do not|so)|get lost|buzz off|fuck off|f off|piss off|no thanks stop|do not contact|put me on your do not|do not call list|dnc list|off (?:your|the|this) list)\b",
        r"\b(?:cancel|end|stop) (?:my |this |the |all )*(?:subscription|membership alerts|text alerts|sms alerts|service messages)\b",
        r"\bi(?:'m| am| want| would like| wish|'d like| need) (?:to )?(?:be removed|opt(?:ing)? out|unsubscribe|be taken off|be off|off this|stop (?:receiving|getting)|out of this list|to stop these)\b",
        r"\b(?:no mas|basta de|ya no) (?:mensajes|textos|sms|mandar|enviar|escribir)\b|\b(?:borrar|borren?|eliminar|eliminen?|quitar|quiten?) mi (?:numero|telefono|nombre|contacto)\b|\bdejen? de (?:enviar|mandar|escribir|molestar|llamar|textear)\w*|\b(?:quite|quita|borre|borra|elimine|elimina|saque|saca|remueva)me\b|\bno me (?:envies|mandes|escribas|llames|molestes|contactes|envien?|envíen?|manden?|escriban?|llamen?|molesten?|contacten?)\b|\b(?:quitenme|quítenme|borrenme|eliminenme|saquenme|sáquenme)\b|\bno (?:quiero|deseo) (?:mas |más |recibir )+",
        r"\b(?:arretez|arreter|cessez) (?:de |d'|les |vos |tous )*(?:m'|me |nous )?\s?(?:envoyer|ecrire|contacter|appeler|messages|textos|sms|harceler)\b|\bne (?:me|m') ?(?:contactez|envoyez|ecrivez|appelez) plus\b|\bplus de (?:messages|textos|sms)\b|\bje ne (?:veux|souhaite|desire) plus (?:recevoir|de|etre|vos)\b|\b(?:me|nous) (?:retirer|supprimer|desabonner|desinscrire|enlever) de (?:votre|vos|la|cette)\b|^(?:stop |svp |merci |s'il vous plait )*(?:arretez|cessez)(?: svp| merci| maintenant| s'il vous plait| ca| tout)*$|\b(?:desabonnez|desinscrivez|retirez|supprimez) moi\b|\bje (?:veux|souhaite) me (?:desabonner|desinscrire)\b",
        r"\b(?:stop|quit)(?: it)?(?:,| and| or)? (?:or (?:i|i'll|ill)|i (?:said|told|did|never|am|already)|asking|this now|spam|harass)\b",
        r"\b(?:stop|quit|cease) sending\b(?! (?:the |my |a |out )?(?:driver|drivers|bill|bills|mail|package|packages|technician|tech|invoice|invoices|order|statement|statements|paper|catalog|catalogs)\b)",
        rf"^no (?:more )?{_CONTACT}(?: {_CONTACT})?(?: (?:please|pls|thanks|thank you|ever|at all|here))*$|^(?:stop|unsubscribe) ?\d{{1,5}}$",
        rf"\b{_SENDING} (?:me|us|this number) no more\b|\b(?:don't|dont|do not) want any ?more of (?:this|these|those|it|your)\b",
        r"\b(?:no longer|don't|dont|do not|never) (?:want|wish|care) to (?:receive (?:these|this|them|those|any|anything|more|it)|get (?:these|them|those|any ?more)|hear from (?:you|u|ya|your|this|any of you|any of this))\b",
        r"\b(?:i'm|i am|im) unsubscribing\b",
        r"\b(?:darme|darse|dame|deme|denme|dar) de baja\b|\b(?:remuevan|quiten|borren|eliminen|saquen)me\b|\belimin(?:a|e|en) mi (?:numero|telefono|nombre|contacto)\b|\bcancel(?:ar|e|a|en) (?:mi |la )?su[bs]?scripcion\b",
        r"\bne plus (?:me |m'|nous )(?:contacter|envoyer|ecrire|appeler|texter|deranger|solliciter|importuner)\b|\b(?:enlevez|retirez|supprimez|effacez|otez)[ -](?:moi\b|mon (?:numero|nom|contact)\b)",
        r"\bno more of (?:these|this|your|those)\b|\bmake (?:it|this|them|these|these texts|these messages|the texts|the messages) stop\b|\b(?:report(?:ed|ing)?|blocked) (?:as |for )?spam\b",
        r"\bi(?:'d| would) (?:rather|prefer) (?:not|no longer|to not) (?:to )?(?:get|receive|be|hear|have)\b|^i want out(?: of this| of here| now)?$",
        r"\b(?:no|not have|don't have|dont have|never had|do not have|never gave|did not give|didn't give) (?:you |any |my |our )*(?:permission|consent|authorization) (?:to|for) (?:you to )?"
        rf"(?:{_SENDING}|use)\b",
    )
]
# "..., remove": a word by itself after the last comma.
_STOP_AT_LAST = re.compile(
    r",\s*(?:please |pls |just |so )?(?:stop|remove|unsubscribe|unsub)(?: me| now| please| pls| it)?\W*$"
)
# A bare "stop" at the head of a short message about nothing else.
_STOP_CLAUSE = re.compile(
    r"^(?:please |pls |plz |ok |i said |just |yes |no )*(?:stop|stopall|unsubscribe|cancel|quit|end|remove)(?: please| pls| all| now| it| this| already| immediately| me| us| sending| stuff| them| those| everything| that| these| thanks| thank you| stop)*$"
)
_NOT_A_WISH = [
    re.compile(pattern)
    for pattern in (
        r"\b(?:do not|don't|dont|never|please do not|won't|wont|can't|cant|cannot|couldn't|not|didn't|did not|no need to|why did(?: you| u)?|why'd you|when did you) (?:you )?(?:ever |want to |want you to |wanna |mean to |have to |trying to |wish to )?(?:stop|quit|end|unsubscribe|cancel|opt out|remove)\b",
        r"\bstop(?:ping|ped)? (?:by|in|at|over|for|off|sign|light|payment|watch|smoking|drinking|on my way|and (?:get|pick|grab|see)|to (?:get|pick|grab|see|visit|think))\b",
        r"\b(?:bus|truck|rest|pit|next|last|first|train|non|one) stop\b",
        r"^(?>.*?\b(?:what time|where)\b).*\bstop\b",
        r"\bcancel (?:my |the |this |our |your |tomorrow's |today's )*(?:appointment|appt|order|reservation|booking|visit|class|flight|room|delivery|table|lesson|meeting|ride|trip|plan)\b",
        r"\b(?:stop|cancel|end|quit)(?:s|ped)? (?:the |my )?(?:medication|meds|medicine|taking|treatment|pain|bleeding|job|lease)\b",
        r"\b(?:remove|take) (?:the |my )?(?:stitches|sutures|staples|item|onions|cheese|shoes)\b",
        r"\bkeep (?:the |these |them |sending|texting|it)",
        r"\b(?:do not|don't|dont) (?:text|call|message) (?:and|while|n) driv",
    )
]
# "How do I stop ..." asks, unless what comes after it is about messages.
_ASKS_HOW = re.compile(
    r"\b(?=((?:how|can|could|do|will|would|should|did|does|is|are) (?:i|you|it|we|he|she|they|this)\b.{0,40}\b(?:stop|end|cancel|quit|remove)\b))"
)
_ABOUT_MESSAGES = re.compile(
    r"\b(?:text|messag|msg|contact|call|send|promo|spam|notif|alert|market|list|subscri)"
)
_NEGATED = re.compile(r"\b(?:not|don't|dont|never)\b")
_CLAUSE_END = re.compile(r"[.!?;\n\r]+")
_PUNCTUATION = re.compile(r"[^\w' ]+|(?<!\w)'|'(?!\w)|_")
_OPT_IN_WORDING = re.compile(
    r"\b(?:opt(?: me)? (?:back )?in|re ?subscribe|subscribe me|sign me (?:back )?up|add me back|start (?:texting|messaging|sending)(?: me)?(?: again)?|resume (?:messages|texts)|turn (?:texts|messages) back on)\b"
)
_HELP_WORDING = re.compile(
    r"^(?:i need help|help me|need help|more info|send info|ayuda|aide|more information|info please)$"
)


@dataclass(frozen=True, slots=True)
class InboundMeaning:
    """What an inbound message asks for, and the words that say so, as they were written."""

    action: Action
    keyword: str | None  # the keyword in upper case; None where it was said in other words
    words: str  # the body's own words, trimmed, at most 160 characters; empty for "none"


def classify_inbound(body: str) -> InboundMeaning:
    """The meaning of an inbound message. Never raises, whatever the text."""
    words = " ".join(body.split())[:160]
    text = _normal(body)
    keyword = _keyword(text)
    if keyword is not None:
        action: Action = (
            "opt_out" if keyword in OPT_OUT_KEYWORDS else "opt_in" if keyword in OPT_IN_KEYWORDS else "help"
        )
        written = "opt-out" if keyword == "opt out" and "-" in packaged_fold()(body) else keyword
        return InboundMeaning(action, written.upper(), words)
    if text in _AS_GOOD_AS_STOP or _without_politeness(text) in _AS_GOOD_AS_STOP:
        return InboundMeaning("opt_out", None, words)
    if _asks_to_be_left_alone(body):
        return InboundMeaning("opt_out", None, words)
    if _OPT_IN_WORDING.search(text) and not _NEGATED.search(text):
        return InboundMeaning("opt_in", None, words)
    if _HELP_WORDING.match(text):
        return InboundMeaning("help", None, words)
    return InboundMeaning("none", None, "")


def _normal(text: str) -> str:
    """Folded, with single blanks and no punctuation but apostrophes and signs inside words."""
    folded = packaged_fold()(text)
    words = _PUNCTUATION.sub(" ", folded).split()
    if len(words) > 2 and all(len(word) == 1 for word in words):
        return "".join(words)  # "S T O P"
    return " ".join(words)


def _without_politeness(text: str) -> str:
    return " ".join(_POLITE.sub(" ", text).split())


def _keyword(text: str) -> str | None:
    for candidate in (text, _without_politeness(text)):
        if candidate in OPT_OUT_KEYWORDS or candidate in OPT_IN_KEYWORDS or candidate in HELP_KEYWORDS:
            return candidate
    return None


def _asks_to_be_left_alone(body: str) -> bool:
    """Clause by clause: "Thanks, but please stop texting me. I moved" has one clause that counts."""
    for part in _CLAUSE_END.split(body[:_LONGEST]):
        clause = _normal(part)[:_LONGEST]  # one character may fold to many
        if not clause or _is_no_wish(clause):
            continue
        if _STOP_CLAUSE.match(clause) or any(pattern.search(clause) for pattern in _OPT_OUT_WORDING):
            return True
    last = packaged_fold()(body[:_LONGEST])[:_LONGEST].rstrip()
    return _STOP_AT_LAST.search(last) is not None and not _is_no_wish(_normal(last))


def _is_no_wish(clause: str) -> bool:
    if any(pattern.search(clause) for pattern in _NOT_A_WISH):
        return True
    asked = max((found.end(1) for found in _ASKS_HOW.finditer(clause)), default=-1)
    if asked < 0:
        return False
    return not any(found.start() >= asked for found in _ABOUT_MESSAGES.finditer(clause))
