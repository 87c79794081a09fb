"""Whether seals follow one another and are signed by keys that are known: the same in the database and in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.evidence.proof.seal_body import BEGINNING, Seal, introduction_of, signed_of
from app.evidence.proof.signing import is_signed, key_id_of

# A round of sealing that was under way when the key was rotated ends with the key that it began with.
_ENDING = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key as it is known."""

    id: str
    public: bytes
    introduced_by: str | None = None
    introduction: bytes | None = None
    ended: str | None = None
    ended_at: datetime | None = None


class SealChain:
    """Takes seals in their order and says what is wrong with each."""

    def __init__(self, keys: Mapping[str, PublicKey], account_id: str, *, whole: bool) -> None:
        """``whole``: the first must be the account's first; else it may be any."""
        self._keys, self._account = keys, account_id
        self._number = 0 if whole else None
        self._previous: str | None = BEGINNING if whole else None
        self.used: dict[str, int] = {}  # keys by their ids, and the first seal of each

    def take(self, seal: Seal) -> tuple[dict[str, Any] | None, list[str]]:
        """What the seal says, if it can be read, and everything that is wrong with it."""
        wrong: list[str] = []
        try:
            said = seal.says()
        except ValueError as error:
            self._number, self._previous = seal.number, seal.hash
            return None, [str(error)]
        number = said["number"]
        if number != seal.number or said["account_id"] != self._account:
            wrong.append(f"seal {seal.number} says that it is seal {number} of account {said['account_id']}")
        if self._number is not None and number != self._number + 1:
            missing = (
                f"{self._number + 1}" if number == self._number + 2 else f"{self._number + 1} to {number - 1}"
            )
            wrong.append(f"the chain is broken: before seal {number} seal {missing} is missing")
        elif self._previous is not None and said["previous"] != self._previous:
            wrong.append(
                f"the chain is broken: seal {number} names another seal before it than the one that is there"
            )
        wrong += self._signature(seal, said)
        self._number, self._previous = number, seal.hash
        return said, wrong

    def _signature(self, seal: Seal, said: Mapping[str, Any]) -> Iterator[str]:
        key = self._keys.get(said["key"])
        if key is None:
            yield f"seal {seal.number} is signed with the key {said['key']}, which nobody knows"
            return
        self.used.setdefault(key.id, seal.number)
        if not is_signed(key.public, seal.signature, signed_of(seal.body)):
            yield f"the signature of seal {seal.number} is wrong"
        elif key.ended_at is not None and datetime.fromisoformat(said["made_at"]) > key.ended_at + _ENDING:
            yield f"seal {seal.number} is signed with the key {key.id} after that was {key.ended}"


def wrong_keys(keys: Mapping[str, PublicKey]) -> Iterator[str]:
    """What is wrong with the keys themselves."""
    for key in keys.values():
        if key_id_of(key.public) != key.id:
            yield f"the key {key.id} has another id than its bytes"
        if key.introduced_by is None:
            continue
        before = keys.get(key.introduced_by)
        if before is None or not is_signed(
            before.public, key.introduction or b"", introduction_of(key.public)
        ):
            yield f"the key {key.id} was not introduced by {key.introduced_by}"


def trusted_keys(keys: Mapping[str, PublicKey], trusted: Iterable[str]) -> set[str]:
    """Those keys, with those that they introduced, and so on."""
    known = set(trusted)
    for _ in keys:
        known |= {key.id for key in keys.values() if key.introduced_by in known}
    return known


def notes_on_keys(
    keys: Mapping[str, PublicKey], used: Mapping[str, int], trusted: frozenset[str]
) -> tuple[list[str], list[str]]:
    """What is to be known of the keys of a chain, and what is wrong by those that the asker trusts.

    Who trusts none is told which keys there are.
    """
    known = trusted_keys(keys, trusted)
    notes, wrong = [], []
    for place, key_id in enumerate(used):
        key = keys[key_id]
        how = (
            "the first" if key.introduced_by is None and place == 0 else f"introduced by {key.introduced_by}"
        )
        if key.introduced_by is None and place > 0:
            how = "introduced by nobody: the key before it was lost, or somebody else's hand is in this"
        ended = f", {key.ended}" if key.ended else ""
        notes.append(f"key {key_id}, from seal {used[key_id]} on: {how}{ended}")
        if trusted and key_id not in known:
            wrong.append(f"the key {key_id} is neither one of those that you trust nor introduced by one")
    return notes, wrong
