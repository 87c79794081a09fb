"""callgate mcp: Callgate's read-only questions for programs that speak the Model Context Protocol."""

from __future__ import annotations

import asyncio
import os

import typer

from app.platform.environment import USAGE, fail


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
        from app.mcp.http import serve_over_http

        asyncio.run(serve_over_http(url, host, port, allow_host))
        return
    key = os.environ.get("CALLGATE_KEY", "").strip()
    if not key:
        fail("set CALLGATE_KEY to a key of the Callgate at --url", USAGE)
    from app.mcp.ask_gate import GateClient
    from app.mcp.read_only_tools import read_only_server

    asyncio.run(read_only_server(GateClient(url), lambda _: key).run_stdio_async())
