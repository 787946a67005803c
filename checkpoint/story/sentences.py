"""What a story can tell: one sentence, one fact, one visible list.

The law of this file: each row of `SENTENCES` says how a sentence is written, shows an example, and makes the fact; those of
`moving.py` make positions. Nothing else can be told.
"""

from __future__ import annotations

import re

from checkpoint.core import facts as f
from checkpoint.core.loop import Policy, in_force
from checkpoint.core.outages import Outage
from checkpoint.core.passes import normal_plate
from checkpoint.story.moving import MOVES
from checkpoint.story.told import AMOUNT, NAMES, PLATE, TIME, Sentence, Teller, amount, people, person

ANCHOR = "11" * 16  # every pass of a story has a chain; whether it is live is said by the scan


def _granted(t: Teller, m: re.Match[str]) -> f.What:
    vehicle = normal_plate(m["vehicle"])
    until = m["until"] if ":" in m["until"] else f"{m['until']} 23:59"
    granted = f.PassGranted(
        pass_id=m["number"],
        generation=int(m["generation"] or 1),
        vehicle=vehicle,
        crew=people(m["crew"]),
        loop=m["loop"] or t.story.loop_id,
        carrier="carrier-1",
        not_before=t.when(m["begins"]) if m["begins"] else t.at,
        expires=t.when(until),
        anchor=ANCHOR,
        step_s=_policy_of(t).step_s,
        request=m["request"] or "",
    )
    t.passes[m["number"]] = granted
    t.pass_of[vehicle] = m["number"]
    t.vehicle = vehicle
    return granted


def _policy_of(t: Teller) -> Policy:
    """The policy in force when it happened."""
    loop = in_force(t.story.versions, t.at)
    return loop.policy if loop is not None else Policy()


def _did_not_listen(t: Teller, m: re.Match[str]) -> None:
    """An outage of ours, which is no fact of anybody's."""
    t.story.outages.append(Outage(t.at, t.when(m["until"])))


def _swab(t: Teller, m: re.Match[str]) -> f.What:
    taken = f.SwabTaken(
        specimen=m["specimen"],
        person=person(m["person"]),
        test="antigen" if m["test"] == "antigen" else "pcr",
        vehicle=t.vehicle,
        tube=m["tube"] or "",
        pooled=m["pooled"] == "pooled in",
        repeat_reason=m["why"] or "",
    )
    t.swabs[taken.specimen] = taken
    if taken.tube:
        t.tubes.setdefault(taken.tube, []).append(taken)
    return taken


def _reported(t: Teller, m: re.Match[str]) -> f.What:
    name = m["name"]
    if name in t.tubes:
        tube, specimen, test = name, "", "pcr"
    else:
        tube, specimen, test = "", name, t.swab(name).test
    return f.ResultReported(
        test=m["test"] or test,
        result=m["result"],  # type: ignore[arg-type]  # the pattern holds the four values
        laboratory="city",
        specimen=specimen,
        tube=tube,
        sampled_at=t.when(m["sampled"]) if m["sampled"] else None,
        received_at=t.when(m["received"]) if m["received"] else None,
    )


def _shown(t: Teller, m: re.Match[str]) -> f.What:
    until = t.when(m["until"]) if m["until"] else None
    reasons = tuple(r.strip() for r in m["reasons"].split(","))
    pass_id = t.pass_id()
    return f.Scanned(
        digest=f"line {t.line}",
        medium=m["medium"] or "screen",  # type: ignore[arg-type]
        shown=f.Shown(word=m["word"], reasons=reasons, next_step="", until=until),  # type: ignore[arg-type]
        pass_id=pass_id,
        vehicle=t.vehicle,
        generation=t.passes[pass_id].generation,
        live=True if not m["medium"] else None,
        loop=t.passes[pass_id].loop,
        loop_version=t.story.versions[-1].version,
        lists_age_s=int(amount(m["lists"])) if m["lists"] else 0,
        offset_s=amount(m["clock"]) if m["clock"] else 0.0,
    )


def _last_scan(t: Teller) -> str:
    if t.vehicle not in t.last_scan:
        raise t.fail("no scan was shown before")
    return t.last_scan[t.vehicle]


