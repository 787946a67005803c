"""Random histories of facts: a small world in which everything meets everything, for properties that hold of all of them.

Two trucks, two passes, three people, a few specimens and tubes, every station of the plain loop and one place outside it,
three days by the minute, so that instants collide. Every kind of fact occurs, each field filled by its name, sensible or
not: what witnesses send is not always sensible.
"""

from __future__ import annotations

import functools
import types
import typing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from checkpoint.core import facts as f
from checkpoint.core.book import Book
from checkpoint.core.journey import View, view_of
from checkpoint.core.loop import LEGS, Leg, Loops
from checkpoint.core.track import Fix, Track, TrackReading
from checkpoint.story import plain

BASE = datetime(2022, 4, 20, 0, 0, tzinfo=UTC)
DAYS = 3
LOOP = plain.plain_loop()
LOOPS = Loops([LOOP])
VEHICLES = ("浙C12345", "沪A67890")
PASSES = ("330304-0000001", "330304-0000002")
PEOPLE = ("p-wang", "p-li", "p-zhao")
PLACES = (*(s.id for s in plain.STATIONS), "elsewhere", "")
MAX_FACTS = 18
FACT_IDS = tuple(f"f{i:02d}" for i in range(MAX_FACTS + 5))

instants = st.integers(0, DAYS * 24 * 60).map(lambda m: BASE + timedelta(minutes=m))
_some_people = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True).map(tuple)

# A field's name says what may stand in it; what is not named here is filled by its type.
_BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "vehicle": st.sampled_from(VEHICLES),
    "plate_read": st.sampled_from(VEHICLES),
    "pass_id": st.sampled_from(PASSES),
    "generation": st.integers(1, 2),
    "person": st.sampled_from(PEOPLE),
    "crew": _some_people,
    "persons": _some_people,
    "specimen": st.sampled_from(("S1", "S2", "S3", "S4", "")),
    "tube": st.sampled_from(("T1", "T2", "")),
    "loop": st.just("plain"),
    "loop_version": st.just(1),
    "warning": st.sampled_from(FACT_IDS),
    "target": st.sampled_from(FACT_IDS),
    "scan": st.sampled_from(FACT_IDS),
    "place": st.sampled_from(PLACES),
    "finding": st.sampled_from(("off-loop", "positive-result", "overruled", "help-called", "late")),
    "subject": st.sampled_from((f"vehicle:{VEHICLES[0]}", "person:p-wang", "station:rest")),
    "parcels_count": st.integers(0, 3),
    "seal": st.sampled_from(("A1", "B2")),
    "celsius": st.sampled_from((36.5, 37.3, 39.0)),
    "test": st.sampled_from(("pcr", "antigen")),
    "evidence": st.just(()),
    "anchor": st.just("11" * 16),
    "reasons": st.sampled_from((("in-order",), ("evidence-missing",), ("lists-old", "held-for-review"))),
    "bay": st.sampled_from(("1", "2")),
    "beds": st.just(("1",)),
}
_BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.sampled_from(("", "x")),
    int: st.integers(0, 3),
    float: st.sampled_from((0.0, 90.0, 1e4)),
    bool: st.booleans(),
    datetime: instants,
    type(None): st.none(),
}


@functools.cache
def _filled(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any value of a struct type."""
    hints = typing.get_type_hints(kind, vars(f))
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(kind):
        fields[field.name] = _BY_NAME[field.name] if field.name in _BY_NAME else _typed(hints[field.name])
    return st.builds(kind, **fields)


def _typed(wanted: Any) -> st.SearchStrategy[Any]:
    if wanted == f.What:
        kinds = [k for k in f.KINDS.values() if k not in (f.Voided, f.Amended, f.LoopPublished)]
        return st.one_of(*(_filled(k) for k in kinds))
    origin = typing.get_origin(wanted)
    if origin is typing.Literal:
        return st.sampled_from(typing.get_args(wanted))
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(_typed(a) for a in typing.get_args(wanted)))
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return _filled(wanted)
    return _BY_TYPE[wanted]


# A result may speak of any test, not only of those we know.
_RESULTS = st.builds(
    f.ResultReported,
    test=st.sampled_from(("pcr", "94500-6", "antigen", "astrology")),
    result=st.sampled_from(("negative", "positive", "grey", "invalid")),
    laboratory=st.just("city"),
    specimen=_BY_NAME["specimen"],
    tube=_BY_NAME["tube"],
)
_KINDS = [k for k in f.KINDS.values() if k is not f.LoopPublished]
_whats: st.SearchStrategy[Any] = st.one_of(*(_filled(k) for k in _KINDS), _RESULTS)

GRANTS = tuple(
    f.Fact(
        id=f"grant-{i}",
        at=BASE,
        witness="desk:1",
        what=f.PassGranted(
            pass_id=PASSES[i],
            generation=1,
            vehicle=VEHICLES[i],
            crew=PEOPLE[: 2 - i],
            loop="plain",
            carrier="carrier-1",
            not_before=BASE,
            expires=BASE + timedelta(days=20),
            anchor="11" * 16,
        ),
    )
    for i in range(2)
)


_told = st.builds(
    f.Fact,
    id=st.just("any"),
    at=instants,
    witness=st.sampled_from(("kiosk:gate-a", "lab:city", "server")),
    what=_whats,
    by=st.sampled_from(("", "staff-chen")),
    station=st.sampled_from(PLACES),
)
_tellings = st.lists(_told, max_size=MAX_FACTS)


def told(fact_id: str) -> st.SearchStrategy[f.Fact]:
    """Any fact under one id."""
    return _told.map(lambda fact: msgspec.structs.replace(fact, id=fact_id))


def histories() -> st.SearchStrategy[tuple[f.Fact, ...]]:
    """Two passes granted, and up to `MAX_FACTS` more facts of any kind."""
    return _tellings.map(
        lambda facts: (*GRANTS, *(msgspec.structs.replace(fact, id=FACT_IDS[i]) for i, fact in enumerate(facts)))
    )


@st.composite
def drives(draw: st.DrawFn) -> tuple[Fix, ...]:
    """The fixes of one truck: up to three drives and rests, on the line and off it, some overlapping, some inaccurate."""
    found: list[Fix] = []
    for _ in range(draw(st.integers(0, 3))):
        leg: Leg = draw(st.sampled_from(LEGS))
        begins = draw(instants)
        km = draw(st.sampled_from((0.0, 30.0, 95.0)))
        if draw(st.booleans()):
            place = draw(st.sampled_from([s.center for s in plain.STATIONS]))
            found += plain.stand(begins, place, duration_s=draw(st.sampled_from((600, 2400))), every_s=120)
        else:
            found += plain.drive(
                LOOP,
                leg,
                begins,
                km,
                draw(st.sampled_from((0.0, 25.0, 45.0, 100.0))),
                speed_kmh=80,
                every_s=300,
                off_m=draw(st.sampled_from((0.0, 160.0, 900.0))),
                off_to_km=100,
                accuracy_m=draw(st.sampled_from((5.0, 100.0, 900.0))),
            )
    return tuple(found)


def read_track(fixes: typing.Iterable[Fix]) -> TrackReading | None:
    """What these fixes say on the plain loop."""
    track = Track(LOOP)
    for fix in fixes:
        track.add(fix)
    return track.reading() if fixes else None


def look(facts: typing.Iterable[f.Fact], now: datetime, fixes: typing.Iterable[Fix] = ()) -> View:
    """The first truck as these facts and fixes show it."""
    return view_of(Book(facts), VEHICLES[0], LOOPS, read_track(fixes), now)
