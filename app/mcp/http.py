"""The tools over streamable HTTP: nobody comes in without a key, and the key goes on to Callgate with the question."""

from __future__ import annotations

import re
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from app.mcp.ask_gate import GateClient
from app.mcp.read_only_tools import read_only_server

LARGEST_BODY = 256 * 1024
_KEY = re.compile(rb"[Bb]earer +(cg_[A-Za-z0-9_-]{1,250}) *")


def tools_over_http(server: MCPServer[Any], host: str, port: int, allowed: list[str]) -> Starlette:
    """The server at /mcp, without sessions, by its own names alone.

    A page in somebody's browser that made a name of its own point here is known by the Host and Origin that it sends.
    """
    hosts = [*allowed, f"{host}:{port}", "127.0.0.1:*", "localhost:*", "[::1]:*"]
    return server.streamable_http_app(
        json_response=True,
        stateless_http=True,
        max_request_body_size=LARGEST_BODY,
        transport_security=TransportSecuritySettings(
            allowed_hosts=hosts,
            allowed_origins=[f"{scheme}://{each}" for each in hosts for scheme in ("http", "https")],
        ),
    )


async def serve_over_http(url: str, host: str, port: int, allowed: list[str]) -> None:
    """Serves until it is told to stop; ``allowed`` are further names that a Host header may say."""
    app = tools_over_http(read_only_server(GateClient(url), _bearer), host, port, allowed)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        """Nobody without a key: Callgate says whether it is one, with the first question."""
        if scope["type"] == "http" and not _key_in(dict(scope["headers"]).get(b"authorization", b"")):
            wanted = JSONResponse(
                {"error": "a Callgate key is wanted as bearer token"}, 401, {"WWW-Authenticate": "Bearer"}
            )
            await wanted(scope, receive, send)
            return
        await app(scope, receive, send)

    await uvicorn.Server(
        uvicorn.Config(door, host=host, port=port, log_level="warning", access_log=False, server_header=False)
    ).serve()


def _bearer(context: Context[Any, Any]) -> str:
    """The key that came with the request; the door has let none in without."""
    return _key_in((context.headers or {}).get("authorization", "").encode())


def _key_in(header: bytes) -> str:
    found = _KEY.fullmatch(header)
    return found[1].decode("ascii") if found else ""
