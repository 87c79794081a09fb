"""What the roles of an issuer may do here, and in which account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.accounts.authenticate import SCOPES
from app.platform.outcomes import NotAllowed


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the issuer vouches for. ``subject`` is the issuer's own name of the person, for ever the same."""

    subject: str
    name: str
    account_id: UUID
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Roles:
    """Which claim names the roles, what each may do, which claim names the account, and the account without it."""

    claim: str
    scopes: Mapping[str, frozenset[str]]
    account_claim: str
    account: UUID | None

    def person(self, claims: Mapping[str, Any]) -> Person:
        """The person of an ID token's claims. Raises NotAllowed without a role that means something here."""
        named = _at(claims, self.claim)
        roles = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        scopes = frozenset[str]().union(*(self.scopes.get(str(role), frozenset()) for role in roles))
        if not scopes:
            raise NotAllowed(
                f"None of your roles opens Callgate: the claim {self.claim} names none that it knows."
            )
        account = self._account(_at(claims, self.account_claim))
        if account is None:
            raise NotAllowed(f"The claim {self.account_claim} names no account of Callgate's.")
        subject = str(claims["sub"])
        name = next(
            (str(claims[each]) for each in ("name", "preferred_username", "email") if claims.get(each)), ""
        )
        return Person(subject, (name or subject).replace("\x00", ""), account, scopes)

    def _account(self, named: object) -> UUID | None:
        """The account that the claim names, in a list by itself too, as issuers write what may have several values.

        Who has no such claim is of the account that is set for that. One that cannot be read is no account: it meant
        some other.
        """
        if named is None:
            return self.account
        one = named[0] if isinstance(named, list) and len(named) == 1 else named
        try:
            return UUID(one) if isinstance(one, str) else None
        except ValueError:
            return None


def read_roles(text: str) -> dict[str, frozenset[str]]:
    """``role=scope scope; role=scope``. Raises ValueError for a scope that there is not."""
    roles = {}
    for part in filter(None, (each.strip() for each in text.split(";"))):
        role, _, named = part.partition("=")
        scopes = frozenset(named.split())
        if not scopes or not scopes <= set(SCOPES):
            unknown = " ".join(sorted(scopes - set(SCOPES))) or "nothing"
            raise ValueError(
                f"CALLGATE_OIDC_ROLES: the role {role.strip()!r} may do {unknown}, which is no scope"
            )
        roles[role.strip()] = scopes
    return roles


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, else by its path, as realm_access.roles."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
