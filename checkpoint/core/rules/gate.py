"""The verdict at a gate: every reason that holds, from one table in the policy; the worst one wins.

The order of this file is the order of the questions: is it a pass of ours, does it count here and now, is it the driver's
and the truck's, are its people well, has the coordinator answered, does this station know enough, is its clock right.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from checkpoint.core import passes
from checkpoint.core.facts import Cited, StrangerSeen, Word
from checkpoint.core.journey import View
from checkpoint.core.loop import Leg, Loop, Policy, Stop
from checkpoint.core.rules.ahead import place_on_line, planned, stop_of
from checkpoint.core.rules.common import cite_swab, must_be_answered, seconds
from checkpoint.core.rules.movement import KINDS as DEPARTURES
from checkpoint.core.sampling import Evidence, Standing, as_of, bearing, counts_until, standing, with_bad_news
from checkpoint.core.verdict import WORST, Found, Gate, Value, Verdict

_UNKNOWN_CLOCK = timedelta(days=1)  # how wrong a clock may be that nobody has compared
_ONLY_OF_TIME = frozenset({"pass-expired", "pass-not-yet-valid"})


class _Reason(msgspec.Struct, frozen=True, kw_only=True):
    reason: str
    evidence: tuple[Cited, ...] = ()
    values: dict[str, Value] = {}
    until: datetime | None = None


def decide(view: View | None, gate: Gate, now: datetime, policy: Policy | None = None) -> Verdict:
    """The verdict for the pass at `gate` at `now`.

    `view` is what is known here of the pass's vehicle: None when nothing is. A pass that is not genuine gets its STOP from
    that alone. `policy` is used when neither gate nor view knows a loop.
    """
    loop = gate.loop or (view.loop if view is not None else None)
    rules = loop.policy_at(gate.station) if loop is not None else policy or Policy()
    found = _reasons(view, gate, now, rules, loop)
    unsure = _clock_unsure(view, gate, now, rules, loop, found)
    if unsure is not None:
        found = [f for f in found if f.reason not in _ONLY_OF_TIME]
        found.append(unsure)
    if not found:
        found = _go(view, now, rules)
    return _verdict(view, gate, now, rules, loop, found)


def _verdict(view: View | None, gate: Gate, now: datetime, policy: Policy, loop: Loop | None, found: list[_Reason]) -> Verdict:
    rows = {row.reason: row for row in policy.verdicts}
    reasons = sorted(
        (Found(row=rows[f.reason], evidence=f.evidence, values=f.values, until=f.until) for f in found),
        key=lambda f: (WORST[f.row.verdict], f.row.rank),
    )
    first = reasons[0]
    word = first.row.verdict
    next_values = dict(first.values)
    until = min((f.until for f in reasons if f.row.verdict == word and f.until is not None), default=None)
    if word == "GO" and view is not None:
        until = _holds_until(view, now, policy)
        next_values |= _next_place(view, gate, now)
        next_values["until"] = until
    return Verdict(
        word=word,
        reasons=tuple(reasons),
        next_step=first.row.next_step,
        next_values=next_values,
        until=until,
        at=now,
        loop=loop.id if loop is not None else "",
        loop_version=loop.version if loop is not None else 0,
    )


def _reasons(view: View | None, gate: Gate, now: datetime, policy: Policy, loop: Loop | None) -> list[_Reason]:
    typed = gate.medium == "typed" and view is not None and view.pass_ is not None
    if gate.reading is None and not typed:
        return [_Reason(reason="not-genuine", values={"why": gate.refused or "forged"})]
    found = [*_pass_reasons(view, gate, now, loop), *_holder_reasons(view, gate, now, policy)]
    if not _crew_known(view, gate):
        found.append(_Reason(reason="evidence-missing", values={"why": "unknown-here", "station": _samples(loop, gate.station)}))
    if view is not None and view.pass_ is not None:
        for person in view.pass_.crew:
            found += _person_reasons(view, gate.station, person, now, policy)
        found += _departure_reasons(view)
    found += _list_reasons(gate, now, policy)
    return found


def _crew_known(view: View | None, gate: Gate) -> bool:
    """Whether it is known here who is on the pass shown: a genuine one may be newer than what this station was told."""
    if view is None or view.pass_ is None:
        return False
    if gate.reading is None:
        return True
    state = view.pass_of(gate.reading.pass_.number)
    return state is not None and state.grant.generation >= gate.reading.pass_.generation


def _pass_reasons(view: View | None, gate: Gate, now: datetime, loop: Loop | None) -> Iterator[_Reason]:
    """Does the pass count, here and now?"""
    state = view.pass_ if view is not None else None
    if gate.reading is not None:
        sealed = gate.reading.pass_
        number, generation, begins, expires = sealed.number, sealed.generation, sealed.not_before, sealed.expires
        if loop is not None and sealed.loop_digest != passes.loop_digest(loop.id):
            yield _Reason(reason="pass-other-loop", values={"pass": number})
        state = view.pass_of(number) if view is not None else None
    elif state is not None:
        number, generation = state.grant.pass_id, state.grant.generation
        begins, expires = state.grant.not_before, state.grant.expires
        if loop is not None and state.grant.loop != loop.id:
            yield _Reason(reason="pass-other-loop", values={"pass": number})
    else:
        return
    if state is not None and state.revoked_at is not None and state.revoked_at <= now:
        yield _Reason(reason="pass-revoked", values={"pass": number, "at": state.revoked_at, "why": state.revoked_reason})
    if state is not None and (generation < state.grant.generation or _replaced(view, state.grant.pass_id, now)):
        yield _Reason(reason="pass-superseded", values={"pass": number})
    if now >= expires:
        yield _Reason(reason="pass-expired", values={"pass": number, "at": expires})
    if now < begins:
        yield _Reason(reason="pass-not-yet-valid", values={"pass": number, "at": begins}, until=begins)


def _replaced(view: View | None, number: str, now: datetime) -> bool:
    """One vehicle, one pass: a pass granted later, and begun, stands in the place of the one before."""
    if view is None:
        return False
    mine = view.pass_of(number)
    return mine is not None and any(
        p.granted_at > mine.granted_at and p.grant.not_before <= now and p.revoked_at is None and p.grant.loop == mine.grant.loop
        for p in view.passes
    )


def _holder_reasons(view: View | None, gate: Gate, now: datetime, policy: Policy) -> Iterator[_Reason]:
    """Is it the truck's pass, shown live or compared, and is nobody in the cab who is not on it?"""
    reading = gate.reading
    plate = reading.pass_.plate if reading is not None else view.vehicle if view is not None else ""
    if gate.plate_read and gate.plate_read != plate:
        yield _Reason(reason="plate-differs", values={"plate": plate, "read": gate.plate_read})
    if reading is None or reading.pass_.paper:
        if not gate.plate_read or gate.names_agree is None:
            yield _Reason(reason="paper-not-compared", values={"plate": plate})
    elif not passes.is_live(reading, now, step_s_of(view, reading.pass_, policy), policy.steps_tolerated):
        yield _Reason(reason="pass-not-live", values={"plate": plate, "stepped": reading.step is not None})
    seen = _stranger(view, now)
    if seen or gate.names_agree is False:
        yield _Reason(reason="stranger-in-cab")


