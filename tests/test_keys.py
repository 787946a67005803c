"""Keys made, rotated, revoked: what is in the field stays good or stops counting as said, and nothing is lost on the way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import checkpoint
from checkpoint import cli
from checkpoint.config import utc_now
from checkpoint.core.facts import ResultReported, SwabTaken, encode
from checkpoint.granting import PassOffice
from checkpoint.store import Entry, Store, WrongKey, keys
from checkpoint.store.rotation import ENCRYPTED, MARKED
from checkpoint.store.tables import TABLES
from checkpoint.web.access import digest
from tests.ground import ID_NUMBER, OTHER_ID_NUMBER, T0, Still, publish, store_in, wish
from tests.places import Place
from tests.server import served
from tests.station import Ground, ground
from tests.witness import FakeKiosk, fact

SOURCE = Path(checkpoint.__file__).parent


# -- the key file and its versions ------------------------------------------------------------------------------------------


def _filled(store: Store) -> str:
    """Something in every encrypted column that a store alone can fill, and facts sealed; a person's pseudonym."""
    registry = store.registry
    person = registry.add_person("张三", id_number=ID_NUMBER, phone="13800138000").id
    registry.add_person("李四")
    registry.add_staff("陈站长", "sealed-pin")
    registry.sealing_key()
    registry.keep_seed("330304-0000001", 1, b"\x07" * 16)
    registry.open_session("hash", role="coordinator", who="c", name="周敏", opened=T0, expires=T0 + timedelta(days=9))
    store.record(fact("one", T0, SwabTaken(specimen="S1", person=person, test="pcr"), station=""))
    return person


def _rotated(place: Place, clock: Still) -> list[tuple[str, int]]:
    said: list[tuple[str, int]] = []
    keys.with_new_version(place.folder)
    store = place.open(clock)
    store.encrypt_anew(lambda column, count: said.append((column, count)))
    store.close()
    return said


def test_a_rotation_puts_every_value_and_mark_under_the_new_version(place: Place, clock: Still) -> None:
    store = place.open(clock)
    person = _filled(store)
    store.close()
    said = dict(_rotated(place, clock))
    assert said["people.name"] == 2
    assert {"people.id_number", "people.phone", "staff.name", "pass_seeds.seed", "issuers.private_key", "sessions.name"} <= set(
        said
    )
    again = place.open(clock)
    old, new = again.key_versions()
    assert all(set(standing.counts) <= {new} for standing in again.key_standing())
    assert again.registry.add_person("张三", id_number=ID_NUMBER).id == person, "an ID number finds its person by the new mark"
    assert again.registry.add_person("王五", id_number=OTHER_ID_NUMBER).id != person
    assert again.registry.seed("330304-0000001", 1) == b"\x07" * 16
    again.record(fact("two", T0, station=""))
    assert again.verify().ok, "seals of both versions are good"
    again.close()
    keys.without_version(place.folder, old)
    last = place.open(clock)
    assert last.key_versions() == (new,)
    held = last.registry.person(person)
    assert held is not None
    assert (held.name, held.id_number, held.phone) == ("张三", ID_NUMBER, "13800138000")
    assert last.verify().ok, "what the dropped version sealed is proved still"
    last.record(fact("three", T0, station=""))
    assert last.verify().ok
    last.close()


def test_what_others_handed_in_is_locked_and_locked_anew(place: Place, clock: Still) -> None:
    """A laboratory's message, and what could not be read, may hold anything: names among it."""
    store = place.open(clock)
    message = '{"accession": "A-1", "patient": "张三"}'.encode()
    what = ResultReported(test="pcr", result="negative", laboratory="lab", tube="T")
    told = fact("result", T0, what, witness="lab:lab", station="")
    store.append([Entry(witness="lab:lab", raw=encode(told), fact=told, received=message)])
    store.set_aside("lab:lab", message, "malformed")
    kiosk = FakeKiosk()
    bad = kiosk.link('{"patient":"张三"}')
    linked = {"seq": bad["seq"], "prev": bad["prev"], "hash": bad["hash"]}
    store.append([Entry(witness=kiosk.witness, raw=bad["fact"].encode(), fact=None, why="malformed", **linked)])
    # As an earlier program kept it: in clear.
    store._writer.do(lambda: store._ledger._db.run("UPDATE facts SET received = ? WHERE id = 'result'", (message,)))
    assert store.verify().ok
    store.close()
    said = dict(_rotated(place, clock))
    assert (said["facts.received"], said["aside.raw"]) == (1, 2)
    again = place.open(clock)
    sql = "SELECT received FROM facts WHERE received IS NOT NULL UNION ALL SELECT raw FROM aside"
    kept = [bytes(row[0]) for row in again._db.rows(sql)]
    assert len(kept) == 3
    assert not [each for each in kept if "张三".encode() in each]
    recorded = again.fact("result")
    assert recorded is not None
    assert again.handed_in(recorded) == message
    assert sorted(each.raw for each in again.aside()) == sorted([message, bad["fact"].encode()])
    assert again.verify().ok, again.verify().problems
    again.close()


