"""The state of the gate in one word, and what is behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.health.readiness import OK, Readiness
from app.intents.upkeep.watch_registries import standing_of
from app.suppression.registries.store import Registry


@dataclass(frozen=True, slots=True)
class GateState:
    """Whether the gate decides now, as people say it."""

    word: Literal["deciding", "degraded", "refusing"]
    why: str = ""


async def gate_state(readiness: Readiness) -> GateState:
    """What /readyz would say, in a line."""
    found = await readiness.look()
    wrong = [f"{name.capitalize()} {said}" for name, said in found.checks.items() if said != OK]
    if wrong:
        return GateState("refusing", "; ".join(wrong))
    registries = await readiness.registries() or ()
    stale = [_age(each) for each in registries if each.stale]
    if stale:
        return GateState("degraded", "; ".join(stale))
    near = [_age(each) for each in registries if each.in_force and each.name in _warned(registries)]
    return GateState("deciding", "; ".join(near))


def _age(registry: Registry) -> str:
    return f"list {registry.name} is {registry.age_days} of {registry.max_age_days} days old"


def _warned(registries: tuple[Registry, ...]) -> set[str]:
    return {each.name for each in registries if standing_of([each]).warnings}
