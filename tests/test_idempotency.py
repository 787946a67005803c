"""A write under a key is done once: sent again it is answered again, whatever the line lost, from however many sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.core.facts import PassGranted
from checkpoint.store import StorageFailed, Store
from checkpoint.web import access
from checkpoint.web.app import create_app
from checkpoint.web.idempotency import KEPT, REPLAYED, UNDER_WAY, chore
from tests.ground import LOOP, T0, Still
from tests.places import Place

Post = Callable[..., Any]
WISH = {
    "carrier": "瓯海冷链",
    "vehicle": "浙C12345",
    "crew": [{"name": "张三"}],
    "loop": LOOP,
    "not_before": T0.isoformat(),
    "expires": (T0 + timedelta(days=3)).isoformat(),
}


@pytest.fixture
def client(store: Store, clock: Still) -> Iterator[TestClient]:
    with TestClient(create_app(store, clock), raise_server_exceptions=False) as client:
        yield client


def posting(client: TestClient, who: str = "coordinator", role: str = "coordinator") -> Post:
    """POST as somebody, under a key."""
    house = client.app.state.house  # type: ignore[attr-defined]
    token = access.open_session(house, role=role, who=who, name=who)

    def post(path: str, key: str | None, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return client.post(f"/api/v1{path}", json={} if body is None else body, headers=headers)

    return post


def granted(post: Post) -> str:
    request = post("/pass-requests", None, WISH).json()["request"]
    return str(post(f"/pass-requests/{request}/grant", None).json()["pass_id"])


def kind(answered: Any) -> str:
    return str(answered.json()["type"].rpartition("/")[2])


def test_the_same_key_and_request_get_the_same_answer_and_one_effect(client: TestClient, store: Store) -> None:
    post = posting(client)
    pass_id = granted(post)
    first = post(f"/passes/{pass_id}/reissue", '"one"')
    again = [post(f"/passes/{pass_id}/reissue", key) for key in ('"one"', "one", '"one"')]
    assert first.json()["generation"] == 2
    assert REPLAYED not in first.headers
    for answered in again:
        assert (answered.status_code, answered.content) == (200, first.content)
        assert answered.headers[REPLAYED] == "true"
        assert answered.headers["content-type"] == "application/json"
    generations = [f.what.generation for f in store.facts_of(f"pass:{pass_id}") if isinstance(f.what, PassGranted)]
    assert generations == [1, 2]
    assert post(f"/passes/{pass_id}/reissue", '"two"').json()["generation"] == 3


def test_the_same_key_with_another_request_is_refused(client: TestClient) -> None:
    post = posting(client)
    pass_id = granted(post)
    post("/kiosks", "k", {"station": "panqiao"})
    for path, body in (("/kiosks", {"station": "rest-1"}), (f"/passes/{pass_id}/reissue", {})):
        refused = post(path, "k", body)
        assert (refused.status_code, kind(refused)) == (422, "key-reused")


def test_a_refusal_is_an_answer_and_is_given_again(client: TestClient, store: Store) -> None:
    post = posting(client)
    first = post("/kiosks", "k", {"station": "nowhere"})
    again = post("/kiosks", "k", {"station": "nowhere"})
    assert first.status_code == again.status_code == 422
    assert first.content == again.content
    assert again.headers["content-type"] == "application/problem+json"
    assert again.headers["content-language"] == "en"


def test_a_key_is_its_callers_own(client: TestClient, store: Store) -> None:
    for who in ("staff-1", "staff-2"):
        assert post_kiosk(posting(client, who)).headers.get(REPLAYED) is None
    assert len(store.registry.kiosks()) == 2


def post_kiosk(post: Post, key: str = "k") -> Any:
    answered = post("/kiosks", key, {"station": "panqiao"})
    assert answered.status_code == 200, answered.text
    return answered


def test_a_key_is_forgotten_after_a_day(client: TestClient, store: Store, clock: Still) -> None:
    post_kiosk(posting(client))
    clock.forward(hours=11)
    post_kiosk(posting(client))  # the same caller in a session of today: what needs a fresh proof needs it for a repeat, too
    assert len(store.registry.kiosks()) == 1
    clock.at = T0 + KEPT
    post_kiosk(posting(client))
    assert len(store.registry.kiosks()) == 2


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "a\tb"])
def test_a_key_that_cannot_be_one_is_refused(client: TestClient, store: Store, key: str) -> None:
    refused = posting(client)("/kiosks", key, {"station": "panqiao"})
    assert (refused.status_code, kind(refused)) == (400, "key-malformed")
    assert store.registry.kiosks() == []


def test_what_is_shown_once_lies_encrypted_between_two_answers(client: TestClient, tmp_path: Path) -> None:
    token = post_kiosk(posting(client)).json()["token"]
    assert token.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_of_many_who_send_it_at_once_one_does_it(client: TestClient, store: Store) -> None:
    """Nobody does it twice: the others are answered alike, or told to wait and answered then."""
    post, together = posting(client), Barrier(8)

    def send() -> Any:
        together.wait()
        while (answered := post("/kiosks", "k", {"station": "panqiao"})).status_code == 409:
            assert kind(answered) == "key-under-way"
            assert answered.headers["retry-after"] == "1"
        return answered.content

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(send) for _ in range(8)]]
    assert len(set(answers)) == 1
    assert len(store.registry.kiosks()) == 1


def test_while_the_first_is_under_way_the_second_waits(client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    post, reached, go = posting(client), Event(), Event()
    add = type(store.registry).add_kiosk

    def slow(*args: Any) -> Any:
        reached.set()
        assert go.wait(30)
        return add(*args)

    monkeypatch.setattr(type(store.registry), "add_kiosk", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, "/kiosks", "k", {"station": "panqiao"})
        assert reached.wait(30)
        second = post("/kiosks", "k", {"station": "panqiao"})
        go.set()
        assert (second.status_code, kind(second)) == (409, "key-under-way")
        assert first.result().status_code == 200


def test_what_ended_without_an_answer_is_not_done_again(
    client: TestClient, store: Store, clock: Still, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = posting(client)
    add = type(store.registry).add_kiosk

    def dying(*args: Any) -> Any:
        add(*args)
        raise RuntimeError("ended between the deed and the answer")

    monkeypatch.setattr(type(store.registry), "add_kiosk", dying)
    assert post("/kiosks", "k", {"station": "panqiao"}).status_code == 500
    monkeypatch.setattr(type(store.registry), "add_kiosk", add)
    clock.at = T0 + UNDER_WAY
    again = post("/kiosks", "k", {"station": "panqiao"})
    assert (again.status_code, kind(again)) == (409, "key-unknown-outcome")
    assert len(store.registry.kiosks()) == 1


def test_what_the_storage_refused_may_be_sent_again_under_its_key(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = posting(client)
    add = type(store.registry).add_kiosk

    def full(*_: Any) -> Any:
        raise StorageFailed("no room")

    monkeypatch.setattr(type(store.registry), "add_kiosk", full)
    assert post("/kiosks", "k", {"station": "panqiao"}).status_code >= 500
    monkeypatch.setattr(type(store.registry), "add_kiosk", add)
    post_kiosk(post)
    assert len(store.registry.kiosks()) == 1


def test_answers_and_tokens_are_kept_alike_on_either_database(place: Place, clock: Still) -> None:
    store = place.open(clock)
    try:
        registry = store.registry
        assert registry.begin_answer("a", "k", "asked", KEPT) is None
        begun = registry.begin_answer("a", "k", "asked", KEPT)
        assert begun is not None
        assert (begun.asked, begun.begun_at, begun.answer) == ("asked", T0, None)
        assert registry.begin_answer("b", "k", "other", KEPT) is None, "another caller's key"
        registry.keep_answer("a", "k", "the answer")
        registry.drop_answer("a", "k")
        kept = registry.begin_answer("a", "k", "asked", KEPT)
        assert kept is not None
        assert kept.answer == "the answer", "an answer that is kept is not dropped"
        registry.drop_answer("b", "k")
        assert registry.begin_answer("b", "k", "other", KEPT) is None
        clock.at = T0 + KEPT
        assert chore(store).work(clock()) == "swept=2"
        assert registry.begin_answer("a", "k", "asked", KEPT) is None
        made = registry.add_api_token(
            "0" * 64, name="派车", role="carrier", office="甲", writes=True, made_by="x", expires=clock() + KEPT
        )
        assert registry.api_token("0" * 64) == made
        registry.api_token_used(made.id)
        assert registry.revoke_api_token(made.id)
        assert not registry.revoke_api_token(made.id)
        [held] = registry.api_tokens("carrier", "甲")
        assert (held.used_at, held.revoked_at) == (clock(), clock())
    finally:
        store.close()


def test_of_many_who_begin_at_once_one_has_the_turn_on_either_database(place: Place, clock: Still) -> None:
    store, together = place.open(clock), Barrier(8)

    def begin() -> bool:
        together.wait()
        return store.registry.begin_answer("a", "k", "asked", KEPT) is None

    try:
        with ThreadPoolExecutor(8) as pool:
            turns = [future.result() for future in [pool.submit(begin) for _ in range(8)]]
        assert turns.count(True) == 1
    finally:
        store.close()
