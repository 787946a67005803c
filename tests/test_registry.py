"""The registry: people are pseudonyms outside it and unreadable at rest; tokens work once; keys stay where they belong."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import peewee
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint.store import Store, WrongKey
from checkpoint.store.keys import KEY_FILE, Keys
from tests.ground import ID_NUMBER, T0, Still
from tests.places import Place

HOUR = timedelta(hours=1)


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    opened = place.open(clock)
    yield opened
    opened.close()


# -- people -----------------------------------------------------------------------------------------------------------


def test_one_id_number_is_one_person_whoever_names_them(store: Store) -> None:
    first = store.registry.add_person("王小明😀", id_number=ID_NUMBER, phone="13800138000")
    again = store.registry.add_person("王晓明", id_number=ID_NUMBER)
    assert again.id == first.id
    assert (again.name, again.phone) == ("王晓明", "13800138000")
    assert store.registry.add_person("王晓明").id != first.id
    assert store.registry.names([first.id, "p-unknown"]) == {first.id: "王晓明"}


def test_the_files_hold_no_name_number_or_phone_that_can_be_read(tmp_path: Path, clock: Still) -> None:
    store = Store.open(tmp_path / "checkpoint.db", clock)
    store.registry.add_person("Zaphod Beeblebrox", id_number=ID_NUMBER, phone="13800138000")
    store.registry.add_staff("Ford Prefect", "scrypt:sealed")
    store.registry.open_session("hash", role="coordinator", who="", name="Trillian", opened=T0, expires=T0 + HOUR)
    store.registry.keep_seed("330304-0000001", 1, b"sixteen bytes...")
    store.registry.sealing_key()
    store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (b"Zaphod", ID_NUMBER.encode(), b"13800138000", b"Prefect", b"Trillian", b"sixteen", b"sixteen".hex().encode()):
        assert secret not in kept


def test_only_the_owner_can_read_the_key_and_the_database(place: Place, store: Store) -> None:
    for path in (place.folder / KEY_FILE, place.where):
        assert not isinstance(path, Path) or stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_refused(place: Place, clock: Still) -> None:
    place.open(clock).close()
    (place.folder / KEY_FILE).chmod(0o644)
    with pytest.raises(WrongKey, match="chmod 600"):
        place.open(clock)


def test_a_database_is_not_opened_with_another_key_or_with_none(place: Place, clock: Still) -> None:
    place.open(clock).close()
    (place.folder / KEY_FILE).write_text("ab" * 32)
    with pytest.raises(WrongKey, match="not the key of this database"):
        place.open(clock)
    (place.folder / KEY_FILE).unlink()
    with pytest.raises(WrongKey, match="missing"):
        place.open(clock)
    assert not (place.folder / KEY_FILE).exists()


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_its_own_place_only(text: str) -> None:
    keys = Keys(b"k" * 32)
    kept = keys.encrypt(text, "people.name:p-1")
    assert keys.decrypt(kept, "people.name:p-1") == text
    with pytest.raises(WrongKey):
        keys.decrypt(kept, "people.name:p-2")


def test_staff_are_listed_while_they_work_here_and_named_afterwards(store: Store) -> None:
    member = store.registry.add_staff("李四", "scrypt:1")
    assert [m.name for m in store.registry.staff()] == ["李四"]
    assert store.registry.change_staff(member.id, pin="scrypt:2", active=False)
    assert store.registry.staff() == []
    assert [m.pin for m in store.registry.staff(active=None)] == ["scrypt:2"]
    assert store.registry.names([member.id]) == {member.id: "李四"}
    assert not store.registry.change_staff("staff-unknown", active=True)


def test_offices_keep_the_id_they_chose(store: Store) -> None:
    store.registry.add_carrier("瓯海冷链", "ouhai-cold")
    store.registry.add_carrier("瓯海冷链物流", "ouhai-cold")
    office = store.registry.carrier("ouhai-cold")
    assert office is not None
    assert office.name == "瓯海冷链物流"
    assert store.registry.add_laboratory("二院").id.startswith("lab-")
    assert len(store.registry.laboratories()) == len(store.registry.carriers()) == 1


# -- access -----------------------------------------------------------------------------------------------------------


def test_a_session_is_found_until_it_is_closed_or_swept(store: Store, clock: Still) -> None:
    store.registry.open_session("a", role="coordinator", who="", name="王", opened=T0, expires=T0 + HOUR)
    found = store.registry.session("a")
    assert found is not None
    assert (found.role, found.name, found.expires) == ("coordinator", "王", T0 + HOUR)
    clock.forward(hours=2)
    store.registry.open_session("b", role="carrier", who="x", name="", opened=clock(), expires=clock() + HOUR)
    assert store.registry.session("a") is None
    store.registry.close_session("b")
    assert store.registry.session("b") is None
    store.registry.open_session("c", role="carrier", who="x", name="", opened=clock(), expires=clock() + HOUR)
    assert store.registry.close_sessions("carrier", "x") == 1


def test_a_link_binds_one_phone_once(store: Store, clock: Still) -> None:
    link = store.registry.add_link("token", person="p-1", pass_id="330304-0000001", expires=T0 + HOUR)
    assert store.registry.link_by_phone("phone") is None
    opened = store.registry.use_link("token", "phone")
    assert opened is not None
    assert (opened.id, opened.used_at) == (link.id, T0)
    assert store.registry.use_link("token", "another phone") is None
    assert store.registry.link_by_phone("phone") == opened
    assert store.registry.close_link(link.id)
    assert not store.registry.close_link(link.id)
    assert store.registry.link_by_phone("phone") is None
    assert [found.closed_at for found in store.registry.links("330304-0000001")] == [T0]


def test_of_forty_phones_that_open_a_link_at_once_one_gets_it(store: Store) -> None:
    store.registry.add_link("token", person="p-1", pass_id="330304-0000001", expires=T0 + HOUR)
    with ThreadPoolExecutor(40) as threads:
        opened = list(threads.map(lambda n: store.registry.use_link("token", f"phone-{n}"), range(40)))
    assert sum(link is not None for link in opened) == 1


def test_a_link_that_ran_out_or_was_closed_opens_nothing(store: Store, clock: Still) -> None:
    store.registry.add_link("late", person="p-1", pass_id="x", expires=T0 + HOUR)
    closed = store.registry.add_link("closed", person="p-1", pass_id="x", expires=T0 + HOUR)
    store.registry.close_link(closed.id)
    assert store.registry.use_link("closed", "phone") is None
    clock.forward(hours=1)
    assert store.registry.use_link("late", "phone") is None
    assert store.registry.use_link("never", "phone") is None


# -- machines and keys ------------------------------------------------------------------------------------------------


def test_a_kiosk_enrols_once_and_is_known_by_its_key_until_closed(store: Store, clock: Still) -> None:
    kiosk = store.registry.add_kiosk("sampling-1", "token", T0 + HOUR)
    assert store.registry.kiosk_by_key("key") is None
    enrolled = store.registry.enrol_kiosk("token", b"p" * 32, "key")
    assert enrolled is not None
    assert (enrolled.id, enrolled.station, enrolled.public_key) == (kiosk.id, "sampling-1", b"p" * 32)
    assert store.registry.enrol_kiosk("token", b"q" * 32, "key-2") is None
    store.registry.kiosk_seen(kiosk.id, -3.5)
    store.registry.kiosk_seen(kiosk.id, None)
    seen = store.registry.kiosk_by_key("key")
    assert seen is not None
    assert (seen.offset_s, seen.seen_at) == (-3.5, T0)
    assert store.registry.close_kiosk(kiosk.id)
    assert store.registry.kiosk_by_key("key") is None
    assert [k.id for k in store.registry.kiosks()] == [kiosk.id]


def test_a_token_that_ran_out_enrols_nobody(store: Store, clock: Still) -> None:
    store.registry.add_kiosk("sampling-1", "token", T0 + HOUR)
    clock.forward(hours=1)
    assert store.registry.enrol_kiosk("token", b"p" * 32, "key") is None


def test_serials_of_an_area_are_never_given_twice(store: Store) -> None:
    with ThreadPoolExecutor(20) as threads:
        given_out = list(threads.map(lambda _: store.registry.next_serial("330304"), range(100)))
    assert sorted(given_out) == list(range(1, 101))
    assert store.registry.next_serial("310000") == 1


def test_those_who_ask_for_the_first_sealing_key_at_once_get_the_same(store: Store) -> None:
    with ThreadPoolExecutor(10) as threads:
        keys = list(threads.map(lambda _: store.registry.sealing_key().private_bytes_raw(), range(10)))
    assert len(set(keys)) == 1
    assert len(store.registry.issuers()) == 1


def test_an_issuers_key_is_retired_and_trusted_still(store: Store) -> None:
    old = store.registry.sealing_key()
    name = store.registry.new_issuer()
    new = store.registry.sealing_key()
    assert new.private_bytes_raw() != old.private_bytes_raw()
    assert set(store.registry.trusted_keys()) == {i.key_id for i in store.registry.issuers()}
    assert [i.key_id for i in store.registry.issuers() if i.retired_at is None] == [name]
    assert len(store.registry.issuers()) == 2


def test_a_seed_is_kept_once_for_a_generation(store: Store) -> None:
    store.registry.keep_seed("330304-0000001", 1, b"s" * 16)
    assert store.registry.seed("330304-0000001", 1) == b"s" * 16
    assert store.registry.seed("330304-0000001", 2) is None
    with pytest.raises(peewee.IntegrityError):
        store.registry.keep_seed("330304-0000001", 1, b"t" * 16)
