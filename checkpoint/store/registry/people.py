"""People by pseudonym, and the offices they meet: carriers, laboratories, staff.

Names, numbers and phones are encrypted at rest, each bound to its row. An ID number is found again by its mark, so that
one person has one pseudonym, however many carriers name them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import msgspec

from checkpoint.store.database import instant
from checkpoint.store.registry.shelf import Shelf, new_id
from checkpoint.store.tables import Accounts, ApiTokens, Carriers, Laboratories, Links, People, Staff

_AT_ONCE = 400


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who a pseudonym is."""

    id: str
    name: str
    id_number: str = ""
    phone: str = ""


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier or a laboratory."""

    id: str
    name: str


class StaffMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who works at a station; `pin` and `badge` are sealed (`core/pins.py`, `core/badges.py`), `badge` empty where
    there is none."""

    id: str
    name: str
    pin: str
    active: bool = True
    badge: str = ""
    badge_at: datetime | None = None


class PeopleShelf(Shelf):
    """People, offices, staff."""

    def add_person(self, name: str, *, id_number: str = "", phone: str = "") -> Person:
        """A person's pseudonym: a new one, or the one that this ID number has already (name and phone are then renewed)."""
        mark = self._keys.mark("id_number", id_number) if id_number else None

        def work() -> str:
            known = self._one(People.select(People.id).where(People.id_mark == mark)) if mark is not None else None
            person = known["id"] if known is not None else new_id("p")
            values: dict[str, Any] = {"name": self._keys.encrypt(name, f"people.name:{person}")}
            if phone:
                values["phone"] = self._keys.encrypt(phone, f"people.phone:{person}")
            if known is not None:
                People.update(**values).where(People.id == person).execute(self._db)
                return str(person)
            if id_number:
                values["id_number"] = self._keys.encrypt(id_number, f"people.id_number:{person}")
            People.insert(id=person, id_mark=mark, created_at=self._micros(), **values).execute(self._db)
            return str(person)

        found = self.person(self._write(work))
        assert found is not None
        return found

    def enter_person(self, person: str, name: str, mark: bytes) -> bool:
        """Enter a name under a pseudonym that is not here, with the mark of an ID number (empty: none known), so that the
        same number is the same person. False when the pseudonym is here."""

        def work() -> bool:
            if self._one(People.select(People.id).where(People.id == person)) is not None:
                return False
            # Somebody who was entered anew meanwhile has the mark: two pseudonyms they stay.
            taken = mark and self._one(People.select(People.id).where(People.id_mark == mark)) is not None
            locked = self._keys.encrypt(name, f"people.name:{person}")
            values = {"id": person, "name": locked, "id_mark": mark if mark and not taken else None}
            People.insert(created_at=self._micros(), **values).execute(self._db)
            return True

        return self._write(work)

    def person_of_number(self, id_number: str) -> str | None:
        """The pseudonym of whoever has this ID number, or None."""
        row = self._one(People.select(People.id).where(People.id_mark == self._keys.mark("id_number", id_number)))
        return str(row["id"]) if row is not None else None

    def erase_person(self, person: str) -> bool:
        """Erase a person's name, number and phone, and end their links; the pseudonym stays, and nobody leads to it any more.
        False when there is no such person."""

        def work() -> bool:
            Links.delete().where(Links.person == person).execute(self._db)
            nothing = self._keys.encrypt("", f"people.name:{person}")
            query = People.update(name=nothing, id_number=None, phone=None, id_mark=None)
            return bool(query.where(People.id == person).execute(self._db))

        return self._write(work)

    def person(self, person: str) -> Person | None:
        """Who a pseudonym is, or None."""
        return next(iter(self.people([person])), None)

    def people(self, ids: Collection[str] | None = None) -> list[Person]:
        """These people, or all, by pseudonym. Unknown pseudonyms are left out."""
        if ids is None:
            return [self._person(row) for row in self._all(People.select().order_by(People.id))]
        wanted, rows = sorted(set(ids)), []
        for i in range(0, len(wanted), _AT_ONCE):
            rows += self._all(People.select().where(People.id.in_(wanted[i : i + _AT_ONCE])).order_by(People.id))
        return [self._person(row) for row in rows]

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """Names by pseudonym, of people, staff, accounts and programs alike; unknown ones are left out."""
        wanted = set(ids)
        found = {person.id: person.name for person in self.people(wanted) if person.name}
        if len(found) < len(wanted):
            found.update({member.id: member.name for member in self.staff(active=None) if member.id in wanted})
        for program in sorted(name for name in wanted if name.startswith("token-")):
            row = self._one(ApiTokens.select(ApiTokens.name).where(ApiTokens.id == program))
            if row is not None:
                found[program] = self._keys.decrypt(bytes(row["name"]), f"api_tokens.name:{program}")
        signed = sorted(each for each in wanted if each.startswith("acc-"))
        for row in self._all(Accounts.select(Accounts.id, Accounts.display).where(Accounts.id.in_(signed))) if signed else ():
            found[row["id"]] = self._keys.decrypt(bytes(row["display"]), f"accounts.display:{row['id']}")
        return found

    def _person(self, row: dict[str, Any]) -> Person:
        opened = {
            field: self._keys.decrypt(bytes(row[field]), f"people.{field}:{row['id']}") if row[field] is not None else ""
            for field in ("name", "id_number", "phone")
        }
        return Person(id=row["id"], **opened)

    # -- offices ------------------------------------------------------------------------------------------------------

    def add_carrier(self, name: str, carrier: str = "") -> Office:
        """A carrier, under an id of its own choosing or a new one. The same id again renews the name."""
        return self._add_office(Carriers, "carrier", name, carrier)

    def carrier(self, carrier: str) -> Office | None:
        """The carrier of that id, or None."""
        return self._office(Carriers, carrier)

    def carriers(self) -> list[Office]:
        """All carriers, by name."""
        return self._offices(Carriers)

    def add_laboratory(self, name: str, laboratory: str = "") -> Office:
        """A laboratory, under an id of its own choosing or a new one. The same id again renews the name."""
        return self._add_office(Laboratories, "lab", name, laboratory)

    def laboratory(self, laboratory: str) -> Office | None:
        """The laboratory of that id, or None."""
        return self._office(Laboratories, laboratory)

    def laboratories(self) -> list[Office]:
        """All laboratories, by name."""
        return self._offices(Laboratories)

    def _add_office(self, table: Any, kind: str, name: str, wanted: str) -> Office:
        office = Office(id=wanted or new_id(kind), name=name)
        insert = table.insert(id=office.id, name=name, created_at=self._micros())
        self._write(lambda: insert.on_conflict(conflict_target=[table.id], update={"name": name}).execute(self._db))
        return office

    def _office(self, table: Any, wanted: str) -> Office | None:
        row = self._one(table.select(table.id, table.name).where(table.id == wanted))
        return Office(**row) if row is not None else None

    def _offices(self, table: Any) -> list[Office]:
        return [Office(**row) for row in self._all(table.select(table.id, table.name).order_by(table.name, table.id))]

    # -- staff --------------------------------------------------------------------------------------------------------

    def add_staff(self, name: str, pin: str) -> StaffMember:
        """A new member of staff; `pin` is the sealed text."""
        member = StaffMember(id=new_id("staff"), name=name, pin=pin)
        insert = Staff.insert(
            id=member.id,
            name=self._keys.encrypt(name, f"staff.name:{member.id}"),
            pin=pin,
            active=1,
            created_at=self._micros(),
        )
        self._write(lambda: insert.execute(self._db))
        return member

    def change_staff(self, member: str, *, pin: str | None = None, active: bool | None = None) -> bool:
        """Give somebody another PIN, or take them off the lists or back on. False when there is no such member."""
        values: dict[str, Any] = {}
        if pin is not None:
            values["pin"] = pin
        if active is not None:
            values["active"] = int(active)
        if not values:
            return self._one(Staff.select(Staff.id).where(Staff.id == member)) is not None
        return bool(self._write(lambda: Staff.update(**values).where(Staff.id == member).execute(self._db)))

    def give_badge(self, member: str, badge: str) -> bool:
        """Give a member of staff a badge, sealed, in the place of the last; the empty text takes it away. False when there is
        no such member."""
        values = {"badge": badge, "badge_at": self._micros() if badge else None}
        return bool(self._write(lambda: Staff.update(**values).where(Staff.id == member).execute(self._db)))

    def staff(self, active: bool | None = True) -> list[StaffMember]:
        """Those who work here now (None: or ever did), by id."""
        query = Staff.select().order_by(Staff.id)
        if active is not None:
            query = query.where(Staff.active == int(active))
        return [
            StaffMember(
                id=row["id"],
                name=self._keys.decrypt(bytes(row["name"]), f"staff.name:{row['id']}"),
                pin=row["pin"],
                active=bool(row["active"]),
                badge=row["badge"],
                badge_at=instant(row["badge_at"]) if row["badge_at"] is not None else None,
            )
            for row in self._all(query)
        ]
