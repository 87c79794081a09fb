"""GET /errors and /errors/{slug}: what each problem type means and what to do, for people and for machines."""

from __future__ import annotations

import html
import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from app.api import documents
from app.api.answers import json_response, prefers
from app.api.intents import writer_of
from app.api.problem_types import BY_NAME, TYPES, ProblemType
from app.workflows.outcomes import NotFound

router = APIRouter(prefix="/errors", tags=["errors"])

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5b6675; --line: #d9dee5; --page: #fff; --code: #f4f6f8; --mark: #0b6e4f }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --dim: #9aa6b5; --line: #333c48; --page: #14181d; --code: #1d232b; --mark: #4fc79a } }
body { margin: 0 auto; max-width: 46rem; padding: 2.5rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.6 system-ui, sans-serif }
h1 { font-size: 1.7rem; margin: 0 0 .25rem } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem } a { color: var(--mark) }
code, pre { font: .88rem/1.5 ui-monospace, monospace; background: var(--code); border-radius: 4px } code { padding: .1em .3em }
pre { padding: 1rem; overflow-x: auto; border: 1px solid var(--line) } .dim { color: var(--dim) }
table { border-collapse: collapse; width: 100%; margin-top: 1.5rem } th { text-align: left; color: var(--dim); font-weight: 500 }
td, th { padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
"""


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
    return _page(
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
        200: {**_RESPONSES[200], "model": TypeDocument},
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
    return _page(kind.title, body)


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


def _page(title: str, body: str) -> HTMLResponse:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)} · Callgate</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{html.escape(title)}</h1>{body}</main></body></html>"
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return HTMLResponse(page, headers={**_VARY, "Content-Security-Policy": policy})
