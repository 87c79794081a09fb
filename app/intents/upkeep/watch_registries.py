"""How the registries stand: which bind nobody yet, which will be too old soon, and which are."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from app import telemetry
from app.events.store import write_stale_registry
from app.intents.services import Services
from app.suppression.registries.store import Registry, list_registries

log = logging.getLogger("callgate.registries")


@dataclass(frozen=True, slots=True)
class Standing:
    """What is to be said of the registries. ``checks``: by name, of those that are not as they should be."""

    checks: dict[str, str]
    warnings: tuple[str, ...]
    degraded: bool  # some intents are refused with 503, since a list is too old


async def read_registries(services: Services) -> None:
    """Watch them without being asked, and tell of those that are too old. Raises PostgresUnavailable."""
    found = await services.database.run(
        lambda connection: list_registries(connection, services.now()), may_run_twice=True
    )
    watch_registries(services, found)
    for registry in found:
        if registry.stale:
            async with services.database.begin() as connection:
                await write_stale_registry(connection, registry.name, services.now())


def watch_registries(services: Services, found: Sequence[Registry] | None) -> Standing:
    """Set the metrics by the registries, and log what was not logged before. None: they could not be read."""
    if found is None:
        return Standing({}, (), False)
    telemetry.note_registries(
        in_force={each.name: int(each.in_force) for each in found},
        age_days={each.name: each.age_days for each in found if each.age_days is not None},
        days_left={each.name: each.days_left for each in found if each.days_left is not None},
    )
    standing = standing_of(found)
    # A warning that counts days is another one tomorrow, and so is told every day, once a process.
    for warning in standing.warnings:
        if warning not in services.registry_warnings:
            log.warning("%s", warning)
    services.registry_warnings = frozenset(standing.warnings)
    return standing


def standing_of(registries: Sequence[Registry]) -> Standing:
    """Warns from the last quarter of ``max_age_days`` on."""
    checks: dict[str, str] = {}
    warnings: list[str] = []
    for registry in registries:
        if not registry.in_force:
            checks[registry.name] = "not in force"
            warnings.append(
                f"the registry {registry.name} was never loaded: it is not in force and binds nobody"
            )
        elif registry.stale:
            checks[registry.name] = "too old"
            warnings.append(f"the registry {registry.name} is too old: what it binds is refused with 503")
        elif registry.days_left is not None and registry.days_left <= max(
            1, (registry.max_age_days or 0) // 4
        ):
            warnings.append(f"the registry {registry.name} will be too old in {registry.days_left} days")
    return Standing(checks, tuple(warnings), any(each.stale for each in registries))
