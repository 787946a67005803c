"""Events for other people's programs: nothing is lost on a bad wire, everything is recognised that comes twice, and nobody is
told of what is not theirs. Two real ends, and between them a line that is refused, slow, cut, or leads elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from checkpoint.core.facts import (
    Fact,
    PassGranted,
    PassRequested,
    PassRevoked,
    ResultReported,
    Scanned,
    Shown,
    SwabTaken,
    WarningAnswered,
    WarningChanged,
    WarningCleared,
    WarningRaised,
    What,
)
from checkpoint.messages import events, signing
from checkpoint.messages.courier import FACTS_AT_ONCE, JITTER, KEPT, PAUSED_AFTER, WAITS, Courier
from checkpoint.messages.sending import Sender
from checkpoint.messages.targets import Targets, Unfit
from checkpoint.store import StorageFailed, Store
from checkpoint.store.registry import Webhook
from tests.ground import LOOP, T0, Still, store_in
from tests.places import Place
from tests.receiver import DRIPS, DROPS, FAILS, FLOODS, GONE, HANGS, REDIRECTS, TAKES, Receiver, receiving
from tests.seeds import seeds

OURS, THEIRS = "瓯海冷链", "平阳物流"
SHOWN = Shown(word="HOLD", reasons=("tested-positive",), next_step="isolate-single-pcr")
EVERYTHING = events.FOR_ROLE["coordinator"]


class House:
    """A store with events in it, and the courier that tells of them."""

    def __init__(self, store: Store, clock: Still) -> None:
        self.store, self.clock, self._facts = store, clock, 0
        self.chance = Random(7)
        self.courier = self.new_courier()

    def new_courier(self, elected: bool = True, most_s: float = 5.0) -> Courier:
        sender = Sender(Targets(inside=True), most_s=most_s)
        return Courier(self.store, self.clock, lambda: elected, sender, self.chance.random)

    def hook(self, receiver: Receiver, role: str = "coordinator", office: str = "", wanted: Any = None) -> Webhook:
        return self.store.registry.add_webhook(
            f"{receiver.address}/events",
            wanted or events.FOR_ROLE[role],
            role=role,
            office=office,
            secret=signing.secret_of(bytes(range(32))),
            made_by="staff-1",
            since=self.store.last_number(),
        )

    def now(self, hook: Webhook) -> Webhook:
        found = self.store.registry.webhook(hook.id)
        assert found is not None
        return found

    def tell(self, what: What, witness: str = "server", name: str = "") -> str:
        self._facts += 1
        fact = Fact(id=name or f"fact-{self._facts}", at=self.clock(), witness=witness, what=what, station="sampling-1")
        assert self.store.record(fact).held
        return fact.id

    def granted(self, number: int, carrier: str = OURS) -> str:
        return self.tell(
            PassGranted(
                pass_id=f"330304-{number:07d}", generation=1, vehicle=f"浙C{number:05d}", crew=("p-1",), loop=LOOP,
                carrier=carrier, not_before=T0, expires=T0 + timedelta(days=3), request=f"req-{number}",
            )
        )  # fmt: skip

    def warned(self, number: int, kind: str = "off-loop") -> str:
        return self.tell(
            WarningRaised(
                finding=kind, vehicle=f"浙C{number:05d}", colour="red", since=T0, subject="x", pass_id=f"330304-{number:07d}"
            )
        )

    def rounds(self, count: int, **step: float) -> None:
        """So many rounds, with so much time between."""
        for _ in range(count):
            self.courier.round()
            self.clock.forward(**step)


@pytest.fixture
def house(tmp_path: Path, clock: Still) -> Iterator[House]:
    store = store_in(tmp_path, clock)
    yield House(store, clock)
    store.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


# -- what is told, to whom ----------------------------------------------------------------------------------------------


def test_an_event_is_told_in_few_words_and_signed(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver)
    told = house.granted(1)
    house.courier.round()
    [heard] = receiver.heard
    assert heard.said == {
        "type": "pass.granted",
        "timestamp": "2026-05-03T02:00:00Z",
        "data": {
            "pass_id": "330304-0000001", "generation": 1, "request": "req-1", "carrier": OURS, "vehicle": "浙C00001",
            "loop": LOOP, "not_before": "2026-05-03T02:00:00Z", "expires": "2026-05-06T02:00:00Z",
        },
    }  # fmt: skip
    assert heard.headers["content-type"] == "application/json"
    fact = house.store.fact(told)
    assert fact is not None
    assert heard.id == events.message_id(hook.id, fact.fact)
    assert signing.genuine(hook.secrets[0], heard.headers, heard.body, house.clock())


def test_what_is_not_genuine_is_told_apart() -> None:
    secret, body = signing.secret_of(bytes(32)), b'{"type":"x"}'
    given = signing.headers([secret], "msg_1", T0, body)
    assert signing.genuine(secret, given, body, T0)
    assert not signing.genuine(secret, given, body + b" ", T0)
    assert not signing.genuine(signing.secret_of(bytes(31) + b"\x01"), given, body, T0)
    assert not signing.genuine(secret, given | {"webhook-id": "msg_2"}, body, T0)
    assert not signing.genuine(secret, given | {"webhook-timestamp": "1"}, body, T0)
    assert not signing.genuine(secret, given | {"webhook-timestamp": "x"}, body, T0)
    assert not signing.genuine(secret, {}, body, T0)
    assert not signing.genuine(secret, given, body, T0 + signing.TOLERANCE + timedelta(seconds=1)), "played again later"
    assert not signing.genuine(secret, given, body, T0 - signing.TOLERANCE - timedelta(seconds=1))


def test_the_signature_is_the_one_of_the_specification() -> None:
    """The example that the specification's own libraries are tried with."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    given = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    at = T0.replace(year=2021, month=2, day=25, hour=15, minute=2, second=10)
    assert signing.genuine(secret, given, b'{"test": 2432232314}', at)


