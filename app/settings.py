"""The environment, read once into values. Only main, the command line and the migrations read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from app import clock

PREFIX = "CALLGATE_"
SECONDS_IN = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class SettingsError(Exception):
    """A setting that cannot be used; the message is one line for the person who starts the service."""


class RateLimit(BaseModel):
    """At most ``limit`` requests in any ``window_seconds``."""

    model_config = ConfigDict(frozen=True)
    limit: int
    window_seconds: int

    @classmethod
    def parse(cls, text: str) -> RateLimit:
        """Read ``6000/minute``; the unit is second, minute, hour or day."""
        match = re.fullmatch(r"([1-9]\d{0,8})/(second|minute|hour|day)", text)
        if match is None:
            raise ValueError("must look like 6000/minute (a unit of second, minute, hour or day)")
        return cls(limit=int(match[1]), window_seconds=SECONDS_IN[match[2]])


def _rate(text: str) -> str:
    RateLimit.parse(text)
    return text


def _url(*schemes: str) -> AfterValidator:
    def check(text: str) -> str:
        if not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError("must begin with " + " or ".join(f"{s}://" for s in schemes))
        return text

    return AfterValidator(check)


def _key(text: str) -> str:
    if not re.fullmatch(r"cg_[A-Za-z0-9_-]{16,200}", text):
        raise ValueError("must be cg_ and 16 to 200 letters, digits, - or _")
    return text


def _issuer(text: str) -> str:
    if text.startswith("http://") and urlsplit(text).hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("must begin with https:// unless it is on this machine")
    return text


Rate = Annotated[str, AfterValidator(_rate)]


class Settings(BaseModel):
    """Every setting, with its default. The field's name in capitals after ``CALLGATE_`` is the variable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=256)
    worker_silent_seconds: int = Field(default=10, ge=2, le=3600)
    reuse_port: bool = False
    database_url: Annotated[str, _url("postgresql", "postgres", "postgresql+asyncpg")] | None = None
    # A standby of it, for lists, exports and statistics: nothing is decided by what it says.
    database_read_url: Annotated[str, _url("postgresql", "postgres", "postgresql+asyncpg")] | None = None
    redis_url: (
        Annotated[
            str,
            _url(
                "redis",
                "rediss",
                "unix",
                "redis+cluster",
                "rediss+cluster",
                "redis+sentinel",
                "rediss+sentinel",
            ),
        ]
        | None
    ) = None
    data_dir: Path | None = None
    # Rule files in place of the packaged ones: a directory with what app/law/rules has.
    rules_dir: Path | None = None
    bootstrap_key: Annotated[str, AfterValidator(_key)] | None = None
    problem_type_base: Annotated[str, _url("http", "https")] = "https://api.trunx.io/errors"
    public_url: Annotated[str, _url("http", "https")] | None = None
    # What the console calls this installation, so that nobody takes one for the other.
    environment: str = Field(default="", max_length=40)
    # Where people of the console sign in with OpenID Connect, beside those who have a key.
    oidc_issuer: Annotated[str, _url("http", "https"), AfterValidator(_issuer)] | None = None
    oidc_client_id: str = Field(default="callgate", min_length=1, max_length=200)
    oidc_client_secret: str | None = None
    # role=scope scope; role=scope: what each of the issuer's roles may do here.
    oidc_roles: str = "callgate-admin=admin"
    oidc_roles_claim: str = "roles"
    oidc_account_claim: str = "callgate_account"
    # The account of those whose token has no such claim; without it they are refused.
    oidc_account: UUID | None = None
    default_channel_capacity: int = Field(default=100, ge=0, le=1_000_000)
    rate_limit_calls: Rate = "6000/minute"
    rate_limit_sms: Rate = "6000/minute"
    rate_limit_suppressions: Rate = "6000/minute"
    rate_limit_other: Rate = "6000/minute"
    max_body_bytes: int = Field(default=1 << 20, ge=1024, le=1 << 30)
    body_timeout_seconds: int = Field(default=30, ge=1, le=3600)
    stream_timeout_seconds: int = Field(default=60, ge=1, le=3600)
    # 16 CFR 310.5(a): sellers keep records of their calls for five years.
    decision_retention_days: int = Field(default=1827, ge=1, le=36500)
    # Where the files of months are that `callgate archive` moved out of Postgres; every process reads them there.
    archive_directory: str = ""
    # How long what has happened can be read and told.
    event_retention_days: int = Field(default=30, ge=4, le=3650)
    # Hosts, host:port, addresses and networks that webhooks may lead to beside the public Internet.
    webhook_allow: str = ""
    # The wait after the first try that failed; each further one is longer.
    webhook_retry_seconds: float = Field(default=5.0, ge=0.01, le=3600)
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    redis_timeout_ms: int = Field(default=100, ge=5, le=1900)
    database_timeout_ms: int = Field(default=1500, ge=50, le=1900)
    database_pool_size: int = Field(default=8, ge=1, le=200)
    # How far this process's clock may be from Postgres's before it decides nothing and sweeps nothing.
    clock_tolerance_ms: int = Field(default=5000, ge=500, le=60_000)
    # The private key that seals are signed with; in the data directory where none is named.
    seal_key_file: Path | None = None
    migrate_on_start: bool = True
    trusted_proxies: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables; raises SettingsError with one line naming each wrong variable."""
        try:
            clock.offset_of(environ)
        except clock.ClockMoved as moved:
            raise SettingsError(str(moved)) from None
        given = {
            name[len(PREFIX) :].lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and not name.startswith(PREFIX + "TEST_") and value != ""
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError(
                "; ".join(_sentence(e["loc"], e["type"], e["msg"]) for e in error.errors())
            ) from None

    def rate_limits(self) -> dict[str, RateLimit]:
        """The limits of each API class, per key."""
        return {
            "calls": RateLimit.parse(self.rate_limit_calls),
            "sms": RateLimit.parse(self.rate_limit_sms),
            "suppressions": RateLimit.parse(self.rate_limit_suppressions),
            "other": RateLimit.parse(self.rate_limit_other),
        }

    def own_url(self) -> str:
        """The absolute address of this service as its callers see it, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{host}:{self.port}"


def _sentence(location: tuple[int | str, ...], kind: str, message: str) -> str:
    variable = PREFIX + str(location[0]).upper()
    if kind == "extra_forbidden":
        return f"{variable}: no such setting"
    message = message.removeprefix("Value error, ").replace("Input should", "must").split(", unable to ")[0]
    return f"{variable}: {message}"
