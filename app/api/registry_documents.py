"""A registry as it is sent and as it is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api import documents
from app.api.fields import Body, Words
from app.postgres.registries import REGION_PATTERN, Registry
from app.workflows.describe import rfc3339


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
    numbers: int
    stale: bool


class RegistryList(documents.Document):
    """Every registry."""

    items: list[RegistryDocument]
    next_cursor: None


def registry_document(registry: Registry) -> dict[str, Any]:
    """The registry with its age as of when it was read."""
    return {
        "name": registry.name,
        "kind": registry.kind,
        "region": registry.region,
        "applies_to": list(registry.applies_to),
        "purposes": list(registry.purposes),
        "max_age_days": registry.max_age_days,
        "version_date": registry.version_date.isoformat() if registry.version_date else None,
        "age_days": registry.age_days,
        "days_left": registry.days_left,
        "stale": registry.stale,
        "numbers": registry.numbers,
        "source": registry.source,
        "loaded_at": rfc3339(registry.loaded_at) if registry.loaded_at else None,
        "changed_at": rfc3339(registry.changed_at) if registry.changed_at else None,
    }
