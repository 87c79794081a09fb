"""What a process needs to sign people in through an issuer, from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.console.open_id.roles import roles_of
from app.settings import Settings, SettingsError

if TYPE_CHECKING:
    from app.console.open_id.sign_in import OpenId


def open_id_of(settings: Settings, secret: bytes, url: str) -> OpenId | None:
    """None where no issuer is set. Raises SettingsError for settings that cannot be used, or without authlib."""
    if settings.oidc_issuer is None:
        return None
    roles = roles_of(settings)
    try:
        from app.console.open_id.issuer import Issuer
        from app.console.open_id.sign_in import OpenId
    except ImportError:
        raise SettingsError(
            "CALLGATE_OIDC_ISSUER needs the package authlib: pip install 'callgate[oidc]'"
        ) from None
    issuer = Issuer(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret)
    return OpenId(issuer, roles, secret, f"{url.rstrip('/')}/console/sign-in/back")
