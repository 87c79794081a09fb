"""CONTRIBUTING names the places of ten ordinary changes, three at most each; here they are looked up in the code."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib

import pytest

from app.cli import app as command_line
from app.guardrail.facts import Intent
from app.guardrail.refusals import GUARDRAILS, PRECEDENCE
from app.intents.bodies import CallBody, SmsBody
from app.platform.files.records import Format
from app.platform.http.problem_types import TYPES
from app.replies.carriers import twilio
from app.settings import Settings
from app.suppression.list_bodies import FORMATS
from tests.house.tree import CHECKOUT, called, calls, name_of, parsed, sources

PAGE = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MOST = 3
CHANGES = {
    change.strip(): re.findall(r"`((?:app|migrations|README)[\w/.]*)`", places)
    for change, places in re.findall(
        r"^\| (.+?) \| (.+) \|$",
        PAGE.partition("| change | places |")[2].partition("\n\n")[0],
        re.MULTILINE,
    )
}


def test_the_ten_changes_are_there() -> None:
    assert len(CHANGES) == 10


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_has_three_places_at_most_and_each_exists(change: str) -> None:
    places = CHANGES[change]
    assert 1 <= len(places) <= MOST
    assert [place for place in places if not (CHECKOUT / place).exists()] == []


def test_every_path_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:app|tests|migrations|docs)/[\w/.]+)`", PAGE) + re.findall(
        r"\]\(([\w/.-]+)\)", PAGE
    )
    assert len(named) > 30
    assert [path for path in named if not (CHECKOUT / path).exists()] == []


def test_make_knows_the_targets_that_the_page_names() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    assert [
        t
        for t in re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)  +#", PAGE)
        if not re.search(rf"^{t}:", makefile, re.M)
    ] == []


def test_the_hours_of_texas_are_in_the_one_file_of_the_law() -> None:
    rules = tomllib.loads((CHECKOUT / CHANGES["Texas changes its Sunday hours"][0]).read_text())["rule"]
    texas = [rule for rule in rules if rule["jurisdiction"] == "US-TX"]
    assert texas
    assert all("sunday" in rule for rule in texas)


def test_refusal_codes_are_made_in_one_file_and_each_has_its_page() -> None:
    made = {name_of(path) for path in sources() for call in calls(path) if called(call) == "RefusalCode"}
    assert made == {CHANGES["a new refusal code"][0]}
    assert {refusal.slug for refusal in PRECEDENCE} <= {each.slug for each in TYPES}


def test_fields_of_intents_are_declared_where_the_page_says() -> None:
    bodies, facts, _ = CHANGES["a field of the intent body"]
    for body in (CallBody, SmsBody):
        assert body.__module__ == _module(bodies)
        ours = [base for base in body.__mro__ if base.__module__ == _module(bodies)]
        assert set(body.model_fields) == {name for base in ours for name in inspect.get_annotations(base)}
    assert Intent.__module__ == _module(facts)


def test_carriers_are_in_their_folder_and_asked_by_the_route() -> None:
    folder, route = CHANGES["a new carrier's inbound webhook"]
    assert name_of(CHECKOUT / (twilio.__file__ or "")).startswith(folder)
    carriers = {path.stem for path in (CHECKOUT / folder).glob("*.py")} - {"__init__"}
    imports = {
        node.module.rpartition(".")[2]
        for node in ast.walk(parsed(CHECKOUT / route))
        if isinstance(node, ast.ImportFrom) and node.module and ".carriers." in node.module
    }
    assert imports
    assert imports <= carriers


def test_decisions_are_appended_and_read_back_where_the_page_says() -> None:
    _, append, read = CHANGES["a new column on decisions"]
    appended = [name_of(path) for path in sources() if "INSERT INTO decisions (" in path.read_text()]
    assert appended
    assert set(appended) == {append}
    reading = [
        name_of(path) for path in sources() if re.search(r"_COLUMNS\}? FROM decisions", path.read_text())
    ]
    assert reading == [read]


def test_guardrails_are_named_once_and_called_in_one_place() -> None:
    _, names, evaluate = CHANGES["a new guardrail"]
    listing = re.compile(",\\s*".join(f'"{name}"' for name in GUARDRAILS))
    assert [name_of(path) for path in sources() if listing.search(path.read_text())] == [names]
    rooms = {
        ast.unparse(call.func.value)
        for call in calls(CHECKOUT / evaluate)
        if called(call) == "evaluate" and isinstance(call.func, ast.Attribute)
    }
    # The channel is sought only when all of these pass.
    assert rooms == set(GUARDRAILS) - {"channel"}


def test_the_wait_for_a_channel_is_reckoned_where_the_page_says() -> None:
    rule = CHANGES["the rule behind Retry-After"][0]
    assert "local function wait_seconds(" in (CHECKOUT / rule).read_text()


def test_list_formats_are_named_once_and_each_has_a_media_type() -> None:
    formats, _, media = CHANGES["a new list file format"]
    assert _module(formats) == "app.platform.files.records"
    assert set(FORMATS.values()) == set(Format.__args__)  # type: ignore[attr-defined]
    assert _module(media) == "app.suppression.list_bodies"


def test_every_setting_is_in_the_table_of_the_readme() -> None:
    assert Settings.__module__ == _module(CHANGES["a new setting"][0])
    readme = (CHECKOUT / "README.md").read_text()
    assert [name for name in Settings.model_fields if f"CALLGATE_{name.upper()}" not in readme] == []


def test_every_command_is_put_in_its_place_by_one_file() -> None:
    registered = {
        (command.callback.__module__ if command.callback else "")
        for command in command_line.registered_commands
    }
    assert {module.rpartition(".")[2] for module in registered} <= {"cli", "serve", "migrate_command"}


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")