def _stay(t: Teller, m: re.Match[str]) -> f.What:
    beds = tuple(b.strip() for b in m["beds"].split(",")) if m["beds"] else ()
    return f.CheckedIn(vehicle=t.vehicle, persons=people(m["names"]), bay=m["bay"], beds=beds)


def _raised(t: Teller, m: re.Match[str]) -> f.What:
    return f.WarningRaised(
        finding=m["finding"],
        vehicle=t.vehicle,
        colour="red" if m["colour"] == "red" else "yellow",
        since=t.when(m["since"]),
        subject=m["subject"] or f"vehicle:{t.vehicle}",
        pass_id=t.pass_of.get(t.vehicle, ""),
        loop=t.story.loop_id,
        loop_version=t.story.versions[-1].version,
    )


def _target(t: Teller, name: str) -> str:
    for fact_id in (name.removeprefix("#"), f"swab-{name}"):
        if fact_id in t.facts:
            return fact_id
    raise t.fail(f"{name} was not told of before")


def _amended(t: Teller, m: re.Match[str]) -> f.What:
    at = t.when(m["at"]) if m["at"] else None
    target = _target(t, m["name"])
    if m["event"] is None:
        return f.Amended(target=target, reason=m["why"], what=t.facts[target].what, at=at)
    for sentence in SENTENCES:
        if (match := re.fullmatch(sentence.pattern, m["event"])) is not None:
            what = sentence.tell(t, match)
            if what is not None:
                return f.Amended(target=target, reason=m["why"], what=what, at=at)
    raise t.fail(f"nothing known is said here: {m['event']}")


