"""Looking before sending: what the content guardrail would say of a text."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.accounts.read_policy import current_policy
from app.content import ContentScanner, ScanResult, mask
from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, MessageBody
from app.platform.http.responses import json_response
from app.platform.http.verdict_json import json_of

router = APIRouter(prefix="/v1/content", tags=["looking ahead"], route_class=GuardedRoute)
# As for a preview: it says what posting the text would be answered with, to those who may post it.
MayWrite = Annotated[Caller, Depends(Requires("intents:write"))]


class ScanBody(Body):
    """A text."""

    body: MessageBody
    first_contact: bool = False


class ScannedSegments(documents.SegmentsDocument):
    """How the text is billed, and what makes it dear."""

    forced_by: list[str] = Field(description="The characters that forced UCS-2")
    suggestion: str | None = Field(description="The text in GSM-7, where its characters have an equivalent")
    dropped: list[str] = Field(description="The characters that the suggestion leaves out, as emoji")


class ScannedDocument(documents.Document):
    """Everything that was found, and how the text is billed."""

    blocked: bool
    findings: list[documents.FindingDocument]
    segments: ScannedSegments
    version: str


def scanned_document(result: ScanResult, version: str) -> dict[str, Any]:
    """The scan as answered. No card or social security number stands in it."""
    segments = result.segments
    return {
        "blocked": result.blocks,
        "findings": json_of(result.findings),
        "segments": {
            "encoding": segments.encoding,
            "units": segments.units,
            "count": segments.count,
            "forced_by": list(segments.forced_by),
            "suggestion": mask(segments.suggestion) if segments.suggestion is not None else None,
            "dropped": list(segments.dropped),
        },
        "version": version,
    }


@router.post(
    "/scan",
    summary="Ask what the content guardrail finds in a text",
    responses={200: {"model": ScannedDocument}, **documents.problems(body=True)},
)
async def post_scan(request: Request, caller: MayWrite, body: ScanBody) -> Response:
    """By the account's policy; always 200, whatever is found. Nothing of the text is kept."""
    found = await current_policy(services_of(request), caller)
    scanner: ContentScanner = request.app.state.scanner
    return json_response(
        scanned_document(scanner.scan(body.body, found.policy, body.first_contact), scanner.version)
    )
