"""Whoever reads a person's data leaves a trace, and the person can see it.

The law of this file: an endpoint that shows what only the person and whoever must act have a right to know (tests, results,
temperatures, health codes, verdicts and their reasons, where they were) calls `noted` with whom it showed, before it answers.
A name, a plate, a pass's dates are not traced: they say who somebody is, not how they are. What a station's screen showed is
traced by its scan, which is a fact. A test asks every route for a fleet's data and finds the trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.requests import Request

from checkpoint.core.facts import CrewJoined, Fact, PassGranted, WarningRaised, subjects
from checkpoint.web.access import caller_of
from checkpoint.web.house import house_of

if TYPE_CHECKING:
    from checkpoint.core.journey import View
    from checkpoint.store import Store

# What may be read, each with its words in the catalogues (`reads.what.*`).
KINDS = ("board", "journey", "track", "record", "aside", "mate", "export")
_LEADS = ("person:", "pass:", "specimen:", "tube:", "warning:", "fact:")
_NAMED = re.compile(r'"(person|tube|specimen|pass_id)"\s*:\s*"([^"\\]{1,100})"')
_PSEUDONYM = re.compile(r"\bp-[0-9a-f]{15}\b")


def noted(request: Request, what: str, people: Iterable[str]) -> None:
    """The caller reads this kind of data of these people (pseudonyms) now. Does not wait, and may be called again and again."""
    assert what in KINDS, what
    house, caller = house_of(request), caller_of(request)
    reader = caller.by or caller.who or caller.role
    house.store.traces.note(reader=reader, role=caller.role, way=caller.way, what=what, people=people, at=house.now())


def crew_of(view: View) -> set[str]:
    """Everyone whose data a view of a truck holds."""
    return {*(view.pass_.crew if view.pass_ is not None else ()), *view.people}


def people_of(store: Store, names: Iterable[str]) -> set[str]:
    """The people whom subjects speak of: by name, by pass, by specimen or tube, by the warning or the fact that is meant.

    Never by vehicle: that would be everyone who ever drove it.
    """
    found: set[str] = set()
    seen: set[str] = set()
    left = [name for name in names if name.startswith(_LEADS)]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        kind, _, rest = name.partition(":")
        if kind == "person":
            found.add(rest)
        elif kind == "pass":
            found |= _crew(store.facts_of(name))
        elif kind in ("specimen", "tube"):
            told = set().union(*(subjects(fact) for fact in store.facts_of(name)))
            found |= {each.removeprefix("person:") for each in told if each.startswith("person:")}
        else:
            target = store.fact(rest)
            if target is not None:
                left += [each for each in _named_by(target.fact) if each.startswith(_LEADS)]
    return found


def people_in(store: Store, raw: str) -> set[str]:
    """The people whom a text speaks of that could not be read as a fact: as far as it names them, or their tubes and passes."""
    kinds = {"pass_id": "pass"}
    names = [f"{kinds.get(kind, kind)}:{name}" for kind, name in _NAMED.findall(raw)]
    return people_of(store, [*names, *(f"person:{found}" for found in _PSEUDONYM.findall(raw))])


def _named_by(fact: Fact) -> set[str]:
    """What a fact speaks of, the subject and the evidence of a warning among it."""
    named = set(subjects(fact))
    if isinstance(fact.what, WarningRaised):
        named |= {fact.what.subject, *(f"fact:{cited.fact}" for cited in fact.what.evidence)}
    return named


def _crew(facts: Iterable[Fact]) -> set[str]:
    found: set[str] = set()
    for fact in facts:
        if isinstance(fact.what, PassGranted):
            found.update(fact.what.crew)
        elif isinstance(fact.what, CrewJoined):
            found.add(fact.what.person)
    return found
