"""callgate mcp: Callgate's read-only questions for programs that speak the Model Context Protocol."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import typer

from app.platform.environment import USAGE, fail

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context
    from starlette.types import Receive, Scope, Send

LARGEST_BODY = 256 * 1024


def serve_tools(
    url: str = typer.Option(
        "http://127.0.0.1:8000", "--url", envvar="CALLGATE_URL", help="The running Callgate that is asked."
    ),
    http: bool = typer.Option(
        False, "--http", help="Streamable HTTP at /mcp instead of standard input and output."
    ),
    host: str = typer.Option("127.0.0.1", "--host", help="With --http: where to listen."),
    port: int = typer.Option(8765, "--port", min=1, max=65535, help="With --http: where to listen."),
    allow_host: list[str] = typer.Option(
        [],
        "--allow-host",
        help="With --http behind a proxy: a Host header that is taken, as gate.example.com.",
    ),
) -> None:
    """May I call, when, what is wrong with this text, why was this refused, on which lists is it: as read-only tools.

    On standard input and output the key is that of CALLGATE_KEY. With --http each caller presents a key of its own as
    bearer token, and CALLGATE_KEY is not looked at. Whichever it is, its scopes bind what the tools may ask.
    """
    try:
        import mcp.server.mcpserver  # noqa: F401
    except ImportError:
        fail("callgate mcp needs the package mcp: pip install 'callgate[mcp]'", USAGE)
    if http:
        asyncio.run(_over_http(url, host, port, allow_host))
        return
    key = os.environ.get("CALLGATE_KEY", "")
    if not key:
        fail("set CALLGATE_KEY to a key of the Callgate at --url", USAGE)
    from app.mcp.ask_gate import GateClient
    from app.mcp.read_only_tools import read_only_server

    asyncio.run(read_only_server(GateClient(url), lambda _: key).run_stdio_async())


async def _over_http(url: str, host: str, port: int, allowed: list[str]) -> None:
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    from app.mcp.ask_gate import GateClient
    from app.mcp.read_only_tools import read_only_server

    # A page in somebody's browser that made its own name point here is told by the Host and Origin that it sends.
    hosts = [*allowed, f"{host}:{port}", "127.0.0.1:*", "localhost:*", "[::1]:*"]
    security = TransportSecuritySettings(
        allowed_hosts=hosts,
        allowed_origins=[f"{scheme}://{each}" for each in hosts for scheme in ("http", "https")],
    )
    app = read_only_server(GateClient(url), _bearer).streamable_http_app(
        json_response=True,
        stateless_http=True,
        max_request_body_size=LARGEST_BODY,
        transport_security=security,
    )

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        """Nobody without a key: Callgate says whether it is one, with the first question."""
        if scope["type"] == "http" and not _key_in(dict(scope["headers"]).get(b"authorization", b"")):
            await send(
                {
                    "type": "http.response.start",
                    "status": 401,
                    "headers": [(b"www-authenticate", b"Bearer"), (b"content-type", b"application/json")],
                }
            )
            await send(
                {
                    "type": "http.response.body",
                    "body": b'{"error": "a Callgate key is wanted as bearer token"}',
                }
            )
            return
        await app(scope, receive, send)

    await uvicorn.Server(
        uvicorn.Config(door, host=host, port=port, log_level="warning", access_log=False, server_header=False)
    ).serve()


def _bearer(context: Context[Any, Any]) -> str:
    """The key that came with the request; the door has let none in without."""
    return _key_in((context.headers or {}).get("authorization", "").encode())


def _key_in(header: bytes) -> str:
    scheme, _, key = header.decode("latin-1").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip().startswith("cg_") else ""
