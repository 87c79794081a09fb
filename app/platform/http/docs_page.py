"""GET /docs: the API as a page of our own, made from its description, which needs nothing from another host."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.platform.http.error_pages import page

router = APIRouter(tags=["operation"])


@router.get("/docs", include_in_schema=False, response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """Every route with its parameters, its body and what it may answer."""
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
        + "".join(f"<h2>{html.escape(tag)}</h2>{''.join(found)}" for tag, found in groups.items())
        + "<h2>schemas</h2>"
        + "".join(_schema(name, schema) for name, schema in sorted(schemas.items()))
    )
    return page("The API", body)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(p['name'])}</code></td><td>{html.escape(p['in'])}"
        f"{', required' if p.get('required') else ''}</td><td>{html.escape(_kind(p.get('schema', {})))}</td>"
        f"<td>{html.escape(p.get('description', ''))}</td></tr>"
        for p in operation.get("parameters", [])
    )
    content = operation.get("requestBody", {}).get("content", {})
    takes = ", ".join(f"<code>{html.escape(media)}</code> {_reference(c)}" for media, c in content.items())
    answers = " · ".join(
        f"{html.escape(status)} {html.escape(response.get('description', ''))}"
        for status, response in operation.get("responses", {}).items()
    )
    return (
        f"<details><summary><code>{method.upper()} {html.escape(path)}</code> "
        f"{html.escape(operation.get('summary', ''))}</summary>"
        f"<p>{html.escape(operation.get('description', ''))}</p>"
        + (f"<table>{rows}</table>" if rows else "")
        + (f"<p>Takes {takes}</p>" if takes else "")
        + f'<p class="dim">{answers}</p></details>'
    )


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
