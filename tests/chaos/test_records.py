"""The records that chaos is judged by: they find what is wrong, and blame nobody for what a restore took away."""

from __future__ import annotations

import json
import time
from itertools import islice
from pathlib import Path

import pytest

from tests.chaos.__main__ import main
from tests.chaos.answers import problem_fault
from tests.chaos.decisions import Decided, Decisions, Held
from tests.chaos.events import IN, OUT, Events, Told
from tests.chaos.faults import FAULTS, schedule
from tests.chaos.findings import Findings
from tests.chaos.lists import WISH, Change, Lists, Loss
from tests.chaos.registries import CORE, SIDES, Loaded, Registered
from tests.chaos.report import keep_page, page
from tests.service import Answer

N = "+14155556000"


def lists(*changes: tuple[str, Change]) -> Lists:
    """A record with these changes of one number."""
    made = Lists()
    for slot, change in changes:
        made.note(N, slot, change)
    return made


def stop(sent: float = 10, done: float = 11, *, answered: bool = True) -> tuple[str, Change]:
    """A person's STOP."""
    return WISH, Change(sent, done, True, answered, None, "STOP")


def start(sent: float, done: float, *, answered: bool = True) -> tuple[str, Change]:
    """A person's START."""
    return WISH, Change(sent, done, False, answered, None, "START")


def put(sent: float, done: float, until: float | None = None, slot: str = "all") -> tuple[str, Change]:
    """An entry of the account's."""
    return slot, Change(sent, done, True, True, until, "PUT")


def removed(sent: float, done: float, *, answered: bool = True, slot: str = "all") -> tuple[str, Change]:
    """The account's entry is removed."""
    return slot, Change(sent, done, False, answered)


@pytest.mark.parametrize(
    ("changes", "suppressed"),
    [
        ([], False),
        ([stop()], True),
        ([stop(done=19.5, sent=18)], True),
        ([stop(done=21, sent=18)], False),  # answered after the intent was sent
        ([stop(answered=False)], False),  # nobody knows whether it was taken
        ([stop(), start(12, 13)], False),
        ([start(5, 6), stop()], True),
        ([stop(), start(10.5, 12)], False),  # at the same time: nobody knows which came last
        ([stop(), start(25, 26)], False),  # while the intent was on its way
        ([stop(), start(12, 13, answered=False)], False),
        ([stop(), removed(12, 13)], True),  # the account does not lift the person's wish
        ([stop(), put(12, 13, until=15)], True),  # nor does it set an end to it
        ([put(10, 11), start(12, 13)], True),  # and the person does not lift the account's entry
        ([put(10, 11, until=15)], False),
        ([put(10, 11, until=60)], True),
        ([put(10, 11), put(12, 13, until=15)], False),
        ([put(10, 11, until=15), put(12, 13)], True),
        ([put(10, 11), removed(12, 13, slot="sms")], True),
        ([put(10, 11, slot="sms")], False),
        ([put(10, 11, slot="call")], True),
    ],
)
def test_a_call_is_wrong_exactly_when_an_answered_suppression_surely_stands(
    changes: list[tuple[str, Change]], suppressed: bool
) -> None:
    assert (lists(*changes).surely_suppressed(N, "call", 20, 30) is not None) == suppressed


@pytest.mark.parametrize(
    ("changes", "suppressed"),
    [
        ([stop(1, 2)], True),  # before the copy
        ([stop(7, 8)], False),  # after the copy: forgotten, and nobody is to blame
        ([stop(4, 6)], False),  # while it was made
        ([stop(1, 2), start(7, 8)], True),  # the START is forgotten, so the STOP stands again
        ([stop(1, 2), start(4, 6)], False),
        ([stop(1, 2), start(9.5, 10.5)], False),  # under way when it was restored
    ],
)
def test_a_restore_takes_exactly_what_came_after_its_copy(
    changes: list[tuple[str, Change]], suppressed: bool
) -> None:
    record = lists(*changes)
    record.lose(Loss(at=10, kept_until=4.5, lost_from=5.5))
    assert (record.surely_suppressed(N, "call", 20, 21) is not None) == suppressed


def held(name: str, since: float, until: float, **fields: float) -> Held:
    """A channel of the pool."""
    lease = Held(name, "trunk", since, [(since - 1, since, until)], since - 1)
    for field, value in fields.items():
        setattr(lease, field, value)
    return lease


