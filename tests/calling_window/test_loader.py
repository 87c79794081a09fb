"""A broken rule file stops the start, with the file, the line and the reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.law import window_loader as calling_windows
from app.platform.files.broken_file import BrokenRuleFile

PACK = calling_windows.DIRECTORY
US, CALENDARS, CAPS = "windows/us.toml", "calendars.toml", "caps.toml"
TEXT = (PACK / US).read_text(encoding="utf-8")
RULE = '[[rule]]\nid = "US-RI"'


def line_of(text: str, marker: str) -> int:
    return text[: text.index(marker)].count("\n") + 1


def in_rule(old: str, new: str, rule: str = RULE) -> str:
    """The file of the United States with one line of a rule, Rhode Island's, replaced."""
    start = TEXT.index(rule)
    end = TEXT.index("[[rule]]", start + 1)
    block = TEXT[start:end]
    assert old in block, old
    return TEXT[:start] + block.replace(old, new, 1) + TEXT[end:]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of the rules, to be broken."""
    return Path(shutil.copytree(PACK, tmp_path / "pack"))


def broken(pack: Path, file: str, text: str) -> BrokenRuleFile:
    """What the loader says of the pack when the file reads so."""
    before = (PACK / file).read_text(encoding="utf-8")
    assert text != before
    (pack / file).write_text(text, encoding="utf-8")
    with pytest.raises(BrokenRuleFile) as caught:
        calling_windows.load(pack)
    assert caught.value.path == pack / file
    assert str(caught.value).startswith(Path(file).name)
    return caught.value


WEEKDAY = 'weekday = ["09:00-18:00"]'
CITATION = 'citation = "R.I. Gen. Laws 5-61-2(2), 5-61-3.6"\n'


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (WEEKDAY, 'weekday = ["09:00-18:00", "17:00-19:00"]', "overlaps"),
        (WEEKDAY, 'weekday = ["14:00-18:00", "09:00-12:00"]', "out of order"),
        (WEEKDAY, 'weekday = ["18:00-09:00"]', "does not end after it starts"),
        (WEEKDAY, 'weekday = ["09:00-09:00"]', "does not end after it starts"),
        (WEEKDAY, 'weekday = ["9:00-18:00"]', "not a window"),
        (WEEKDAY, 'weekday = ["09:00-24:30"]', "within one day"),
        (WEEKDAY, 'weekday = ["09:60-18:00"]', "not a window"),
        (WEEKDAY, "weekday = [9]", "not a window"),
        (WEEKDAY, 'weekday = "09:00-18:00"', "list of windows"),
        (WEEKDAY, f'{WEEKDAY}\nthursday = ["10:00-12:00"]', "unknown field 'thursday'"),
        (WEEKDAY, f"{WEEKDAY}\nguard = 1", "unknown field 'guard'"),
        ('clocks = ["called_party"]', 'clocks = ["America/Providence"]', "unknown zone 'America/Providence'"),
        ('clocks = ["called_party"]', "clocks = []", "clocks is empty"),
        ('text = "conservative"', 'text = "maybe"', "text must be one of"),
        ('scope = "all"', 'scope = "some"', "scope must be one of"),
        ('holiday = "ban"', 'holiday = "closed"', "holiday must be one of"),
        ('calendar = "US-RI"', 'calendar = "US-ZZ"', "unknown calendar"),
        ("exemptions = []", 'exemptions = [{ kind = "verbal" }]', "an exemption names one of"),
        ("exemptions = []", 'exemptions = [{ kind = "express", within_months = 0 }]', "within_months"),
        ("solicitation_only = true", 'solicitation_only = "yes"', "true or false"),
        ('confidence = "medium"', 'confidence = "sure"', "confidence must be one of"),
        (CITATION, 'citation = "  "\n', "citation is empty"),
        ('jurisdiction = "US-RI"', 'jurisdiction = "Rhode Island"', "neither a country nor a region"),
        ('id = "US-RI"', 'id = "US-PA"', "a second rule 'US-PA'"),
        ("exemptions = []", 'exemptions = []\ncaps = [{ max = 3 }]', "a cap takes exactly"),
        (
            "exemptions = []",
            'exemptions = []\ncaps = [{ max = 0, period = "PT24H", unit = "rolling", same_subject = true, '
            'counts = ["call"] }]',
            "max must be a positive number",
        ),
        (
            "exemptions = []",
            'exemptions = []\ncaps = [{ max = 1, period = "a day", unit = "rolling", same_subject = true, '
            'counts = ["call"] }]',
            "not a period",
        ),
        ("exemptions = []", "exemptions = []\nemergency = { until = 1 }", "exactly the field exemptions"),
        ("exemptions = []", "exemptions = []\neffective_from = 2026", "effective_from must be a date"),
        ("exemptions = []", "exemptions = []\neffective = 2026-01-01", "unknown field 'effective'"),
        ("exemptions = []", 'exemptions = [{ kind = "existing_business" }]', "an exemption names one of"),
        (
            "exemptions = []",
            'exemptions = [{ kind = "inquiry", within_months = 3, within_days = 90 }]',
            "within_months or within_days, not both",
        ),
    ],
)  # fmt: skip
def test_a_broken_field_is_reported_with_its_line(pack: Path, old: str, new: str, reason: str) -> None:
    text = in_rule(old, new)
    fault = broken(pack, US, text)
    assert reason in fault.reason
    changed = [
        number
        for number, (before, after) in enumerate(
            zip(TEXT.splitlines(), text.splitlines(), strict=False), start=1
        )
        if before != after
    ]
    # The faulty line itself: the first that differs, or the one inserted after it.
    assert fault.line in (changed[0], changed[0] + 1)
    assert f"us.toml:{fault.line}: " in str(fault)


@pytest.mark.parametrize(
    "line", [CITATION, f"{WEEKDAY}\n", 'confidence = "medium"\n', "checked = 2026-11-24\n"]
)
def test_a_missing_field_is_reported_with_the_line_of_its_rule(pack: Path, line: str) -> None:
    fault = broken(pack, US, in_rule(line, ""))
    assert f"{line.split()[0]} is missing" in fault.reason
    assert fault.line == line_of(TEXT, RULE)


def test_what_is_different_for_texts_is_checked_at_its_own_line(pack: Path) -> None:
    start = TEXT.index("[rule.sms]")
    text = TEXT[:start] + TEXT[start:].replace(
        "exemptions = [", 'clocks = ["called_party"]\nexemptions = [', 1
    )
    fault = broken(pack, US, text)
    assert "unknown field 'clocks'" in fault.reason
    assert fault.line == line_of(text, "[rule.sms]") + 1
    # A rule that binds no texts has nothing to say of them.
    fault = broken(pack, US, TEXT.replace('text = "conservative"', 'text = "no"', 1))
    assert "does not bind texts" in fault.reason
    assert fault.line == line_of(TEXT, "[rule.sms]")


def test_a_rule_said_to_add_nothing_must_add_nothing(pack: Path) -> None:
    fault = broken(
        pack, US, in_rule('weekday = ["08:00-21:00"]', 'weekday = ["09:00-21:00"]', '[[rule]]\nid = "US-OH"')
    )
    assert "its hours are not those of US" in fault.reason


def test_a_rule_begins_when_the_one_that_it_supersedes_ends(pack: Path) -> None:
    now = '[[rule]]\nid = "US-PA"'
    fault = broken(pack, US, in_rule("effective_from = 2026-10-18", "effective_from = 2026-10-19", now))
    assert "begins on another day than US-PA/2019 ends" in fault.reason
    fault = broken(pack, US, in_rule('supersedes = "US-PA/2019"', 'supersedes = "US-NJ"', now))
    assert "no rule 'US-NJ' of US-PA" in fault.reason
    (pack / US).write_text(TEXT.replace("effective_until = 2026-10-18", "effective_until = 2019-12-03"))
    with pytest.raises(BrokenRuleFile, match="effective_until must be after effective_from"):
        calling_windows.load(pack)


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("pack.toml", 'minimum_tzdata = "2026f"', 'minimum_tzdata = "2099a"', "needs tzdata 2099a"),
        ("pack.toml", 'version = "2026', 'edition = "2026', "unknown field 'edition'"),
        ("pack.toml", "compiled = 2026-11-24\n", "", "compiled is missing"),
        ("pack.toml", "no rule for {country} is", "nothing is", "must name the {country}"),
        (CALENDARS, 'subdivisions = ["AL"]', 'subdivisions = ["QQ"]', "no holidays are known for US-QQ"),
        (CALENDARS, 'country = "US"', 'country = "ZZ"', "no holidays are known for 'ZZ'"),
        (CALENDARS, 'base = "package"', 'base = "some"', "base must be one of"),
        (CALENDARS, "easter = -47", "easter = -47, month = 2", "no form of a day has the fields"),
        (CALENDARS, "easter = -47", 'easter = "-47"', "must be a whole number"),
        (
            CALENDARS,
            'weekday = "monday", nth = 3',
            'weekday = "moonday", nth = 3',
            "weekday must not be 'moonday'",
        ),
        (CALENDARS, 'weekday = "monday", nth = 3', 'weekday = "monday", nth = 6', "nth must be"),
        (CALENDARS, "month = 6, day = 19", "month = 6, day = 31", "out of range"),
        (CALENDARS, 'election = "even"', 'election = "often"', "no form of a day"),
        (CALENDARS, 'move = "monday_of_week"', 'move = "friday"', "move is monday_of_week"),
        (CALENDARS, 'saturday = "friday"', 'saturday = "sunday"', "a saturday is observed on"),
        (CALENDARS, 'area_codes = ["251"]', 'area_codes = ["25"]', "three digits"),
        (CAPS, 'place = "US"', 'place = "Utopia"', "neither a country nor a region"),
        (CAPS, 'voices = ["prerecorded", "artificial"]', 'voices = ["loud"]', "voices names"),
        (CAPS, 'period = "P30D"', 'period = "a month"', "not a period"),
        (CAPS, 'per = "number"', 'per = "campaign"', "cannot be applied"),
        (US, 'confidence = "medium"', 'confidence = "high"', "high needs a clause quoted"),
        (US, 'quote_in = "repository"\n', "", "a quote needs quote_in and quote_read"),
        (US, 'quote = "', 'quote = "' + 300 * "x", "300 are the most"),
        (US, "sources.text = [", "sources.gossip = [", "sources has text, commentary and unread"),
        (US, 'recipients = ["consumer"]', "recipients = []", "recipients is empty"),
        (US, 'recipients = ["consumer"]', 'recipients = ["robot"]', "recipients names"),
    ],
)
def test_every_file_is_refused_with_the_line_that_is_broken(
    pack: Path, file: str, old: str, new: str, reason: str
) -> None:
    before = (PACK / file).read_text(encoding="utf-8")
    assert old in before
    fault = broken(pack, file, before.replace(old, new, 1))
    assert reason in fault.reason
    if new:
        assert fault.line is not None


def test_a_broken_day_is_reported_with_its_own_line(pack: Path) -> None:
    before = (PACK / CALENDARS).read_text(encoding="utf-8")
    fault = broken(
        pack, CALENDARS, before.replace("easter = -47, area_codes", "easters = -47, area_codes", 1)
    )
    assert fault.line == line_of(before, 'name = "Mardi Gras (Baldwin')


def test_two_files_cannot_have_a_rule_of_one_id(pack: Path) -> None:
    world = (PACK / "windows/world.toml").read_text(encoding="utf-8")
    fault = broken(pack, "windows/world.toml", world.replace('id = "CA"', 'id = "US-RI"', 1))
    assert "a second rule 'US-RI'" in fault.reason


@pytest.mark.parametrize("file", ["pack.toml", CALENDARS, CAPS, US])
def test_what_is_not_toml_or_not_there(pack: Path, file: str) -> None:
    before = (PACK / file).read_text(encoding="utf-8")
    fault = broken(pack, file, before.replace("version = ", "version = [", 1).replace("id = ", "id = [", 1))
    assert "is not TOML" in fault.reason
    (pack / file).write_bytes(b"\xff\xfe")
    with pytest.raises(BrokenRuleFile, match="cannot be read"):
        calling_windows.load(pack)
    (pack / file).unlink()
    if file != US:
        with pytest.raises(BrokenRuleFile, match="cannot be read"):
            calling_windows.load(pack)


def test_a_pack_without_rules_is_refused(pack: Path) -> None:
    shutil.rmtree(pack / "windows")
    with pytest.raises(BrokenRuleFile, match="has no rule"):
        calling_windows.load(pack)


def test_the_digest_tells_packs_apart_by_every_byte_and_name(pack: Path) -> None:
    own = calling_windows.load()
    assert calling_windows.load(pack).digest == own.digest
    assert len(own.digest) == 64
    assert own.version == "2026.11.24"
    with (pack / CAPS).open("a", encoding="utf-8") as file:
        file.write("# one more line\n")
    changed = calling_windows.load(pack).digest
    assert changed != own.digest
    (pack / "windows/world.toml").rename(pack / "windows/the_world.toml")
    assert calling_windows.load(pack).digest not in (own.digest, changed)
