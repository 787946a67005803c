"""The tables as peewee sees them, for the registry's queries. `migrations.py` makes them; a test holds the two together.

Models are not bound to a database: every query is told which (`.execute(database)`), so that several stores can be open.
The ledger and the positions speak SQL themselves: they are the hot paths.
"""

# mypy: disable-error-code="misc"
from __future__ import annotations

import peewee as p


class Table(p.Model):
    """A table whose name is the plural its model gives."""


class People(Table):
    """Names, numbers and phones, encrypted; `id` is the pseudonym that facts use."""

    id = p.TextField(primary_key=True)
    name = p.BlobField()
    id_number = p.BlobField(null=True)
    phone = p.BlobField(null=True)
    id_mark = p.BlobField(null=True, unique=True)
    created_at = p.BigIntegerField()


class Carriers(Table):
    """Offices that ask for passes."""

    id = p.TextField(primary_key=True)
    name = p.TextField()
    created_at = p.BigIntegerField()


class Laboratories(Table):
    """Offices that report results."""

    id = p.TextField(primary_key=True)
    name = p.TextField()
    created_at = p.BigIntegerField()


class Staff(Table):
    """People who work at stations and desks; `pin` and `badge` are sealed (`core/pins.py`, `core/badges.py`)."""

    id = p.TextField(primary_key=True)
    name = p.BlobField()
    pin = p.TextField()
    active = p.IntegerField()
    created_at = p.BigIntegerField()
    badge = p.TextField(default="")
    badge_at = p.BigIntegerField(null=True)


class Kiosks(Table):
    """Station programs: their key, their station, their clock."""

    id = p.TextField(primary_key=True)
    station = p.TextField()
    token_hash = p.TextField(null=True, unique=True)
    token_expires = p.BigIntegerField(null=True)
    key_hash = p.TextField(null=True, unique=True)
    public_key = p.BlobField(null=True)
    enrolled_at = p.BigIntegerField(null=True)
    seen_at = p.BigIntegerField(null=True)
    offset_s = p.FloatField(null=True)
    closed_at = p.BigIntegerField(null=True)
    created_at = p.BigIntegerField()
    program = p.TextField(null=True)
    key_at = p.BigIntegerField(null=True)
    renew = p.IntegerField(default=0)


class Issuers(Table):
    """Keys that seal passes; the private half is encrypted."""

    key_id = p.TextField(primary_key=True)
    public_key = p.BlobField()
    private_key = p.BlobField()
    created_at = p.BigIntegerField()
    retired_at = p.BigIntegerField(null=True)
    revoked_at = p.BigIntegerField(null=True)


class Serials(Table):
    """The last serial given for an area code."""

    area = p.TextField(primary_key=True)
    last = p.IntegerField()


class Devices(Table):
    """Which vehicle a phone or terminal reports for."""

    device = p.TextField(primary_key=True)
    vehicle = p.TextField()
    bound_at = p.BigIntegerField()


class Trackers(Table):
    """Devices that send by themselves: the key we gave, when they were heard, when they were shut out."""

    device = p.TextField(primary_key=True)
    key_hash = p.TextField(null=True, unique=True)
    created_at = p.BigIntegerField()
    seen_at = p.BigIntegerField(null=True)
    revoked_at = p.BigIntegerField(null=True)
    regions = p.TextField(default="")


class Declared(Table):
    """Devices' own ways: what a coordinator declared of datum and clock, and what was noticed of the clock."""

    device = p.TextField(primary_key=True)
    datum = p.TextField(default="WGS-84")
    clock_s = p.BigIntegerField(default=0)
    declared_at = p.BigIntegerField(null=True)
    seen_clock_s = p.BigIntegerField(null=True)
    seen_clock_at = p.BigIntegerField(null=True)


class Links(Table):
    """Personal links to a pass: open once, then bound to one phone."""

    id = p.TextField(primary_key=True)
    token_hash = p.TextField(unique=True)
    person = p.TextField()
    pass_id = p.TextField()
    created_at = p.BigIntegerField()
    expires_at = p.BigIntegerField()
    used_at = p.BigIntegerField(null=True)
    phone_hash = p.TextField(null=True, unique=True)
    closed_at = p.BigIntegerField(null=True)