@pytest.mark.parametrize(
    ("third", "over"),
    [
        (held("c", 5, 30), True),
        (held("c", 12, 30), False),  # a has begun to be released by then
        (held("c", 5, 30, gone_at=5.0), False),  # a restore forgot it as soon as it was there
    ],
)
def test_more_channels_than_there_are_is_found_and_a_released_one_counts_no_more(
    third: Held, over: bool
) -> None:
    record = Decisions()
    for lease in (held("a", 1, 30, release_sent=10), held("b", 2, 30), third):
        record.hold(lease)
    assert bool(record.over_capacity({"trunk": 2}, 40)) == over
    assert record.over_capacity({"trunk": 2}, 41) == []  # said once


def test_a_restore_excuses_only_decisions_that_it_can_have_forgotten() -> None:
    record = Decisions()
    for name, answered in (("kept", 4.0), ("lost", 7.0)):
        record.decide(Decided(name, "approved", N, answered - 1, answered))
        record.same_key(f"key of {name}", name, answered)
        record.hold(held(name, answered, 40))
    assert record.lose(Loss(at=10, kept_until=4.5, lost_from=5.5)) == (1, 1)
    assert {name: each.perhaps_lost for name, each in record.decided.items()} == {"kept": False, "lost": True}
    assert {name: lease.until() > 10 for name, lease in record.held.items()} == {"kept": True, "lost": False}
    assert record.same_key("key of kept", "another", 12) == "kept"
    assert record.same_key("key of lost", "another", 12) is None


def test_another_verdict_under_the_same_id_is_found() -> None:
    record = Decisions()
    assert record.decide(Decided("a", "blocked", N, 1, 2)) is None
    assert record.decide(Decided("a", "approved", N, 1, 3)) is not None


def test_an_error_that_is_no_whole_problem_document_is_found() -> None:
    whole = dict.fromkeys(("type", "title", "detail", "code", "instance", "docs"), "x")
    headers = {"content-type": "application/problem+json", "retry-after": "2"}

    def fault(document: object, **changed: str) -> str | None:
        return problem_fault(Answer(503, headers | changed, json.dumps(document).encode()))

    assert fault({**whole, "status": 503, "retry_after": 2}) is None
    assert fault({**whole, "status": 503}) is not None
    assert fault({**whole, "status": 500, "retry_after": 2}) is not None
    assert fault({"status": 503, "retry_after": 2}) is not None
    assert (
        fault({**whole, "status": 503, "retry_after": 2}, **{"content-type": "application/json"}) is not None
    )


def test_a_schedule_follows_from_its_seed_and_leaves_no_fault_out() -> None:
    names = list(FAULTS)
    first = list(islice(schedule(7, names), 3 * len(names)))
    assert first == list(islice(schedule(7, names), 3 * len(names)))
    assert first != list(islice(schedule(8, names), 3 * len(names)))
    for start_ in range(0, len(first), len(names)):
        assert {planned.name for planned in first[start_ : start_ + len(names)]} == set(names)
    assert first[3].rng(7).random() == first[3].rng(7).random()


def test_the_faults_are_listed_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in FAULTS)
    with pytest.raises(SystemExit):
        main(["--faults", "earthquake"])


def wishes(*changes: tuple[str, Change]) -> Events:
    """A record of what one person wrote."""
    made = Events()
    for _, change in changes:
        made.note(N, change)
    return made


def told(*events: tuple[str, float]) -> list[Told]:
    """What a receiver has taken of the person, in the order of arrival; named by type and time."""
    return [Told(f"{kind}@{at}", kind, N, at) for kind, at in events]


def nothing(sent: float, done: float) -> bool:
    """No loss."""
    return False


@pytest.mark.parametrize(
    ("changes", "events", "missing"),
    [
        ([stop()], [], True),
        ([stop()], [(OUT, 10.5)], False),
        ([stop()], [(OUT, 12)], True),  # of a later one
        ([stop(), stop(20, 21)], [(OUT, 10.5)], False),  # the second changes nothing
        ([stop(), start(12, 13), stop(20, 21)], [(OUT, 10.5), (IN, 12.5)], True),
        ([stop(), start(12, 13), stop(20, 21)], [(OUT, 10.5), (IN, 12.5), (OUT, 20.5)], False),
        ([start(12, 13)], [], True),  # each START is told
        ([stop(), start(10.5, 12)], [(IN, 11)], False),  # they crossed: nobody knows what the STOP changed
        ([stop(answered=False)], [], False),
        # Two replicas stamp what crossed a few milliseconds otherwise; how it came is how it happened.
        (
            [stop(), stop(14, 14.3), start(14.1, 14.4), stop(20, 21)],
            [(OUT, 10.5), (IN, 14.21), (OUT, 14.2)],
            False,
        ),
        ([stop(10, 14)], [(OUT, 14.4)], False),  # a store stood still, and with it what is known of its clock
    ],
)
def test_a_wish_that_was_answered_and_never_told_is_found(
    changes: list[tuple[str, Change]], events: list[tuple[str, float]], missing: bool
) -> None:
    assert bool(list(wishes(*changes).missing(told(*events), nothing))) == missing
    assert not list(wishes(*changes).missing(told(*events), lambda sent, done: True))


