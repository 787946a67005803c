"""A backup is whole and proved or it is not there; what is brought back is what was taken; nobody's data is overwritten."""

from __future__ import annotations

import errno
import gzip
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint import config, keeping
from checkpoint.backup import keyfile, manifest, regular, taking
from checkpoint.backup.manifest import Unusable
from checkpoint.backup.restoring import InTheWay, restore
from checkpoint.backup.taking import AlreadyTaking, backups, check, take
from checkpoint.cli import main
from checkpoint.store import StorageFull, Store, WrongKey
from checkpoint.store.alone import in_use
from checkpoint.store.copying import soundness, survey
from checkpoint.store.keys import KEY_FILE
from tests.disks import small_disk
from tests.ground import T0, Still, store_in
from tests.seeds import seeds
from tests.server import served
from tests.witness import fact

HOUR = timedelta(hours=1)


def no_rest() -> None:
    """Tests need not yield to a server."""


@pytest.fixture
def data(tmp_path: Path, clock: Still) -> Path:
    """A data folder with a record: a loop, people, thirty facts."""
    folder = tmp_path / "data"
    store = store_in(folder, clock)
    store.registry.add_person("张三", phone="13800138000")
    for n in range(30):
        store.record(fact(f"f-{n}", clock()))
    store.close()
    return folder


def taken(data: Path, to: Path, clock: Still) -> Path:
    return take(data / "checkpoint.db", data / KEY_FILE, to, clock, rest=no_rest)


# -- taking ---------------------------------------------------------------------------------------------------------------


def test_a_backup_of_a_server_that_goes_on_writing_is_of_one_moment(tmp_path: Path, clock: Still) -> None:
    store = store_in(tmp_path / "data", clock)
    store.registry.set_setting("padding", "x" * 4_000_000)  # so that there is something to copy
    ending = threading.Event()
    written: list[int] = []

    def write() -> None:
        n = 0
        while not ending.is_set():
            store.record(fact(f"w-{n}", clock()))
            n += 1
            written.append(n)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        while not written:
            time.sleep(0.001)
        rests: list[int] = []

        def rest() -> None:
            rests.append(len(written))
            time.sleep(0.005)

        folder = tmp_path / "data"
        backup = take(folder / "checkpoint.db", folder / KEY_FILE, tmp_path / "backups", clock, rest=rest)
    finally:
        ending.set()
        writing.join()
    assert rests[-1] > rests[0], "the server wrote on while the pages went over"
    held = manifest.read(backup).held
    assert 0 < held.counts["facts"] < store.last_number()
    assert held.heads == tuple(h for h in held.heads if h.links == h.seq), "each chain is whole"
    store.close()


def test_the_key_is_in_no_file_of_a_backup(data: Path, tmp_path: Path, clock: Still) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    key = (data / KEY_FILE).read_text().strip()
    files = [path for path in backup.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"checkpoint.db.gz", "manifest.json"}
    for path in files:
        held = path.read_bytes()
        held = gzip.decompress(held) if path.suffix == ".gz" else held
        for form in (key.encode(), bytes.fromhex(key)):
            assert form not in held
        assert "张三".encode() not in held
        assert path.stat().st_mode & 0o077 == 0


def test_a_manifest_says_what_was_taken(data: Path, tmp_path: Path, clock: Still) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    said = manifest.read(backup)
    assert (said.taken_at, said.database, said.held.counts["facts"], said.held.counts["people"]) == (T0, "sqlite", 31, 1)
    [head] = said.held.heads
    assert (head.witness, head.seq, head.links) == ("desk:coordinator", 31, 31)
    assert len(said.held.installation) == 16
    assert (backup / said.file.name).stat().st_size == said.file.size


@pytest.mark.parametrize("seed", seeds(12))
def test_a_changed_byte_anywhere_is_found(data: Path, tmp_path: Path, clock: Still, seed: int) -> None:
    rng = random.Random(seed)
    backup = taken(data, tmp_path / "backups", clock)
    path = rng.choice([backup / "checkpoint.db.gz", backup / "manifest.json"])
    whole = bytearray(path.read_bytes())
    at = rng.randrange(len(whole))
    if path.name == "manifest.json" and whole[at] in b" \n":
        at = whole.index(b"8"[0])
    whole[at] ^= 1 << rng.randrange(7)
    path.write_bytes(whole)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(Unusable):
        check(backup, data / KEY_FILE, clock, scratch)