def every(house: House) -> dict[str, str]:
    """One of each event under each of two carriers' passes, and what is no event at all; fact by event and carrier."""
    told = {}
    for number, carrier in ((1, OURS), (2, THEIRS)):
        pass_id, vehicle = f"330304-{number:07d}", f"浙C{number:05d}"
        house.tell(
            PassRequested(
                request=f"req-no-{number}", carrier=carrier, vehicle=vehicle, crew=("p-1",), loop=LOOP, not_before=T0, expires=T0
            )
        )
        told[f"pass.granted {carrier}"] = house.granted(number, carrier)
        told[f"warning.raised {carrier}"] = warning = house.warned(number)
        told[f"health {carrier}"] = health = house.warned(number, "positive-result")
        house.tell(WarningAnswered(warning=warning, vehicle=vehicle, answer="x"))
        changed = WarningChanged(warning=warning, vehicle=vehicle, colour="red", confirmed=True)
        told[f"warning.changed {carrier}"] = house.tell(changed)
        told[f"health-cleared {carrier}"] = house.tell(WarningCleared(warning=health, vehicle=vehicle, ended=T0))
        told[f"warning.cleared {carrier}"] = house.tell(WarningCleared(warning=warning, vehicle=vehicle, ended=T0))
        scanned = Scanned(digest="0", medium="screen", shown=SHOWN, pass_id=pass_id, vehicle=vehicle)
        told[f"gate.verdict {carrier}"] = house.tell(scanned, "desk:x")
        told[f"pass.revoked {carrier}"] = house.tell(PassRevoked(pass_id=pass_id, reason="换车"))
    for lab in ("甲", "乙"):
        result = ResultReported(test="pcr", result="positive", laboratory=lab, tube="T1")
        told[f"result.taken {lab}"] = house.tell(result, f"lab:{lab}")
    house.tell(SwabTaken(specimen="S1", person="p-1", test="pcr"), "desk:x")
    return told


