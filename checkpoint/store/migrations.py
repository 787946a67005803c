"""The schema, as the list of steps that made it.

The law of this file: steps are added at the end and never changed. `migrate` runs those a database has not seen, all in
one transaction, each once. `tables.py` describes where this list ends; a test holds the two together.

The words are SQLite's; `postgres.py` has a table of what they are there. Plain SQL beside them: what is written here runs
on both.

Instants are microseconds since 1970 UTC. Hashes, marks and seals are raw bytes.
"""

from __future__ import annotations

from datetime import datetime

from checkpoint.store.database import Database, StorageFailed, micros

# (name, statements)
MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "ledger",
        (
            # `number` is the order in which we learnt. No row ever leaves, so that the next number is never one given before.
            """CREATE TABLE facts (
                number INTEGER PRIMARY KEY,
                id TEXT NOT NULL UNIQUE,
                witness TEXT NOT NULL,
                seq INTEGER NOT NULL,
                prev BLOB NOT NULL,
                hash BLOB NOT NULL,
                kind TEXT NOT NULL,
                at BIGINT NOT NULL,
                recorded_at BIGINT NOT NULL,
                raw BLOB NOT NULL,
                received BLOB,
                seal BLOB NOT NULL,
                UNIQUE (witness, seq))""",
            "CREATE INDEX facts_kind ON facts (kind)",
            "CREATE INDEX facts_recorded_at ON facts (recorded_at)",
            """CREATE TABLE subjects (
                subject TEXT NOT NULL,
                number INTEGER NOT NULL,
                PRIMARY KEY (subject, number)) WITHOUT ROWID""",
            # One row a witness: the end of its chain, how many links are held, and what the witness itself last signed.
            """CREATE TABLE heads (
                witness TEXT PRIMARY KEY,
                seq INTEGER NOT NULL,
                hash BLOB NOT NULL,
                links INTEGER NOT NULL,
                chains_itself INTEGER NOT NULL,
                seal BLOB NOT NULL,
                signed_seq INTEGER,
                signed_hash BLOB,
                signature BLOB) WITHOUT ROWID""",
            """CREATE TABLE gaps (
                witness TEXT NOT NULL,
                first_seq INTEGER NOT NULL,
                last_seq INTEGER NOT NULL,
                noticed_at BIGINT NOT NULL,
                PRIMARY KEY (witness, first_seq)) WITHOUT ROWID""",
            # What could not be taken in as a fact. `linked`: it has a place in its witness's chain all the same.
            """CREATE TABLE aside (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                digest BLOB NOT NULL UNIQUE,
                source TEXT NOT NULL,
                why TEXT NOT NULL,
                detail TEXT NOT NULL,
                fact_id TEXT NOT NULL,
                received_at BIGINT NOT NULL,
                raw BLOB NOT NULL,
                linked INTEGER NOT NULL,
                witness TEXT,
                seq INTEGER,
                prev BLOB,
                hash BLOB)""",
            "CREATE UNIQUE INDEX aside_links ON aside (witness, seq) WHERE linked = 1",
        ),
    ),
    (
        "positions",
        (
            # In the order of arrival; the index is both what makes a repeat a repeat and how a track is read.
            """CREATE TABLE positions (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                vehicle TEXT NOT NULL,
                device TEXT NOT NULL,
                fixed_at BIGINT NOT NULL,
                lat REAL NOT NULL,
                lon REAL NOT NULL,
                accuracy_m REAL,
                speed_kmh REAL,
                course_deg REAL,
                altitude_m REAL,
                valid INTEGER NOT NULL,
                received_at BIGINT NOT NULL)""",
            "CREATE UNIQUE INDEX positions_track ON positions (vehicle, fixed_at, device, lat, lon)",
            """CREATE TABLE strangers (
                device TEXT NOT NULL,
                fixed_at BIGINT NOT NULL,
                lat REAL NOT NULL,
                lon REAL NOT NULL,
                why TEXT NOT NULL,
                received_at BIGINT NOT NULL,
                raw BLOB NOT NULL,
                PRIMARY KEY (device, fixed_at, lat, lon)) WITHOUT ROWID""",
        ),
    ),
    (
        "registry",
        (
            """CREATE TABLE people (
                id TEXT PRIMARY KEY,
                name BLOB NOT NULL,
                id_number BLOB,
                phone BLOB,
                id_mark BLOB UNIQUE,
                created_at BIGINT NOT NULL)""",
            "CREATE TABLE carriers (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_at BIGINT NOT NULL)",
            "CREATE TABLE laboratories (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_at BIGINT NOT NULL)",
            """CREATE TABLE staff (
                id TEXT PRIMARY KEY,
                name BLOB NOT NULL,
                pin TEXT NOT NULL,
                active INTEGER NOT NULL,
                created_at BIGINT NOT NULL)""",
            """CREATE TABLE kiosks (
                id TEXT PRIMARY KEY,
                station TEXT NOT NULL,
                token_hash TEXT UNIQUE,
                token_expires BIGINT,
                key_hash TEXT UNIQUE,
                public_key BLOB,
                enrolled_at BIGINT,
                seen_at BIGINT,
                offset_s REAL,
                closed_at BIGINT,
                created_at BIGINT NOT NULL)""",
            """CREATE TABLE issuers (
                key_id TEXT PRIMARY KEY,
                public_key BLOB NOT NULL,
                private_key BLOB NOT NULL,
                created_at BIGINT NOT NULL,
                retired_at BIGINT)""",
            "CREATE TABLE serials (area TEXT PRIMARY KEY, last INTEGER NOT NULL)",
            """CREATE TABLE devices (
                device TEXT PRIMARY KEY,
                vehicle TEXT NOT NULL,
                bound_at BIGINT NOT NULL)""",
            """CREATE TABLE links (
                id TEXT PRIMARY KEY,
                token_hash TEXT NOT NULL UNIQUE,
                person TEXT NOT NULL,
                pass_id TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                expires_at BIGINT NOT NULL,
                used_at BIGINT,
                phone_hash TEXT UNIQUE,
                closed_at BIGINT)""",
            "CREATE INDEX links_pass ON links (pass_id)",
            """CREATE TABLE sessions (
                token_hash TEXT PRIMARY KEY,
                role TEXT NOT NULL,
                who TEXT NOT NULL,
                name BLOB NOT NULL,
                opened_at BIGINT NOT NULL,
                expires_at BIGINT NOT NULL)""",
            "CREATE INDEX sessions_who ON sessions (role, who)",
            "CREATE TABLE passwords (account TEXT PRIMARY KEY, hash TEXT NOT NULL, changed_at BIGINT NOT NULL)",
            "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
            # Seeds of screen passes: whoever has one can show the pass, so they are encrypted like names.
            """CREATE TABLE pass_seeds (
                pass_id TEXT NOT NULL,
                generation INTEGER NOT NULL,
                seed BLOB NOT NULL,
                PRIMARY KEY (pass_id, generation))""",
        ),
    ),
    (
        "chores",
        (
            """CREATE TABLE chores (
                name TEXT PRIMARY KEY,
                last_run BIGINT,
                last_report TEXT NOT NULL,
                failed_at BIGINT,
                last_failure TEXT NOT NULL,
                failures INTEGER NOT NULL)""",
        ),
    ),
    (
        "traces",
        (
            # Who read a person's data: one row for a reader, a person and a kind of reading in an hour.
            """CREATE TABLE traces (
                person TEXT NOT NULL,
                hour BIGINT NOT NULL,
                reader TEXT NOT NULL,
                role TEXT NOT NULL,
                way TEXT NOT NULL,
                what TEXT NOT NULL,
                at BIGINT NOT NULL,
                PRIMARY KEY (person, hour, reader, role, way, what))""",
            "CREATE INDEX traces_hour ON traces (hour)",
        ),
    ),
    (
        "programs",
        (
            """CREATE TABLE api_tokens (
                id TEXT PRIMARY KEY,
                token_hash TEXT NOT NULL UNIQUE,
                name BLOB NOT NULL,
                role TEXT NOT NULL,
                office TEXT NOT NULL,
                writes INTEGER NOT NULL,
                made_by TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                expires_at BIGINT NOT NULL,
                used_at BIGINT,
                revoked_at BIGINT)""",
            """CREATE TABLE kept_answers (
                caller TEXT NOT NULL,
                key TEXT NOT NULL,
                asked TEXT NOT NULL,
                turn TEXT NOT NULL,
                begun_at BIGINT NOT NULL,
                answer BLOB,
                PRIMARY KEY (caller, key))""",
            "CREATE INDEX kept_answers_begun_at ON kept_answers (begun_at)",
        ),
    ),
    (
        "returned facts",
        (
            # Facts that the record lost when it was brought back from a backup, and that somebody told again.
            """CREATE TABLE returned (
                number BIGINT PRIMARY KEY,
                kiosk TEXT NOT NULL,
                how TEXT NOT NULL,
                returned_at BIGINT NOT NULL)""",
            # Which program a kiosk said it runs.
            "ALTER TABLE kiosks ADD COLUMN program TEXT",
        ),
    ),
    (
        "leaving",
        (
            # When the body of a fact, or of what was set aside, left: its link of the chain stays.
            "ALTER TABLE facts ADD COLUMN removed_at BIGINT",
            "ALTER TABLE aside ADD COLUMN removed_at BIGINT",
            "ALTER TABLE aside ADD COLUMN removal BLOB",
        ),
    ),
    (
        "machines",
        (
            # A badge is sealed as a PIN is (`core/badges.py`); empty: none. When a kiosk got the key it calls with, and whether
            # it is asked to make itself another one.
            "ALTER TABLE staff ADD COLUMN badge TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE staff ADD COLUMN badge_at BIGINT",
            "ALTER TABLE kiosks ADD COLUMN key_at BIGINT",
            "ALTER TABLE kiosks ADD COLUMN renew INTEGER NOT NULL DEFAULT 0",
            # A device we gave a key has its hash here. One that was bound by the number it came with has a row once it
            # was heard or revoked, without a key.
            """CREATE TABLE trackers (
                device TEXT PRIMARY KEY,
                key_hash TEXT UNIQUE,
                created_at BIGINT NOT NULL,
                seen_at BIGINT,
                revoked_at BIGINT)""",
            # Another phone that asks for a pass. `left_hash` is the phone that lost it when this one was let in.
            """CREATE TABLE phone_requests (
                id TEXT PRIMARY KEY,
                pass_id TEXT NOT NULL,
                person TEXT NOT NULL,
                link TEXT NOT NULL,
                phone_hash TEXT NOT NULL UNIQUE,
                kind TEXT NOT NULL,
                asked_at BIGINT NOT NULL,
                expires_at BIGINT NOT NULL,
                state TEXT NOT NULL,
                decided_at BIGINT,
                decided_by TEXT NOT NULL,
                left_hash TEXT)""",
            "CREATE INDEX phone_requests_pass ON phone_requests (pass_id)",
            "CREATE INDEX phone_requests_left ON phone_requests (left_hash)",
        ),
    ),
    (
        "accounts",
        (
            # Passwords of roles are gone, and with them whoever came in by one; a driver's phone stays bound.
            "DROP TABLE passwords",
            "DELETE FROM sessions WHERE role <> 'driver'",
            "ALTER TABLE sessions ADD COLUMN account TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE sessions ADD COLUMN seen_at BIGINT",
            "ALTER TABLE sessions ADD COLUMN proved_at BIGINT",
            "ALTER TABLE sessions ADD COLUMN limited INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT ''",
            "CREATE INDEX sessions_account ON sessions (account)",
            """CREATE TABLE accounts (
                id TEXT PRIMARY KEY,
                sign_in BLOB NOT NULL,
                sign_in_mark BLOB NOT NULL UNIQUE,
                display BLOB NOT NULL,
                role TEXT NOT NULL,
                office TEXT NOT NULL,
                passphrase TEXT,
                stands_alone INTEGER NOT NULL,
                created_at BIGINT NOT NULL,
                disabled_at BIGINT)""",
            """CREATE TABLE factors (
                id TEXT PRIMARY KEY,
                account TEXT NOT NULL,
                kind TEXT NOT NULL,
                label BLOB NOT NULL,
                secret BLOB NOT NULL,
                credential TEXT UNIQUE,
                uses BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                used_at BIGINT)""",
            "CREATE INDEX factors_account ON factors (account)",
            """CREATE TABLE recovery_codes (
                account TEXT NOT NULL,
                code_hash TEXT NOT NULL,
                used_at BIGINT,
                PRIMARY KEY (account, code_hash))""",
            """CREATE TABLE invitations (
                token_hash TEXT PRIMARY KEY,
                account TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                expires_at BIGINT NOT NULL,
                used_at BIGINT)""",
            """CREATE TABLE challenges (
                token_hash TEXT PRIMARY KEY,
                purpose TEXT NOT NULL,
                account TEXT NOT NULL,
                state BLOB NOT NULL,
                expires_at BIGINT NOT NULL)""",
            "CREATE TABLE attempts (mark BLOB PRIMARY KEY, failures INTEGER NOT NULL, last_at BIGINT NOT NULL)",
            """CREATE TABLE audit (
                id TEXT PRIMARY KEY,
                at BIGINT NOT NULL,
                what TEXT NOT NULL,
                account TEXT NOT NULL,
                actor TEXT NOT NULL,
                address TEXT NOT NULL,
                detail BLOB NOT NULL)""",
            "CREATE INDEX audit_account ON audit (account)",
        ),
    ),
    (
        "revoked issuers",
        ("ALTER TABLE issuers ADD COLUMN revoked_at BIGINT",),
    ),
    (
        "seals beside the facts",
        (
            # Filled in at the first start (`seals.py`).
            "ALTER TABLE gaps ADD COLUMN seal BLOB",
            "ALTER TABLE aside ADD COLUMN seal BLOB",
        ),
    ),
    (
        "webhooks",
        (
            """CREATE TABLE webhooks (
                id TEXT PRIMARY KEY,
                url TEXT NOT NULL,
                events TEXT NOT NULL,
                role TEXT NOT NULL,
                office TEXT NOT NULL,
                secret BLOB NOT NULL,
                old_secret BLOB,
                old_until BIGINT,
                made_by TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                since BIGINT NOT NULL,
                failures INTEGER NOT NULL,
                failing_since BIGINT,
                next_at BIGINT,
                paused_at BIGINT,
                paused_why TEXT NOT NULL,
                removed_at BIGINT)""",
            """CREATE TABLE outbox (
                webhook TEXT NOT NULL,
                number BIGINT NOT NULL,
                event TEXT NOT NULL,
                due_at BIGINT NOT NULL,
                attempts INTEGER NOT NULL,
                tried_at BIGINT,
                status INTEGER,
                why TEXT NOT NULL,
                sent_at BIGINT,
                given_up_at BIGINT,
                PRIMARY KEY (webhook, number))""",
            "CREATE INDEX outbox_due ON outbox (webhook, due_at)",
        ),
    ),
    (
        "devices-words",
        (
            # What a device says beside the place: alarms by name, a blank between them; a region entered or left.
            "ALTER TABLE positions ADD COLUMN encrypted INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE positions ADD COLUMN alarms TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE positions ADD COLUMN crossing TEXT NOT NULL DEFAULT ''",
        ),
    ),
    (
        "terminals",
        (
            # Truck terminals, each with the code that it authenticates with (hashed), and the one it was given last.
            """CREATE TABLE terminals (
                device TEXT PRIMARY KEY,
                plate TEXT NOT NULL,
                enrolled_at BIGINT NOT NULL,
                open_until BIGINT,
                code_hash TEXT,
                next_hash TEXT,
                edition TEXT NOT NULL DEFAULT '',
                maker TEXT NOT NULL DEFAULT '',
                model TEXT NOT NULL DEFAULT '',
                terminal_id TEXT NOT NULL DEFAULT '',
                plate_said TEXT NOT NULL DEFAULT '',
                registered_at BIGINT,
                registrations INTEGER NOT NULL DEFAULT 0,
                refused_at BIGINT,
                refused_why TEXT NOT NULL DEFAULT '',
                refused_detail TEXT NOT NULL DEFAULT '',
                refusals INTEGER NOT NULL DEFAULT 0,
                connected_at BIGINT,
                heard_at BIGINT,
                parted_at BIGINT,
                parameters TEXT NOT NULL DEFAULT '',
                parameters_state TEXT NOT NULL DEFAULT '',
                route TEXT NOT NULL DEFAULT '',
                route_state TEXT NOT NULL DEFAULT '',
                revoked_at BIGINT)""",
            # Numbers that nobody enrolled and that knocked.
            """CREATE TABLE terminal_knocks (
                device TEXT PRIMARY KEY,
                why TEXT NOT NULL,
                said TEXT NOT NULL,
                times INTEGER NOT NULL,
                first_at BIGINT NOT NULL,
                last_at BIGINT NOT NULL)""",
        ),
    ),
    (
        "regions told to phones",
        (
            # What a phone was told of our stations, as JSON: region -> what it is called on the phone.
            "ALTER TABLE trackers ADD COLUMN regions TEXT NOT NULL DEFAULT ''",
        ),
    ),
    (
        "readings",
        (
            # What the watch has read of tracks, and up to which position: `readings.py`. May be thrown away at any time.
            """CREATE TABLE readings (
                vehicle TEXT PRIMARY KEY,
                made_by TEXT NOT NULL,
                number BIGINT NOT NULL,
                oldest BIGINT NOT NULL,
                state BLOB NOT NULL,
                before BLOB NOT NULL,
                seal BLOB NOT NULL)""",
            "CREATE TABLE readings_to (turn TEXT PRIMARY KEY, number BIGINT NOT NULL, swept BIGINT NOT NULL)",
            "INSERT INTO readings_to VALUES ('', 0, 0)",
        ),
    ),
    (
        "devices' own ways",
        (
            # The datum and the clock of a device: what a coordinator declared, and what was noticed.
            """CREATE TABLE declared (
                device TEXT PRIMARY KEY,
                datum TEXT NOT NULL DEFAULT 'WGS-84',
                clock_s BIGINT NOT NULL DEFAULT 0,
                declared_at BIGINT,
                seen_clock_s BIGINT,
                seen_clock_at BIGINT)""",
            "ALTER TABLE positions ADD COLUMN mended TEXT NOT NULL DEFAULT ''",
        ),
    ),
    (
        "strangers of ours",
        (
            # Whether the device was bound by somebody once: such take no room of those that nobody knows.
            "ALTER TABLE strangers ADD COLUMN ours INTEGER NOT NULL DEFAULT 0",
            "CREATE INDEX strangers_room ON strangers (device, why) WHERE ours = 0",
        ),
    ),
    (
        "positions taken from vehicles",
        (
            # That there were such, for whoever has read the vehicle's positions before. Not which: they are with the strangers.
            "CREATE TABLE withdrawn (number INTEGER PRIMARY KEY AUTOINCREMENT, vehicle TEXT NOT NULL, at BIGINT NOT NULL)",
        ),
    ),
    (
        "when somebody listened",
        (
            # Stretches of time: between them is when the server was down, and no device can be called silent for it.
            "CREATE TABLE listening (began_at BIGINT PRIMARY KEY, until_at BIGINT NOT NULL)",
        ),
    ),
)


_COUNT = "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT, applied_at BIGINT)"


def migrate(database: Database, now: datetime) -> int:
    """Bring a database up to the end of the list, inside the writer's transaction. Returns how many steps ran."""
    database.define(_COUNT)
    seen = {int(number) for (number,) in database.rows("SELECT number FROM migrations")}
    if seen and max(seen) > len(MIGRATIONS):
        raise StorageFailed(
            "the database was made by a newer version of the program: run that one, or restore the copy before it"
        )
    pending = [(number, step) for number, step in enumerate(MIGRATIONS, start=1) if number not in seen]
    if pending and seen:
        database.before_migrating(pending[0][0])
    for number, (name, statements) in pending:
        for statement in statements:
            database.define(statement)
        database.run("INSERT INTO migrations VALUES (?, ?, ?)", (number, name, micros(now)))
    return len(pending)