def rewritten(backup: Path, **changes: Any) -> None:
    """The manifest with other values, and the old stamp."""
    held = msgspec.json.decode((backup / "manifest.json").read_bytes())
    for name, value in changes.items():
        inner = held["held"] if name in held["held"] else held
        inner[name] = value
    (backup / "manifest.json").write_bytes(msgspec.json.encode(held))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda b: (b / "checkpoint.db.gz").write_bytes((b / "checkpoint.db.gz").read_bytes()[:-100]), "torn"),
        (lambda b: (b / "checkpoint.db.gz").unlink(), "torn"),
        (lambda b: (b / "manifest.json").unlink(), "none"),
        (lambda b: (b / "manifest.json").write_text("{"), "altered"),
        (lambda b: rewritten(b, taken_at="2026-05-03T03:00:00Z"), "altered"),
        (lambda b: rewritten(b, last_number=5), "altered"),
        (lambda b: rewritten(b, format=2), "newer"),
        (lambda b: rewritten(b, key_mark="00"), "foreign"),
    ],
)
def test_what_is_wrong_with_a_backup_is_said_by_name(data: Path, tmp_path: Path, clock: Still, wrong: Any, why: str) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    wrong(backup)
    with pytest.raises(Unusable) as raised:
        restore(backup, data / KEY_FILE, tmp_path / "to" / "checkpoint.db", clock)
    assert raised.value.why == why
    assert not (tmp_path / "to" / "checkpoint.db").exists()
    assert list((tmp_path / "to").iterdir()) == [], "and nothing is left"