def test_each_is_told_of_its_own_and_of_nothing_else(house: House) -> None:
    with receiving() as all_, receiving() as ours, receiving() as lab:
        hooks = {
            "all": house.hook(all_), "ours": house.hook(ours, "carrier", OURS), "lab": house.hook(lab, "laboratory", "甲"),
        }  # fmt: skip
        told = every(house)
        house.courier.round()

        def names(receiver: Receiver, hook: Webhook) -> set[str]:
            ids = {events.message_id(hook.id, found.fact): name for name, f in told.items() if (found := house.store.fact(f))}
            return {ids[each] for each in receiver.took()}

        assert names(all_, hooks["all"]) == set(told)
        assert names(ours, hooks["ours"]) == {
            f"{event} {OURS}" for event in (*events.ABOUT_PASSES, *events.ABOUT_WARNINGS, "gate.verdict")
        } - {f"pass.refused {OURS}", f"warning.withdrawn {OURS}"}
        assert names(lab, hooks["lab"]) == {"result.taken 甲"}
        for heard in [*all_.heard, *ours.heard, *lab.heard]:
            said = heard.body.decode()
            assert 'positive"' not in said.replace("positive-result", ""), "no result leaves the house"
            assert "tested-positive" not in said
            assert "p-1" not in said


def test_a_webhook_is_told_from_when_it_was_made_and_of_what_it_wants(house: House, receiver: Receiver) -> None:
    house.granted(1)
    house.hook(receiver, wanted=("pass.revoked",))
    house.granted(2)
    house.tell(PassRevoked(pass_id="330304-0000001", reason="x"))
    house.courier.round()
    assert [each.said["type"] for each in receiver.heard] == ["pass.revoked"]


# -- the bad wire -------------------------------------------------------------------------------------------------------


def test_whatever_the_wire_does_the_event_comes_again_under_its_name_until_it_is_taken(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver)
    house.courier = house.new_courier(most_s=0.5)
    house.granted(1)
    bad = (FAILS, DROPS, HANGS, DRIPS, REDIRECTS, "404", "301")
    receiver.does(*bad, TAKES)
    house.rounds(20, hours=1)
    assert len(receiver.heard) > len(bad)
    assert len({each.id for each in receiver.heard}) == 1, "one event has one name"
    assert len({each.body for each in receiver.heard}) == 1, "and says the same each time"
    assert receiver.wandered == 0, "nobody is followed elsewhere"
    [row] = house.store.registry.outgoing(hook.id, 2**53, 10)
    assert row.attempts > len(bad)
    assert (row.status, row.why) == (200, "")
    assert row.sent_at is not None
    assert house.now(hook).failures == 0


def test_an_end_that_is_not_there_gets_it_when_it_is(house: House) -> None:
    with receiving() as gone:
        hook = house.hook(gone)
    house.granted(1)
    house.courier.round()
    [row] = house.store.registry.outgoing(hook.id, 2**53, 10)
    assert (row.attempts, row.status, row.why) == (1, None, "unreachable")


def test_an_answer_of_any_length_is_an_answer(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver)
    house.granted(1)
    receiver.does(FLOODS)
    assert house.courier.round() == 1
    assert house.store.registry.outgoing(hook.id, 2**53, 10)[0].sent_at is not None


