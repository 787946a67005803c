"""A recorded track is taken into the record: laid to its vehicle for its own time, once, and judged as late truth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from checkpoint import cli
from checkpoint.core.facts import DeviceBound, Fact, Loaded, PassGranted, WarningRaised
from checkpoint.decoders.recorded import decode
from checkpoint.importing import Imported, NotImported, device_for, take_in
from checkpoint.intake import Intake
from checkpoint.store import Store
from checkpoint.watch import Watch
from checkpoint.web import access
from tests.desk import Desk, desk
from tests.fleet import NOW
from tests.ground import LOOP, T0, Still, store_in
from tests.witness import PLATE, fact

MINUTE = timedelta(minutes=1)
OTHER = "沪A00001"


def a_track(minutes: int = 60, lon: float = 120.6, whose: str = "") -> str:
    """A drive north along the small loop's line, or beside it, a position every half minute."""
    rows = ["time,lat,lon,speed" + (",车牌" if whose else "")]
    for i in range(minutes * 2):
        at = T0 + i * MINUTE / 2
        rows.append(f"{at.isoformat()},{28 + i * 0.0045:.5f},{lon},60" + (f",{whose}" if whose else ""))
    return "\n".join(rows)


@pytest.fixture
def clock() -> Still:
    return Still(T0 + timedelta(hours=5))


@pytest.fixture
def store(tmp_path: Path, clock: Still) -> Iterator[Store]:
    store = store_in(tmp_path, clock)
    granted = PassGranted(
        pass_id="330304-0000001", generation=1, vehicle=PLATE, crew=("p-1",), loop=LOOP, carrier="c",
        not_before=T0 - timedelta(hours=1), expires=T0 + timedelta(days=3),
    )  # fmt: skip
    store.record(fact("granted", T0 - timedelta(hours=1), granted))
    load = Loaded(vehicle=PLATE, pass_id=granted.pass_id, parcels_count=1, seal="S")
    store.record(fact("loaded", T0 - 5 * MINUTE, load, station="panqiao"))
    yield store
    store.close()


def taken(store: Store, text: str, device: str = "", vehicle: str = PLATE) -> Imported:
    intake = Intake(store, store.now, lambda _: None)
    device = device or device_for(vehicle)
    said = Fact(id="", at=store.now(), witness="desk:1", by="z", what=DeviceBound(device=device, vehicle=vehicle))
    return take_in(intake, vehicle, decode(text.encode()).drives, device, fact=said)


def test_a_track_is_laid_to_its_vehicle_for_its_own_time_and_the_same_again_changes_nothing(store: Store) -> None:
    first, again = taken(store, a_track()), taken(store, a_track())
    assert (first.new, first.repeated, first.aside) == (120, 0, 0)
    assert (again.new, again.repeated, again.aside) == (0, 120, 0)
    assert len(store.positions(PLATE)) == 120
    bound = Intake(store, store.now, lambda _: None).bound(first.device)
    assert bound.vehicle(T0) == PLATE
    assert bound.vehicle(T0 - MINUTE) is None
    assert bound.vehicle(T0 + timedelta(hours=2)) is None
    assert len(store.facts_of_kind("DeviceBound")) == 1


def test_what_an_imported_track_proves_is_raised_as_late_with_its_true_time(store: Store, clock: Still) -> None:
    watch = Watch(store, clock, lambda event, data: None)
    watch.settle()
    taken(store, a_track(lon=120.62))
    watch.settle()
    raised = [r.fact.what for r in store.facts_after(0, 1000) if isinstance(r.fact.what, WarningRaised)]
    (off,) = [what for what in raised if what.finding == "off-loop"]
    assert off.late
    assert off.since < T0 + 10 * MINUTE
    watch.stop()


def test_a_named_device_s_own_positions_are_not_taken_twice(store: Store) -> None:
    assert taken(store, a_track(), device="860123").new == 120
    assert (taken(store, a_track(), device="860123").repeated) == 120


