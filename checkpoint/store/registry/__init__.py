"""The registry: who people, offices, machines and keys are. It changes in place and is no part of the record.

One object, a theme a file: `people`, `stations`, `access`, `issuing`, `chores`, `programs`, `trackers`, `phones`.
"""

from __future__ import annotations

from checkpoint.store.registry.access import AccessShelf, Link, Session
from checkpoint.store.registry.chores import ChoreRecord, ChoresShelf
from checkpoint.store.registry.issuing import Issuer, IssuingShelf
from checkpoint.store.registry.people import Office, PeopleShelf, Person, StaffMember
from checkpoint.store.registry.phones import PhoneRequest, PhonesShelf
from checkpoint.store.registry.programs import ApiToken, KeptAnswer, ProgramsShelf
from checkpoint.store.registry.stations import Kiosk, StationsShelf
from checkpoint.store.registry.trackers import Tracker, TrackersShelf

__all__ = [
    "ApiToken", "ChoreRecord", "Issuer", "KeptAnswer", "Kiosk", "Link", "Office", "Person", "PhoneRequest", "Registry", "Session",
    "StaffMember", "Tracker",
]  # fmt: skip


class Registry(PeopleShelf, StationsShelf, AccessShelf, IssuingShelf, ChoresShelf, ProgramsShelf, TrackersShelf, PhonesShelf):
    """All shelves in one."""
