"""What can be done at a station: the deeds that its page offers, and which services offer them.

A deed is what the page sends (`{"do": "SwabPcr", ...}`). What happened when it was done, or why it was not, is in
`doing.py`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from checkpoint.core.facts import Word
from checkpoint.core.loop import Service, Station


class Deed(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """Base of what the page may ask for; the tag `do` is the class name."""


class Enter(Deed, frozen=True, tag=True):
    """Scan the truck in."""


class Leave(Deed, frozen=True, tag=True):
    """Scan the truck out."""


class Compare(Deed, frozen=True, tag=True):
    """Staff compared plate and names; an empty `plate` means: the same as on the pass."""

    plate: str = ""
    names_agree: bool = True


class SeeStranger(Deed, frozen=True, tag=True):
    """Somebody is in the cab who is not on the pass."""


class Join(Deed, frozen=True, tag=True):
    """That person joins the crew."""

    person: str


class StayBehind(Deed, frozen=True, tag=True):
    """That person stays behind."""


class Measure(Deed, frozen=True, tag=True):
    """Take a temperature, in degrees Celsius."""

    person: str
    celsius: float


class SeeCode(Deed, frozen=True, tag=True):
    """See a health code."""

    person: str
    colour: Literal["green", "yellow", "red"]


class SwabAntigen(Deed, frozen=True, tag=True):
    """Take an antigen swab; the timer starts."""

    person: str
    repeat_reason: str = ""


class SwabPcr(Deed, frozen=True, tag=True):
    """Take a PCR swab into a tube, alone or pooled."""

    person: str
    tube: str
    pooled: bool = False
    repeat_reason: str = ""


class SealTube(Deed, frozen=True, tag=True):
    """Close a tube."""

    tube: str


class ReadAntigen(Deed, frozen=True, tag=True):
    """Read an antigen test by eye."""

    specimen: str
    result: Literal["negative", "positive", "invalid"]


class GivePack(Deed, frozen=True, tag=True):
    """Hand over a care pack."""

    person: str


class Load(Deed, frozen=True, tag=True):
    """Load the truck."""

    parcels_count: int
    seal: str
    order: str = ""


class Unload(Deed, frozen=True, tag=True):
    """Unload the truck and count."""

    parcels_count: int
    seal: str
    seal_intact: bool = True


class CheckIn(Deed, frozen=True, tag=True):
    """Take people in for a rest: a bay, and beds in the order of the persons."""

    persons: tuple[str, ...]
    bay: str
    beds: tuple[str, ...] = ()


class CheckOut(Deed, frozen=True, tag=True):
    """People leave their beds; nobody named means everybody."""

    persons: tuple[str, ...] = ()


class Overrule(Deed, frozen=True, tag=True):
    """Decide otherwise than the verdict shown."""

    word: Word
    reason: str


class Acknowledge(Deed, frozen=True, tag=True):
    """Say that this station knows of a positive result coming its way."""

    warning: str


class Undo(Deed, frozen=True, tag=True):
    """Take back one's own last deed."""

    target: str
    reason: str


AnyDeed = (
    Enter | Leave | Compare | SeeStranger | Join | StayBehind | Measure | SeeCode | SwabAntigen | SwabPcr | SealTube
    | ReadAntigen | GivePack | Load | Unload | CheckIn | CheckOut | Overrule | Acknowledge | Undo
)  # fmt: skip

_EVERYWHERE: frozenset[Service] = frozenset({"gate", "sampling", "loading", "unloading", "rest", "service_area"})
DEEDS: dict[type[Deed], frozenset[Service]] = {
    Enter: _EVERYWHERE,
    Leave: _EVERYWHERE,
    Compare: _EVERYWHERE,
    SeeStranger: _EVERYWHERE,
    Join: _EVERYWHERE,
    StayBehind: _EVERYWHERE,
    Measure: frozenset({"gate", "sampling"}),
    SeeCode: frozenset({"gate", "sampling"}),
    SwabAntigen: frozenset({"sampling"}),
    ReadAntigen: frozenset({"sampling"}),
    SwabPcr: frozenset({"sampling"}),
    SealTube: frozenset({"sampling"}),
    GivePack: frozenset({"sampling", "rest", "service_area"}),
    Load: frozenset({"loading"}),
    Unload: frozenset({"unloading"}),
    CheckIn: frozenset({"rest"}),
    CheckOut: frozenset({"rest"}),
    Overrule: _EVERYWHERE,
    Acknowledge: _EVERYWHERE,
    Undo: _EVERYWHERE,
}


def offered(station: Station) -> frozenset[str]:
    """The names of the deeds that this station's services offer."""
    return frozenset(deed.__name__ for deed, services in DEEDS.items() if services.intersection(station.services))