def test_a_device_of_another_truck_is_not_bound_away_from_it(store: Store) -> None:
    taken(store, a_track(), device="860123")
    with pytest.raises(NotImported, match="another-vehicle"):
        taken(store, a_track(), device="860123", vehicle=OTHER)
    for name in ("phone-link-1", "terminal-139", "tracker-1", "import-x", "车"):
        with pytest.raises(NotImported):
            taken(store, a_track(), device=name)


def test_of_a_table_of_several_vehicles_only_its_own_rows_are_taken(store: Store) -> None:
    head, *rows = a_track(whose=OTHER).splitlines()
    mine = a_track(minutes=5, whose=PLATE).splitlines()[1:]
    assert taken(store, "\n".join([head, *rows, *mine])).new == 10
    third = [row.replace(OTHER, "沪A00002") for row in rows]
    with pytest.raises(NotImported, match="several-vehicles"):
        taken(store, "\n".join([head, *rows, *third]))


def test_positions_of_a_time_that_cannot_be_are_set_aside_and_counted(store: Store) -> None:
    ahead = T0 + timedelta(days=400)
    assert taken(store, f"{a_track(minutes=1)}\n{ahead.isoformat()},28.3,120.6,60").aside == 1


# -- at the shell -----------------------------------------------------------------------------------------------------------


def test_the_shell_says_how_many_were_new_and_how_many_were_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store.close()
    monkeypatch.setenv("CHECKPOINT_DATABASE", str(tmp_path / "checkpoint.db"))
    monkeypatch.setenv("CHECKPOINT_DATA", str(tmp_path))
    (tmp_path / "t.csv").write_text(a_track())
    said = []
    for _ in range(2):
        assert cli.main(["import", str(tmp_path / "t.csv"), "--vehicle", PLATE]) == 0
        said.append(capsys.readouterr().out)
    assert "120 new, 0 here already" in said[0]
    assert "0 new, 120 here already" in said[1]
    assert cli.main(["import", str(tmp_path / "t.csv"), "--vehicle", OTHER]) == 1
    assert "grant it a pass first" in capsys.readouterr().err
    (tmp_path / "drawn.csv").write_text("lat,lon\n28,120.6\n")
    assert cli.main(["import", str(tmp_path / "drawn.csv"), "--vehicle", PLATE]) == 1
    assert "no times" in capsys.readouterr().err


# -- at the desk ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as found:
        yield found


def test_a_file_handed_in_at_the_desk_is_taken_in_and_counted(found: Desk) -> None:
    plate = "浙C47T35"
    rows = "\n".join(f"{(NOW - i * MINUTE).isoformat()},29.5,121.4" for i in range(20))
    file = {"file": ("t.csv", f"time,lat,lon\n{rows}".encode())}
    client = found.signed_in(access.COORDINATOR)
    assert "import" in client.get(f"/vehicles/{plate}").text
    assert client.get(f"/vehicles/{plate}/import").status_code == 200
    said = client.post(f"/vehicles/{plate}/import", files=file, data={"datum": "wgs84"})
    assert said.status_code == 200
    assert "20 new, 0 here already, 0 set aside" in said.text
    assert len(found.store.positions(plate)) == 20
    wrong = client.post(f"/vehicles/{plate}/import", files={"file": ("t.csv", b"time,lat,lon\nx,28,120\n")})
    assert wrong.status_code == 422
    assert "Line 2" in wrong.text


def test_nobody_speaks_in_the_name_of_an_import(found: Desk) -> None:
    plate = "浙C47T35"
    client = found.signed_in(access.COORDINATOR)
    file = {"file": ("t.csv", f"time,lat,lon\n{NOW.isoformat()},29.5,121.4".encode())}
    assert client.post(f"/vehicles/{plate}/import", files=file).status_code == 200
    at = int(NOW.timestamp())
    found.nobody().get(f"/api/v1/positions/osmand?id={device_for(plate)}&lat=30&lon=121&timestamp={at}")
    assert [fix.lat for fix in found.store.positions(plate)] == [29.5]
