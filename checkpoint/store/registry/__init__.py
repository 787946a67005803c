"""The registry: who people, offices, machines and keys are. It changes in place and is no part of the record.

One object, a theme a file: `people`, `stations`, `accounts`, `access`, `doorway`, `issuing`, `chores`, `programs`, `trackers`,
`phones`, `terminals`, `webhooks`, `declared`.
"""

from __future__ import annotations

from checkpoint.store.registry.access import AccessShelf, Link, Session
from checkpoint.store.registry.accounts import Account, AccountsShelf, Factor, NameTaken
from checkpoint.store.registry.chores import ChoreRecord, ChoresShelf
from checkpoint.store.registry.declared import DeclaredShelf, Ways
from checkpoint.store.registry.doorway import Audited, Challenge, DoorwayShelf
from checkpoint.store.registry.issuing import Issuer, IssuingShelf
from checkpoint.store.registry.people import Office, PeopleShelf, Person, StaffMember
from checkpoint.store.registry.phones import PhoneRequest, PhonesShelf
from checkpoint.store.registry.programs import ApiToken, KeptAnswer, ProgramsShelf
from checkpoint.store.registry.stations import Kiosk, StationsShelf
from checkpoint.store.registry.terminals import Knock, Terminal, TerminalsShelf
from checkpoint.store.registry.trackers import Tracker, TrackersShelf
from checkpoint.store.registry.webhooks import Outgoing, Webhook, WebhooksShelf

__all__ = [
    "Account", "ApiToken", "Audited", "Challenge", "ChoreRecord", "Factor", "Issuer", "KeptAnswer", "Kiosk", "Knock", "Link",
    "NameTaken", "Office", "Outgoing", "Person", "PhoneRequest", "Registry", "Session", "StaffMember", "Terminal", "Tracker",
    "Ways", "Webhook",
]  # fmt: skip


class Registry(
    PeopleShelf, StationsShelf, AccountsShelf, AccessShelf, DoorwayShelf, IssuingShelf, ChoresShelf, ProgramsShelf, TrackersShelf,
    PhonesShelf, TerminalsShelf, WebhooksShelf, DeclaredShelf,
):  # fmt: skip
    """All shelves in one."""
