"""What a story tells of where a truck was: drives, stands, single reports, and what the device said beside the place.

The law of this file: what can follow such a sentence, after commas, is in `_Clauses.read`, and nothing else can.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from checkpoint.core.track import Fix
from checkpoint.story import plain
from checkpoint.story.told import AMOUNT, Moved, Sentence, Teller, amount

_NUMBERS = {
    "off_m": r"off (?P<v>-?[\d.]+) m",
    "accuracy_m": r"accuracy (?P<v>[\d.]+) m",
    "noise_m": r"noise (?P<v>[\d.]+) m",
    "speed_kmh": r"at (?P<v>[\d.]+) km/h",
    "every_s": rf"every (?P<v>{AMOUNT})",
}
_DEVICE = r"by (?P<device>[\w-]+)"
_ALARM = r"alarm (?P<names>[\w-]+(?: and [\w-]+)*)(?: from km (?P<a>[\d.]+) to km (?P<b>[\d.]+))?"
_CROSSING = r"(?P<way>enter|leave)s (?P<station>[\w-]+)"


@dataclass
class _Clauses:
    """What follows a sentence: numbers by name, and what is the same for all its fixes."""

    numbers: dict[str, float]
    device: str = ""
    gcj: bool = False
    encrypted: bool = False
    invalid: bool = False
    crossing: str = ""
    alarms: list[tuple[tuple[str, ...], float | None, float | None]] = field(default_factory=list)

    def read(self, t: Teller, text: str | None) -> _Clauses:
        """Take in the clauses after the first comma."""
        for clause in (c.strip() for c in (text or "").split(",") if c.strip()):
            if not self._one(clause):
                raise t.fail(f"nothing known is said here: {clause}")
        return self

    def _one(self, clause: str) -> bool:
        if (m := re.fullmatch(r"off (-?[\d.]+) m from km ([\d.]+) to km ([\d.]+)", clause)) is not None:
            self.numbers |= zip(("off_m", "off_from_km", "off_to_km"), (float(x) for x in m.groups()), strict=True)
        elif (m := re.fullmatch(_ALARM, clause)) is not None:
            low, high = (float(m[x]) if m[x] else None for x in "ab")
            self.alarms.append((tuple(m["names"].split(" and ")), low, high))
        elif (m := re.fullmatch(_DEVICE, clause)) is not None:
            self.device = m["device"]
        elif (m := re.fullmatch(_CROSSING, clause)) is not None:
            self.crossing = f"{m['way']} {m['station']}"
        elif clause in ("in GCJ-02", "encrypted", "invalid"):
            setattr(self, clause.removeprefix("in ").removesuffix("-02").lower(), True)
        else:
            for name, pattern in _NUMBERS.items():
                if (m := re.fullmatch(pattern, clause)) is not None:
                    self.numbers[name] = amount(m["v"])
                    return True
            return False
        return True

    def said(self, fix: Fix, km: float | None) -> Fix:
        """The fix as the device told it, `km` along its drive."""
        names = [n for names, a, b in self.alarms for n in names if a is None or b is None or (km is not None and a <= km <= b)]
        return msgspec.structs.replace(
            plain.as_gcj(fix) if self.gcj else fix,
            device=self.device or fix.device,
            encrypted=self.encrypted,
            valid=not self.invalid,
            alarms=tuple(names),
            crossing=self.crossing,
        )


def _moved(t: Teller, fixes: list[Fix]) -> None:
    if not t.vehicle:
        raise t.fail("no vehicle yet")
    as_they_come = t.recorded_at == t.at
    for fix in fixes:
        recorded = fix.fixed_at if as_they_come else t.recorded_at
        t.story.moved.append(Moved(t.line, t.vehicle, fix, recorded))


def _drives(t: Teller, m: re.Match[str]) -> None:
    clauses = _Clauses({"speed_kmh": 60.0, "every_s": 60.0}).read(t, m["clauses"])
    numbers, a, b = clauses.numbers, float(m["a"]), float(m["b"])
    if "off_m" in numbers and "off_from_km" not in numbers:
        numbers |= {"off_from_km": a, "off_to_km": b}
    fixes = plain.drive(t.story.versions[0], m["leg"], t.at, a, b, **numbers)  # type: ignore[arg-type]
    km_s = numbers["speed_kmh"] / 3600 * (1 if b >= a else -1)
    _moved(t, [clauses.said(fix, a + km_s * (fix.fixed_at - t.at).total_seconds()) for fix in fixes])


def _place(t: Teller, m: re.Match[str], off_m: float) -> tuple[float, float]:
    loop = t.story.versions[0]
    if m["station"]:
        station = loop.station(m["station"])
        if station is None:
            raise t.fail(f"no station {m['station']}")
        return station.center
    beside = plain.fix_beside(loop, m["leg"], float(m["km"]), off_m, t.at, speed_kmh=0, course_deg=None, accuracy_m=10)  # type: ignore[arg-type]
    return beside.lon, beside.lat


def _stands(t: Teller, m: re.Match[str]) -> None:
    clauses = _Clauses({"every_s": 60.0, "accuracy_m": 10.0}).read(t, m["clauses"])
    numbers = clauses.numbers
    place = _place(t, m, numbers.get("off_m", 0.0))
    fixes = plain.stand(t.at, place, duration_s=amount(m["long"]), every_s=numbers["every_s"], accuracy_m=numbers["accuracy_m"])
    _moved(t, [clauses.said(fix, None) for fix in fixes])


def _reports(t: Teller, m: re.Match[str]) -> None:
    clauses = _Clauses({"accuracy_m": 10.0}).read(t, m["clauses"])
    lon, lat = _place(t, m, clauses.numbers.get("off_m", 0.0))
    fix = Fix(
        device=plain.DEVICE,
        fixed_at=t.at,
        lat=lat,
        lon=lon,
        accuracy_m=clauses.numbers["accuracy_m"],
        speed_kmh=clauses.numbers.get("speed_kmh"),
    )
    _moved(t, [clauses.said(fix, None)])


_CLAUSES = r"(?P<clauses>(?:, [^,]+)*)"
_WHERE = r"(?:in (?P<station>[\w-]+)|at km (?P<km>[\d.]+) (?P<leg>outbound|inbound))"
MOVES: tuple[Sentence, ...] = (
    Sentence(
        rf"drives from km (?P<a>[\d.]+) to km (?P<b>[\d.]+) (?P<leg>outbound|inbound){_CLAUSES}",
        "drives from km 0 to km 60 outbound, at 60 km/h, every 60 s, off 400 m from km 20 to km 25, accuracy 10 m, noise 8 m",
        _drives,
    ),
    Sentence(rf"stands {_WHERE} for (?P<long>{AMOUNT}){_CLAUSES}", "stands in rest for 8 h, every 10 min", _stands),
    Sentence(
        rf"reports {_WHERE}{_CLAUSES}",
        "reports at km 20 outbound, off 300 m, by terminal-139, alarm route-deviation and fatigue, encrypted",
        _reports,
    ),
)
