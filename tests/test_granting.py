"""Passes asked for, granted, refused, revoked: the same thing said again changes nothing, and every fault is named."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from checkpoint.core import passes
from checkpoint.core.facts import Fact, PassGranted, PassRefused, PassRequested, PassRevoked, Voided
from checkpoint.core.passes import PROVINCES
from checkpoint.granting import LINK_LASTS, Granted, PassOffice, Settled, Unknown, token_hash
from checkpoint.store import Store
from checkpoint.wish import Faulty, Person, Wish
from tests.ground import ID_NUMBER, LOOP, OTHER_ID_NUMBER, T0, Still, publish, wish

TWICE = (Person(name="甲", id_number=ID_NUMBER), Person(name="乙", id_number=ID_NUMBER.lower()))
LAST_YEAR = T0.replace(year=2025)


@pytest.fixture
def office(store: Store, clock: Still) -> PassOffice:
    return PassOffice(store, clock, store.record)


def granted(office: PassOffice, asked: Wish | None = None) -> Granted:
    return office.grant(office.request(asked or wish(), by="carrier-1"), by="coordinator-1")


def kinds(store: Store, subject: str, kind: type) -> list[Any]:
    return [f.what for f in store.facts_of(subject) if isinstance(f.what, kind)]


# -- asking -----------------------------------------------------------------------------------------------------------


def test_names_go_to_the_registry_and_pseudonyms_into_the_fact(store: Store, office: PassOffice) -> None:
    request = office.request(wish(), by="carrier-1")
    [asked] = kinds(store, f"request:{request}", PassRequested)
    assert [p.name for p in store.registry.people(asked.crew)] in (["张三", "李四"], ["李四", "张三"])
    raw = b"".join(r.raw for r in store.recorded_of(f"request:{request}"))
    for secret in ("张三", "李四", ID_NUMBER, "13800138000"):
        assert secret.encode() not in raw


def test_the_same_wish_again_is_the_same_request(store: Store, office: PassOffice) -> None:
    assert office.request(wish(), by="a") == office.request(wish(), by="a")
    assert len(kinds(store, "vehicle:浙C12345", PassRequested)) == 1


def test_another_crew_is_another_request(office: PassOffice) -> None:
    assert office.request(wish(), by="a") != office.request(wish(crew=(Person(name="王五"),)), by="a")


def test_a_refused_wish_may_be_asked_again(office: PassOffice) -> None:
    first = office.request(wish(), by="a")
    office.refuse(first, "没有名额", by="c")
    second = office.request(wish(), by="a")
    assert second != first
    assert office.requested(second).state == "waiting"


def test_an_id_number_is_one_person_for_every_carrier(store: Store, office: PassOffice) -> None:
    one = office.requested(office.request(wish(), by="a")).wish.crew[0]
    other = wish(carrier="别家", vehicle="沪A12345", crew=(Person(name="张三", id_number=ID_NUMBER),))
    assert office.requested(office.request(other, by="b")).wish.crew[0] == one


def test_a_name_alone_is_never_taken_for_somebody_else(office: PassOffice) -> None:
    one = office.requested(office.request(wish(crew=(Person(name="李四"),)), by="a")).wish.crew
    later = wish(crew=(Person(name="李四"),), expires=T0 + timedelta(days=2))
    assert office.requested(office.request(later, by="a")).wish.crew != one


def test_a_name_with_its_phone_is_the_same_person_on_the_same_truck(office: PassOffice) -> None:
    crew = (Person(name="李四", phone="138 0013 8000"),)
    one = office.requested(office.request(wish(crew=crew), by="a")).wish.crew
    again = office.requested(office.request(wish(crew=crew, expires=T0 + timedelta(days=2)), by="a")).wish.crew
    assert again == one
    elsewhere = office.request(wish(crew=crew, vehicle="浙C99999"), by="a")
    assert office.requested(elsewhere).wish.crew != one


@pytest.mark.parametrize("province", PROVINCES)
def test_trucks_of_every_province_get_their_pass(office: PassOffice, store: Store, province: str) -> None:
    for plate in (f"{province}A12345", f"{province}AD12345"):
        done = granted(office, wish(vehicle=plate, crew=(Person(name="陈"),)))
        screen = office.screen(done.pass_id)
        reading = passes.read(screen.text, store.registry.trusted_keys())
        assert reading.pass_.plate == plate


@pytest.mark.parametrize("name", ["张三", "阿卜杜热西提·艾合买提", "Zoë O’Neil", "老王😀", "𠮷田"])
def test_names_are_kept_as_people_write_them(office: PassOffice, store: Store, name: str) -> None:
    crew = office.requested(office.request(wish(crew=(Person(name=name),)), by="a")).wish.crew
    assert store.registry.names(crew) == {crew[0]: name}


@pytest.mark.parametrize(
    ("changes", "path", "key"),
    [
        ({"vehicle": "hello"}, "$.vehicle", "fault.plate"),
        ({"vehicle": "浙C1234挂5"}, "$.vehicle", "fault.plate"),
        ({"carrier": "  "}, "$.carrier", "fault.name"),
        ({"crew": ()}, "$.crew", "fault.crew-size"),
        ({"crew": (Person(name="甲"),) * 4}, "$.crew", "fault.crew-size"),
        ({"crew": (Person(name="甲" * 61),)}, "$.crew[0].name", "fault.name"),
        ({"crew": (Person(name="甲\x00乙"),)}, "$.crew[0].name", "fault.name"),
        ({"crew": (Person(name="甲"), Person(name=""))}, "$.crew[1].name", "fault.name"),
        ({"crew": (Person(name="甲", id_number="110105194912310021"),)}, "$.crew[0].id_number", "fault.id-number"),
        ({"crew": (Person(name="甲", id_number="123"),)}, "$.crew[0].id_number", "fault.id-number"),
        ({"crew": (Person(name="甲", phone="12345678901"),)}, "$.crew[0].phone", "fault.phone"),
        ({"crew": (Person(name="甲", phone="+8612345"),)}, "$.crew[0].phone", "fault.phone"),
        ({"crew": TWICE}, "$.crew", "fault.same-person-twice"),
        ({"loop": "no-such-loop"}, "$.loop", "fault.loop-not-in-force"),
        ({"not_before": LAST_YEAR, "expires": LAST_YEAR + timedelta(days=1)}, "$.loop", "fault.loop-not-in-force"),
        ({"expires": T0}, "$.expires", "fault.ends-before-it-begins"),
        ({"expires": T0 + timedelta(days=31, seconds=1)}, "$.expires", "fault.longer-than-a-month"),
        ({"not_before": T0 - timedelta(days=2), "expires": T0}, "$.expires", "fault.over-already"),
        ({"not_before": T0.replace(tzinfo=None)}, "$.not_before", "fault.zone-wanted"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(office: PassOffice, changes: dict[str, Any], path: str, key: str) -> None:
    with pytest.raises(Faulty) as error:
        office.request(wish(**changes), by="a")
    assert (path, key) in [(fault.path, fault.key) for fault in error.value.faults]


def test_every_fault_is_told_at_once(office: PassOffice) -> None:
    with pytest.raises(Faulty) as error:
        office.request(wish(vehicle="x", crew=(Person(name="", phone="1"),), loop="y"), by="a")
    assert {f.path for f in error.value.faults} == {"$.vehicle", "$.crew[0].name", "$.crew[0].phone", "$.loop"}


def test_numbers_are_taken_as_people_write_them(office: PassOffice, store: Store) -> None:
    written = Person(name=" 张 三 ", id_number="４４０５２４ 1880 0101 0014", phone="+86 138-0013-8000")
    crew = office.requested(office.request(wish(crew=(written,)), by="a")).wish.crew
    [person] = store.registry.people(crew)
    assert (person.name, person.id_number, person.phone) == ("张 三", OTHER_ID_NUMBER, "13800138000")


# -- granting ---------------------------------------------------------------------------------------------------------


def test_a_granted_pass_reads_as_ours_and_is_live_through_all_its_life(office: PassOffice, store: Store, clock: Still) -> None:
    screen = office.screen(granted(office).pass_id)
    keys = store.registry.trusted_keys()
    for at in (T0, T0 + timedelta(hours=31, seconds=59), T0 + timedelta(days=3, seconds=-1)):
        text = screen.live_text(at)
        assert text is not None
        reading = passes.read(text, keys)
        assert passes.is_live(reading, at, 60, 0)
        assert not passes.is_live(reading, at + timedelta(minutes=3), 60, 2)
    assert screen.live_text(T0 - timedelta(minutes=1)) is None
    assert screen.live_text(T0 + timedelta(days=3, minutes=1)) is None


def test_the_record_has_the_anchor_and_not_the_seed(office: PassOffice, store: Store) -> None:
    done = granted(office)
    screen = office.screen(done.pass_id)
    [grant] = kinds(store, f"pass:{done.pass_id}", PassGranted)
    assert bytes.fromhex(grant.anchor) == passes.chain(screen.seed, screen.steps) == screen.pass_.anchor
    assert screen.seed.hex().encode() not in b"".join(r.raw for r in store.recorded_of(f"pass:{done.pass_id}"))


def test_a_paper_pass_carries_the_signed_paper_bit_and_no_chain(office: PassOffice, store: Store) -> None:
    done = granted(office)
    reading = passes.read(office.sheet_text(done.pass_id), store.registry.trusted_keys())
    assert reading.pass_.paper
    assert not reading.pass_.anchor
    assert reading.pass_.number == done.pass_id


def test_granting_again_gives_the_same_pass_and_the_newest_link_alone_opens(office: PassOffice, store: Store) -> None:
    request = office.request(wish(), by="a")
    first, second = office.grant(request, by="c"), office.grant(request, by="c")
    assert first.pass_id == second.pass_id
    assert len(kinds(store, f"request:{request}", PassGranted)) == 1
    assert store.registry.use_link(token_hash(first.link_token), "phone-a") is None
    assert store.registry.use_link(token_hash(second.link_token), "phone-a") is not None
    assert office.grant(request, by="c").link_token == ""


def test_two_coordinators_at_once_grant_one_pass(office: PassOffice, store: Store) -> None:
    request = office.request(wish(), by="a")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: office.grant(request, by=f"c{n}").pass_id, range(8)))
    assert len(set(done)) == 1
    assert len(kinds(store, f"request:{request}", PassGranted)) == 1


def test_a_seed_left_by_a_granting_that_broke_off_is_used(office: PassOffice, store: Store, clock: Still) -> None:
    def broken(_: object) -> None:
        raise OSError("the disk is full")

    done = granted(office)
    with pytest.raises(OSError, match="disk"):
        PassOffice(store, clock, broken).reissue(done.pass_id, by="c")
    assert office.reissue(done.pass_id, by="c").generation == 2
    assert office.screen(done.pass_id).live_text(clock()) is not None


def test_numbers_count_on_within_their_area(office: PassOffice, store: Store) -> None:
    store.registry.set_setting("area_code", "310115")
    numbers = [granted(office, wish(vehicle=f"浙C1234{n}")).pass_id for n in range(3)]
    assert numbers == ["310115-0000001", "310115-0000002", "310115-0000003"]


def test_the_fact_says_what_the_seal_says_to_the_minute(office: PassOffice, store: Store) -> None:
    odd = T0 + timedelta(minutes=3, seconds=17, microseconds=5)
    done = granted(office, wish(not_before=odd, expires=odd + timedelta(hours=5, seconds=40)))
    [grant] = kinds(store, f"pass:{done.pass_id}", PassGranted)
    sealed = office.screen(done.pass_id).pass_
    read = passes.read(office.screen(done.pass_id).text, store.registry.trusted_keys()).pass_
    assert (grant.not_before, grant.expires) == (sealed.not_before, sealed.expires) == (read.not_before, read.expires)


def test_a_reissued_pass_supersedes_and_closes_what_the_old_phone_had(office: PassOffice, store: Store) -> None:
    done = granted(office)
    assert store.registry.use_link(token_hash(done.link_token), "old-phone") is not None
    again = office.reissue(done.pass_id, by="c")
    assert (again.pass_id, again.generation) == (done.pass_id, 2)
    assert store.registry.link_by_phone("old-phone") is None
    assert again.link_token
    assert office.screen(done.pass_id).pass_.generation == 2


def test_a_pass_shown_in_more_steps_than_its_code_can_count_is_refused(office: PassOffice, store: Store) -> None:
    publish(store, version=2, effective_from="2026-02-01T00:00:00Z", policy={"step_s": 30})
    request = office.request(wish(expires=T0 + timedelta(days=30)), by="a")
    with pytest.raises(Faulty, match="too-many-steps"):
        office.grant(request, by="c")


def test_a_policy_changed_later_does_not_break_a_pass_granted_before(office: PassOffice, store: Store, clock: Still) -> None:
    done = granted(office)
    publish(store, version=2, effective_from="2026-02-01T00:00:00Z", policy={"step_s": 30})
    screen = office.screen(done.pass_id)
    assert screen.step_s == 60
    text = screen.live_text(clock())
    assert text is not None
    key = store.registry.sealing_key().public_key()
    assert passes.is_live(passes.read(text, {passes.key_id(key): key}), clock(), 60, 0)


def test_a_link_lasts_a_week_and_no_longer_than_the_pass(office: PassOffice, store: Store) -> None:
    short = granted(office)
    assert store.registry.links(short.pass_id)[0].expires == T0 + timedelta(days=3)
    long = granted(office, wish(vehicle="浙C54321", expires=T0 + timedelta(days=20)))
    assert store.registry.links(long.pass_id)[0].expires == T0 + LINK_LASTS


# -- refusing, revoking -------------------------------------------------------------------------------------------------


def test_refusing_says_why_and_again_changes_nothing(office: PassOffice, store: Store) -> None:
    request = office.request(wish(), by="a")
    office.refuse(request, "车辆未消毒", by="c")
    office.refuse(request, "别的理由", by="c")
    assert [r.reason for r in kinds(store, f"request:{request}", PassRefused)] == ["车辆未消毒"]
    with pytest.raises(Settled):
        office.grant(request, by="c")


def test_what_was_granted_is_revoked_and_not_refused(office: PassOffice, store: Store) -> None:
    request = office.request(wish(), by="a")
    done = office.grant(request, by="c")
    with pytest.raises(Settled):
        office.refuse(request, "late", by="c")
    store.registry.use_link(token_hash(done.link_token), "phone")
    office.revoke(done.pass_id, "司机换班", by="c")
    office.revoke(done.pass_id, "again", by="c")
    assert [r.reason for r in kinds(store, f"pass:{done.pass_id}", PassRevoked)] == ["司机换班"]
    assert store.registry.link_by_phone("phone") is None
    with pytest.raises(Settled):
        office.grant(request, by="c")
    with pytest.raises(Settled):
        office.reissue(done.pass_id, by="c")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001, "a\x00b"])
def test_a_reason_is_wanted(office: PassOffice, reason: str) -> None:
    done = granted(office)
    with pytest.raises(Faulty):
        office.revoke(done.pass_id, reason, by="c")
    assert office.pass_state(done.pass_id).revoked_at is None


@pytest.mark.parametrize(
    "work",
    [
        lambda office: office.grant("req-0", by="c"),
        lambda office: office.refuse("req-0", "no", by="c"),
        lambda office: office.revoke("330304-0000001", "no", by="c"),
        lambda office: office.screen("330304-0000001"),
        lambda office: office.sheet_text("330304-0000001"),
    ],
)
def test_what_was_never_asked_cannot_be_granted(office: PassOffice, work: Callable[[PassOffice], object]) -> None:
    with pytest.raises(Unknown):
        work(office)


def test_the_day_of_the_loop_counts_and_not_today(office: PassOffice) -> None:
    begins = datetime.fromisoformat("2026-05-20T08:00:00+08:00")
    asked = office.requested(office.request(wish(not_before=begins, expires=begins + timedelta(days=1)), by="a")).wish
    assert asked.loop == LOOP
    assert asked.not_before.utcoffset() == timedelta(0)


# -- what was taken back ------------------------------------------------------------------------------------------------


def void(store: Store, kind: type, subject: str, clock: Still) -> None:
    """Take back the newest fact of a kind."""
    target = [f.id for f in store.facts_of(subject) if isinstance(f.what, kind)][-1]
    void = Fact(id=f"void-{target}", at=clock(), witness="desk:coordinator", what=Voided(target=target, reason="by mistake"))
    assert store.record(void).held


def test_a_request_that_was_voided_stands_no_more_and_may_be_made_again(store: Store, office: PassOffice, clock: Still) -> None:
    first = office.request(wish(), by="a")
    void(store, PassRequested, f"request:{first}", clock)
    with pytest.raises(Unknown):
        office.requested(first)
    with pytest.raises(Unknown):
        office.grant(first, by="c")
    again = office.request(wish(), by="a")
    assert again != first
    assert office.grant(again, by="c").generation == 1


def test_a_grant_that_was_voided_waits_again_and_is_granted_again_as_another_pass(
    store: Store, office: PassOffice, clock: Still
) -> None:
    request = office.request(wish(), by="a")
    first = office.grant(request, by="c")
    void(store, PassGranted, f"request:{request}", clock)
    assert office.requested(request).state == "waiting"
    with pytest.raises(Unknown):
        office.pass_state(first.pass_id)
    clock.forward(minutes=1)
    second = office.grant(request, by="c")
    assert second.pass_id != first.pass_id
    assert office.pass_state(second.pass_id).grant.request == request
    assert office.grant(request, by="c").pass_id == second.pass_id, "granted again it is the same"


def test_a_refusal_and_a_revocation_taken_back_can_be_said_again(store: Store, office: PassOffice, clock: Still) -> None:
    request = office.request(wish(), by="a")
    for _ in range(3):
        office.refuse(request, "没有名额", by="c")
        assert office.requested(request).state == "refused"
        void(store, PassRefused, f"request:{request}", clock)
        assert office.requested(request).state == "waiting"
    pass_id = office.grant(request, by="c").pass_id
    for _ in range(2):
        office.revoke(pass_id, "丢失", by="c")
        assert office.pass_state(pass_id).revoked_at is not None
        void(store, PassRevoked, f"pass:{pass_id}", clock)
        assert office.pass_state(pass_id).revoked_at is None


def test_a_generation_that_was_voided_is_given_to_no_other_phone(store: Store, office: PassOffice, clock: Still) -> None:
    pass_id = granted(office).pass_id
    assert office.reissue(pass_id, by="c").generation == 2
    seed = store.registry.seed(pass_id, 2)
    void(store, PassGranted, f"pass:{pass_id}", clock)
    assert office.pass_state(pass_id).grant.generation == 1
    assert office.reissue(pass_id, by="c").generation == 3
    assert office.screen(pass_id).seed != seed