def test_a_backup_of_a_newer_schema_waits_for_a_newer_program(
    data: Path, tmp_path: Path, clock: Still, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    monkeypatch.setattr("checkpoint.backup.proving.MIGRATIONS", ())
    with pytest.raises(Unusable) as raised:
        restore(backup, data / KEY_FILE, tmp_path / "to" / "checkpoint.db", clock)
    assert raised.value.why == "newer"


def test_another_installations_key_opens_nothing(data: Path, tmp_path: Path, clock: Still) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    Store.open(tmp_path / "other" / "checkpoint.db", clock).close()
    for key, why in ((tmp_path / "other" / KEY_FILE, "foreign"), (tmp_path / "none", "no-key")):
        with pytest.raises(Unusable) as raised:
            restore(backup, key, tmp_path / "to" / "checkpoint.db", clock)
        assert raised.value.why == why


class Stop(Exception):
    """The power goes here."""


def test_interrupted_at_any_step_it_leaves_no_backup_and_the_next_one_is_whole(
    data: Path, tmp_path: Path, clock: Still, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step of ours that touches the disk, one after the other; what is swept away at once after a failure stays here."""
    steps = ("copy", "survey", "sync", "hash_of", "load", "opened", "unpacked", "proved", "_free_name")
    folder = tmp_path / "backups"
    monkeypatch.setattr(shutil, "rmtree", lambda path, ignore_errors=False: None)  # a killed process sweeps nothing

    def stop(*args: object, **kwargs: object) -> None:
        raise Stop

    for step in steps:
        with monkeypatch.context() as inner:
            inner.setattr(taking, step, stop)
            inner.setattr(os, "getpid", lambda step=step: steps.index(step))
            with pytest.raises(Stop):
                taken(data, folder, clock)
        assert backups(folder) == []
    monkeypatch.undo()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".growing")]
    backup = taken(data, folder, clock)
    assert backups(folder) == [backup]
    assert {path.name for path in folder.iterdir()} == {backup.name, ".lock"}


TAKING = """
import sys
from pathlib import Path
from checkpoint.backup.taking import take
from checkpoint.config import utc_now
data, to = Path(sys.argv[1]), Path(sys.argv[2])
print("begun", flush=True)
while True:
    take(data / "checkpoint.db", data / "master.key", to, utc_now, rest=lambda: None)
"""


@pytest.mark.parametrize("seed", seeds(2))
def test_killed_while_it_is_taken_it_leaves_whole_backups_alone(data: Path, tmp_path: Path, clock: Still, seed: int) -> None:
    rng, folder = random.Random(seed), tmp_path / "backups"
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", TAKING, str(data), str(folder)], stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    for number, backup in enumerate(backups(folder)):
        scratch = tmp_path / f"scratch-{number}"
        scratch.mkdir()
        assert check(backup, data / KEY_FILE, clock, scratch).held.counts["facts"] == 31
    assert taken(data, folder, clock) in backups(folder)


def test_a_full_disk_leaves_nothing_behind(data: Path, tmp_path: Path, clock: Still) -> None:
    with small_disk(tmp_path / "backups", 1 << 20) as disk:
        disk.leave(64 << 10)
        with pytest.raises(StorageFull):
            taken(data, disk.folder, clock)
        assert {path.name for path in disk.folder.iterdir()} == {"filler", ".lock"}


def test_a_disk_that_fills_meanwhile_leaves_nothing_behind(
    data: Path, tmp_path: Path, clock: Still, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(taking, "hash_of", full)
    with pytest.raises(StorageFull):
        taken(data, tmp_path / "backups", clock)
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [".lock"]


def test_one_at_a_time_in_a_folder(data: Path, tmp_path: Path, clock: Still) -> None:
    with taking._alone_in(data), pytest.raises(AlreadyTaking):
        taken(data, data, clock)


def test_two_of_one_second_have_two_names(data: Path, tmp_path: Path, clock: Still) -> None:
    first, second = taken(data, tmp_path / "b", clock), taken(data, tmp_path / "b", clock)
    assert first.name == "checkpoint-20260503T020000Z"
    assert second.name == "checkpoint-20260503T020000Z-2"
    assert backups(tmp_path / "b") == [first, second]


# -- keeping ----------------------------------------------------------------------------------------------------------------


def test_the_rule_keeps_hours_days_weeks_and_months() -> None:
    hours = [T0 - n * HOUR for n in range(24 * 400)]
    stay = keeping.kept(hours, keeping.parse("3 hourly, 2 daily, 2 weekly, 3 monthly"))
    # T0 is Sunday 3 May 2026, 02:00: its week began on 27 April.
    wanted = {
        T0, T0 - HOUR, T0 - 2 * HOUR,
        datetime(2026, 5, 2, 23, tzinfo=UTC),  # yesterday's last
        datetime(2026, 4, 26, 23, tzinfo=UTC),  # the last of the week before
        datetime(2026, 4, 30, 23, tzinfo=UTC), datetime(2026, 3, 31, 23, tzinfo=UTC),
    }  # fmt: skip
    assert stay == wanted


moments = st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 (hypothesis adds it)


@given(st.lists(moments, max_size=60), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_what_stays_is_some_of_it_with_the_newest_and_no_more_than_the_rule_says(
    times: list[datetime], hourly: int, daily: int, monthly: int
) -> None:
    stay = keeping.kept(times, {"hourly": hourly, "daily": daily, "monthly": monthly})
    assert stay <= set(times)
    assert not times or max(times) in stay
    assert len(stay) <= max(1, hourly + daily + monthly + 1)
    assert keeping.kept(stay, {"hourly": hourly, "daily": daily, "monthly": monthly}) == stay, "asked again it says the same"


@pytest.mark.parametrize("text", ["", "24", "hourly", "1 hourly, 2 hourly", "1 yearly", "-1 daily"])
def test_a_rule_that_is_none_is_complained_of(text: str) -> None:
    with pytest.raises(ValueError, match="hourly"):
        keeping.parse(text)


def test_the_chore_takes_one_in_a_process_of_its_own_and_lets_the_old_ones_go(data: Path, tmp_path: Path, clock: Still) -> None:
    folder = tmp_path / "backups"
    for hours in (50, 49, 3):
        clock.at = T0 - hours * HOUR
        taken(data, folder, clock)
    job = regular.Job(database=str(data / "checkpoint.db"), key_file=str(data / KEY_FILE), folder=str(folder), spare_bytes=0)
    report = regular.chore(job, HOUR, keeping.parse("2 hourly")).work(T0)
    assert report.startswith("taken checkpoint-")
    assert report.endswith("kept 2, discarded 2")
    assert len(backups(folder)) == 2
    assert not taking.overdue(folder, HOUR, datetime.now(UTC))
    assert taking.overdue(folder, HOUR, datetime.now(UTC) + 3 * HOUR)
    assert taking.overdue(tmp_path / "nothing", HOUR, T0)
    wrong = msgspec.structs.replace(job, key_file=str(tmp_path / "none" / KEY_FILE))
    with pytest.raises(regular.BackupFailed, match="WrongKey"):
        regular.chore(wrong, HOUR, keeping.parse("2 hourly")).work(T0)


def test_regular_backups_of_a_postgresql_database_are_not_promised() -> None:
    with pytest.raises(config.Misconfigured, match=r"CHECKPOINT_BACKUPS: .* its own tools"):
        config.load({"CHECKPOINT_DATABASE": "postgresql://u@h/d", "CHECKPOINT_BACKUPS": "x"})


# -- the way back -----------------------------------------------------------------------------------------------------------


def test_what_is_brought_back_is_what_was_taken(data: Path, tmp_path: Path, clock: Still) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    done = restore(backup, data / KEY_FILE, tmp_path / "to" / "checkpoint.db", clock)
    assert done.facts == 31
    before, after = Store.open(data / "checkpoint.db", clock), Store.open(tmp_path / "to" / "checkpoint.db", clock)
    assert [r.raw for r in after.facts_after(0, 100)][:31] == [r.raw for r in before.facts_after(0, 100)]
    [event] = after.facts_of_kind("Restored")
    assert event.fact.what.backup == manifest.read(backup).digest  # type: ignore[union-attr]
    assert after.verify().ok
    assert [p.name for p in after.registry.people(_people(before))] == ["张三"]
    before.close()
    after.close()
    assert {path.name for path in (tmp_path / "to").iterdir()} == {"checkpoint.db", KEY_FILE}


def _people(store: Store) -> set[str]:
    return {row[0] for row in store._db.rows("SELECT id FROM people")}


def test_what_stands_there_is_not_overwritten_but_moved_aside_when_asked(data: Path, tmp_path: Path, clock: Still) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    place = data / "checkpoint.db"
    standing = place.read_bytes()
    with pytest.raises(InTheWay) as raised:
        restore(backup, data / KEY_FILE, place, clock)
    assert raised.value.why == "taken"
    assert place.read_bytes() == standing
    done = restore(backup, data / KEY_FILE, place, clock, move_aside=True)
    assert done.aside == ("checkpoint.db.aside-20260503T020000Z",)
    assert (data / done.aside[0]).read_bytes() == standing
    assert soundness(place) == ""


def test_a_log_without_its_database_is_in_the_way_too(data: Path, tmp_path: Path, clock: Still) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    place = tmp_path / "to" / "checkpoint.db"
    place.parent.mkdir()
    place.with_name("checkpoint.db-wal").write_bytes(b"of another database")
    with pytest.raises(InTheWay):
        restore(backup, data / KEY_FILE, place, clock)
    restore(backup, data / KEY_FILE, place, clock, move_aside=True)
    assert soundness(place) == ""


def test_another_key_that_stands_there_stays(data: Path, tmp_path: Path, clock: Still) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    Store.open(tmp_path / "to" / "checkpoint.db", clock).close()
    (tmp_path / "to" / "checkpoint.db").unlink()
    with pytest.raises(InTheWay) as raised:
        restore(backup, data / KEY_FILE, tmp_path / "to" / "checkpoint.db", clock)
    assert raised.value.why == "other-key"


def test_a_record_that_was_altered_before_it_was_backed_up_is_not_taken(data: Path, tmp_path: Path, clock: Still) -> None:
    with sqlite3.connect(data / "checkpoint.db") as there:
        there.execute("UPDATE facts SET at = at + 1 WHERE number = 7")
    there.close()
    with pytest.raises(Unusable) as raised:
        taken(data, tmp_path / "backups", clock)
    assert raised.value.why == "unsound"
    assert "fact 7" in str(raised.value.values["what"])
    assert backups(tmp_path / "backups") == []


RESTORING = """
import sys
from pathlib import Path
from checkpoint.backup.restoring import restore
from checkpoint.config import utc_now
print("begun", flush=True)
restore(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), utc_now, move_aside=True)
"""


@pytest.mark.parametrize("seed", seeds(2))
def test_killed_while_it_is_brought_back_there_is_nothing_or_the_whole(
    data: Path, tmp_path: Path, clock: Still, seed: int
) -> None:
    rng = random.Random(seed)
    backup = taken(data, tmp_path / "backups", clock)
    place, states = tmp_path / "to" / "checkpoint.db", set()
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", RESTORING, str(backup), str(data / KEY_FILE), str(place)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.2))
        process.kill()
        process.wait()
        process.stdout.close()
        if place.exists():
            assert soundness(place) == ""
            assert survey(place).counts["facts"] == 32
        states.add(place.exists())
    restore(backup, data / KEY_FILE, place, Still(T0 + timedelta(days=1)), move_aside=True)
    assert not list(place.parent.glob(".restoring-*")), "what was left was swept away"
    store = Store.open(place, clock)
    assert store.verify().ok
    store.close()


def test_a_running_server_is_backed_up_and_never_restored_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands, over a real server: taken while it runs, refused while it runs, listed, checked, and the key for a safe."""
    folder = tmp_path / "backups"
    with served(tmp_path / "data") as server:
        for name, value in (dict(server.settings) | {"CHECKPOINT_BACKUPS": str(folder), "LC_ALL": "C.UTF-8"}).items():
            monkeypatch.setenv(name, value)
        assert main(["backup"]) == 0
        [backup] = backups(folder)
        said = capsys.readouterr().out
        assert backup.name in said
        assert "master.key" in said
        assert in_use(tmp_path / "data" / "checkpoint.db")
        assert main(["restored", "mark"]) == 3
        assert "Stop it first" in capsys.readouterr().err
        for more in ([], ["--move-aside"]):
            assert main(["restore", str(backup), *more]) == 3
            assert "Stop it first" in capsys.readouterr().err
    assert main(["backup", "list"]) == 0
    assert main(["backup", "check", str(backup)]) == 0
    assert "walked, and equal to its manifest" in capsys.readouterr().out
    safe = tmp_path / "safe.json"
    monkeypatch.setattr(sys, "stdin", Lines("correct horse battery"))
    assert main(["backup", "keys", str(safe)]) == 0
    assert (tmp_path / "data" / KEY_FILE).read_text().strip() not in safe.read_text()
    # Another machine: nothing but the backup and the key from the safe.
    shutil.rmtree(tmp_path / "data")
    monkeypatch.setattr(sys, "stdin", Lines("wrong horse battery"))
    assert main(["restore", str(backup), "--key", str(safe)]) == 3
    assert "passphrase does not open" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", Lines("correct horse battery"))
    assert main(["restore", str(backup), "--key", str(safe)]) == 0
    assert "Brought back and proved" in capsys.readouterr().out
    assert main(["verify"]) == 0
    assert main(["restored", "show"]) == 0
    assert "brought back as of" in capsys.readouterr().out
    assert main(["restore", str(backup)]) == 3
    assert "--move-aside" in capsys.readouterr().err
    assert main(["restored", "mark"]) == 0
    with served(tmp_path / "data"):
        pass


class Lines:
    """Standard input that is no terminal."""

    def __init__(self, line: str) -> None:
        self._line = line

    def isatty(self) -> bool:
        return False

    def readline(self) -> str:
        return self._line + "\n"


# -- the key file -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("key")
    (folder / KEY_FILE).write_text("ab" * 32 + "\n")
    (folder / "safe").write_bytes(keyfile.lock(folder / KEY_FILE, "correct horse battery"))
    return folder / "safe"


def test_the_key_comes_out_as_it_went_in_and_only_its_owner_reads_it(locked: Path, tmp_path: Path) -> None:
    keyfile.unlock(locked, "correct horse battery", tmp_path / KEY_FILE)
    assert (tmp_path / KEY_FILE).read_text() == "ab" * 32 + "\n"
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        keyfile.unlock(locked, "correct horse battery", tmp_path / KEY_FILE)


def test_a_wrong_passphrase_or_a_changed_file_opens_nothing(locked: Path, tmp_path: Path) -> None:
    with pytest.raises(keyfile.WrongPassphrase):
        keyfile.unlock(locked, "correct horse batterie", tmp_path / KEY_FILE)
    changed = tmp_path / "changed"
    changed.write_text(locked.read_text().replace('"locked": "', '"locked": "00'))
    with pytest.raises(keyfile.WrongPassphrase):
        keyfile.unlock(changed, "correct horse battery", tmp_path / KEY_FILE)
    assert not keyfile.is_locked(locked.parent / KEY_FILE)
    assert not (tmp_path / KEY_FILE).exists()


def test_a_wrong_key_is_not_a_wrong_backup(data: Path, tmp_path: Path, clock: Still) -> None:
    backup = taken(data, tmp_path / "backups", clock)
    (tmp_path / "odd").write_text("no key")
    with pytest.raises(WrongKey):
        restore(backup, tmp_path / "odd", tmp_path / "to" / "checkpoint.db", clock)
