"""GET /errors and /errors/{slug}: what each problem type means and what to do, for people and for machines."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from app.platform.http import response_schemas as documents
from app.platform.http.problem_types import BY_NAME, TYPES, ProblemType
from app.platform.http.problems import writer_of
from app.platform.http.responses import json_response, prefers
from app.platform.outcomes import NotFound

router = APIRouter(prefix="/errors", tags=["errors"])

_STYLE = (Path(__file__).parent / "error_pages.css").read_text()
_STYLE_HASH = f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"


class TypeDocument(documents.Document):
    """What a problem type means."""

    type: str
    slug: str
    code: str
    status: int
    title: str
    meaning: str
    remedy: str
    retry: str


class TypeWithExample(TypeDocument):
    """What a problem type means, with a short example."""

    example: documents.ProblemDocument


class TypeList(documents.Document):
    """Every problem type."""

    items: list[TypeDocument]


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "By Accept: HTML or JSON"}
}


@router.get(
    "",
    summary="Every problem type",
    response_model=None,
    responses={**_RESPONSES, 200: {**_RESPONSES[200], "model": TypeList}},
)
async def list_types(request: Request) -> Response:
    """As a page, or as JSON."""
    if not _wants_html(request):
        return json_response({"items": [_document(request, kind) for kind in TYPES]}, headers=_VARY)
    rows = "".join(
        f'<tr><td>{kind.status}</td><td><a href="/errors/{kind.slug}">{kind.slug}</a></td>'
        f"<td>{html.escape(kind.title)}</td><td>{html.escape(kind.retry.split('.')[0].split(',')[0])}</td></tr>"
        for kind in TYPES
    )
    return page(
        "Problem types",
        "<p>Every error is a problem document (RFC 9457). Its member <code>type</code> names one of these; "
        "<code>docs</code> leads here.</p><table><thead><tr><th>Status</th><th>Type</th><th>Title</th>"
        f"<th>Try again?</th></tr></thead><tbody>{rows}</tbody></table>",
    )


@router.get(
    "/{slug}",
    summary="One problem type",
    response_model=None,
    responses={
        200: {**_RESPONSES[200], "model": TypeWithExample},
        **documents.problems("not-found", keyed=False),
    },
)
async def one_type(request: Request, slug: str) -> Response:
    """What it means, an example, what to do, whether to retry."""
    kind = BY_NAME.get(slug)
    if kind is None:
        raise NotFound("There is no such problem type; GET /errors lists them.")
    writer = writer_of(request)
    example = documents.example(slug, writer.type_base, writer.public_url)
    if not _wants_html(request):
        return json_response({**_document(request, kind), "example": example}, headers=_VARY)
    body = (
        f'<p class="dim">HTTP {kind.status} · <code>{kind.code}</code> · '
        f"<code>{html.escape(writer.type_base)}/{slug}</code></p>"
        f"<h2>What it means</h2><p>{html.escape(kind.meaning)}</p>"
        f"<h2>What to do</h2><p>{html.escape(kind.remedy)}</p>"
        f"<h2>Try again?</h2><p>{html.escape(kind.retry)}</p>"
        f"<h2>Example</h2><pre>{html.escape(json.dumps(example, indent=2))}</pre>"
        '<p><a href="/errors">All problem types</a></p>'
    )
    return page(kind.title, body)


_VARY = {"Vary": "Accept"}


def _wants_html(request: Request) -> bool:
    """Whether HTML is preferred over JSON; a client that does not say is a machine."""
    return prefers(request, "text/html", "application/json", "application/problem+json")


def _document(request: Request, kind: ProblemType) -> dict[str, Any]:
    return {
        "type": f"{writer_of(request).type_base}/{kind.slug}",
        "slug": kind.slug,
        "code": kind.code,
        "status": kind.status,
        "title": kind.title,
        "meaning": kind.meaning,
        "remedy": kind.remedy,
        "retry": kind.retry,
    }


def page(title: str, body: str, status: int = 200, *, script: str | None = None) -> HTMLResponse:
    """A page that loads nothing from another host; ``script``, a path of ours, is the only one that may run."""
    loaded = f'<script src="{script}" defer></script>' if script is not None else ""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/favicon.ico" type="image/svg+xml">'
        f"<title>{html.escape(title)} · Callgate</title><style>{_STYLE}</style>{loaded}</head>"
        f'<body><nav><a href="/">Callgate</a> <a href="/docs">API</a> <a href="/errors">Problems</a></nav>'
        f"<main><h1>{html.escape(title)}</h1>{body}</main></body></html>"
    )
    runs = "script-src 'self'; connect-src 'self'; " if script is not None else ""
    policy = (
        f"default-src 'none'; style-src {_STYLE_HASH}; img-src 'self'; {runs}"
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {**_VARY, "Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    return HTMLResponse(page, status, headers=headers)


def missing_page(request: Request) -> HTMLResponse | None:
    """The page of a wrong address, for whoever prefers one to a problem document."""
    if not _wants_html(request):
        return None
    body = (
        f"<p>There is nothing at <code>{html.escape(request.url.path[:200])}</code>.</p>"
        '<p><a href="/">Callgate</a> · <a href="/docs">the API</a> · '
        '<a href="/errors/not-found">what programs are told</a></p>'
    )
    return page("Not found", body, 404)