class PhoneRequests(Table):
    """Other phones that ask for a pass, and what became of it."""

    id = p.TextField(primary_key=True)
    pass_id = p.TextField()
    person = p.TextField()
    link = p.TextField()
    phone_hash = p.TextField(unique=True)
    kind = p.TextField()
    asked_at = p.BigIntegerField()
    expires_at = p.BigIntegerField()
    state = p.TextField()
    decided_at = p.BigIntegerField(null=True)
    decided_by = p.TextField(default="")
    left_hash = p.TextField(null=True)

    class Meta:
        table_name = "phone_requests"


class Sessions(Table):
    """Who is signed in: as which account (none: a driver's phone), last seen when, and when they last proved who they are."""

    token_hash = p.TextField(primary_key=True)
    role = p.TextField()
    who = p.TextField()
    name = p.BlobField()
    opened_at = p.BigIntegerField()
    expires_at = p.BigIntegerField()
    account = p.TextField()
    seen_at = p.BigIntegerField(null=True)
    proved_at = p.BigIntegerField(null=True)
    limited = p.IntegerField()
    device = p.TextField()


class Accounts(Table):
    """Who may sign in: names encrypted, the sign-in name found by its mark; the passphrase hashed by whoever checks it."""

    id = p.TextField(primary_key=True)
    sign_in = p.BlobField()
    sign_in_mark = p.BlobField(unique=True)
    display = p.BlobField()
    role = p.TextField()
    office = p.TextField()
    passphrase = p.TextField(null=True)
    stands_alone = p.IntegerField()
    created_at = p.BigIntegerField()
    disabled_at = p.BigIntegerField(null=True)


class Factors(Table):
    """What an account proves itself with beside its passphrase; `uses` is a passkey's count, or the last code's step."""

    id = p.TextField(primary_key=True)
    account = p.TextField()
    kind = p.TextField()
    label = p.BlobField()
    secret = p.BlobField()
    credential = p.TextField(null=True, unique=True)
    uses = p.BigIntegerField()
    created_at = p.BigIntegerField()
    used_at = p.BigIntegerField(null=True)


class RecoveryCodes(Table):
    """Codes that each open an account once, hashed."""

    account = p.TextField()
    code_hash = p.TextField()
    used_at = p.BigIntegerField(null=True)

    class Meta:
        primary_key = p.CompositeKey("account", "code_hash")
        table_name = "recovery_codes"


class Invitations(Table):
    """One-time links with which somebody chooses their passphrase; without an account, it makes an administrator."""

    token_hash = p.TextField(primary_key=True)
    account = p.TextField()
    created_at = p.BigIntegerField()
    expires_at = p.BigIntegerField()
    used_at = p.BigIntegerField(null=True)


class Challenges(Table):
    """Questions put to a browser that wait for their one answer."""

    token_hash = p.TextField(primary_key=True)
    purpose = p.TextField()
    account = p.TextField()
    state = p.BlobField()
    expires_at = p.BigIntegerField()


class Attempts(Table):
    """Failures in a row under a name, so that guessing becomes slow in every process and after a restart."""

    mark = p.BlobField(primary_key=True)
    failures = p.IntegerField()
    last_at = p.BigIntegerField()


class Audit(Table):
    """What was done about accounts; rows are only ever added."""

    id = p.TextField(primary_key=True)
    at = p.BigIntegerField()
    what = p.TextField()
    account = p.TextField()
    actor = p.TextField()
    address = p.TextField()
    detail = p.BlobField()


class Settings(Table):
    """Small things that must outlive a restart."""

    name = p.TextField(primary_key=True)
    value = p.TextField()


class PassSeeds(Table):
    """Where the chain of a screen pass begins, encrypted."""

    pass_id = p.TextField()
    generation = p.IntegerField()
    seed = p.BlobField()

    class Meta:
        primary_key = p.CompositeKey("pass_id", "generation")
        table_name = "pass_seeds"


class Chores(Table):
    """How the server's own periodic work last went."""

    name = p.TextField(primary_key=True)
    last_run = p.BigIntegerField(null=True)
    last_report = p.TextField()
    failed_at = p.BigIntegerField(null=True)
    last_failure = p.TextField()
    failures = p.IntegerField()


