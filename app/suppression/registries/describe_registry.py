"""A registry as JSON, to whoever asks for it: over HTTP or at the command line."""

from __future__ import annotations

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
