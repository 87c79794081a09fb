"""Every problem type of the contract: its slug, status and title, and what its page tells a person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One type. ``meaning``, ``remedy`` and ``retry`` are the prose of its page."""

    slug: str
    status: int
    title: str
    detail: str
    meaning: str
    remedy: str
    retry: str

    @property
    def code(self) -> str:
        """The slug in upper snake case."""
        return self.slug.replace("-", "_").upper()


_UNCHANGED = "No. The same request will be refused again; change it first."

TYPES: tuple[ProblemType, ...] = (
    ProblemType(
        "bad-request",
        400,
        "Bad Request",
        "Request body or query parameters are invalid.",
        "The request could not be read: malformed JSON, a field of the wrong JSON type, a number that is not in "
        "E.164 format, or a query parameter that makes no sense.",
        "Look at errors: each entry names one field and what it must look like. Numbers begin with a plus sign and "
        "the country code, as +14155551234.",
        _UNCHANGED,
    ),
    ProblemType(
        "unauthorized",
        401,
        "Unauthorized",
        "No API key was provided.",
        "There was no API key, or the key is unknown, expired or revoked.",
        "Send the header Authorization: Bearer cg_… with a key that is in force. A new one is made with "
        "POST /v1/api-keys by a key that has the scope admin.",
        "No, not with the same key.",
    ),
    ProblemType(
        "forbidden",
        403,
        "Forbidden",
        "The API key lacks the scope that this action needs.",
        "The key is good but may not do this. The detail names the scope that is missing.",
        "Use a key that carries the scope, or have one made. A key can only hand out scopes that it has itself.",
        "No, not with the same key.",
    ),
    ProblemType(
        "not-found",
        404,
        "Not Found",
        "The requested resource was not found.",
        "No such path, or nothing of your account has that id. What belongs to another account answers the same.",
        "Check the path and the id.",
        _UNCHANGED,
    ),
    ProblemType(
        "method-not-allowed",
        405,
        "Method Not Allowed",
        "This resource does not support the request's method.",
        "The path exists, but not with this method. The header Allow lists the methods that it has.",
        "Use one of the methods in Allow.",
        _UNCHANGED,
    ),
    ProblemType(
        "conflict",
        409,
        "Conflict",
        "The action conflicts with the present state.",
        "What you ask for does not fit what is there now: an entry that exists already, a pool that is in use, a "
        "lease that has expired, an Idempotency-Key whose first request is still running.",
        "Read the detail. For a running Idempotency-Key wait a moment; for an existing entry use PUT to change it.",
        "Only after the state has changed; for a running Idempotency-Key after about a second.",
    ),
    ProblemType(
        "gone",
        410,
        "Gone",
        "The decision's retention has passed.",
        "The decision was recorded, and has been deleted with its month when its retention ended.",
        "Export decisions that you must keep longer before their retention ends.",
        "No.",
    ),
    ProblemType(
        "payload-too-large",
        413,
        "Payload Too Large",
        "The request body is larger than this route takes.",
        "The body is over the limit; it was refused before it was read whole.",
        "Send less at once. Long lists go to the import routes, which stream bodies of any length.",
        _UNCHANGED,
    ),
    ProblemType(
        "unsupported-media-type",
        415,
        "Unsupported Media Type",
        "The request body must be application/json.",
        "The body's Content-Type is not one that this route reads.",
        "Send Content-Type: application/json, or the type that the route's description names.",
        _UNCHANGED,
    ),
    ProblemType(
        "validation-error",
        422,
        "Validation Error",
        "Input validation failed.",
        "The request is well-formed but cannot be used: a field is missing or unknown, an area code is not in "
        "service, a value is out of its range, or an Idempotency-Key was used before with another body.",
        "Look at errors: each entry names one field, and all of them are listed at once.",
        _UNCHANGED,
    ),
    ProblemType(
        "rate-limited",
        429,
        "Too Many Requests",
        "Rate limit exceeded.",
        "The key has used up its requests for this class of calls, or a pool or a sender has reached its rate per "
        "second.",
        "Wait as long as Retry-After says. The fields RateLimit and RateLimit-Policy tell how much is left.",
        "Yes, after Retry-After seconds, with the same Idempotency-Key if you sent one.",
    ),
    ProblemType(
        "dnc-blocked",
        403,
        "DNC Blocked",
        "The number is on the suppression list and cannot be contacted.",
        "The destination is suppressed: it stands on your account's own list, or in a registry such as the "
        "national do-not-call list. violations says which, since when and why.",
        "Take the number out of your campaign. Remove it from the list only if the person has opted back in; a "
        "registry hit is lifted by a consent on record where the law names that exemption.",
        "No. It will be refused until the entry is gone.",
    ),
    ProblemType(
        "consent-required",
        403,
        "Consent Required",
        "A consent is required that is neither on record nor presented.",
        "The law of a place where the person may be, or your account's own policy, wants the person to have agreed "
        "before such a contact: to a recorded or artificial voice, to marketing texts, in some places to any sales "
        "call. violations names each rule with its citation, the kinds of consent that would do, and why those that "
        "are known do not: expired, too old, overtaken by an opt-out or by the number's reassignment.",
        "Put the consent on record with PUT /v1/consents/{number}, or present it in the intent's field consent with "
        "its evidence. If you know the line, say so in recipient.line_type: an unknown one counts as whatever the "
        "law binds more.",
        "No. The same request will be refused until such a consent is on record or presented.",
    ),
    ProblemType(
        "tcpa-blocked",
        403,
        "TCPA Blocked",
        "The call is outside the legal calling hours at the destination.",
        "It is outside the calling window in at least one place where the person may be, or no window can be shown "
        "to be open, as for a toll-free number without a hint of the place. violations names each rule with its "
        "citation, the time zone and the local time.",
        "Come back at next_allowed_at. If the place is unknown, send what you know of it in recipient. "
        "GET /v1/calling-windows/{number} shows the open hours of the next days.",
        "Yes, at next_allowed_at; not before.",
    ),
    ProblemType(
        "frequency-capped",
        403,
        "Frequency Capped",
        "The cap on attempts to this number is reached.",
        "The law of the place, or your account's own policy, allows only so many attempts to one number in a "
        "period, and they were made.",
        "Come back at next_allowed_at.",
        "Yes, at next_allowed_at; not before.",
    ),
    ProblemType(
        "abandonment-exceeded",
        403,
        "Abandonment Exceeded",
        "The campaign has abandoned more of its answered calls than the policy allows.",
        "Of the campaign's calls that a person answered, more were abandoned than your account's policy allows: "
        "nobody spoke to the person within two seconds. violations tells both numbers, the rate and the limit; 16 CFR "
        "310.4(b)(4) counts 3 % over 30 days. Days are days in UTC, of the approval.",
        "Dial this campaign more slowly, or with more agents. Correct outcomes that were told wrongly within a day. "
        "The policy's abandonment sets the limit, and whether it warns or blocks.",
        "Yes, at next_allowed_at, when enough abandoned calls have left the period; or after a correction.",
    ),
    ProblemType(
        "content-blocked",
        422,
        "Content Blocked",
        "Message content was flagged by the compliance scanner for prohibited content.",
        "The text holds something that carriers filter or fine. violations lists each finding: the rule, where it "
        "starts and ends in the body (in characters), why, and what would mend it.",
        "Change the text. POST /v1/content/scan shows the findings of a draft without sending anything.",
        _UNCHANGED,
    ),
    ProblemType(
        "channel-budget-exceeded",
        429,
        "Channel Budget Exceeded",
        "All SIP channels are currently in use. Retry after active calls complete.",
        "The pool, the account or the campaign has no free channel. Nothing was taken, nothing was counted.",
        "Wait as long as Retry-After says, release leases when calls end, or raise the capacity with "
        "PUT /v1/pools/{name}.",
        "Yes, after Retry-After seconds.",
    ),
    ProblemType(
        "internal",
        500,
        "Internal Server Error",
        "An unexpected error occurred. Nothing was approved.",
        "Something in Callgate failed that it did not foresee. No approval was given.",
        "Try again; if it persists, send the operator the X-Request-Id of the response.",
        "Yes, with exponential backoff from one second, at most three times.",
    ),
    ProblemType(
        "service-unavailable",
        503,
        "Service Unavailable",
        "A guardrail could not be evaluated.",
        "A store that a guardrail needs cannot be asked, or a registry is older than it may be. Callgate does not "
        "guess: without every guardrail there is no approval.",
        "Wait as long as Retry-After says. GET /readyz names what cannot be reached.",
        "Yes, after Retry-After seconds, with the same Idempotency-Key if you sent one.",
    ),
)
BY_NAME = {problem_type.slug: problem_type for problem_type in TYPES}
