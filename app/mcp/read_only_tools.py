"""The five questions as tools. None of them takes, counts, records or changes anything, and no other tool is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field, ValidationError

from app import VERSION
from app.mcp.ask_gate import GateClient
from app.mcp.tool_answers import (
    ForeseenVerdict,
    NumberOnLists,
    OpenHoursAhead,
    RecordedDecision,
    TextFindings,
    ToolAnswer,
)

INSTRUCTIONS = """\
Callgate is asked before a call or a text message reaches a carrier. These tools look and never act: none of them
approves, places, sends, records or changes anything. A verdict "approved" of may_contact is a forecast, not a
permission; whoever dials asks Callgate itself at that moment. When a tool fails, nothing is known: take it as a no.
Numbers are E.164 with the plus sign (+14155551234); none is guessed from another spelling. Refusals carry a code, the
reason, and often next_allowed_at."""
Number = Annotated[
    str, Field(pattern=r"^\+[1-9][0-9]{1,14}$", description="E.164 with the plus sign, as +14155551234")
]
Kind = Annotated[Literal["call", "sms"], Field(description="A call or a text message")]
Purpose = Annotated[
    Literal["marketing", "informational"],
    Field(description="informational is bound by less; say it only where it is"),
]
Voice = Annotated[
    Literal["live", "prerecorded", "artificial"], Field(description="artificial: a synthetic or AI voice")
]
IntentId = Annotated[
    str, Field(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", description="The intent's id")
]
Label = Annotated[str | None, Field(max_length=64)]
Region = Annotated[str | None, Field(max_length=16, description="Where the person is: US-CA")]
PostalCode = Annotated[str | None, Field(max_length=16, description="Where the person is: a US ZIP")]
Answer = TypeVar("Answer", bound=ToolAnswer)
KeyOf = Callable[["Context[Any, Any]"], str]
_LOOKS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


def read_only_server(gate: GateClient, key_of: KeyOf) -> MCPServer[Any]:
    """A server with the five tools; ``key_of`` finds the key of whoever asks, whose scopes bind the answer."""
    server: MCPServer[Any] = MCPServer(
        "callgate", title="Callgate", version=VERSION, instructions=INSTRUCTIONS, log_level="WARNING"
    )

    @server.tool(title="May this number be contacted?", annotations=_LOOKS)
    async def may_contact(
        ctx: Context[Any, Any],
        to: Number,
        from_number: Annotated[
            str, Field(max_length=16, description="Caller id; for a text also a short code")
        ],
        kind: Kind = "call",
        text: Annotated[str | None, Field(max_length=1600, description="Of a text message")] = None,
        purpose: Purpose = "marketing",
        voice_type: Voice = "live",
        campaign: Label = None,
        subject: Label = None,
        region: Region = None,
        postal_code: PostalCode = None,
        at: Annotated[
            str | None, Field(max_length=40, description="An RFC 3339 instant; now when absent")
        ] = None,
    ) -> ForeseenVerdict:
        """What Callgate would decide about a call or a text, now or at an instant, with every reason and all checks.
        A forecast and no approval: it takes no channel and is not recorded. Needs the scope intents:write."""
        if (kind == "sms") != (text is not None):
            raise ToolError("A text message has a text, and a call has none.")
        intent = _said(
            type=kind, to=to, purpose=purpose, body=text, campaign=campaign, subject=subject, at=at,
            voice_type=voice_type if kind == "call" else None,
            recipient=_said(region=region, postal_code=postal_code) or None,
        )  # fmt: skip
        intent["from"] = from_number
        found = await gate.ask(key_of(ctx), "POST", "/v1/intents/preview", body=intent)
        return _read(ForeseenVerdict, found)

    @server.tool(title="When may this number be contacted?", annotations=_LOOKS)
    async def calling_windows(
        ctx: Context[Any, Any],
        number: Number,
        kind: Kind = "call",
        purpose: Purpose = "marketing",
        days: Annotated[int, Field(ge=1, le=14)] = 3,
        region: Region = None,
        postal_code: PostalCode = None,
    ) -> OpenHoursAhead:
        """The open hours of the coming days in UTC and local time, with the rules, their citations, and why each time
        zone was considered. Needs the scope intents:read."""
        query = _said(type=kind, purpose=purpose, days=days, region=region, postal_code=postal_code)
        found = await gate.ask(key_of(ctx), "GET", f"/v1/calling-windows/{number}", query=query)
        return _read(OpenHoursAhead, found)

    @server.tool(title="What is wrong with this text?", annotations=_LOOKS)
    async def scan_text(
        ctx: Context[Any, Any],
        text: Annotated[str, Field(min_length=1, max_length=1600)],
        first_contact: Annotated[
            bool, Field(description="Whether it is the first text to this person")
        ] = False,
    ) -> TextFindings:
        """What the content guardrail finds in a text message: each finding with its place, why it matters and what
        would make the text pass. Sends nothing. Needs the scope intents:write."""
        body = {"body": text, "first_contact": first_contact}
        return _read(TextFindings, await gate.ask(key_of(ctx), "POST", "/v1/content/scan", body=body))

    @server.tool(title="Why was this refused?", annotations=_LOOKS)
    async def explain_decision(ctx: Context[Any, Any], intent_id: IntentId) -> RecordedDecision:
        """A decision as it was recorded, approved or blocked, with every reason, all checks, and the versions of the
        rules it was made with. Needs the scope intents:read, or the key that made the intent."""
        return _read(RecordedDecision, await gate.ask(key_of(ctx), "GET", f"/v1/intents/{intent_id}"))

    @server.tool(title="On which lists is this number?", annotations=_LOOKS)
    async def look_up_number(ctx: Context[Any, Any], number: Number) -> NumberOnLists:
        """Whether the number is a possible one, whether it must not be contacted, and by which entry or registry.
        Needs the scope suppressions:read."""
        found = await gate.ask(key_of(ctx), "POST", "/v1/suppressions/lookup", body={"numbers": [number]})
        listed = found.get("items")
        if not isinstance(listed, list) or len(listed) != 1:
            raise ToolError("What answered is not Callgate.")
        stale = found.get("stale_registries") or []
        return _read(NumberOnLists, {**listed[0], "stale_registries": stale})

    return server


def _read(kind: type[Answer], document: dict[str, Any]) -> Answer:
    """The document as an answer; one that is none of Callgate's is told without a word of what stands in it."""
    try:
        return kind.model_validate(document)
    except ValidationError:
        raise ToolError("What answered is not Callgate. Take it as a no.") from None


def _said(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
