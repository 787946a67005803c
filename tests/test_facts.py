"""Facts as they come in: read strictly, complained about with their path, indexed by whom they concern."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core import facts
from checkpoint.core.facts import (
    Amended,
    AntigenRead,
    CheckedIn,
    DeviceBound,
    Entered,
    Fact,
    Malformed,
    SwabTaken,
    TubeSealed,
    Voided,
)

AT = datetime(2022, 4, 20, 2, 0, tzinfo=UTC)
ENTERED = Fact(
    id="f1", at=AT, witness="kiosk:k1", by="staff-1", station="gate", what=Entered(vehicle="浙C12345", pass_id="330304-0000001")
)


def told(**changes: object) -> bytes:
    return facts.encode(msgspec.structs.replace(ENTERED, **changes))


def test_a_fact_comes_back_as_it_went() -> None:
    assert facts.decode(facts.encode(ENTERED)) == ENTERED


def test_every_kind_has_a_docstring_that_tells_what_it_means() -> None:
    assert all(kind.__doc__ and "frozen" not in kind.__doc__ for kind in facts.KINDS.values())


def test_instants_are_brought_to_utc() -> None:
    east = AT.astimezone(timezone(timedelta(hours=8)))
    assert facts.decode(told(at=east)).at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"", "truncated"),
        (b"[]", "object"),
        (b'{"id":"x"}', "at"),
        (told(id=""), "$.id"),
        (told(id="x" * 101), "$.id"),
        (told(id="浙"), "$.id"),
        (told(witness=""), "$.witness"),
        (told(at=datetime(2022, 4, 20)), "$.at"),  # noqa: DTZ001 (a naive instant is what is refused)
        (told().replace(b"Entered", b"Exploded"), "$.what"),
        (told(what=Voided(target="a", reason="x" * 2001)), "$.what.reason"),
        (told(what=Voided(target="a", reason="a\x00b")), "$.what.reason"),
        (told(what=Amended(target="a", reason="", what=Voided(target="b", reason=""))), "$.what.what"),
        (told(what=SwabTaken(specimen="", person="p-1", test="pcr", tube="T1")), "$.what.specimen"),
        (told(what=AntigenRead(specimen=" ", person="p-1", result="negative")), "$.what.specimen"),
        (told(what=TubeSealed(tube="")), "$.what.tube"),
        (told(what=DeviceBound(device="d", vehicle="v", since=AT, until=AT)), "$.what.until"),
        (told(what=DeviceBound(device="d", vehicle="v", until=AT - timedelta(days=400))), "$.what.until"),
        (told(what=Amended(target="a", reason="", what=TubeSealed(tube=""))), "$.what.what.tube"),
        (b"[" * 5000, ""),
    ],
)
def test_what_is_not_a_fact_is_refused_with_its_path(data: bytes, path: str) -> None:
    with pytest.raises(Malformed) as error:
        facts.decode(data)
    assert path in str(error.value)


def test_a_fact_concerns_everyone_it_names() -> None:
    stay = CheckedIn(vehicle="浙C12345", persons=("p-1", "p-2"), bay="7", beds=("7a", "7b"))
    fact = msgspec.structs.replace(ENTERED, what=stay, station="rest")
    assert facts.subjects(fact) == {"vehicle:浙C12345", "person:p-1", "person:p-2", "station:rest"}


def test_an_amendment_concerns_the_fact_and_whom_it_newly_names() -> None:
    swab = SwabTaken(specimen="S1", person="p-9", test="pcr", tube="T1")
    fact = msgspec.structs.replace(ENTERED, what=Amended(target="f0", reason="wrong person", what=swab), station="")
    assert facts.subjects(fact) == {"fact:f0", "specimen:S1", "person:p-9", "tube:T1"}


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.binary(min_size=10, max_size=10))  # noqa: DTZ001
def test_a_uuid7_is_one_and_sorts_by_time(moment: datetime, entropy: bytes) -> None:
    at = moment.replace(tzinfo=UTC)
    name = facts.uuid7(at, entropy)
    assert uuid.UUID(name).version == 7
    assert uuid.UUID(name).variant == uuid.RFC_4122
    assert name < facts.uuid7(at + timedelta(milliseconds=1), b"\x00" * 10)