def test_a_dropped_version_leaves_nothing_that_opens_a_name(place: Place, clock: Still) -> None:
    store = place.open(clock)
    _filled(store)
    [row] = store._db.rows("SELECT id, name FROM people WHERE phone IS NOT NULL")
    store.close()
    secret = (place.folder / keys.KEY_FILE).read_text().strip()
    _rotated(place, clock)
    [old, _] = keys.load(place.folder, create=False).versions
    left = keys.without_version(place.folder, old.name)
    assert secret not in (place.folder / keys.KEY_FILE).read_text()
    with pytest.raises(WrongKey):
        left.decrypt(bytes(row[1]), f"people.name:{row[0]}")
    assert old.opened(bytes(row[1]), f"people.name:{row[0]}") == "张三", "the old key with an old copy does open it"


def test_a_rotation_cut_off_goes_on_where_it_was(place: Place, clock: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    store = place.open(clock)
    people = [store.registry.add_person(f"人{i}", id_number="", phone=f"1380013{i:04d}").id for i in range(9)]
    store.close()
    keys.with_new_version(place.folder)
    with monkeypatch.context() as small:
        small.setattr("checkpoint.store.rotation.AT_ONCE", 2)
        killed = place.open(clock)

        def say(column: str, count: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            killed.encrypt_anew(say)
        killed.close()
    half = place.open(clock)
    old, new = half.key_versions()
    counts = {column.name: counts for column, counts in half.key_standing() if column.table == "people"}
    assert (counts["name"], counts["phone"]) == ({new: 9}, {old: 9})
    assert half.registry.names(people) == {person: f"人{i}" for i, person in enumerate(people)}, (
        "both versions are read meanwhile"
    )
    assert half.encrypt_anew(lambda column, count: None) == 9
    assert half.encrypt_anew(lambda column, count: None) == 0
    half.close()


def test_another_installations_key_file_is_refused_after_a_rotation_too(place: Place, clock: Still) -> None:
    store = place.open(clock)
    _filled(store)
    store.close()
    before = (place.folder / keys.KEY_FILE).read_text()
    _rotated(place, clock)
    (place.folder / keys.KEY_FILE).write_text(before)
    with pytest.raises(WrongKey):
        place.open(clock)


def test_the_newest_version_is_not_dropped(place: Place, clock: Still) -> None:
    place.open(clock).close()
    [newest] = keys.load(place.folder, create=False).versions
    with pytest.raises(LookupError):
        keys.without_version(place.folder, newest.name)


@pytest.mark.parametrize("text", ["", "# nothing\n", "left 00 00 00\n", "ab\n", "ab" * 31, "zz" * 32])
def test_a_key_file_that_holds_no_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        keys.parsed(text)


def test_every_encrypted_column_is_encrypted_anew() -> None:
    """Read off the source: whatever is encrypted for a place is in the list, under that place."""
    places: set[tuple[str, str]] = set()
    for path in (SOURCE / "store").rglob("*.py"):
        places |= set(re.findall(r'f"(\w+)\.(\w+|\{\w+\}):\{', path.read_text()))
    found = {(table, name) for table, name in places if "{" not in name}
    listed = {(column.table, column.name) for column in ENCRYPTED}
    assert found - listed == set(), "put it into `rotation.ENCRYPTED`"
    assert listed - found <= {("people", "id_number"), ("people", "phone"), ("people", "name")}
    tables = {table._meta.table_name: table for table in TABLES}
    for column in ENCRYPTED:
        if column.raw:
            continue  # the ledger's tables speak SQL themselves
        assert {column.name, *column.key} <= set(tables[column.table]._meta.fields)


def test_every_mark_that_is_kept_is_made_anew() -> None:
    kinds: set[str] = set()
    for path in (SOURCE / "store").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "mark":
                kinds |= {a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    # `check` names a version; `attempts` counts failures of the last minutes; `known-browser` is a cookie's own.
    assert kinds - {"check", "attempts", "known-browser"} == {mark.kind for mark in MARKED}


# -- issuers: what it means at a gate -----------------------------------------------------------------------------------------


@pytest.fixture
def station(tmp_path: Path) -> Iterator[tuple[Ground, str]]:
    with ground(tmp_path) as g:
        number = g.pass_()
        g.tested(number)
        g.pull()
        yield g, number


def _seen(g: Ground, text: str) -> tuple[str, tuple[str, ...]]:
    g.kiosk.desk.clear()
    g.kiosk.desk.scan(text)
    return g.shown


def test_a_retired_key_is_trusted_and_a_revoked_one_is_not_genuine_after_the_next_feed(station: tuple[Ground, str]) -> None:
    g, number = station
    [first] = g.store.registry.issuers()
    old = g.live(number)
    g.store.registry.new_issuer()
    g.pull()
    assert _seen(g, old)[0] == "GO", "a retired key seals no more, and is trusted"
    assert g.store.registry.revoke_issuer(first.key_id)
    assert _seen(g, old)[0] == "GO", "a gate that has not read the feed cannot know"
    g.pull()
    assert _seen(g, old) == ("STOP", ("not-genuine",))
    assert _seen(g, g.live(number))[0] == "GO", "the phone that opens its page again has the new seal"


def test_revoking_the_key_that_seals_makes_another(station: tuple[Ground, str]) -> None:
    g, number = station
    [first] = g.store.registry.issuers()
    assert g.store.registry.revoke_issuer(first.key_id)
    assert not g.store.registry.revoke_issuer(first.key_id)
    g.pull()
    assert list(g.store.registry.trusted_keys()) != [first.key_id]
    assert _seen(g, g.live(number))[0] == "GO"


def test_a_private_half_that_seals_no_more_is_gone(place: Place, clock: Still) -> None:
    store = place.open(clock)
    store.registry.sealing_key()
    first = store.registry.issuers()[0].key_id
    store.registry.new_issuer()
    [(kept,)] = store._db.rows("SELECT private_key FROM issuers WHERE key_id = ?", (first,))
    assert store._keys.decrypt(bytes(kept), f"issuers.private_key:{first}") == ""
    store.close()


def test_which_passes_a_revocation_concerns(tmp_path: Path, clock: Still) -> None:
    store = store_in(tmp_path, clock)
    office = PassOffice(store, clock, store.record)

    def granted(plate: str, **changes: object) -> str:
        return office.grant(office.request(wish(vehicle=plate, **changes), "a"), "c").pass_id

    early, revoked, over = granted("浙C00001"), granted("浙C00002"), granted("浙C00003", expires=T0 + timedelta(hours=1))
    coming = granted("浙C00004", not_before=T0 + timedelta(days=2), expires=T0 + timedelta(days=4))
    store.registry.sealing_key()
    first = store.registry.issuers()[0]
    clock.forward(hours=2)
    office.revoke(revoked, "x", "c")
    store.registry.new_issuer()
    clock.forward(minutes=1)
    later = granted("浙C00005", not_before=clock(), expires=clock() + timedelta(days=1))
    first, second = store.registry.issuers()
    assert {state.grant.pass_id for state in office.sealed_with(first)} == {early, coming}
    assert {state.grant.pass_id for state in office.sealed_with(second)} == {early, coming, later}
    office.reissue(early, "c")
    assert {state.grant.pass_id for state in office.sealed_with(first)} == {coming}
    assert over not in {state.grant.pass_id for state in office.sealed_with(second)}
    store.close()


# -- the commands ---------------------------------------------------------------------------------------------------------------


def _shell(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(["keys", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a pass in the field and a kiosk, and this shell set to it."""
    for name in ("LC_ALL", "LANG", "LC_MESSAGES"):
        monkeypatch.setenv(name, "C.UTF-8")
    monkeypatch.setenv("CHECKPOINT_DATA", str(tmp_path))
    store = Store.open(tmp_path / "checkpoint.db", utc_now)
    publish(store)
    office = PassOffice(store, utc_now, store.record)
    asked = wish(not_before=utc_now(), expires=utc_now() + timedelta(days=9))
    office.sheet_text(office.grant(office.request(asked, "a"), "c").pass_id)
    made = store.registry.add_kiosk("sampling-1", digest("token"), utc_now() + timedelta(days=1))
    kiosk = FakeKiosk(made.id)
    store.registry.enrol_kiosk(digest("token"), kiosk.public_key, digest("key"))
    store.append([kiosk.entry(kiosk.tell("f-1", T0))])
    store.close()
    return tmp_path


def test_keys_are_listed_with_what_hangs_on_them(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _shell(capsys, "list")
    assert code == 0
    assert "seals passes since" in out
    assert "may stand on 1 pass" in out
    assert "sampling-1  calls with its key since" in out
    assert re.search(r"[0-9a-f]{8}  encrypts, and opens \d+ values", out)


def test_a_revoked_issuer_says_whom_it_concerns_and_issues_anew(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(data / "checkpoint.db", Still())
    [first] = store.registry.issuers()
    store.close()
    code, out, _ = _shell(capsys, "rotate", "issuer")
    assert code == 0
    assert "Passes in the field stay good" in out
    code, out, _ = _shell(capsys, "revoke", "issuer", first.key_id, "--reissue")
    assert code == 0
    assert "1 pass that counts" in out
    assert "浙C12345" in out
    assert re.search(r"http://127\.0\.0\.1:8000/d/\w+", out)
    code, out, err = _shell(capsys, "revoke", "issuer", first.key_id)
    assert (code, out) == (1, "")
    assert first.key_id in err
    store = Store.open(data / "checkpoint.db", Still())
    assert [r.fact.what.generation for r in store.facts_of_kind("PassGranted")] == [1, 2]  # type: ignore[union-attr]
    store.close()


def test_a_closed_kiosk_is_let_in_no_more_and_what_it_told_is_held(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(data / "checkpoint.db", Still())
    [kiosk] = store.registry.kiosks()
    store.close()
    code, out, _ = _shell(capsys, "rotate", "kiosk", kiosk.id)
    assert (code, "asked to make itself a new key" in out) == (0, True)
    code, out, _ = _shell(capsys, "revoke", "kiosk", kiosk.id)
    assert (code, "let in no more" in out) == (0, True)
    store = Store.open(data / "checkpoint.db", Still())
    assert store.registry.kiosk_by_key(digest("key")) is None
    assert store.fact("f-1") is not None
    assert store.verify().ok
    store.close()
    assert _shell(capsys, "revoke", "kiosk", kiosk.id)[0] == 1
    assert _shell(capsys, "revoke", "kiosk")[0] == 2


def test_the_key_file_is_rotated_and_its_old_version_dropped(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [old] = keys.load(data, create=False).versions
    code, out, _ = _shell(capsys, "rotate", "encryption")
    assert code == 0
    assert "people.name: 2 values" in out
    newest = keys.load(data, create=False).newest.name
    assert _shell(capsys, "revoke", "encryption", newest)[0] == 1
    code, out, _ = _shell(capsys, "revoke", "encryption", old.name)
    assert (code, "dropped" in out) == (0, True)
    assert [version.name for version in keys.load(data, create=False).versions] == [newest]
    assert cli.main(["verify"]) == 0


def test_a_version_that_is_needed_is_not_dropped_and_a_rotation_is_finished_before_the_next(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [old] = keys.load(data, create=False).versions
    keys.with_new_version(data)  # as if killed before anything was encrypted anew
    code, _, err = _shell(capsys, "revoke", "encryption", old.name)
    assert (code, "Finish the rotation first" in err) == (3, True)
    assert _shell(capsys, "rotate", "encryption")[0] == 0
    assert len(keys.load(data, create=False).versions) == 2
    assert _shell(capsys, "make", "encryption")[0] == 0
    assert len(keys.load(data, create=False).versions) == 3


def test_the_key_file_is_not_rotated_under_a_running_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("CHECKPOINT_DATA", str(tmp_path / "data"))
    with served(tmp_path / "data"):
        before = (tmp_path / "data" / keys.KEY_FILE).read_text()
        for words in (("rotate", "encryption"), ("make", "encryption"), ("revoke", "encryption", "x")):
            code, _, err = _shell(capsys, *words)
            assert (code, "Stop it first" in err) == (3, True)
        assert (tmp_path / "data" / keys.KEY_FILE).read_text() == before
        assert _shell(capsys, "make", "issuer")[0] == 0, "issuers may change while it runs"
        assert _shell(capsys, "list")[0] == 0
    assert _shell(capsys, "rotate", "encryption")[0] == 0
