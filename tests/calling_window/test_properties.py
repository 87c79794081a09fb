"""What must hold for any places, rules and instants."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from app.calling_window import evaluate, open_intervals
from app.guardrail.facts import (
    AccountPolicy,
    Consent,
    Emergency,
    Facts,
    HouseWindow,
    Intent,
    ProclaimedHoliday,
    Recipient,
)
from app.guardrail.places import Place, Places
from app.law import window_loader as calling_windows
from app.law.timetable import second_of
from app.law.window_rules import CALLED_PARTY, Exemption, Hours, WindowRule, WindowRules
from app.numbering import locate, parse_number, regions
from app.numbering.zones import zones_of_countries
from app.platform.http.verdict_json import members_of

RULES = calling_windows.load()
FEWER_RULES = replace(
    RULES, by_jurisdiction={name: rules for name, rules in RULES.by_jurisdiction.items() if "-" not in name}
)
ALL_PLACES = [
    Place(region.code, region.country, region.zones, "test") for region in regions.load().by_code.values()
] + [
    Place(None, country, zones_of_countries()[country], "test")
    for country in ("FR", "ES", "IT", "PT", "IN", "BR", "CL", "IS", "NP", "EG", "DZ", "VN", "SA")
]
instants = st.integers(0, 2 * 365 * 86_400).map(
    lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
)
chosen_places = st.lists(st.sampled_from(ALL_PLACES), min_size=1, max_size=4, unique=True)
windows = st.tuples(st.integers(0, 24 * 60), st.integers(0, 24 * 60)).map(
    lambda pair: HouseWindow(*sorted(pair))
)
intents = st.sampled_from(
    [
        Intent("call", "+10000000000", "+12125550100"),
        Intent("call", "+10000000000", "+12125550100", voice_type="prerecorded"),
        Intent("call", "+10000000000", "+12125550100", voice_type="artificial"),
        Intent("call", "+10000000000", "+12125550100", recipient=Recipient(kind="business")),
        Intent("call", "+10000000000", "+12125550100", purpose="informational"),
        Intent("sms", "+10000000000", "+12125550100", body="hi"),
    ]
)
consents = st.lists(
    st.builds(
        Consent,
        id=st.just("c"),
        kind=st.sampled_from(["express", "express_written", "purchase", "inquiry", "existing_business"]),
        channels=st.just(frozenset({"call", "sms"})),
        given_at=instants,
        expires_at=st.one_of(st.none(), instants),
    ),
    max_size=2,
).map(tuple)
emergencies = st.lists(
    st.builds(Emergency, region=st.sampled_from(["US-LA", "US-NY", "US-FL", "FR"]), until=instants),
    max_size=2,
).map(tuple)
holidays = st.lists(
    st.builds(
        ProclaimedHoliday,
        region=st.sampled_from(["US-LA", "US-PA", "US-RI", "US", "FR", "ES-MD", "IT"]),
        day=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
        name=st.just("a proclaimed day"),
    ),
    max_size=2,
).map(tuple)
policies = st.builds(
    AccountPolicy,
    house_window=windows,
    informational_windows=st.sampled_from(["all", "law"]),
)
facts_of_any_kind = st.builds(
    Facts, policy=policies, consents=consents, emergencies=emergencies, holidays=holidays
)
LAW_ALONE = Facts(policy=AccountPolicy(house_window=HouseWindow(0, 24 * 60)))


def at_places(places: list[Place]) -> Places:
    return Places(tuple(places), "US", "fixed_line_or_mobile")


def passes(
    intent: Intent, places: list[Place], facts: Facts, at: datetime, rules: WindowRules = RULES
) -> bool:
    return evaluate(intent, at_places(places), facts, rules, at).check.outcome == "pass"


@settings(max_examples=300, deadline=None)
@given(intents, chosen_places, chosen_places, facts_of_any_kind, instants)
def test_more_places_never_allow_more(
    intent: Intent, some: list[Place], others: list[Place], facts: Facts, at: datetime
) -> None:
    if passes(intent, some + others, facts, at):
        assert passes(intent, some, facts, at)


@settings(max_examples=200, deadline=None)
@given(intents, chosen_places, facts_of_any_kind, instants)
def test_a_proclaimed_holiday_never_allows_more(
    intent: Intent, places: list[Place], facts: Facts, at: datetime
) -> None:
    ordinary = replace(facts, holidays=())
    if passes(intent, places, facts, at):
        assert passes(intent, places, ordinary, at)


@settings(max_examples=200, deadline=None)
@given(intents, chosen_places, windows, instants)
def test_more_rules_and_a_narrower_house_never_allow_more(
    intent: Intent, places: list[Place], house: HouseWindow, at: datetime
) -> None:
    narrowed = Facts(policy=replace(LAW_ALONE.policy, house_window=house))
    if passes(intent, places, narrowed, at):
        assert passes(intent, places, LAW_ALONE, at)
    if passes(intent, places, LAW_ALONE, at):
        assert passes(intent, places, LAW_ALONE, at, FEWER_RULES)


@settings(max_examples=300, deadline=None)
@given(intents, chosen_places, facts_of_any_kind, instants)
def test_the_verdict_turns_exactly_at_the_instants_told(
    intent: Intent, places: list[Place], facts: Facts, at: datetime
) -> None:
    finding = evaluate(intent, at_places(places), facts, RULES, at)
    passed = finding.check.outcome == "pass"
    told = members_of(finding.check)["closes_at" if passed else "next_allowed_at"]
    if told is None:
        return
    turn = datetime.fromisoformat(str(told))
    assert turn > at
    assert passes(intent, places, facts, turn) != passed
    assert passes(intent, places, facts, turn - timedelta(seconds=1)) == passed
    # Nothing turns in between: the intervals that the outlook finds have no edge there.
    days = (turn - at).days + 1
    forecast = open_intervals(intent, at_places(places), facts, RULES, at, days)
    edges = {edge for span in forecast.open for edge in span if edge > second_of(at)}
    assert min(edges) == second_of(turn)


def dated_rule(
    place: str, begins: date | None, ends: date | None, open_from: int, open_until: int
) -> WindowRules:
    """The rules and one more, which is law for a time."""
    span = ((open_from, open_until),)
    rule = WindowRule(
        id="dated",
        name="A law for a time",
        jurisdiction=place,
        scope="all",
        text="yes",
        hours=Hours(span, span, (), begins=begins, ends=ends),
        clocks=(CALLED_PARTY,),
        solicitation_only=False,
        citation="the test's own act",
        confidence="low",
        exemptions=(Exemption("purchase", within_days=20),),
    )
    return replace(RULES, by_jurisdiction={**RULES.by_jurisdiction, place: (*RULES.of(place), rule)})


dated_packs = st.builds(
    lambda place, first, days, minutes: dated_rule(
        place,
        first,
        first + timedelta(days=days) if days else None,
        *sorted(minutes),
    ),
    place=st.sampled_from(["US", "US-TX", "US-FL", "FR"]),
    first=st.dates(date(2026, 1, 1), date(2027, 12, 1)),
    days=st.sampled_from([0, 1, 7, 40]),
    minutes=st.tuples(st.integers(0, 24 * 60), st.integers(0, 24 * 60)),
)
places_of_dated_packs = st.lists(
    st.sampled_from(
        [place for place in ALL_PLACES if place.jurisdiction in ("US-TX", "US-FL", "US-NY", "FR")]
    ),
    min_size=1,
    max_size=2,
    unique=True,
)


@settings(max_examples=200, deadline=None)
@given(intents, places_of_dated_packs, facts_of_any_kind, dated_packs, st.integers(-3 * 86_400, 3 * 86_400))
def test_the_verdict_turns_exactly_where_it_says_across_a_change_of_the_law(
    intent: Intent, places: list[Place], facts: Facts, rules: WindowRules, around: int
) -> None:
    begins = next(
        rule.effective_from
        for listed in rules.by_jurisdiction.values()
        for rule in listed
        if rule.id == "dated"
    )
    assert begins is not None
    at = datetime(begins.year, begins.month, begins.day, tzinfo=UTC) + timedelta(seconds=around)
    finding = evaluate(intent, at_places(places), facts, rules, at)
    passed = finding.check.outcome == "pass"
    # One rule more never allows more.
    assert not passed or passes(intent, places, facts, at)
    told = members_of(finding.check)["closes_at" if passed else "next_allowed_at"]
    if told is None:
        return
    turn = datetime.fromisoformat(str(told))
    assert turn > at
    assert passes(intent, places, facts, turn, rules) != passed
    assert passes(intent, places, facts, turn - timedelta(seconds=1), rules) == passed


def test_the_intervals_agree_with_the_verdicts_at_ten_thousand_instants() -> None:
    numbers = [
        "+12125550123", "+18505550123", "+12195550123", "+16025550123", "+19285550123", "+16015550123",
        "+19155550123", "+17095550123", "+18675550123", "+16045550123", "+17875550123", "+19075550123",
        "+33142345678", "+34612345678", "+390612345678", "+61412345678", "+5511987654321", "+56221234567",
        "+441481123456", "+201001234567", "+212612345678", "+972501234567", "+3544101234", "+6421123456",
    ]  # fmt: skip
    # Two weeks around every change of the clocks of these places in 2026 and 2027.
    weeks = [
        datetime(year, month, day, tzinfo=UTC)
        for year in (2026, 2027)
        for month, day in ((3, 5), (3, 22), (4, 1), (4, 20), (9, 1), (9, 24), (10, 22), (10, 29))
    ]
    chance = random.Random(20261121)
    agreed = {"pass": 0, "block": 0}
    for _ in range(400):
        number, start = chance.choice(numbers), chance.choice(weeks)
        places = locate(parse_number(number), None, False)
        intent = Intent(
            chance.choice(["call", "sms"]),
            number,
            "+12125550100",
            voice_type=chance.choice(["live", "prerecorded"]),
        )
        facts = Facts(
            policy=AccountPolicy(
                house_window=HouseWindow(*chance.choice([(0, 1440), (540, 1260), (60, 180)]))
            )
        )
        forecast = open_intervals(intent, places, facts, RULES, start, 14)
        for _ in range(25):
            at = start + timedelta(seconds=chance.randrange(14 * 86_400))
            verdict = evaluate(intent, places, facts, RULES, at).check.outcome
            inside = any(opens <= second_of(at) < closes for opens, closes in forecast.open)
            assert inside == (verdict == "pass"), (number, at)
            agreed[verdict] += 1
    assert sum(agreed.values()) == 10_000
    assert min(agreed.values()) > 1_000
