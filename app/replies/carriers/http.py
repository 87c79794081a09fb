"""A carrier's own webhook: its payload, its proof, and the reply in the form that it wants."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import IN_ADDRESS, GuardedRoute, Requires, presented_hash, services_of
from app.platform.http import response_schemas as documents
from app.platform.http.problems import CARRIER_PATH, writer_of
from app.platform.http.responses import response_of
from app.platform.outcomes import NotAllowed, NotFound
from app.replies.carriers.known import CARRIERS
from app.replies.carriers.twilio import FORM
from app.replies.carriers.webhook import WebhookRequest
from app.replies.http import TakenDocument, as_json
from app.replies.receive_webhook import receive_webhook

router = APIRouter(prefix=CARRIER_PATH, tags=["opt-outs"], route_class=GuardedRoute)
SCOPE = "inbound:write"
MayWrite = Annotated[Caller, Depends(Requires(SCOPE, "suppressions"))]


@router.post(
    "/{carrier}",
    summary="Hand in a message as its carrier posts it",
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The carrier's own payload, as it signed it",
            "content": {
                "application/json": {"schema": {"description": "An object; of Bandwidth a list"}},
                FORM: {"schema": {"type": "object", "additionalProperties": {"type": "string"}}},
            },
        },
        "parameters": [
            {
                "name": IN_ADDRESS,
                "in": "query",
                "required": False,
                "description": "The API key, where the carrier needs the Authorization header itself or sends none; "
                "only a key that carries inbound:write alone is taken here",
                "schema": {"type": "string", "maxLength": 253},
            }
        ],
    },
    responses={
        200: {"model": TakenDocument, "content": {"text/xml": {"schema": {"type": "string"}}}},
        **documents.problems("not-found", body=True),
    },
)
async def post_webhook(
    request: Request,
    caller: MayWrite,
    carrier: Annotated[
        str,
        Path(description="As in the policy's inbound.carriers", json_schema_extra={"enum": list(CARRIERS)}),
    ],
) -> Response:
    """As a message that is handed in by hand, for whoever the carrier's signature proves to be the carrier.

    The key is that of Bearer, the password of HTTP Basic, or `?key=` in the address that the carrier was given. 403
    where the policy names no secret of the carrier, and where the signature is missing, wrong, or older than five
    minutes. A message that comes again changes nothing. Whatever is no message that came in is answered `none`.
    """
    name = next((known for known in CARRIERS if known == carrier), None)
    if name is None:
        raise NotFound(f"No carrier is called so; there are {', '.join(CARRIERS)}.")
    if IN_ADDRESS in request.query_params and caller.scopes != {SCOPE}:
        raise NotAllowed(f"A key in an address must carry {SCOPE} and nothing else.")
    query = request.url.query
    webhook = WebhookRequest(
        url=writer_of(request).public_url + request.url.path + (f"?{query}" if query else ""),
        body=await request.body(),
        media_type=request.headers.get("content-type", "").partition(";")[0].strip().lower(),
        headers={name.lower(): value for name, value in request.headers.items()},
        user_info=_user_info(request.headers.get("authorization", "")),
        now=services_of(request).now(),
    )
    taken, reply = await receive_webhook(
        services_of(request), caller, presented_hash(request), name, webhook, as_json
    )
    if reply is not None:
        return Response(reply.body, media_type=reply.media_type)
    return response_of(as_json(taken))


def _user_info(header: str) -> str | None:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return None
