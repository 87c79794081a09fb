"""What is suspicious about a link that is not the account's: a host that imitates, and weak signs that add up.

One weak sign proves nothing: honest senders have short paths, new endings and offers. Two together, of which one is
about how the link is written, hardly ever stand in an honest text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

from app.content.findings import Span
from app.content.packs.pack_loader import Severity
from app.content.signs.anybodys import Places
from app.content.signs.link import Link

_TOKEN = re.compile(r"[A-Za-z0-9]{5,16}")
_WORDS_IN_CASE = re.compile(r"(?>[A-Z]?[a-z]{3,16}+|[A-Z]{2,12}+(?![A-Za-z]))++\d{0,4}|\d+")
_DIGITS_WITHIN = re.compile(r"[a-z]{1,12}(\d{1,8})[a-z]{1,12}")
_ENDINGS_AS_LABELS = frozenset({"com", "gov", "net", "org"})
_SECURITY = (
    "verif", "secur", "login", "signin", "account", "alert", "update", "protect", "support", "refund", "confirm",
    "unlock", "auth", "claim", "track", "deliver", "redeliver", "parcel", "package", "billing", "payment", "debit",
    "notice", "restore", "recover", "fraud", "toll", "paying", "tax", "suspend", "message", "reactivat", "edd", "help",
)  # fmt: skip
LISTS = (
    "weak_endings", "free_hosts", "chat_hosts", "id_hosts", "common_names", "lures", "forms", "pay_links",
    "redirectors", "lures_to_forms",
)  # fmt: skip
# What a gateway between mail and texts puts before the message.
_MAIL_HEADER = re.compile(
    r"\s*(?:\(\d/\d\)\s*)?(?:FRM|Frm|FROM|From):[^\n]{0,200}?\s?(?:SUBJ|Subj|MSG):|\s*(?:SUBJ|FRM):"
)
_OPENING_LENGTH = 40  # characters in which a sender says who it is
_NAME_LENGTH = 4
_SHORT_NAME = 5  # letters; a shorter one stands in too many honest names


class LinkSigns:
    """The lists of the packs, compiled once."""

    def __init__(
        self,
        lists: Mapping[str, tuple[str, ...]],
        names: Mapping[str, tuple[str, ...]],
        rare_pairs: frozenset[str],
    ) -> None:
        self._weak_endings = frozenset(lists["weak_endings"])
        self._free = frozenset(lists["free_hosts"])
        self._chat = frozenset(lists["chat_hosts"])
        self._rare = rare_pairs
        self._well_known = frozenset(
            domain for domains in names.values() for domain in domains if "." in domain
        ).union(lists["id_hosts"])
        plain = set(lists["common_names"])
        self._distinct: dict[str, tuple[str, ...]] = {}
        self._common: dict[str, tuple[str, ...]] = {}
        for name, domains in names.items():
            joined = re.sub("[^a-z0-9]", "", name)
            into = self._common if joined in plain or len(joined) < _SHORT_NAME else self._distinct
            into[joined] = (*into.get(joined, ()), *domains)
        self._lure = _any_of(lists["lures"])
        self._forms, self._pay = Places(lists["forms"]), Places(lists["pay_links"])
        self._redirectors = Places(lists["redirectors"])
        self._lure_to_form = _any_of(lists["lures_to_forms"])

    def is_anybodys(self, body: str, link: Link) -> bool:
        """Whether it leads to a form, a pay link or a redirector, so that its host says nothing of whose it is."""
        shown = body[link.start : link.end]
        return any(places.have(link, shown) for places in (self._forms, self._pay, self._redirectors))

    def find(self, body: str, view: str, links: Iterable[Link]) -> list[Span]:
        """Findings over links that are not the account's own. ``view`` is the folded text without punctuation."""
        spans: list[Span] = []
        lure: bool | None = None
        for link in links:
            if self._imitates(link.host):
                spans.append(Span("link.imitation", link.start, link.end))
            chat = _is_at(link, self._chat) or "link.chat" in link.problems
            free = _is_at(link, self._free)
            shown = body[link.start : link.end]
            written, weak = self._signs(shown, link)
            label = link.registrable.split(".", 1)[0].replace("-", "")
            opening = view[: min(_OPENING_LENGTH, link.start)]
            if len(label) >= _NAME_LENGTH and label in "".join(filter(str.isalnum, opening)):
                written = weak = 0  # "ShipFast: your parcel ... shipfast.example/aB3kD9"
            if lure is None and (chat or free or written or weak):
                lure = self._lure.search(view) is not None
            for rule, holds in (("link.chat", chat), ("link.freehost", free)):
                if holds:
                    spans.append(Span(rule, link.start, link.end, "block" if lure else "warn"))
            if link.anybodys:
                spans.extend(self._at_anybodys(view, shown, link))
            if lure and not (
                written == 1 and shown.startswith("https://") and not self._is_random_host(label)
            ):
                weak += 1  # an offer beside a path of an honest sender's tracking proves nothing
            severity: Severity | None = None
            if written >= 2 or (written and weak):
                severity = "block"
            elif written or weak >= 2:
                severity = "warn"
            if severity is not None and not chat:
                spans.append(Span("link.suspect", link.start, link.end, severity))
        return spans

    def _at_anybodys(self, view: str, shown: str, link: Link) -> list[Span]:
        """A survey by a form and an invoice by a pay link are honest: they block beside what no form is asked for."""
        if self._redirectors.have(link, shown):
            return [Span("link.redirect", link.start, link.end)]
        rule = "link.pay" if self._pay.have(link, shown) else "link.form"
        lured = self._lure_to_form.search(view) is not None
        return [Span(rule, link.start, link.end, "block" if lured else "warn")]

    def is_suspect(self, body: str, view: str, link: Link) -> bool:
        """Whether the link is written as those are that are made for a day, or lures to an unlikely place."""
        written, weak = self._signs(body[link.start : link.end], link)
        return written > 0 or ((weak > 0 or _is_at(link, self._free)) and self._lure.search(view) is not None)

    def _signs(self, written: str, link: Link) -> tuple[int, int]:
        """How many signs are in how the link is written, and how many in what it is."""
        if not link.registrable or link.registrable in self._well_known:
            return 0, 0
        bare = re.sub(r"\A[a-zA-Z]+:/+", "", written)
        shown, _, path = bare.partition("/")
        label = link.registrable.split(".", 1)[0]
        strong = (
            self._is_random_host(label) + _is_odd_case(shown.split(":", 1)[0]) + self._is_random_path(path)
        )
        weak = (link.registrable.rsplit(".", 1)[-1] in self._weak_endings) + (
            "link.insecure" in link.problems
        )
        return strong, weak

    def _is_random_host(self, label: str) -> bool:
        """Letters that no name has: digits amid them, or pairs that words hardly have."""
        if label.startswith("xn--"):
            return False  # told of by link.idn where it is one to tell of
        within = _DIGITS_WITHIN.search(label)
        if within is not None and (within.group(1) not in ("2", "4") or len(label) <= 5):
            return True
        if not label.isascii() or len(label) < 5:
            return False
        odd = sum(a + b in self._rare for a, b in pairwise(label))
        return odd >= 2 or (odd == 1 and len(label) <= 6)

    def _is_random_path(self, path: str) -> bool:
        """One token of letters and digits, or of capitals amid small letters, that spells nothing."""
        token = path.rstrip("/").rpartition("/")[2]
        if not _TOKEN.fullmatch(token) or _WORDS_IN_CASE.fullmatch(token):
            return False
        kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" for c in token]
        return len(set(kinds)) >= 2 and sum(a != b for a, b in pairwise(kinds)) >= 2

    def _imitates(self, host: str) -> bool:
        """A host that bears a well-known name and is not that name's, or an ending where none belongs."""
        labels = host.removeprefix("www.").split(".")
        if any(label in _ENDINGS_AS_LABELS for label in labels[1:-2]):
            return True
        joined = (
            host.removeprefix("www.").rpartition(".")[0].replace("-", "").replace("0", "o").replace("1", "l")
        )
        for name, domains in self._distinct.items():
            if name in joined and not _owned(host, domains):
                return True
        pieces = re.split(r"[.\-]", host)
        rest = "".join(pieces[:-1])
        if any(word in rest for word in _SECURITY):
            return any(
                piece in self._common and not _owned(host, self._common[piece]) for piece in pieces[:-1]
            )
        return False


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(words, key=len, reverse=True))) + r")\b")


def find_mail_header(body: str) -> list[Span]:
    """The header of a mail gateway at the start of a text."""
    found = _MAIL_HEADER.match(body)
    return [Span("format.mail-header", found.start(), found.end())] if found is not None else []


def _owned(host: str, domains: Collection[str]) -> bool:
    return any(host == domain or host.endswith("." + domain) for domain in domains)


def _is_at(link: Link, hosts: Collection[str]) -> bool:
    return link.host in hosts or link.registrable in hosts or any(
        link.host.endswith("." + host) for host in hosts if host.endswith(link.registrable)
    )  # fmt: skip


def _is_odd_case(shown: str) -> bool:
    """Capitals in a host where no writer and no telephone puts them: ``nU711.iNfo``, ``gh196.COM``."""
    if shown.islower() or shown.isupper():
        return False
    name, _, ending = shown.rpartition(".")
    if ending.islower():
        return sum(map(str.isupper, name)) >= 2 and sum(map(str.isdigit, name)) >= 1
    return not (ending.istitle() and name.istitle())
