"""What a client of an earlier release would notice of a description: `python -m tests.contract.openapi_diff --write`
makes docs/openapi.json anew, which is done at a release and at no other time."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RELEASED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
Json = dict[str, Any]


def breaking(before: Json, after: Json) -> list[str]:
    """What worked by the description before and does not by the one after, one line each."""
    return sorted(set(_Comparison(before, after).operations()))


class _Comparison:
    def __init__(self, before: Json, after: Json) -> None:
        self.before, self.after = before, after
        self.seen: set[tuple[str, str, bool]] = set()

    def operations(self) -> Iterator[str]:
        for path, item in self.before["paths"].items():
            for method, old in item.items():
                new = self.after["paths"].get(path, {}).get(method)
                where = f"{method.upper()} {path}"
                if new is None:
                    yield f"{where} is gone"
                    continue
                if old["operationId"] != new["operationId"]:
                    yield f"{where}: the operation {old['operationId']} is called {new['operationId']}"
                yield from self.parameters(where, old, new)
                yield from self.bodies(where, old, new)

    def parameters(self, where: str, old: Json, new: Json) -> Iterator[str]:
        there = {(each["in"], each["name"]): each for each in new.get("parameters", ())}
        known = {(each["in"], each["name"]): each for each in old.get("parameters", ())}
        for place, each in known.items():
            if place not in there:
                yield f"{where}: the parameter {place[1]} is gone"
            else:
                yield from self.schemas(f"{where} {place[1]}", each["schema"], there[place]["schema"], True)
        for place, each in there.items():
            if each.get("required") and not known.get(place, {}).get("required"):
                yield f"{where}: the parameter {place[1]} is required now"

    def bodies(self, where: str, old: Json, new: Json) -> Iterator[str]:
        taken, takes = (each.get("requestBody", {}) for each in (old, new))
        for media_type, content in taken.get("content", {}).items():
            there = takes.get("content", {}).get(media_type)
            if there is None:
                yield f"{where}: takes no {media_type} any more"
            else:
                yield from self.schemas(where, content.get("schema", {}), there.get("schema", {}), True)
        if takes.get("required") and not taken.get("required"):
            yield f"{where}: the body is required now"
        for status, response in old["responses"].items():
            found = new["responses"].get(status)
            if found is None:
                if status < "400":
                    yield f"{where}: answers no {status} any more"
                continue
            for media_type, content in response.get("content", {}).items():
                there = found.get("content", {}).get(media_type)
                if there is None:
                    yield f"{where}: {status} is no {media_type} any more"
                else:
                    told = f"{where} {status}"
                    yield from self.schemas(told, content.get("schema", {}), there.get("schema", {}), False)

    def schemas(self, where: str, old: Json, new: Json, sent: bool) -> Iterator[str]:
        """``sent``: by the client, whom a narrower schema breaks; otherwise by us, where a wider one does."""
        if "$ref" in old and "$ref" in new:
            place = (old["$ref"], new["$ref"], sent)
            if place in self.seen:
                return
            self.seen.add(place)
            where = old["$ref"].rsplit("/", 1)[1]
        old, new = self._whole(self.before, old), self._whole(self.after, new)
        options, choice = _options(old), _options(new)
        if len(options) > 1 or len(choice) > 1:
            for option in options:
                whole = self._whole(self.before, option)
                match = next((each for each in choice if _alike(whole, self._whole(self.after, each))), None)
                if match is None and sent:
                    yield f"{where}: takes no {_told(whole)} any more"
                elif match is not None:
                    yield from self.schemas(where, option, match, sent)
            return
        if old.get("type") != new.get("type") and old.get("type") is not None:
            yield f"{where}: was {old.get('type')} and is {new.get('type')}"
            return
        if sent and "enum" in new:
            for gone in [each for each in old.get("enum", ()) if each not in new["enum"]]:
                yield f"{where}: takes no {gone!r} any more"
        if "items" in old:
            yield from self.schemas(where, old["items"], new.get("items", {}), sent)
        members, there = old.get("properties", {}), new.get("properties", {})
        for name, member in members.items():
            if name not in there:
                yield f"{where}: the member {name} is gone"
            else:
                yield from self.schemas(f"{where}.{name}", member, there[name], sent)
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(needs - needed) if sent else sorted((needed - needs) & set(there)):
            yield f"{where}: the member {name} is {'required now' if sent else 'not always there any more'}"

    def _whole(self, document: Json, schema: Json) -> Json:
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return schema


def _options(schema: Json) -> list[Json]:
    return schema.get("anyOf") or schema.get("oneOf") or [schema]


def _told(schema: Json) -> str:
    return str(schema.get("title") or schema.get("type"))


def _alike(one: Json, other: Json) -> bool:
    return (one.get("title"), one.get("type")) == (other.get("title"), other.get("type")) or (
        one.get("type") == other.get("type") != "object"
    )


def current() -> Json:
    """The description of this checkout, as a service at the default address answers it."""
    from tests.described import description

    return description()


if __name__ == "__main__":
    released = copy.deepcopy(current())
    for item in released["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    content.pop("examples", None)  # of problems, some twenty at each operation
    text = json.dumps(released, ensure_ascii=False, indent=1) + "\n"
    if sys.argv[1:] == ["--write"]:
        RELEASED.write_text(text, encoding="utf-8")
    else:
        for line in breaking(json.loads(RELEASED.read_text(encoding="utf-8")), current()):
            print(line)  # noqa: T201
