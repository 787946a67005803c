"""Everything that is held about one person: as data for a machine, and as a page to read, in one file to hand over.

The law of this file: what is theirs is given whole: their entry in the registry, every fact that names them, their specimens and
passes, the verdicts shown for them, where their truck was while they were on its pass, their links, and who read about them.
Others stay out of it: the rest of a crew, and whoever shares a tube, are `other-1`, `other-2`. Pure but for the reading.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from checkpoint.core.book import Book
from checkpoint.core.facts import CrewJoined, Fact, LoopPublished, PassGranted, Scanned, SwabTaken, subjects
from checkpoint.core.journey import PassState, fold_passes
from checkpoint.store import Recorded, Store
from checkpoint.store.registry import Person
from checkpoint.ui import texts
from checkpoint.web.page import FALLBACK_ZONE, PAGES
from checkpoint.web.words import Words

# Beside these, nothing of a pass is about one of its crew alone: scans and what was decided there are about all of them.
_OTHERS = "other-"


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """All about one person. `facts` are JSON objects as they are held, with others' pseudonyms replaced."""

    person: str
    made_at: datetime
    registry: dict[str, str]
    passes: tuple[dict[str, Any], ...]
    facts: tuple[dict[str, Any], ...]
    verdicts: tuple[dict[str, Any], ...]
    positions: tuple[dict[str, Any], ...]
    links: tuple[dict[str, Any], ...]
    read_by: tuple[dict[str, Any], ...]


def gathered(store: Store, person: str) -> Dossier | None:
    """Everything that is held about a pseudonym; None when nothing is."""
    entry = store.registry.person(person)
    recorded = _concerning(store, person)
    traces = store.traces.of(person)
    if entry is None and not recorded and not traces:
        return None
    states = _passes(store, person)
    others = _others(store, recorded, person)
    told = tuple(_told(r, others) for r in recorded)
    return Dossier(
        person=person,
        made_at=store.now(),
        registry=_entry(entry),
        passes=tuple(_pass(state) for state in states),
        facts=told,
        verdicts=tuple(
            {"at": r.fact.at, "station": r.fact.station, **msgspec.to_builtins(r.fact.what.shown)}
            for r in recorded
            if isinstance(r.fact.what, Scanned)
        ),
        positions=tuple(_positions(store, states, person)),
        links=tuple(
            {"pass": link.pass_id, "made": link.created_at, "opened": link.used_at, "closed": link.closed_at}
            for p in states
            for link in store.registry.links(p.grant.pass_id)
            if link.person == person
        ),
        read_by=tuple({"at": t.at, "reader": t.reader, "role": t.role, "way": t.way, "what": t.what} for t in traces),
    )


def _entry(entry: Person | None) -> dict[str, str]:
    return {"name": entry.name, "id_number": entry.id_number, "phone": entry.phone} if entry is not None else {}


def _pass(state: PassState) -> dict[str, Any]:
    grant = state.grant
    told = {"number": grant.pass_id, "vehicle": grant.vehicle, "carrier": grant.carrier, "loop": grant.loop}
    return told | {"from": grant.not_before, "until": state.closed_at}


def _passes(store: Store, person: str) -> list[PassState]:
    """The passes on which somebody was, the earliest first."""
    mine = store.facts_of(f"person:{person}")
    numbers = sorted({f.what.pass_id for f in mine if isinstance(f.what, PassGranted | CrewJoined)})
    book = Book(store.facts_of(*(f"pass:{number}" for number in numbers))) if numbers else Book()
    vehicles = sorted({f.what.vehicle for f in book.all() if isinstance(f.what, PassGranted)})
    states = [state for vehicle in vehicles for state in fold_passes(book, vehicle)]
    return [state for state in states if any(person in crew for _, crew in state.crews)]


def _concerning(store: Store, person: str) -> list[Recorded]:
    """The facts about a person: that name them, their passes, their specimens and tubes, and what corrects or answers these."""
    found = {r.number: r for r in store.recorded_of(f"person:{person}")}
    names: set[str] = set()
    for r in found.values():
        for name in subjects(r.fact):
            if name.startswith("pass:") or (name.startswith(("specimen:", "tube:")) and isinstance(r.fact.what, SwabTaken)):
                names.add(name)
    found |= {r.number: r for r in store.recorded_of(*sorted(names))} if names else {}
    # Whoever shares a tube was swabbed for themselves.
    found = {n: r for n, r in found.items() if not _of_another(r.fact, person)}
    fresh = list(found.values())
    while fresh:
        about = sorted({f"fact:{r.fact.id}" for r in fresh} | {f"warning:{r.fact.id}" for r in fresh})
        fresh = [r for r in store.recorded_of(*about) if r.number not in found]
        found |= {r.number: r for r in fresh}
    return [found[n] for n in sorted(found) if not isinstance(found[n].fact.what, LoopPublished)]


def _of_another(fact: Fact, person: str) -> bool:
    return isinstance(fact.what, SwabTaken) and fact.what.person != person


def _others(store: Store, recorded: Iterable[Recorded], person: str) -> dict[str, str]:
    named = sorted({n.removeprefix("person:") for r in recorded for n in subjects(r.fact) if n.startswith("person:")} - {person})
    return {other: f"{_OTHERS}{i}" for i, other in enumerate(named, start=1)}


def _told(recorded: Recorded, others: dict[str, str]) -> dict[str, Any]:
    text = recorded.raw.decode()
    for other, name in others.items():
        text = text.replace(other, name)
    return {"number": recorded.number, "learnt_at": recorded.recorded_at, **json.loads(text)}


def _positions(store: Store, states: Iterable[PassState], person: str) -> Iterable[dict[str, Any]]:
    """Where their truck was while they were on its pass."""
    seen = set()
    for state in states:
        for fix in store.positions(state.grant.vehicle, max(state.grant.not_before, state.granted_at), state.closed_at):
            key = (state.grant.vehicle, fix.fixed_at, fix.lat, fix.lon)
            if key not in seen and person in state.crew_at(fix.fixed_at):
                seen.add(key)
                yield {"vehicle": state.grant.vehicle, "at": fix.fixed_at, "lat": fix.lat, "lon": fix.lon}


def packed(store: Store, dossier: Dossier) -> bytes:
    """The file to hand over: `person.json`, and a page to read in each language."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("person.json", msgspec.json.format(msgspec.json.encode(dossier), indent=1))
        for lang in ("zh", "en"):
            archive.writestr(f"person-{lang}.html", _page(store, dossier, lang))
    return out.getvalue()


def _page(store: Store, dossier: Dossier, lang: str) -> str:
    t, now = texts(lang), dossier.made_at
    loops = [loop for versions in store.loops().all().values() for loop in versions]
    zone = loops[0].zone if loops else FALLBACK_ZONE
    words = Words(t, now, zone, loops)
    facts = [_line(fact) for fact in dossier.facts]
    return PAGES.get_template("person_export.html").render(
        _=t, lang=lang, zone=zone, now=now, d=dossier, facts=facts, **words.for_templates()
    )


def _line(fact: dict[str, Any]) -> dict[str, Any]:
    """A fact as a line of the page has room for it; the whole is in the JSON beside it."""
    what = {k: v for k, v in fact["what"].items() if k != "kind" and isinstance(v, str | int | float | bool | list)}
    return {
        "at": datetime.fromisoformat(fact["at"]),
        "kind": fact["what"]["kind"],
        "station": fact.get("station", ""),
        "values": {k: v for k, v in what.items() if len(str(v)) <= 200},
    }
