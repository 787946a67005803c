"""The registry: who people, offices, machines and keys are. It changes in place and is no part of the record.

One object, a theme a file: `people`, `stations`, `access`, `issuing`, `chores`.
"""

from __future__ import annotations

from checkpoint.store.registry.access import AccessShelf, Link, Session
from checkpoint.store.registry.chores import ChoreRecord, ChoresShelf
from checkpoint.store.registry.issuing import Issuer, IssuingShelf
from checkpoint.store.registry.people import Office, PeopleShelf, Person, StaffMember
from checkpoint.store.registry.stations import Kiosk, StationsShelf

__all__ = ["ChoreRecord", "Issuer", "Kiosk", "Link", "Office", "Person", "Registry", "Session", "StaffMember"]


class Registry(PeopleShelf, StationsShelf, AccessShelf, IssuingShelf, ChoresShelf):
    """All shelves in one."""