def test_two_opt_outs_that_come_without_the_opt_in_between_are_out_of_order_and_a_repetition_is_not() -> None:
    record = wishes(stop(), start(12, 13), stop(20, 21))
    right = told((OUT, 10), (IN, 12), (OUT, 20), (OUT, 10), (OUT, 20))  # the last two come again
    assert list(record.out_of_order(right, nothing)) == []
    assert list(record.out_of_order(told((OUT, 10), (OUT, 20), (IN, 12)), nothing)) != []


@pytest.mark.parametrize(
    ("loads", "sent", "binds"),
    [
        ([], 20, False),
        ([Loaded(1, 2, 0, True)], 20, True),
        ([Loaded(1, 2, 1, True)], 20, False),  # the other half of the numbers
        ([Loaded(1, 2, 0, True), Loaded(5, 6, 1, True)], 20, False),
        ([Loaded(1, 2, 1, True), Loaded(5, 6, 0, True)], 20, True),
        ([Loaded(1, 2, 0, True), Loaded(5, 6, 1, False)], 20, False),  # nobody knows
        ([Loaded(1, 2, 0, True), Loaded(20.5, 30, 1, True)], 20, False),  # while the intent was on its way
        ([Loaded(1, 30, 0, True)], 20, False),  # not loaded yet
    ],
)
def test_a_registry_binds_surely_what_its_last_answered_load_holds(
    loads: list[Loaded], sent: float, binds: bool
) -> None:
    record = Registered()
    for load in loads:
        record.note(load)
    assert record.surely_binds(SIDES[0].format(1), sent, sent + 1) == binds
    assert record.surely_binds(CORE.format(1), sent, sent + 1), "it stands in every list"
    record.lose(Loss(at=15, kept_until=0.5, lost_from=1))
    assert not record.surely_binds(SIDES[0].format(1), sent, sent + 1), "a restore may have forgotten it"


def test_while_a_registry_is_loaded_anew_nobody_knows_which_of_its_numbers_bind() -> None:
    """It takes effect before its end is told, and its end is told before it is noted."""
    record, now = Registered(), time.time()
    record.note(Loaded(now - 9, now - 8, 0, True))
    number = SIDES[0].format(1)
    with record.loading(1):
        assert not record.surely_binds(number, now, time.time())
        assert record.surely_binds(CORE.format(1), now, time.time())
        assert record.surely_binds(number, now - 5, now - 4), "it was answered before the load was sent"
        record.lose(Loss(at=now + 1, kept_until=now, lost_from=now + 1))
        assert not record.surely_binds(number, now, time.time())
        record.note(Loaded(now + 1, now + 2, 1, True))
    assert not record.surely_binds(number, now + 3, now + 4)
    assert record.surely_binds(SIDES[1].format(1), now + 3, now + 4)


def test_the_page_of_figures_keeps_the_other_seeds_and_takes_a_run_of_the_same_anew(tmp_path: Path) -> None:
    kept = tmp_path / "chaos.md"
    for seed, times in ((1, 2), (10, 3), (1, 4)):
        findings = Findings(lambda _: None)
        findings.faults["kill_worker"] = times
        findings.answered("intent", "201")
        findings.answered("intent", "503")
        findings.violation("lost event", "of a test")
        keep_page(kept, seed, list(page(findings, seed, 2.5, {})))
    text = kept.read_text()
    assert text.count("## Seed 1,") == text.count("## Seed 10,") == 1
    assert text.startswith("# Figures of chaos")
    assert "4 faults, 2 answers, 1 violations." in text
    assert "3 faults, 2 answers" in text
    assert "| intent | 1 | 0 | 0 | 1 | 0 |" in text
    assert text.count("at least once | 1 |") == 2