def step_s_of(view: View | None, shown: passes.Pass, policy: Policy) -> int:
    """The rhythm in seconds that a pass was granted with; where its grant is not known, the policy's is the likeliest."""
    state = view.pass_of(shown.number) if view is not None else None
    if state is None or state.grant.generation != shown.generation:
        return policy.step_s
    return state.grant.step_s


def _stranger(view: View | None, now: datetime) -> bool:
    """Whether the last word about the cab is that somebody is in it who is not on the pass."""
    told = [fact for fact in view.cab if fact.at <= now] if view is not None else []
    return bool(told) and isinstance(told[-1].what, StrangerSeen)


def _known(view: View, person: str, now: datetime, policy: Policy) -> Evidence:
    """What this clock has seen happen, and what another kiosk's clock, as far ahead as clocks may be, has just written:
    a test read in the tent counts at the exit a moment later, though the exit's clock is a minute behind. Bad news counts
    whatever the clock says that told it."""
    return with_bad_news(view.people[person], now + seconds(policy.clock_tolerance_s))


def _person_reasons(view: View, station: str, person: str, now: datetime, policy: Policy) -> Iterator[_Reason]:
    """Is this crew member well, as far as anybody knows here?"""
    evidence = _known(view, person, now, policy)
    yield from _tested_reasons(view, station, evidence, now, policy)
    yield from _measured_reasons(evidence, now, policy)


