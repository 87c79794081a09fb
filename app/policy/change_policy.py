"""Replace an account's policy. It can narrow the law and the packs, never widen what they hold unconditional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.accounts import policy_store as policies
from app.accounts.audit.record_change import actor_of, record_change
from app.accounts.authenticate import Caller
from app.accounts.policy_document import read_policy, write_policy
from app.accounts.read_policy import CARRIERS, REPLIES, SECRET, PolicyInForce, _in_force
from app.content import ContentScanner
from app.content.account_phrases import folded_phrase
from app.content.signs.public_suffixes import registrable_domain
from app.content.volume import RULE as SNOWSHOE
from app.guardrail.facts import AccountPolicy
from app.outcomes.tell_outcome import OF_TYPE
from app.platform.outcomes import Conflict, FieldFault, Unusable
from app.platform.stores import Stores

# What has to be known of a carrier before its webhooks can be told from anybody's; of the others, a secret.
OF_CARRIERS: Mapping[str, set[str]] = {"telnyx": {"public_key"}, "bandwidth": {"username", "secret"}}
_OF_A = {"call": "a call", "sms": "a text"}


async def change_policy(
    services: Stores,
    scanner: ContentScanner,
    caller: Caller,
    document: Mapping[str, Any],
    inbound: Mapping[str, Any],
    expected_version: int | None,
    comment: str = "",
) -> PolicyInForce:
    """Replace the whole policy; in force for every process when this returns, since each decision reads it.

    The same policy again makes no new version. ``comment`` says why, to whoever reads the versions.

    The webhook secret, and what is kept of carriers, stay when ``inbound`` does not name them: they are never shown,
    so whoever reads a policy, changes it and puts it back must not switch off the signature's check without noticing.
    Raises Unusable, and Conflict when the policy is no longer of the expected version.
    """
    wanted = read_policy(document, 0)
    faults = rule_faults(wanted, scanner)
    if faults:
        raise Unusable(faults)
    async with services.database.begin() as connection:
        before = await policies.fetch(connection, caller.account_id, lock=True)
        if expected_version is not None and before.version != expected_version:
            raise Conflict(
                f"The policy is of version {before.version} by now, not {expected_version}.",
                {"version": before.version},
            )
        replies = {name: inbound[name] for name in REPLIES if inbound.get(name) is not None}
        secret = inbound[SECRET] if SECRET in inbound else before.inbound.get(SECRET)
        carriers = carriers_kept(inbound.get(CARRIERS) or {}, before.inbound.get(CARRIERS, {}))
        kept: dict[str, Any] = {**replies, SECRET: secret} if secret is not None else {**replies}
        if carriers:
            kept[CARRIERS] = carriers
        was = _in_force(read_policy(before.policy, before.version), before.inbound)
        if (
            before.version
            and write_policy(was.policy) == write_policy(wanted)
            and dict(before.inbound) == kept
        ):
            return was
        now, shown = services.now(), _in_force(wanted, kept).inbound()
        version = await policies.store(
            connection, caller.account_id, write_policy(wanted), kept, shown, caller.key_id, now, comment
        )
        await record_change(
            connection,
            caller.account_id,
            actor_of(caller.key_id),
            "policy",
            before={"version": before.version, **write_policy(was.policy), "inbound": was.inbound()},
            after={"version": version, **write_policy(wanted), "inbound": shown, **_said(comment)},
            now=now,
            action="changed",
        )
    return _in_force(read_policy(document, version), kept)


def _said(comment: str) -> dict[str, str]:
    return {"comment": comment} if comment else {}


def carriers_kept(
    wanted: Mapping[str, Mapping[str, Any] | None], before: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What is kept of each carrier: null removes one, and what is not named of it stays. Raises Unusable."""
    kept = {name: dict(members) for name, members in before.items() if wanted.get(name, members) is not None}
    faults = []
    for name, members in wanted.items():
        if members is None:
            continue
        given = {key: value for key, value in members.items() if key != "has_secret" and value is not None}
        kept[name] = {**kept.get(name, {}), **given}
        for needed in sorted(OF_CARRIERS.get(name, {"secret"}) - set(kept[name])):
            pointer = f"/inbound/{CARRIERS}/{name}/{needed}"
            faults.append(
                FieldFault(f"inbound.{CARRIERS}.{name}.{needed}", "required field missing", pointer)
            )
    if faults:
        raise Unusable(faults)
    return kept


def rule_faults(policy: AccountPolicy, scanner: ContentScanner) -> list[FieldFault]:
    """What the packs do not let an account say: unknown rules, and lowering those that are unconditional."""
    rules, content = scanner.packs.rules, policy.content
    faults: list[FieldFault] = []

    def refuse(field: str, reason: str, *path: str | int) -> None:
        pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
        faults.append(FieldFault(field, reason, pointer))

    for rule in sorted(content.allow):
        if rule not in rules:
            refuse("content.allow", f"names no rule: {rule}", "content", "allow")
        elif not rules[rule].allowable:
            choice = ", ".join(sorted(scanner.allowable_rules))
            refuse("content.allow", f"{rule} cannot be allowed, only {choice}", "content", "allow")
    for rule, severity in content.severities.items():
        field, path = f"content.severities.{rule}", ("content", "severities", rule)
        if rule not in rules:
            refuse(field, "names no rule", *path)
        elif rule == SNOWSHOE:
            refuse(field, "is set by content.snowshoe.action", *path)
        elif rules[rule].unconditional and severity != "block":
            refuse(field, "is unconditional: it can be made block and never lowered", *path)
    for name, phrases in (("block_phrases", content.block_phrases), ("allow_phrases", content.allow_phrases)):
        for place, phrase in enumerate(phrases):
            if not folded_phrase(phrase):
                refuse(f"content.{name}.{place}", "must contain a letter or a digit", "content", name, place)
    for place, cap in enumerate(policy.caps):
        possible = frozenset().union(*(OF_TYPE[kind] for kind in cap.counts))
        if cap.results is not None and not cap.results & possible:
            kinds = " or ".join(_OF_A[kind] for kind in ("call", "sms") if kind in cap.counts)
            reason = f"must name an outcome of {kinds}, which the cap counts: {', '.join(sorted(possible))}"
            refuse(f"caps.{place}.results", reason, "caps", place, "results")
    for place, name in enumerate(policy.names):
        if not folded_phrase(name):
            refuse(f"names.{place}", "must contain a letter or a digit", "names", place)
    for place, domain in enumerate(policy.domains):
        if registrable_domain(domain) is None:
            reason = "must be a domain that one party alone holds, as example.com or example.github.io"
            refuse(f"domains.{place}", reason, "domains", place)
    return faults
