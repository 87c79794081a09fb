"""Signing in through an issuer of OpenID Connect."""