def _tested_reasons(view: View, station: str, evidence: Evidence, now: datetime, policy: Policy) -> Iterator[_Reason]:
    """What the tests say of a crew member."""
    person = evidence.person
    held = standing(evidence, now, policy)
    who: dict[str, Value] = {"person": person}
    if held.positive is not None:
        yield _Reason(reason="tested-positive", evidence=cite_swab(held.positive), values=who | {"test": held.positive.test})
    elif held.review is not None:
        yield _Reason(
            reason="held-for-review",
            evidence=cite_swab(held.review),
            values=who | {"station": _sampling_place(view, station), "why": held.review.why},
        )
    if held.unread is not None:
        opens = held.unread.taken_at + seconds(policy.antigen_read_after_s)
        shuts = held.unread.taken_at + seconds(policy.antigen_read_before_s)
        yield _Reason(
            reason="antigen-unread",
            evidence=cite_swab(held.unread),
            values=who | {"opens": opens, "shuts": shuts, "specimen": held.unread.specimen},
            until=opens if now < opens else shuts,
        )
    elif policy.evidence_required and not _evidenced(held, policy):
        yield _Reason(
            reason="evidence-missing",
            evidence=tuple(c for s in evidence.swabs[-2:] for c in cite_swab(s)),
            values=who | {"station": _sampling_place(view, station), "needs": _needs(held), "why": "expired-or-none"},
        )


def _evidenced(held: Standing, policy: Policy) -> bool:
    """A PCR that counts; or, older than its window, a negative antigen with a PCR on its way (rule of 18 April 2022)."""
    if held.pcr is not None:
        return True
    return policy.go_on_antigen and held.antigen is not None and held.pending is not None


def evidenced_until(held: Standing, policy: Policy) -> datetime | None:
    """The first instant at which what counts now will no longer let anybody go; None when nothing does already."""
    ends = [held.pcr_until] if held.pcr_until is not None else []
    if policy.go_on_antigen and held.antigen_until is not None and held.pending is not None:
        pending_until = counts_until(held.pending, policy)
        ends.append(min(held.antigen_until, pending_until) if pending_until is not None else held.antigen_until)
    return max(ends, default=None)


def _needs(held: Standing) -> str:
    """What would make the evidence whole: `pcr`, `antigen`, or `both`."""
    if held.antigen is not None:
        return "pcr"
    return "antigen" if held.pending is not None else "both"


def _measured_reasons(evidence: Evidence, now: datetime, policy: Policy) -> Iterator[_Reason]:
    fresh = now - seconds(policy.temperature_valid_s)
    celsius = evidence.celsius if evidence.celsius_at is not None and evidence.celsius_at > fresh else None
    values: dict[str, Value] = {"person": evidence.person, "celsius": celsius, "code": evidence.code}
    not_as_required = (
        (celsius is not None and celsius >= policy.temperature_max_celsius)
        or evidence.code not in ("", "green")
        or (policy.temperature_required and celsius is None)
        or (policy.health_code_required and not evidence.code)
    )
    if not_as_required:
        yield _Reason(reason="temperature-or-code", values=values)


def _departure_reasons(view: View) -> Iterator[_Reason]:
    """A red departure that nobody has answered, over or not."""
    for warning in view.warnings:
        if must_be_answered(warning) and warning.confirmed and warning.colour == "red" and warning.raised.finding in DEPARTURES:
            yield _Reason(
                reason="red-unanswered",
                evidence=(Cited(what="WarningRaised", at=warning.raised_at, fact=warning.id),),
                values={"finding": warning.raised.finding, "since": warning.raised.since},
            )


def _list_reasons(gate: Gate, now: datetime, policy: Policy) -> Iterator[_Reason]:
    if gate.lists_age_s is None or gate.lists_age_s >= policy.lists_hold_s:
        yield _Reason(reason="lists-old", values={"age_s": gate.lists_age_s})


def _clock_unsure(
    view: View | None, gate: Gate, now: datetime, policy: Policy, loop: Loop | None, found: list[_Reason]
) -> _Reason | None:
    """Would another clock have given another answer? Asked only where the clock here cannot be trusted."""
    if gate.offset_s is not None and abs(gate.offset_s) <= policy.clock_tolerance_s:
        return None
    if any(f.reason == "not-genuine" for f in found):
        return None
    rows = {row.reason: row.verdict for row in policy.verdicts}
    shifts = [seconds(gate.offset_s)] if gate.offset_s is not None else [-_UNKNOWN_CLOCK, _UNKNOWN_CLOCK]
    here = _word(found, rows)
    for shift in shifts:
        if _word(_reasons(view, gate, now + shift, policy, loop), rows) != here:
            return _Reason(reason="clock-unsure", values={"offset_s": gate.offset_s})
    return None


