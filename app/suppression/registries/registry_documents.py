"""A registry as it is sent, and the description of what is answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Words
from app.suppression.registries.store import REGION_PATTERN


class RegistryBody(Body):
    """What a registry is, and whom it binds."""

    kind: Literal["national_dnc", "state_dnc", "litigator", "reassigned", "custom"]
    region: Annotated[Words, Field(pattern=REGION_PATTERN)] | None = None
    applies_to: Annotated[list[Literal["call", "sms"]], Field(min_length=1, max_length=2)] = Field(
        default=["call", "sms"]
    )
    purposes: Annotated[list[Literal["marketing", "informational"]], Field(min_length=1, max_length=2)] = (
        Field(default=["marketing"])
    )
    max_age_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class RegistryDocument(documents.Document):
    """A registry and what is loaded."""

    name: str
    kind: str
    region: str | None
    applies_to: list[str]
    purposes: list[str]
    max_age_days: int | None
    version_date: str | None
    age_days: int | None
    days_left: int | None
    in_force: bool = Field(description="False until a list was loaded: it binds nobody then")
    stale: bool = Field(description="Past max_age_days: what it binds is refused with 503")
    numbers: int
    source: str
    loaded_at: str | None
    changed_at: str | None


class RegistryList(documents.Document):
    """Every registry."""

    items: list[RegistryDocument]
    next_cursor: str | None


class RegistryVersionDocument(documents.Document):
    """A full list that was loaded."""

    version_date: str = Field(
        description="The list's own date; of the newest changes where some were applied"
    )
    numbers: int
    loaded_at: str
    loaded_by: str | None = Field(description="The key; null for the command line")
    job_id: str
    changes_applied: int
    changed_at: str | None
    replaced_at: str | None
    in_force: bool


class RegistryVersions(documents.Document):
    """One page of a registry's versions, newest first."""

    items: list[RegistryVersionDocument]
    next_cursor: str | None
