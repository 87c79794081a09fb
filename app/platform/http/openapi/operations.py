"""What the framework cannot derive of the operations: their names, the headers that they take, and samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The name of each operation in clients that are made from the description. A name that has been released stays.
OPERATION_IDS = {
    "post /v1/intents": "createIntent",
    "get /v1/intents": "listDecisions",
    "get /v1/intents/export": "exportDecisions",
    "get /v1/intents/stats": "countDecisions",
    "get /v1/numbers/{number}": "getNumber",
    "post /v1/policy/preview": "previewPolicy",
    "post /v1/intents/preview": "previewIntent",
    "post /v1/intents/batch": "createIntents",
    "get /v1/intents/{intent_id}": "getDecision",
    "get /v1/calling-windows/{number}": "getCallingWindows",
    "post /v1/content/scan": "scanContent",
    "get /v1/pools": "listPools",
    "get /v1/pools/{name}": "getPool",
    "put /v1/pools/{name}": "putPool",
    "delete /v1/pools/{name}": "deletePool",
    "post /v1/pools/{name}/reconcile": "reconcilePool",
    "get /v1/pools/{name}/events": "listPoolEvents",
    "get /v1/limits": "listLimits",
    "get /v1/limits/{name}": "getLimit",
    "put /v1/limits/{name}": "putLimit",
    "delete /v1/limits/{name}": "deleteLimit",
    "get /v1/leases/{lease_id}": "getLease",
    "delete /v1/leases/{lease_id}": "releaseLease",
    "post /v1/leases/{lease_id}/renew": "renewLease",
    "post /v1/suppressions/imports": "importSuppressions",
    "get /v1/suppressions/imports": "listSuppressionImports",
    "get /v1/suppressions/imports/{job_id}": "getSuppressionImport",
    "get /v1/suppressions/imports/{job_id}/rejects": "getSuppressionImportRejects",
    "delete /v1/suppressions/imports/{job_id}": "takeBackSuppressionImport",
    "post /v1/suppressions/lookup": "lookUpSuppressions",
    "get /v1/suppressions/export": "exportSuppressions",
    "post /v1/suppressions": "createSuppression",
    "get /v1/suppressions": "listSuppressions",
    "get /v1/suppressions/{number}": "getSuppression",
    "put /v1/suppressions/{number}": "putSuppression",
    "delete /v1/suppressions/{number}": "deleteSuppression",
    "get /v1/suppressions/{number}/history": "getSuppressionHistory",
    "get /v1/registries": "listRegistries",
    "get /v1/registries/{name}": "getRegistry",
    "put /v1/registries/{name}": "putRegistry",
    "delete /v1/registries/{name}": "deleteRegistry",
    "post /v1/registries/{name}/versions": "loadRegistry",
    "get /v1/registries/{name}/versions": "listRegistryVersions",
    "post /v1/registries/{name}/changes": "changeRegistry",
    "get /v1/registries/{name}/jobs": "listRegistryJobs",
    "get /v1/registries/{name}/jobs/{job_id}": "getRegistryJob",
    "get /v1/registries/{name}/jobs/{job_id}/rejects": "getRegistryJobRejects",
    "post /v1/scrub": "scrubList",
    "post /v1/inbound-messages": "receiveMessage",
    "get /v1/inbound-messages": "listMessages",
    "post /v1/inbound-messages/{carrier}": "receiveCarrierMessage",
    "get /connectors/check": "checkCall",
    "post /connectors/vapi": "answerVapi",
    "post /connectors/dnc-scrub": "scrubForVicidial",
    "get /v1/consents/{number}": "getConsent",
    "put /v1/consents/{number}": "putConsent",
    "delete /v1/consents/{number}": "withdrawConsent",
    "get /v1/consents/{number}/history": "getConsentHistory",
    "get /v1/policy": "getPolicy",
    "put /v1/policy": "putPolicy",
    "get /v1/policy/versions": "listPolicyVersions",
    "get /v1/emergencies": "listEmergencies",
    "get /v1/emergencies/{region}": "getEmergency",
    "put /v1/emergencies/{region}": "declareEmergency",
    "delete /v1/emergencies/{region}": "endEmergency",
    "get /v1/whoami": "getWhoami",
    "post /v1/api-keys": "createApiKey",
    "get /v1/api-keys": "listApiKeys",
    "delete /v1/api-keys/{key_id}": "revokeApiKey",
    "post /v1/accounts": "createAccount",
    "get /v1/accounts": "listAccounts",
    "get /errors": "listProblemTypes",
    "get /errors/{slug}": "getProblemType",
    "get /livez": "getLiveness",
    "get /readyz": "getReadiness",
    "get /metrics": "getMetrics",
}
# Those that ask for their scope together with what they ask of the stores, and so not by a dependency.
SCOPES = dict.fromkeys(("createIntent", "createIntents", "previewIntent", "checkCall"), "intents:write")
IDEMPOTENT = frozenset(
    {
        "createIntent", "createIntents", "createSuppression", "receiveMessage", "postOutcome", "importSuppressions",
        "postImport", "loadRegistry", "changeRegistry",
    }
)  # fmt: skip

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same request, it is answered as before; with another one, 422",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~:/=-]+$",
    },
    "example": "call-20261121-0001",
}
REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Comes back with the answer and stands in the log; made up when absent",
    "schema": {"type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9._-]+$"},
}


def _header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", **schema}}


ALWAYS = {"X-Request-Id": _header("The request's id, as sent or made up")}
KEYED = {
    "RateLimit-Policy": _header("The key's limit: the class, q requests, in w seconds"),
    "RateLimit": _header("What is left of it: r requests, anew in t seconds"),
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 0}}}
LOCATION = {"Location": _header("The path of what was made", format="uri-reference")}
REPLAYED = {
    "Idempotent-Replayed": _header("true where the answer is that of an earlier request", const="true")
}
CHALLENGE = {"WWW-Authenticate": _header("Bearer")}

# Requests that say something. Those that are absent are made from the schema.
REQUESTS: Mapping[str, Any] = {
    "createIntent": {"type": "call", "to": "+14155551234", "from": "+12125550100", "campaign": "spring"},
    "previewIntent": {
        "type": "sms",
        "to": "+14155551234",
        "from": "+12125550100",
        "body": "Acme: your order has shipped. Reply STOP to opt out.",
    },
    "createIntents": {"intents": [{"type": "call", "to": "+14155551234", "from": "+12125550100"}]},
    "scanContent": {"body": "Free spins at our casino!"},
    "putPool": {"capacity": 30, "calls_per_second": 5, "reserve": {"marketing": 2}},
    "reconcilePool": {"active": ["019aa8a5-6d80-7cc3-98c4-dc0c0c07398f"]},
    "putLimit": {"capacity": 10},
    "renewLease": {},
    "createSuppression": {"number": "+14155551234", "reason": "asked us on the phone"},
    "putSuppression": {"reason": "asked us on the phone"},
    "lookUpSuppressions": {"numbers": ["+14155551234", "+442079460123"]},
    "putRegistry": {"kind": "national_dnc", "max_age_days": 31},
    "receiveMessage": {"from": "+14155551234", "to": "+12125550100", "body": "STOP"},
    "putConsent": {
        "kind": "express_written",
        "channels": ["call", "sms"],
        "given_at": "2026-11-01T15:04:05Z",
        "evidence": {"form": "web", "page": "https://acme.example/join"},
    },
    "putPolicy": {"names": ["Acme"], "domains": ["acme.example"]},
    "declareEmergency": {"until": "2027-06-01T00:00:00Z", "reason": "storm"},
    "createApiKey": {"name": "dialler", "scopes": ["intents:write"]},
    "createAccount": {"name": "Acme"},
}
# What members of these names hold in samples.
SAMPLES: Mapping[str, Any] = {
    "number": "+14155551234",
    "to": "+14155551234",
    "from": "+12125550100",
    "region": "US-CA",
    "regions": ["US-CA"],
    "timezones": ["America/Los_Angeles"],
    "timezone": "America/Los_Angeles",
    "name": "default",
    "registry": "national",
    "pool": "default",
    "period": "PT24H",
    "window": "PT1H",
    "citation": "47 CFR 64.1200(c)(1)",
    "code": "DNC_BLOCKED",
    "detail": "The number +14155551234 is on the suppression list and cannot be contacted.",
    "version_date": "2026-11-21",
    "local_time": "2026-11-21T10:00:00-08:00",
    "scopes": ["intents:write"],
    "key": "cg_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
}