def _word(found: list[_Reason], rows: dict[str, Word]) -> Word:
    return min((rows[f.reason] for f in found), key=lambda w: WORST[w], default="GO")


def _go(view: View | None, now: datetime, policy: Policy) -> list[_Reason]:
    """Nothing holds the truck: in order, or on its way with a PCR pending after a negative antigen."""
    pending = []
    for person in view.pass_.crew if view is not None and view.pass_ is not None else ():
        assert view is not None
        held = standing(_known(view, person, now, policy), now, policy)
        if held.pcr is None and held.pending is not None:
            pending.append(held.pending)
    if not pending:
        return [_Reason(reason="in-order")]
    due = max(s.taken_at for s in pending) + seconds(policy.result_owed_s)
    cited = tuple(c for s in pending for c in cite_swab(s))
    return [_Reason(reason="pcr-pending", evidence=cited, values={"due": due})]


def _holds_until(view: View, now: datetime, policy: Policy) -> datetime | None:
    """The first instant at which a GO may no longer be one: evidence or pass runs out. What this station knows grows old
    too, but that is the station's matter, and no limit to tell a driver."""
    ends: list[datetime] = []
    if view.pass_ is not None:
        ends.append(view.pass_.grant.expires)
        for person in view.pass_.crew:
            held = standing(_known(view, person, now, policy), now, policy)
            if not policy.evidence_required:
                continue
            if held.pcr_until is not None:
                ends.append(held.pcr_until)
            elif held.antigen_until is not None:
                pending = counts_until(held.pending, policy) if held.pending is not None else None
                ends.append(min(held.antigen_until, pending) if pending is not None else held.antigen_until)
    return min(ends, default=None)


def _stops_after(view: View, station: str) -> tuple[Leg, tuple[Stop, ...], float]:
    """The leg under way, the stops ahead on it, seen from a station (or from the track), and the metres already behind."""
    assert view.loop is not None
    leg: Leg = view.journey.leg if view.journey is not None else "inbound"
    if view.journey is not None and station == view.loop.destination and view.journey.unloads:
        leg = "inbound"
    elif station == view.loop.origin and view.journey is not None and view.journey.loads:
        leg = "outbound" if not view.journey.unloads else leg
    stop = stop_of(view.loop, leg, station)
    place = place_on_line(view)
    along_m = stop.along_m if stop is not None else place[1] if place is not None else 0.0
    return leg, tuple(s for s in view.loop.stops[leg] if s.along_m > along_m and s.station.id != station), along_m


def _next_place(view: View, gate: Gate, now: datetime) -> dict[str, Value]:
    """Where a released truck goes next: the next station it must visit, else the end of its leg; and about when."""
    if view.loop is None:
        return {}
    leg, stops, along_m = _stops_after(view, gate.station)
    if not stops:
        return {}
    must = next((s for s in stops if leg in s.station.required_on), stops[-1])
    return {"station": must.station.id, "eta": now + planned(view.loop, leg, along_m, must.along_m)}


def _sampling_place(view: View, station: str) -> str:
    """Where the next swab can be taken: here, else the next station ahead that samples, else any that does."""
    here = _samples(view.loop, station)
    if view.loop is None or here == station:
        return here
    _, stops, _ = _stops_after(view, station)
    return next((s.station.id for s in stops if "sampling" in s.station.services), here)


def _samples(loop: Loop | None, station: str) -> str:
    """A station of the loop that samples: this one if it does, else the first that does, or empty."""
    sampling = [s.id for s in loop.stations if "sampling" in s.services] if loop is not None else []
    return station if station in sampling else next(iter(sampling), "")


def evidence_word(view: View, station: str, at: datetime, ahead_s: float = 0) -> Word:
    """What the crew's evidence alone said at an instant, by all that is known of it now.

    It is the crew and the policy of that moment. Results count from when they were reported, wherever the news had got to
    by then; `ahead_s` is how far ahead the clock of who reported them may have been.
    """
    policy = view.policy_at(at, station)
    rows = {row.reason: row.verdict for row in policy.verdicts}
    found = [
        reason
        for person in view.crew_at(at)
        if person in view.people
        for known in [as_of(bearing(view.people[person], at, policy), at + seconds(ahead_s))]
        for reason in _tested_reasons(view, station, known, at, policy)
    ]
    return _word(found, rows)
