"""What a carrier asks for, looked at whole before it is believed.

The law of this file: every fault is found at once and named by its path (`$.crew[0].phone`) and a catalogue key; a number is
accepted as people write it, with spaces and full-width digits, and kept in one form. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from checkpoint.core import passes
from checkpoint.core.loop import MAX_PASS, Loops

MAX_CREW = 3
MAX_NAME_CHARS = 60
MAX_REASON_CHARS = 1000


class Fault(Exception):
    """One thing wrong with what was asked: where (a path such as `$.crew[0].phone`), and the catalogue key that says what."""

    def __init__(self, path: str, key: str, **values: object) -> None:
        super().__init__(f"{path}: {key}")
        self.path, self.key, self.values = path, key, values


class Faulty(ValueError):
    """What was asked cannot be done as it stands; `faults` says why, all of them at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(str(f) for f in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A member of the crew as a carrier writes it; number and phone may be empty."""

    name: str
    id_number: str = ""
    phone: str = ""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a carrier asks for. The first of the crew is the driver: the link to the pass is for them."""

    carrier: str
    vehicle: str
    crew: tuple[Person, ...]
    loop: str
    not_before: datetime
    expires: datetime


def checked(wish: Wish, loops: Loops, now: datetime) -> Wish:
    """The wish as it is taken in: plate, numbers and names in one form, instants in UTC. Raises `Faulty` with every fault."""
    faults: list[Fault] = []

    def held(read: Callable[[str, str], str], text: str, path: str) -> str:
        try:
            return read(text, path)
        except Fault as fault:
            faults.append(fault)
            return ""

    vehicle = held(_plate, wish.vehicle, "$.vehicle")
    carrier = held(_name, wish.carrier, "$.carrier")
    if not 1 <= len(wish.crew) <= MAX_CREW:
        faults.append(Fault("$.crew", "fault.crew-size", most=MAX_CREW))
    crew = tuple(
        Person(
            name=held(_name, p.name, f"$.crew[{i}].name"),
            id_number=held(_id_number, p.id_number, f"$.crew[{i}].id_number"),
            phone=held(_phone, p.phone, f"$.crew[{i}].phone"),
        )
        for i, p in enumerate(wish.crew[:MAX_CREW])
    )
    numbers = [person.id_number for person in crew if person.id_number]
    if len(set(numbers)) != len(numbers):
        faults.append(Fault("$.crew", "fault.same-person-twice"))
    begins, expires = _instant(wish.not_before, "$.not_before", faults), _instant(wish.expires, "$.expires", faults)
    if begins is not None and expires is not None:
        if expires <= begins:
            faults.append(Fault("$.expires", "fault.ends-before-it-begins"))
        elif expires - begins > MAX_PASS:
            faults.append(Fault("$.expires", "fault.longer-than-a-month", days=MAX_PASS.days))
        elif expires <= now:
            faults.append(Fault("$.expires", "fault.over-already"))
        if loops.in_force(wish.loop, begins) is None:
            faults.append(Fault("$.loop", "fault.loop-not-in-force", loop=wish.loop[:MAX_NAME_CHARS]))
    if faults or begins is None or expires is None:
        raise Faulty(faults)
    return Wish(carrier=carrier, vehicle=vehicle, crew=crew, loop=wish.loop, not_before=begins, expires=expires)


def _plate(text: str, path: str) -> str:
    try:
        plate = passes.normal_plate(text)
    except ValueError:
        plate = ""
    if not plate or plate.endswith("挂"):  # a trailer's plate binds no pass
        raise Fault(path, "fault.plate", plate=text[:20])
    return plate


def one_form(text: str) -> str:
    """A name in the form in which two of them are compared: composed, and one space where there were several."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _name(text: str, path: str) -> str:
    """A name as people write it, any script; no control characters."""
    name = one_form(text)
    if not 1 <= len(name) <= MAX_NAME_CHARS or any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise Fault(path, "fault.name", most=MAX_NAME_CHARS)
    return name


def _id_number(text: str, path: str) -> str:
    """A resident ID: 17 digits and a check character (ISO 7064 MOD 11-2, GB 11643). Empty when not given."""
    number = unicodedata.normalize("NFKC", text).replace(" ", "").upper()
    if not number:
        return ""
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number) or passes.check_character(number[:17]) != number[17]:
        raise Fault(path, "fault.id-number")
    return number


def _phone(text: str, path: str) -> str:
    """A mainland mobile number, or any other in E.164 (`+852...`). Empty when not given."""
    phone = re.sub(r"[ ()\-]", "", unicodedata.normalize("NFKC", text))
    if not phone:
        return ""
    mainland = phone.removeprefix("+86")
    if re.fullmatch(r"1[3-9][0-9]{9}", mainland):
        return mainland
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", phone) or phone.startswith("+86"):
        raise Fault(path, "fault.phone")
    return phone


def words(text: str, path: str) -> str:
    """Why somebody decided what they did, in their own words. Raises `Fault`."""
    said = text.strip()
    if not said or len(said) > MAX_REASON_CHARS or "\x00" in said:
        raise Fault(path, "fault.reason-wanted")
    return said


def _instant(at: datetime, path: str, faults: list[Fault]) -> datetime | None:
    if at.tzinfo is None:
        faults.append(Fault(path, "fault.zone-wanted"))
        return None
    return at.astimezone(UTC)
