"""A registry as JSON, to whoever asks for it: over HTTP or at the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.instants import rfc3339
from app.suppression.registries.store import Registry


def describe_registry(registry: Registry) -> dict[str, Any]:
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
        "in_force": registry.in_force,
        "stale": registry.stale,
        "numbers": registry.numbers,
        "source": registry.source,
        "loaded_at": rfc3339(registry.loaded_at) if registry.loaded_at else None,
        "changed_at": rfc3339(registry.changed_at) if registry.changed_at else None,
    }


def describe_version(version: Mapping[str, Any]) -> dict[str, Any]:
    """A version as JSON."""
    return {
        "version_date": version["version_date"].isoformat(),
        "numbers": version["numbers"],
        "loaded_at": rfc3339(version["loaded_at"]),
        "loaded_by": str(version["loaded_by"]) if version["loaded_by"] else None,
        "job_id": str(version["job_id"]),
        "changes_applied": version["changes_applied"],
        "changed_at": rfc3339(version["changed_at"]) if version["changed_at"] else None,
        "replaced_at": rfc3339(version["replaced_at"]) if version["replaced_at"] else None,
        "in_force": version["in_force"],
    }