_WHY = r'"(?P<why>[^"]*)"'
SENTENCES: tuple[Sentence, ...] = (
    Sentence(
        rf"pass (?P<number>\d{{6}}-\d{{7}})(?: generation (?P<generation>\d+))? granted for (?P<vehicle>{PLATE})"
        rf", crew (?P<crew>{NAMES}?)(?:, from (?P<begins>{TIME}))?, until (?P<until>\d{{4}}-\d\d-\d\d(?: \d\d:\d\d)?)"
        r"(?:, on loop (?P<loop>[\w-]+))?(?:, as asked in (?P<request>\w+))?",
        "pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19",
        _granted,
    ),
    Sentence(
        rf"pass (?P<number>\d{{6}}-\d{{7}}) revoked {_WHY}",
        'coordinator: pass 330304-0000001 revoked "crew fell ill"',
        lambda t, m: f.PassRevoked(pass_id=m["number"], reason=m["why"]),
    ),
    Sentence(
        rf"pass (?P<request>\w+) asked for (?P<vehicle>{PLATE}), crew (?P<crew>{NAMES}?), until (?P<until>\d{{4}}-\d\d-\d\d)",
        "pass R1 asked for 浙C12345, crew wang, until 2022-05-19",
        lambda t, m: f.PassRequested(
            request=m["request"],
            carrier="carrier-1",
            vehicle=m["vehicle"],
            crew=people(m["crew"]),
            loop=t.story.loop_id,
            not_before=t.at,
            expires=t.when(m["until"] + " 23:59"),
        ),
    ),
    Sentence(
        rf"pass (?P<request>\w+) refused {_WHY}",
        'coordinator: pass R1 refused "not a supply truck"',
        lambda t, m: f.PassRefused(request=m["request"], reason=m["why"]),
    ),
    Sentence(
        r"(?P<name>[\w-]+) joins the crew",
        "at gate-a: zhao joins the crew",
        lambda t, m: f.CrewJoined(pass_id=t.pass_id(), person=person(m["name"])),
    ),
    Sentence(
        r"device (?P<device>[\w-]+) reports for the truck",
        "device phone-1 reports for the truck",
        lambda t, m: f.DeviceBound(device=m["device"], vehicle=t.vehicle),
    ),
    Sentence(
        r"device (?P<device>[\w-]+) is released from the truck",
        "device phone-1 is released from the truck",
        lambda t, m: f.DeviceReleased(device=m["device"], vehicle=t.vehicle),
    ),
    Sentence(
        r"scanned in",
        "at gate-a: scanned in",
        lambda t, m: f.Entered(vehicle=t.vehicle, pass_id=t.pass_id(), scan=t.last_scan.get(t.vehicle, "")),
    ),
    Sentence(
        r"scanned out",
        "at gate-a: scanned out",
        lambda t, m: f.Left(vehicle=t.vehicle, pass_id=t.pass_id(), scan=t.last_scan.get(t.vehicle, "")),
    ),
    Sentence(
        rf"scan(?: on (?P<medium>paper))? was shown (?P<word>GO|HOLD|STOP): (?P<reasons>{NAMES})(?:; until (?P<until>{TIME}))?"
        rf"(?:; lists (?P<lists>{AMOUNT}) old)?(?:; clock off (?P<clock>{AMOUNT}))?",
        "at gate-a: scan was shown HOLD: evidence-missing",
        _shown,
    ),
    Sentence(
        r"compared, plate (?P<plate>\S+), names (?P<names>agree|differ)",
        "at gate-a: compared, plate 浙C12345, names agree",
        lambda t, m: f.PassCompared(
            pass_id=t.pass_id(), vehicle=t.vehicle, plate_read=m["plate"], names_agree=m["names"] == "agree"
        ),
    ),
    Sentence(
        r"stranger in the cab",
        "at gate-a: stranger in the cab",
        lambda t, m: f.StrangerSeen(pass_id=t.pass_id(), vehicle=t.vehicle),
    ),
    Sentence(
        r"the stranger stays behind",
        "at gate-a: the stranger stays behind",
        lambda t, m: f.StrangerStayed(pass_id=t.pass_id(), vehicle=t.vehicle),
    ),
    Sentence(
        rf"overruled to (?P<word>GO|HOLD|STOP) {_WHY}",
        'at gate-a, by chen: overruled to GO "ambulance behind"',
        lambda t, m: f.Overruled(scan=_last_scan(t), vehicle=t.vehicle, word=m["word"], reason=m["why"]),  # type: ignore[arg-type]
    ),
    Sentence(
        r"(?P<name>[\w-]+) measures (?P<celsius>[\d.]+) °C",
        "at gate-a: wang measures 36.5 °C",
        lambda t, m: f.TemperatureMeasured(person=person(m["name"]), celsius=float(m["celsius"])),
    ),
    Sentence(
        r"(?P<name>[\w-]+) shows a (?P<colour>green|yellow|red) code",
        "at gate-a: wang shows a green code",
        lambda t, m: f.HealthCodeSeen(person=person(m["name"]), colour=m["colour"]),  # type: ignore[arg-type]
    ),
    Sentence(
        r"swab (?P<specimen>\w+) of (?P<person>[\w-]+), (?P<test>pcr|antigen)"
        rf"(?:, (?P<pooled>pooled in|alone in) tube (?P<tube>\w+))?(?:, again because {_WHY})?",
        "at sampling: swab S1 of wang, pcr, alone in tube T1",
        _swab,
    ),
    Sentence(r"tube (?P<tube>\w+) sealed", "at sampling: tube T1 sealed", lambda t, m: f.TubeSealed(tube=m["tube"])),
    Sentence(
        r"(?P<specimen>\w+) reads (?P<result>negative|positive|grey|invalid)",
        "at sampling: A1 reads negative",
        lambda t, m: f.AntigenRead(
            specimen=m["specimen"],
            person=t.swab(m["specimen"]).person,
            result=m["result"],  # type: ignore[arg-type]
        ),
    ),
    Sentence(
        rf"(?P<name>\w+) (?P<result>negative|positive|grey|invalid)(?: as (?P<test>[\w-]+))?(?:, sampled (?P<sampled>{TIME}))?"
        rf"(?:, received (?P<received>{TIME}))?",
        "laboratory: T1 negative",
        _reported,
    ),
    Sentence(
        r"care pack for (?P<name>[\w-]+)",
        "at sampling: care pack for wang",
        lambda t, m: f.CarePackGiven(person=person(m["name"]), vehicle=t.vehicle),
    ),
    Sentence(
        r"loaded (?P<count>\d+) parcels, seal (?P<seal>\w+)",
        "at depot: loaded 40 parcels, seal A1",
        lambda t, m: f.Loaded(vehicle=t.vehicle, pass_id=t.pass_id(), parcels_count=int(m["count"]), seal=m["seal"]),
    ),
    Sentence(
        r"unloaded (?P<count>\d+) parcels, seal (?P<seal>\w+)(?P<broken> broken)?",
        "at market: unloaded 40 parcels, seal A1",
        lambda t, m: f.Unloaded(
            vehicle=t.vehicle, pass_id=t.pass_id(), parcels_count=int(m["count"]), seal=m["seal"], seal_intact=not m["broken"]
        ),
    ),
    Sentence(
        rf"checked in (?P<names>{NAMES}?), bay (?P<bay>\w+)(?:, beds? (?P<beds>\w+(?:, \w+)*))?",
        "at rest: checked in wang, li, bay 1, beds 1, 2",
        _stay,
    ),
    Sentence(
        rf"checked out (?P<names>{NAMES})",
        "at rest: checked out wang, li",
        lambda t, m: f.CheckedOut(vehicle=t.vehicle, persons=people(m["names"])),
    ),
    Sentence(
        rf"warning (?P<finding>[a-z-]+) (?P<colour>yellow|red) since (?P<since>{TIME})(?: of (?P<subject>[\w:-]+))?",
        "server: warning off-loop red since 09:42 #W1",
        _raised,
    ),
    Sentence(
        rf"warning (?P<name>\w+) answered {_WHY}",
        'coordinator, by chen: warning W1 answered "called the driver"',
        lambda t, m: f.WarningAnswered(warning=_target(t, m["name"]), vehicle=t.vehicle, answer=m["why"]),
    ),
    Sentence(
        r"warning (?P<name>\w+) changed to (?P<colour>yellow|red)",
        "server: warning W1 changed to red",
        lambda t, m: f.WarningChanged(
            warning=_target(t, m["name"]), vehicle=t.vehicle, colour="red" if m["colour"] == "red" else "yellow", confirmed=True
        ),
    ),
    Sentence(
        rf"warning (?P<name>\w+) cleared, ended (?P<ended>{TIME})",
        "server: warning W1 cleared, ended 09:58",
        lambda t, m: f.WarningCleared(warning=_target(t, m["name"]), vehicle=t.vehicle, ended=t.when(m["ended"])),
    ),
    Sentence(
        r"warning (?P<name>\w+) withdrawn",
        "server: warning W1 withdrawn",
        lambda t, m: f.WarningWithdrawn(warning=_target(t, m["name"]), vehicle=t.vehicle),
    ),
    Sentence(
        r"(?P<place>[\w-]+) told of (?P<name>\w+)(?:, number (?P<order>\d+))?",
        "server: gate-a told of W1, number 1",
        lambda t, m: f.Alerted(warning=_target(t, m["name"]), vehicle=t.vehicle, place=m["place"], order=int(m["order"] or 1)),
    ),
    Sentence(
        r"acknowledges (?P<name>\w+)",
        "at gate-a, by chen: acknowledges W1",
        lambda t, m: f.AlertAcknowledged(warning=_target(t, m["name"]), vehicle=t.vehicle, place=t.station),
    ),
    Sentence(
        rf"contests #?(?P<name>[\w-]+) {_WHY}",
        'driver wang: contests W1 "the road was closed"',
        lambda t, m: f.Contested(person=person(t.driver), vehicle=t.vehicle, target=_target(t, m["name"]), words=m["why"]),
    ),
    Sentence(
        rf"calls for help(?: {_WHY})?",
        'driver wang: calls for help "flat tyre"',
        lambda t, m: f.HelpCalled(person=person(t.driver), vehicle=t.vehicle, words=m["why"] or ""),
    ),
    Sentence(
        rf"void (?P<name>#?[\w-]+) {_WHY}",
        'at sampling, by chen: void S1 "wrong person"',
        lambda t, m: f.Voided(target=_target(t, m["name"]), reason=m["why"]),
    ),
    Sentence(
        rf"amend (?P<name>#?[\w-]+)(?: to: (?P<event>[^\"]+?))?(?: at (?P<at>{TIME}))? {_WHY}",
        'at depot, by chen: amend #load to: loaded 44 parcels, seal A1 "counted again"',
        _amended,
    ),
    Sentence(rf"did not listen until (?P<until>{TIME})", "server: did not listen until 10:00", _did_not_listen),
    *MOVES,
)
