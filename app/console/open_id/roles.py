"""What the roles of an issuer may do here, and in which account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.accounts.authenticate import SCOPES
from app.platform.outcomes import NotAllowed
from app.settings import Settings, SettingsError


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
        given = _at(claims, self.account_claim)
        try:
            account = UUID(given) if isinstance(given, str) else self.account
        except ValueError:
            account = None
        if account is None:
            raise NotAllowed(f"The claim {self.account_claim} names no account of Callgate's.")
        subject = str(claims["sub"])
        name = next(
            (str(claims[each]) for each in ("name", "preferred_username", "email") if claims.get(each)), ""
        )
        return Person(subject, name or subject, account, scopes)


def roles_of(settings: Settings) -> Roles:
    """As the settings have them. Raises SettingsError for a scope that there is not."""
    scopes = {}
    for part in filter(None, (each.strip() for each in settings.oidc_roles.split(";"))):
        role, _, named = part.partition("=")
        scopes[role.strip()] = frozenset(named.split())
        unknown = sorted(scopes[role.strip()] - set(SCOPES))
        if unknown or not scopes[role.strip()]:
            raise SettingsError(
                f"CALLGATE_OIDC_ROLES: the role {role.strip()!r} names no scope that there is: {' '.join(unknown)}"
            )
    return Roles(settings.oidc_roles_claim, scopes, settings.oidc_account_claim, settings.oidc_account)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, else by its path, as realm_access.roles."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
