"""GET / and GET /docs: what this is, and the API as pages of our own that one can try; nothing from another host."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from app.platform.http.error_pages import page
from app.platform.http.problems import writer_of

router = APIRouter(tags=["operation"])
_SCRIPT = (Path(__file__).parent / "docs_page.js").read_bytes()
_ICON = (Path(__file__).parent / "favicon.svg").read_bytes()
_KEPT = {"Cache-Control": "max-age=86400"}


@router.get("/", include_in_schema=False, response_class=HTMLResponse)
async def front(request: Request) -> HTMLResponse:
    """What answers here, and where to go on."""
    url = html.escape(writer_of(request).public_url)
    body = (
        "<p>Callgate is asked before a call or a text reaches a carrier. It approves, or it refuses with every reason "
        "and when to come back.</p>"
        f"<pre>curl -s {url}/v1/intents -H 'Authorization: Bearer cg_…' -H 'Content-Type: application/json' \\\n"
        '  -d \'{"type": "call", "to": "+14155551234", "from": "+12125550100"}\'</pre>'
        '<ul><li><a href="/console">The console</a>, for people, who sign in with a key</li>'
        '<li><a href="/docs">The API</a>, to read and to try</li>'
        '<li><a href="/errors">Every problem</a>, what it means and what to do</li>'
        '<li><a href="/openapi.json">/openapi.json</a>, for programs that make clients</li>'
        '<li><a href="/readyz">/readyz</a>, whether it can decide now</li></ul>'
        f'<p class="dim">Version {html.escape(request.app.version)}</p>'
    )
    return page("Callgate", body)


@router.get("/favicon.ico", include_in_schema=False)
async def favicon() -> Response:
    """The sign in a browser's tab."""
    return Response(_ICON, media_type="image/svg+xml", headers=_KEPT)


@router.get("/docs/try.js", include_in_schema=False)
async def script() -> Response:
    """Sends what the forms of /docs hold."""
    return Response(_SCRIPT, media_type="text/javascript", headers=_KEPT)


@router.get("/docs", include_in_schema=False, response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """Every operation with its parameters, its body, what it may answer, and a form to send it."""
    described: Mapping[str, Any] = request.app.openapi()
    groups: dict[str, list[str]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(method, path, operation))
    schemas = described.get("components", {}).get("schemas", {})
    body = (
        '<p>Machines read <a href="/openapi.json">/openapi.json</a>; every problem type has '
        '<a href="/errors">a page</a>. Everything under <code>/v1</code> takes '
        "<code>Authorization: Bearer cg_…</code>.</p>"
        "<label><span>API key, for the requests that you send from here; it is not kept</span>"
        '<input id="key" type="password" autocomplete="off" placeholder="cg_…"></label>'
        + "".join(f"<h2>{html.escape(tag)}</h2>{''.join(found)}" for tag, found in groups.items())
        + "<h2>schemas</h2>"
        + "".join(_schema(name, schema) for name, schema in sorted(schemas.items()))
    )
    return page("The API", body, script="/docs/try.js")


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    takes = ", ".join(f"<code>{html.escape(media)}</code> {_reference(c)}" for media, c in content.items())
    answers = " · ".join(
        f"{html.escape(status)} {html.escape(response.get('description', ''))}"
        for status, response in operation.get("responses", {}).items()
    )
    scope = operation.get("x-required-scope")
    return (
        f'<details id="{html.escape(operation["operationId"])}">'
        f"<summary><code>{method.upper()} {html.escape(path)}</code> "
        f"{html.escape(operation.get('summary', ''))}</summary>"
        f"<p>{html.escape(operation.get('description', ''))}</p>"
        + (f"<p>Scope <code>{html.escape(scope)}</code></p>" if scope else "")
        + (f"<p>Takes {takes}</p>" if takes else "")
        + _form(method, path, operation, content)
        + f'<p class="dim">{answers}</p></details>'
    )


def _form(method: str, path: str, operation: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    fields = "".join(map(_field, operation.get("parameters", [])))
    body = ""
    if content:
        media_type, told = next(iter(content.items()))
        text = json.dumps(told["example"], indent=2, ensure_ascii=False) if "example" in told else ""
        body = (
            f"<label><span>{html.escape(media_type)}</span>"
            f'<textarea data-body="{html.escape(media_type)}">{html.escape(text)}</textarea></label>'
        )
    return (
        f'<form data-method="{method.upper()}" data-path="{html.escape(path)}">{fields}{body}'
        '<button type="submit">Send</button><pre data-answer hidden></pre></form>'
    )


def _field(parameter: Mapping[str, Any]) -> str:
    name, place, schema = parameter["name"], parameter["in"], parameter.get("schema", {})
    told = " · ".join(
        filter(
            None, (place, "required" if parameter.get("required") else "", parameter.get("description", ""))
        )
    )
    shown = _PATHS.get(name, "") if place == "path" else ""
    return (
        f"<label>{html.escape(name)} <span>{html.escape(told)} · {html.escape(_kind(schema))}</span>"
        f'<input data-in="{html.escape(place)}" name="{html.escape(name)}" value="{html.escape(shown)}"></label>'
    )


_PATHS = {"number": "+14155551234", "name": "default", "region": "US-LA", "slug": "dnc-blocked"}


def _reference(content: Mapping[str, Any]) -> str:
    text = json.dumps(content.get("schema", {}))
    names = [part.split('"')[0] for part in text.split("#/components/schemas/")[1:]]
    links = (f'<a href="#{html.escape(name)}">{html.escape(name)}</a>' for name in dict.fromkeys(names))
    return " or ".join(links)


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    text = html.escape(json.dumps(schema, indent=2, ensure_ascii=False))
    safe = html.escape(name)
    return f'<details id="{safe}"><summary><code>{safe}</code></summary><pre>{text}</pre></details>'


def _kind(schema: Mapping[str, Any]) -> str:
    options = schema.get("anyOf") or [schema]
    return " or ".join(
        "/".join(map(str, option["enum"])) if "enum" in option else str(option.get("type", "any"))
        for option in options
        if option.get("type") != "null"
    )
