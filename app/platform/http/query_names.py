"""The names in a query: those that a route knows, those that may be given more than once, and no others."""

from __future__ import annotations

from collections import Counter
from typing import get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from app.platform.http.fields import MOST_FAULTS
from app.platform.http.problems import Problem
from app.platform.outcomes import FieldFault


def query_names(dependant: Dependant) -> frozenset[str] | None:
    """The query parameters of a route; None where it takes them as one model, which knows its own."""
    names: set[str] = set()
    for parameter in dependant.query_params:
        kind = parameter.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return None
        names.add(parameter.alias)
    for part in dependant.dependencies:
        more = query_names(part)
        if more is None:
            return None
        names |= more
    return frozenset(names)


def repeated_names(dependant: Dependant) -> frozenset[str]:
    """The query parameters that a route takes more than one of, those of a model."""
    kinds = [parameter.field_info.annotation for parameter in dependant.query_params]
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    fields = [each for model in models for each in model.model_fields.items()]
    return frozenset(name for name, field in fields if get_origin(field.annotation) is list)


def refuse_unknown(request: Request, known: frozenset[str] | None, repeated: frozenset[str]) -> None:
    """A misspelt filter would let everything through, and of two values only one would count, but of ``repeated``.

    ``known`` None: the parameters are a model's, which refuses by itself what it does not know.
    """
    given = Counter(name for name, _ in request.query_params.multi_items())
    faults = [
        FieldFault(
            name,
            "unknown parameter" if _is_unknown(name, known) else "must be given once",
            "",
            malformed=True,
        )
        for name, times in given.items()
        if _is_unknown(name, known) or (times > 1 and name not in repeated)
    ]
    if faults:
        raise Problem("bad-request", faults=faults[:MOST_FAULTS])


def _is_unknown(name: str, known: frozenset[str] | None) -> bool:
    return known is not None and name not in known
