"""One question to a running Callgate, with the key of whoever asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx2
from mcp.server.mcpserver.exceptions import ToolError

TIMEOUT_SECONDS = 5.0
LARGEST_ANSWER = 1024 * 1024


class GateClient:
    """A running Callgate, by its address."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(
            base_url=url,
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
        )

    async def ask(
        self,
        key: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The document of a 200. Whatever else comes, or nothing, is a ToolError that says so in words."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, data = await self._once(key, method, path, query, body)
        except (httpx2.HTTPError, OSError, TimeoutError) as error:
            raise ToolError(
                f"Callgate gave no answer ({type(error).__name__}). Nothing is known: take it as a no."
            ) from None
        try:
            document = json.loads(data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise ToolError(f"What answered {status} is not Callgate. Take it as a no.")
        if status != httpx2.codes.OK:
            raise ToolError(_told(status, document))
        return document

    async def _once(
        self,
        key: str,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
    ) -> tuple[int, bytes]:
        asked = self._http.build_request(
            method, path, params=query, json=body, headers={"Authorization": f"Bearer {key}"}
        )
        response = await self._http.send(asked, stream=True)
        try:
            data = bytearray()
            async for piece in response.aiter_raw():
                data += piece
                if len(data) > LARGEST_ANSWER:
                    raise httpx2.DecodingError("an answer without an end")
        finally:
            await response.aclose()
        return response.status_code, bytes(data)


def _told(status: int, problem: Mapping[str, Any]) -> str:
    """The problem as a sentence or two: its code, its detail, each field that is at fault, and when to ask again."""
    lines = [f"{problem.get('code', status)}: {problem.get('detail', 'no reason was given')}"]
    for fault in problem.get("errors") or []:
        lines.append(f"{fault.get('field')} {fault.get('reason')}")
    if problem.get("retry_after"):
        lines.append(f"Ask again after {problem['retry_after']} s.")
    return " ".join(lines)
