"""Templates in the frame, and the files that they load: all ours, none from another host, nothing inline."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from app.console.display import FILTERS
from app.console.reasons import reason_of

_ROOM = Path(__file__).parent
_ASSETS = _ROOM / "assets"
_MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages load, under an address that changes with it, so that it may be kept for ever."""

    media_type: str
    body: bytes
    href: str


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Asset(_MEDIA[path.suffix], body, f"/console/assets/{digest}/{path.name}")


ASSETS: Mapping[str, Asset] = {
    path.name: _asset(path) for path in sorted(_ASSETS.iterdir()) if path.suffix in _MEDIA
}


def _environment() -> Environment:
    folders = sorted({path.parent for path in _ROOM.rglob("*.html")})
    made = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS)
    made.globals["reason_of"] = reason_of
    return made


_TEMPLATES = _environment()


def rendered(template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """The template's page under the console's strict policy: no script and no style but the two files of ours."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(context), status, dict(HEADERS))
