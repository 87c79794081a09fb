"""GET /console/find: where the search box leads."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.trouble import ConsoleRoute
from app.console.typed import read_search
from app.console.visit import SignedIn, Visit

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)


@router.get("/find")
async def find(
    visit: Annotated[Visit, Depends(SignedIn())], q: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """To the number's sheet, the decision, or the decisions of numbers with those last digits."""
    typed = read_search(q)
    match typed.kind:
        case "number":
            return visit.go(f"/console/numbers/{quote(typed.value, safe='+')}")
        case "id":
            return visit.go(f"/console/decisions/{typed.value}")
        case "last digits":
            return visit.go(f"/console/numbers?ending={typed.value}")
        case _:
            return await visit.page(
                "found_nothing.html", "Nothing was found by that", 404, q=q, told=typed.value
            )