class ApiTokens(Table):
    """What other people's programs come in with."""

    id = p.TextField(primary_key=True)
    token_hash = p.TextField(unique=True)
    name = p.BlobField()
    role = p.TextField()
    office = p.TextField()
    writes = p.IntegerField()
    made_by = p.TextField()
    created_at = p.BigIntegerField()
    expires_at = p.BigIntegerField()
    used_at = p.BigIntegerField(null=True)
    revoked_at = p.BigIntegerField(null=True)

    class Meta:
        table_name = "api_tokens"


class KeptAnswers(Table):
    """Answers to what was asked under a caller's own key, to be given again; encrypted."""

    caller = p.TextField()
    key = p.TextField()
    asked = p.TextField()
    turn = p.TextField()
    begun_at = p.BigIntegerField()
    answer = p.BlobField(null=True)

    class Meta:
        primary_key = p.CompositeKey("caller", "key")
        table_name = "kept_answers"


class Webhooks(Table):
    """Where events are sent to; secrets are encrypted."""

    id = p.TextField(primary_key=True)
    url = p.TextField()
    events = p.TextField()
    role = p.TextField()
    office = p.TextField()
    secret = p.BlobField()
    old_secret = p.BlobField(null=True)
    old_until = p.BigIntegerField(null=True)
    made_by = p.TextField()
    created_at = p.BigIntegerField()
    since = p.BigIntegerField()
    failures = p.IntegerField()
    failing_since = p.BigIntegerField(null=True)
    next_at = p.BigIntegerField(null=True)
    paused_at = p.BigIntegerField(null=True)
    paused_why = p.TextField()
    removed_at = p.BigIntegerField(null=True)


class Outbox(Table):
    """What waits to be sent, and what came of it."""

    webhook = p.TextField()
    number = p.BigIntegerField()
    event = p.TextField()
    due_at = p.BigIntegerField()
    attempts = p.IntegerField()
    tried_at = p.BigIntegerField(null=True)
    status = p.IntegerField(null=True)
    why = p.TextField()
    sent_at = p.BigIntegerField(null=True)
    given_up_at = p.BigIntegerField(null=True)

    class Meta:
        primary_key = p.CompositeKey("webhook", "number")


class Terminals(Table):
    """Trucks' own terminals that a coordinator enrolled, and how each stands."""

    device = p.TextField(primary_key=True)
    plate = p.TextField()
    enrolled_at = p.BigIntegerField()
    open_until = p.BigIntegerField(null=True)
    code_hash = p.TextField(null=True)
    next_hash = p.TextField(null=True)
    edition = p.TextField(default="")
    maker = p.TextField(default="")
    model = p.TextField(default="")
    terminal_id = p.TextField(default="")
    plate_said = p.TextField(default="")
    registered_at = p.BigIntegerField(null=True)
    registrations = p.IntegerField(default=0)
    refused_at = p.BigIntegerField(null=True)
    refused_why = p.TextField(default="")
    refused_detail = p.TextField(default="")
    refusals = p.IntegerField(default=0)
    connected_at = p.BigIntegerField(null=True)
    heard_at = p.BigIntegerField(null=True)
    parted_at = p.BigIntegerField(null=True)
    parameters = p.TextField(default="")
    parameters_state = p.TextField(default="")
    route = p.TextField(default="")
    route_state = p.TextField(default="")
    revoked_at = p.BigIntegerField(null=True)


class TerminalKnocks(Table):
    """Numbers that nobody enrolled and that knocked."""

    device = p.TextField(primary_key=True)
    why = p.TextField()
    said = p.TextField()
    times = p.IntegerField()
    first_at = p.BigIntegerField()
    last_at = p.BigIntegerField()

    class Meta:
        table_name = "terminal_knocks"


TABLES = (
    People, Carriers, Laboratories, Staff, Kiosks, Issuers, Serials, Devices, Trackers, Links, PhoneRequests, Sessions,
    Settings, PassSeeds, Chores, ApiTokens, KeptAnswers, Accounts, Factors, RecoveryCodes, Invitations, Challenges, Attempts,
    Audit, Webhooks, Outbox, Terminals, TerminalKnocks, Declared,
)  # fmt: skip