def test_an_answer_that_could_not_be_noted_is_asked_for_again_under_the_same_name(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.hook(receiver)
    house.granted(1)
    registry = type(house.store.registry)
    noted = registry.outgoing_sent

    def failing(*_: object) -> None:
        raise StorageFailed("ended between the answer and its note")

    monkeypatch.setattr(registry, "outgoing_sent", failing)
    with pytest.raises(StorageFailed):
        house.courier.round()
    monkeypatch.setattr(registry, "outgoing_sent", noted)
    house.new_courier().round()
    assert len(receiver.heard) == 2
    assert len(receiver.took()) == 1


@pytest.mark.parametrize("seed", seeds(3))
def test_over_any_wire_and_any_restarts_each_event_comes_at_least_once_and_under_one_name(
    house: House, receiver: Receiver, seed: int
) -> None:
    random = Random(seed)
    house.courier = house.new_courier(most_s=0.25)
    hook = house.hook(receiver)
    receiver.does(*random.choices((TAKES, TAKES, FAILS, DROPS, HANGS, REDIRECTS), k=25), TAKES)
    wanted = []
    for number in range(1, 13):
        wanted.append(house.granted(number))
        if random.random() < 0.5:
            house.courier.round()
            house.clock.forward(minutes=random.randrange(1, 240))
        if random.random() < 0.3:
            house.courier = house.new_courier(most_s=0.25)
    house.rounds(60, hours=3)
    names = [events.message_id(hook.id, found.fact) for each in wanted if (found := house.store.fact(each)) is not None]
    assert sorted(receiver.took()) == sorted(names)
    assert all(row.sent_at is not None for row in house.store.registry.outgoing(hook.id, 2**53, 100))


def test_what_is_laid_out_and_how_far_was_read_are_one(house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A courier that ends in the middle leaves nothing out: what it had not laid out is read again."""
    monkeypatch.setattr("checkpoint.messages.courier.FACTS_AT_ONCE", 2)
    assert FACTS_AT_ONCE > 2
    house.hook(receiver)
    for number in range(1, 8):
        house.granted(number)
    registry = type(house.store.registry)
    put_out = registry.put_out
    calls: list[int] = []

    def dying(self: Any, rows: Any, read_to: int) -> None:
        if len(calls) == 2:
            raise StorageFailed("no room")
        calls.append(read_to)
        put_out(self, rows, read_to)

    monkeypatch.setattr(registry, "put_out", dying)
    with pytest.raises(StorageFailed):
        house.courier.round()
    monkeypatch.setattr(registry, "put_out", put_out)
    house.new_courier().round()
    assert [each.said["data"]["pass_id"] for each in receiver.heard] == [f"330304-{n:07d}" for n in range(1, 8)]


def test_only_the_elected_process_sends(house: House, receiver: Receiver) -> None:
    house.hook(receiver)
    house.granted(1)
    assert house.new_courier(elected=False).round() == 0
    assert receiver.heard == []
    assert house.new_courier().round() == 1


# -- patience -----------------------------------------------------------------------------------------------------------


def test_it_is_tried_more_and_more_rarely_and_given_up_after_four_days(house: House, receiver: Receiver, clock: Still) -> None:
    hook = house.hook(receiver)
    house.granted(1)
    receiver.does(FAILS)
    times = []
    while (row := house.store.registry.outgoing(hook.id, 2**53, 1)) == [] or row[0].given_up_at is None:
        before = len(receiver.heard)
        house.courier.round()
        if len(receiver.heard) > before:
            times.append(clock())
        if house.now(hook).paused_at is not None:
            house.store.registry.resume_webhook(hook.id)
            row = house.store.registry.outgoing(hook.id, 2**53, 1)
            assert row[0].sent_at is None
        clock.forward(seconds=max(1, (clock() - T0).total_seconds() * 0.02))
    assert len(times) == len(WAITS) + 1
    assert all(later > earlier for earlier, later in pairwise(times))
    assert house.store.registry.outgoing_due(hook.id, clock(), 10) == []


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_each_wait_is_longer_or_shorter_by_a_share(house: House, receiver: Receiver, chance: float) -> None:
    hook = house.hook(receiver)
    house.granted(1)
    receiver.does(FAILS)
    Courier(house.store, house.clock, lambda: True, Sender(Targets(inside=True)), lambda: chance).round()
    [row] = house.store.registry.outgoing(hook.id, 2**53, 10)
    assert row.due_at == T0 + WAITS[0] * (1 + JITTER * (2 * chance - 1))
    assert house.now(hook).next_at == row.due_at


def test_an_end_that_fails_is_asked_with_one_event_only(house: House, receiver: Receiver) -> None:
    house.hook(receiver)
    for number in range(1, 21):
        house.granted(number)
    receiver.does(FAILS)
    house.rounds(1)
    house.clock.forward(minutes=1)
    house.rounds(10)
    assert len(receiver.heard) == 2, "one, and one again"
    receiver.does(TAKES)
    house.rounds(3, hours=1)
    assert len(receiver.took()) == 20


def test_one_that_hangs_holds_up_no_other(house: House, receiver: Receiver) -> None:
    with receiving() as stuck:
        stuck.does(HANGS)
        house.courier = house.new_courier(most_s=2.0)
        house.hook(stuck)
        house.hook(receiver)
        for number in range(1, 6):
            house.granted(number)
        assert house.courier.round() == 5
    assert len(receiver.took()) == 5
    assert len(stuck.took()) == 1


def test_an_end_that_took_nothing_for_a_day_is_paused_and_gets_everything_when_it_is_resumed(
    house: House, receiver: Receiver, clock: Still
) -> None:
    hook = house.hook(receiver)
    receiver.does(FAILS)
    house.granted(1)
    while house.now(hook).paused_at is None:
        house.courier.round()
        clock.forward(minutes=30)
    assert house.now(hook).paused_why == "failing"
    assert PAUSED_AFTER <= clock() - T0 < PAUSED_AFTER + timedelta(hours=16)
    tried = len(receiver.heard)
    for number in range(2, 6):
        house.granted(number)
    house.rounds(10, days=1)
    assert len(receiver.heard) == tried, "nothing is sent to one that is paused"
    receiver.does(TAKES)
    house.store.registry.resume_webhook(hook.id)
    house.courier.round()
    assert len(receiver.took()) == 5


def test_an_end_that_says_it_is_gone_is_paused_at_once(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver)
    house.granted(1)
    receiver.does(GONE)
    house.courier.round()
    assert house.now(hook).paused_why == "gone"


def test_one_that_was_removed_is_sent_nothing(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver)
    house.granted(1)
    house.store.registry.remove_webhook(hook.id)
    house.courier.round()
    assert receiver.heard == []
    assert house.store.registry.webhooks() == []


def test_what_was_sent_is_forgotten_after_a_month_and_what_waits_never(house: House, receiver: Receiver, clock: Still) -> None:
    hook = house.hook(receiver)
    house.granted(1)
    house.courier.round()
    house.store.registry.pause_webhook(hook.id, "asked")
    house.granted(2)
    house.courier.round()
    clock.forward(days=KEPT.days, hours=2)
    house.courier.round()
    assert [row.sent_at for row in house.store.registry.outgoing(hook.id, 2**53, 10)] == [None]


def test_a_secret_is_renewed_without_an_event_that_nobody_can_check(house: House, receiver: Receiver, clock: Still) -> None:
    hook = house.hook(receiver)
    old, new = hook.secrets[0], signing.secret_of(b"n" * 32)
    house.store.registry.renew_webhook_secret(hook.id, new, clock() + timedelta(hours=24))
    for number, seconds in ((1, 0), (2, 24 * 3600 - 1), (3, 24 * 3600)):
        clock.at = T0 + timedelta(seconds=seconds)
        house.granted(number)
        house.courier.round()
        heard = receiver.heard[-1]
        assert signing.genuine(new, heard.headers, heard.body, clock())
        assert signing.genuine(old, heard.headers, heard.body, clock()) == (number < 3)


# -- where nothing is sent ----------------------------------------------------------------------------------------------

INSIDE = (
    "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1", "::127.0.0.1", "::ffff:0:7f00:1",
    "2002:7f00:1::", "ff02::1", "192.0.2.1", "198.18.0.1", "fec0::1", "nonsense",
)  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_is_sent_into_a_private_network(address: str) -> None:
    for found in ([address], ["93.184.215.14", address]):
        with pytest.raises(Unfit, match="inside"):
            Targets(resolve=lambda *_, found=found: found).place("https://hooks.example.com/x")
    assert Targets(inside=True, resolve=lambda *_: [address]).place("http://x/").address == address


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://2130706433/", "https://0x7f.1/"]
)
def test_this_machine_is_not_sent_to_by_any_of_its_names(url: str) -> None:
    with pytest.raises(Unfit, match=r"inside|unknown"):
        Targets().place(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://hooks.example.com/", "https://", "https:///x", "https://a:b@hooks.example.com/", "https://hooks.example.com:0/",
        "https://hooks.example.com:x/", "https://hooks.example.com/#x", "https://hooks.example.com/ x", "https://例.cn/",
        "https://hooks.example.com/" + "x" * 500, "https://hooks.example.com/\n", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Unfit, match="address"):
        Targets(inside=True, resolve=lambda *_: ["93.184.215.14"]).place(url)


def test_only_https_goes_out_of_the_house() -> None:
    with pytest.raises(Unfit, match="https"):
        Targets(resolve=lambda *_: ["93.184.215.14"]).place("http://hooks.example.com/")


def test_the_address_that_was_looked_at_is_the_one_that_is_dialled() -> None:
    """A name that leads outside when it is asked about and inside when it is called gains nothing: it is not asked twice."""
    answers = iter((["93.184.215.14"], ["127.0.0.1"]))
    place = Targets(resolve=lambda *_: next(answers)).place("https://hooks.example.com:8443/x?y=1")
    assert (place.url, place.called) == ("https://93.184.215.14:8443/x?y=1", "hooks.example.com:8443")
    v6 = Targets(resolve=lambda *_: ["2606:2800:21f::1"]).place("https://hooks.example.com")
    assert (v6.url, v6.called) == ("https://[2606:2800:21f::1]:443/", "hooks.example.com")


def test_a_hook_that_leads_inside_since_is_not_followed(house: House, receiver: Receiver, clock: Still) -> None:
    hook = house.hook(receiver)
    house.granted(1)
    Courier(house.store, clock, lambda: True, Sender(Targets()), house.chance.random).round()
    assert receiver.heard == []
    assert house.store.registry.outgoing(hook.id, 2**53, 10)[0].why == "https"


# -- both databases -----------------------------------------------------------------------------------------------------


def test_the_outbox_is_one_on_either_database(place: Place, receiver: Receiver, clock: Still) -> None:
    store = place.open(clock)
    try:
        house = House(store, clock)
        hook = house.hook(receiver)
        receiver.does(FAILS, TAKES)
        house.granted(1)
        house.granted(2)
        house.rounds(3, minutes=10)
        assert len(receiver.took()) == 2
        store.registry.renew_webhook_secret(hook.id, signing.secret_of(b"n" * 32), clock() + timedelta(hours=1))
        assert len(house.now(hook).secrets) == 2
        assert store.registry.pause_webhook(hook.id, "asked")
        assert not store.registry.pause_webhook(hook.id, "asked")
        house.granted(3)
        house.courier.round()
        assert store.registry.outgoing_overdue(clock() + timedelta(days=1)) == 0, "what waits for one that is paused is no fault"
        assert store.registry.resume_webhook(hook.id)
        assert store.registry.outgoing_overdue(clock() + timedelta(days=1)) == 1
        house.courier.round()
        assert [row.attempts for row in store.registry.outgoing(hook.id, 2**53, 10)] == [1, 1, 2]
        assert store.registry.remove_webhook(hook.id)
    finally:
        store.close()
