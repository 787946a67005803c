"""What must hold of every history: order and repetition do not show, what was voided never happened, nothing raises."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoint.core import facts as f
from checkpoint.core import passes, rules
from checkpoint.core.book import Book
from checkpoint.core.journey import View, fold_journeys, view_of
from checkpoint.core.sampling import fold_person
from checkpoint.core.track import Fix
from checkpoint.core.verdict import WORST, Finding, Gate, Verdict
from tests.histories import (
    BASE,
    FACT_IDS,
    GRANTS,
    LOOP,
    LOOPS,
    PEOPLE,
    PLACES,
    VEHICLES,
    drives,
    histories,
    instants,
    look,
    read_track,
    told,
)

every_history = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

# A judgement is asked within the days of the history and some time after.
moments = st.integers(0, 6 * 24 * 60 * 60).map(lambda s: BASE + timedelta(seconds=s))
SPARE = FACT_IDS[-1]


def _gate(station: str, now: datetime, **known: Any) -> Gate:
    grant = GRANTS[0].what
    assert isinstance(grant, f.PassGranted)
    sealed = passes.Pass(
        number=grant.pass_id,
        plate=grant.vehicle,
        loop_digest=passes.loop_digest("plain"),
        not_before=grant.not_before,
        expires=grant.expires,
        anchor=bytes.fromhex(grant.anchor),
    )
    step = passes.step_at(sealed, now, LOOP.policy.step_s)
    reading = passes.Reading(pass_=sealed, text="CP1", step=step, step_genuine=True)
    return Gate(station=station, reading=reading, loop=LOOP, **known)


def _decide(view: View, station: str, now: datetime, **known: Any) -> Verdict:
    return rules.decide(view, _gate(station, now, **known), now)


def _shuffled_twice(things: tuple[Any, ...], seed: int) -> list[Any]:
    twice = list(things) * 2
    random.Random(seed).shuffle(twice)
    return twice


@every_history
@given(history=histories(), fixes=drives(), now=moments, seed=st.integers(0, 99), station=st.sampled_from(PLACES))
def test_order_and_repetition_do_not_show(
    history: tuple[f.Fact, ...], fixes: tuple[Fix, ...], now: datetime, seed: int, station: str
) -> None:
    view = look(history, now, fixes)
    again = look(_shuffled_twice(history, seed), now, _shuffled_twice(fixes, seed))
    assert again == view
    assert rules.judge(again, now) == rules.judge(view, now)
    assert _decide(again, station, now) == _decide(view, station, now)


@every_history
@given(history=histories(), now=moments, cut=st.integers(0, 30), seed=st.integers(0, 99))
def test_what_arrives_late_reads_as_if_it_had_come_in_time(
    history: tuple[f.Fact, ...], now: datetime, cut: int, seed: int
) -> None:
    shuffled = _shuffled_twice(history, seed)
    book = Book(shuffled[:cut])
    view_of(book, VEHICLES[0], LOOPS, None, now)  # somebody looked before the rest came
    for fact in shuffled[cut:]:
        book.add(fact)
    assert view_of(book, VEHICLES[0], LOOPS, None, now) == look(history, now)


@every_history
@given(fixes=drives(), seed=st.integers(0, 99))
def test_late_fixes_read_as_if_they_had_come_in_time(fixes: tuple[Fix, ...], seed: int) -> None:
    assert read_track(_shuffled_twice(fixes, seed)) == read_track(fixes)


@every_history
@given(history=histories(), wrong=told(SPARE), at=instants, now=moments, station=st.sampled_from(PLACES))
def test_a_voided_fact_is_as_if_it_had_never_happened(
    history: tuple[f.Fact, ...], wrong: f.Fact, at: datetime, now: datetime, station: str
) -> None:
    void = f.Fact(id="void", at=at, witness="desk:1", what=f.Voided(target=SPARE, reason="wrong"))
    without = tuple(x for x in history if getattr(x.what, "target", "") != SPARE)
    view, never = look((*without, wrong, void), now), look(without, now)
    assert msgspec.structs.replace(view, warnings=()) == msgspec.structs.replace(never, warnings=())
    assert view.warnings == never.warnings
    assert rules.judge(view, now) == rules.judge(never, now)
    assert _decide(view, station, now) == _decide(never, station, now)


@every_history
@given(history=histories(), wrong=told(SPARE), right=told(SPARE), now=moments)
def test_an_amended_fact_is_as_if_it_had_been_told_right(
    history: tuple[f.Fact, ...], wrong: f.Fact, right: f.Fact, now: datetime
) -> None:
    if isinstance(right.what, f.Amended | f.Voided) or isinstance(wrong.what, f.Amended | f.Voided):
        return
    right = msgspec.structs.replace(wrong, what=right.what, at=right.at)
    amend = f.Fact(
        id="amend", at=BASE, witness="desk:1", what=f.Amended(target=SPARE, reason="wrong", what=right.what, at=right.at)
    )
    without = tuple(x for x in history if getattr(x.what, "target", "") != SPARE)
    amended, told_right = look((*without, wrong, amend), now), look((*without, right), now)
    assert amended == told_right
    assert rules.judge(amended, now) == rules.judge(told_right, now)


@every_history
@given(
    history=histories(),
    fixes=drives(),
    now=moments,
    station=st.sampled_from(PLACES),
    lists=st.sampled_from((None, 0, 50_000)),
    offset=st.sampled_from((None, 0.0, 300.0, -90_000.0)),
)
def test_nothing_raises_and_every_answer_is_whole(
    history: tuple[f.Fact, ...], fixes: tuple[Fix, ...], now: datetime, station: str, lists: int | None, offset: float | None
) -> None:
    book = Book(history)
    for vehicle in (*VEHICLES, "京A00000"):
        fold_journeys(book, vehicle, LOOPS)
        judgement = rules.judge(view_of(book, vehicle, LOOPS, read_track(fixes), now), now)
        assert judgement.next_change is None or judgement.next_change > now
        for finding in judgement.findings:
            assert finding.kind in rules.KINDS
            assert finding.since <= now, finding
            assert finding.evidence, finding
            assert (finding.kind in rules.FOR_DRIVER) == finding.for_driver
            assert all(not c.fact or book.fact(c.fact) is not None for c in finding.evidence)
    for person in PEOPLE:
        fold_person(book, person, lambda at, station: LOOP.policy_at(station))
    verdict = _decide(look(history, now, fixes), station, now, lists_age_s=lists, offset_s=offset)
    worst = min(WORST[r.row.verdict] for r in verdict.reasons)
    assert WORST[verdict.word] == worst
    assert verdict.next_step == verdict.reasons[0].row.next_step
    assert verdict.until is None or verdict.until > now


@every_history
@given(history=histories(), now=moments, station=st.sampled_from(PLACES), person=st.sampled_from(PEOPLE[:2]))
def test_a_positive_result_never_makes_a_go(history: tuple[f.Fact, ...], now: datetime, station: str, person: str) -> None:
    taken = f.SwabTaken(specimen="SX", person=person, test="pcr", vehicle=VEHICLES[0])
    swab = f.Fact(id="swab", at=BASE, witness="kiosk:sampling", what=taken, station="sampling")
    result = f.ResultReported(test="pcr", result="positive", laboratory="city", specimen="SX")
    reported = f.Fact(id="result", at=BASE + timedelta(seconds=1), witness="lab:city", what=result)
    later = now + timedelta(seconds=1)
    view = look((*history, swab, reported), later)
    if view.pass_ is not None and person in view.pass_.crew:
        assert _decide(view, station, later).word != "GO"


def _spoken(findings: tuple[Finding, ...], at: datetime) -> set[tuple[object, ...]]:
    return {(x.kind, x.subject, x.colour, x.confirmed, x.until is None or x.until > at) for x in findings}


@every_history
@given(history=histories(), fixes=drives(), now=moments, share=st.floats(0.01, 0.999))
def test_a_judgement_changes_by_itself_only_when_it_said_so(
    history: tuple[f.Fact, ...], fixes: tuple[Fix, ...], now: datetime, share: float
) -> None:
    known = tuple(x for x in history if x.at <= now)
    driven = tuple(x for x in fixes if x.fixed_at <= now)
    view = look(known, now, driven)
    judgement = rules.judge(view, now)
    until = judgement.next_change or now + timedelta(days=30)
    between = now + (until - now) * share
    again = rules.judge(look(known, between, driven), between)
    assert _spoken(again.findings, between) == _spoken(judgement.findings, now)


@every_history
@given(history=histories(), now=moments, station=st.sampled_from(PLACES[:-2]), share=st.floats(0, 0.999))
def test_a_go_holds_as_long_as_it_says(history: tuple[f.Fact, ...], now: datetime, station: str, share: float) -> None:
    known = tuple(x for x in history if x.at <= now)
    verdict = _decide(look(known, now), station, now)
    if verdict.word != "GO":
        return
    until = verdict.until or now + timedelta(days=3)
    between = now + (until - now) * share
    assert _decide(look(known, between), station, between).word == "GO"
