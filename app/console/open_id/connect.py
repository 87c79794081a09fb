"""What a process needs to sign people in through an issuer, from what was set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from app.console.open_id.roles import Roles, read_roles

if TYPE_CHECKING:
    from app.console.open_id.sign_in import OpenId


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """The values of CALLGATE_OIDC_…"""

    issuer: str | None
    client_id: str
    client_secret: str | None
    roles: str
    roles_claim: str
    account_claim: str
    account: UUID | None


def open_id_of(given: IssuerSettings, secret: bytes, url: str) -> OpenId | None:
    """None where no issuer is set. Raises ValueError, a line, for roles that mean nothing, and without authlib."""
    if given.issuer is None:
        return None
    roles = Roles(given.roles_claim, read_roles(given.roles), given.account_claim, given.account)
    try:
        from app.console.open_id.issuer import Issuer
        from app.console.open_id.sign_in import OpenId
    except ImportError:
        raise ValueError(
            "CALLGATE_OIDC_ISSUER needs the package authlib: pip install 'callgate[oidc]'"
        ) from None
    issuer = Issuer(given.issuer, given.client_id, given.client_secret)
    return OpenId(issuer, roles, secret, f"{url.rstrip('/')}/console/sign-in/back")
