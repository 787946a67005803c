"""What receivers make of where a truck really is: noise as data, and drives reported through it.

The law of this file: it knows nothing of the rules that it is used to measure. A model is a value with numbers that can be
printed; all chance comes from the `Random` handed in, so that the same seed gives the same drive.

`ISSUED` are the models that the rule of departures was made against, and "tunnels, cold" is one since what a receiver says
first after a silence is judged by itself. The other `HELD_OUT` were written before the rule was, the two last ones before
that change: they are there to judge it, and nothing in `core` may be tuned on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import cos, exp, inf, pi, sin, sqrt, tau
from random import Random
from typing import NamedTuple

from checkpoint.core import geo
from checkpoint.core.fixes import Fix

AT = datetime(2026, 5, 1, tzinfo=UTC)
SURE_M = 6.0  # what a displaced fix claims when it is sure of itself


class Noise(NamedTuple):
    """One receiver's faults. Lengths in metres, times in seconds, `*_every_s` are means between events (0: never)."""

    wander_m: float = 5.0  # Gauss and Markov, each axis
    wander_s: float = 60.0
    displaced_every_s: float = 0.0  # a run of fixes somewhere else
    displaced_m: tuple[float, float] = (50.0, 300.0)
    displaced_fixes: tuple[int, int] = (1, 3)
    sure_share: float = 0.5  # of the runs claim SURE_M; the others say about how wrong they are
    scattered: bool = False  # each fix of a run is thrown its own way
    drift_every_s: float = 0.0  # out and back again, slowly
    drift_m: tuple[float, float] = (0.0, 0.0)
    drift_s: tuple[float, float] = (0.0, 0.0)
    bias_m: tuple[float, float] = (0.0, 0.0)  # one constant vector for the whole drive
    tunnel_every_s: float = 0.0  # no fixes for a while, then a run of poor ones
    tunnel_s: tuple[float, float] = (30.0, 240.0)
    cold_fixes: tuple[int, int] = (0, 0)
    cold_m: tuple[float, float] = (30.0, 150.0)
    settles_s: float = 0.0  # a cold receiver's error falls to a third in so long (0: it is constant, and then gone)
    late_every_s: float = 0.0  # a blind area, whose fixes come hours later in one batch
    late_s: tuple[float, float] = (300.0, 2400.0)
    lies_m: float | None = None  # claims this accuracy whatever happens
    quantum_deg: float = 0.0
    course_deg: float = 3.0  # noise of the course at speed; slower than 5 m/s it grows
    jitter_s: float = 0.0  # of the reporting interval
    speed: bool = True  # whether the device says speed and course
    course: bool = True
    accuracy: bool = True
    stop_and_go: bool = False


CLEAN = Noise(wander_m=0.0, course_deg=0.0)
_BASE = Noise(displaced_every_s=1800.0)
ISSUED: dict[str, Noise] = {
    "displaced": _BASE,
    "displaced, mute": _BASE._replace(speed=False, course=False),  # place and accuracy only
    "tunnels": _BASE._replace(tunnel_every_s=1200.0, cold_fixes=(1, 3)),
    "batches": _BASE._replace(late_every_s=3600.0),
}
HELD_OUT: dict[str, Noise] = {
    "scattered": _BASE._replace(scattered=True),
    "scattered, mute": _BASE._replace(scattered=True, speed=False, course=False, accuracy=False),
    "drift": _BASE._replace(drift_every_s=900.0, drift_m=(10.0, 30.0), drift_s=(60.0, 300.0)),
    "bias": _BASE._replace(bias_m=(10.0, 20.0)),
    "liar": _BASE._replace(bias_m=(25.0, 35.0), lies_m=4.0),
    "canyon": _BASE._replace(
        wander_m=12.0, wander_s=30.0, displaced_every_s=600.0, displaced_m=(40.0, 150.0), displaced_fixes=(1, 4), stop_and_go=True
    ),
    "stop and go": _BASE._replace(stop_and_go=True, course_deg=8.0),
    "tunnels, cold": _BASE._replace(tunnel_every_s=900.0, cold_fixes=(2, 5), cold_m=(30.0, 200.0), sure_share=0.7),
    "coarse": _BASE._replace(quantum_deg=1e-4, jitter_s=1.5, course=False),
    "cold, settling": _BASE._replace(
        tunnel_every_s=600.0, tunnel_s=(20.0, 600.0), cold_fixes=(3, 12), cold_m=(80.0, 400.0), settles_s=25.0, sure_share=1.0
    ),
    "cold, long, mute": _BASE._replace(
        wander_m=7.0,
        tunnel_every_s=1500.0,
        tunnel_s=(45.0, 400.0),
        cold_fixes=(1, 7),
        cold_m=(40.0, 250.0),
        sure_share=0.9,
        jitter_s=1.0,
        speed=False,
        course=False,
    ),
}
# A phone at rest that is sure of another place for minutes: in the field 200 m away, claiming 2 m.
AT_REST = Noise(wander_m=3.0, displaced_every_s=7200.0, displaced_m=(60.0, 250.0), displaced_fixes=(1, 40), lies_m=2.0)


class _Runs:
    """When the next run of something begins: exponential waits, or never."""

    def __init__(self, every_s: float, random: Random) -> None:
        self._every_s, self._random = every_s, random
        self._next_s = random.expovariate(1 / every_s) if every_s else inf

    def begins(self, at_s: float) -> bool:
        if at_s < self._next_s:
            return False
        self._next_s = at_s + self._random.expovariate(1 / self._every_s)
        return True


class Receiver:
    """Turns true places into fixes, with the faults of one `Noise`. `late` are those that come hours later."""

    def __init__(self, noise: Noise, random: Random, device: str = "d") -> None:
        self.noise, self._random, self._device = noise, random, device
        self.late: list[Fix] = []
        self._east, self._north = random.gauss(0, noise.wander_m), random.gauss(0, noise.wander_m)
        self._bias = _vector(random, noise.bias_m)
        self._displaced = _Runs(noise.displaced_every_s, random)
        self._drifts = _Runs(noise.drift_every_s, random)
        self._tunnels = _Runs(noise.tunnel_every_s, random)
        self._blind = _Runs(noise.late_every_s, random)
        self._run, self._thrown, self._range, self._claim = 0, (0.0, 0.0), noise.displaced_m, SURE_M
        self._settles_s, self._heard_s = 0.0, 0.0
        self._drift, self._drift_from, self._drift_s = (0.0, 0.0), 0.0, 0.0
        self._dark_until = self._late_until = -inf
        self._last_s = 0.0

    def report(self, at_s: float, place: geo.LonLat, speed_ms: float, bearing_deg: float) -> Fix | None:
        """The fix that is sent at once; None when there is none, or it comes late."""
        noise, random = self.noise, self._random
        keep = exp(-(at_s - self._last_s) / noise.wander_s)
        spread = noise.wander_m * sqrt(1 - keep * keep)
        self._last_s = at_s
        self._east = self._east * keep + random.gauss(0, spread)
        self._north = self._north * keep + random.gauss(0, spread)
        east, north = self._east + self._bias[0], self._north + self._bias[1]
        if self._tunnels.begins(at_s):
            self._dark_until = at_s + random.uniform(*noise.tunnel_s)
            self.lose()
        if at_s < self._dark_until:
            return None
        claim = noise.wander_m * random.uniform(0.8, 2.0)
        if self._displaced.begins(at_s):
            self._throw(random.randint(*noise.displaced_fixes), noise.displaced_m)
        if self._run:
            self._run -= 1
            if noise.scattered:
                self._thrown = _vector(random, self._range)
            elif self._settles_s:
                share = exp((min(self._heard_s, at_s) - at_s) / self._settles_s)  # the first is as bad as it gets
                self._thrown, self._heard_s = (self._thrown[0] * share, self._thrown[1] * share), at_s
            east, north, claim = east + self._thrown[0], north + self._thrown[1], self._claim
        if self._drifts.begins(at_s):
            self._drift, self._drift_from = _vector(random, noise.drift_m), at_s
            self._drift_s = random.uniform(*noise.drift_s)
        gone_s = at_s - self._drift_from
        if gone_s < self._drift_s:
            share = sin(pi * gone_s / self._drift_s)
            east, north = east + self._drift[0] * share, north + self._drift[1] * share
        fix = self._fix(at_s, place, east, north, claim, speed_ms, bearing_deg)
        if self._blind.begins(at_s):
            self._late_until = at_s + random.uniform(*noise.late_s)
        if at_s < self._late_until:
            self.late.append(fix)
            return None
        return fix

    def lose(self) -> None:
        """The satellites are gone: the first fixes after this are poor ones."""
        self._throw(self._random.randint(*self.noise.cold_fixes), self.noise.cold_m)
        self._settles_s, self._heard_s = self.noise.settles_s, inf

    def _throw(self, fixes: int, metres: tuple[float, float]) -> None:
        random = self._random
        self._settles_s = 0.0
        self._run, self._thrown, self._range = fixes, _vector(random, metres), metres
        off = sqrt(self._thrown[0] ** 2 + self._thrown[1] ** 2)
        self._claim = SURE_M if random.random() < self.noise.sure_share else off * random.uniform(0.7, 1.3)

    def _fix(
        self, at_s: float, place: geo.LonLat, east: float, north: float, claim: float, speed_ms: float, bearing_deg: float
    ) -> Fix:
        noise, random = self.noise, self._random
        kx, ky = geo.scale_m(place[1])
        lon, lat = place[0] + east / kx, place[1] + north / ky
        if noise.quantum_deg:
            lon, lat = round(lon / noise.quantum_deg) * noise.quantum_deg, round(lat / noise.quantum_deg) * noise.quantum_deg
        course = speed = accuracy = None
        if noise.speed:
            speed = max(0.0, speed_ms * 3.6 + random.gauss(0, 1.5)) if speed_ms else 0.0
        if noise.course and speed_ms > 0.5:
            course = (bearing_deg + random.gauss(0, noise.course_deg * max(1.0, 5.0 / speed_ms))) % 360
        if noise.accuracy:
            accuracy = round(noise.lies_m if noise.lies_m is not None else max(claim, 1.0), 1)
        at = AT + timedelta(seconds=at_s)
        return Fix(device=self._device, fixed_at=at, lat=lat, lon=lon, accuracy_m=accuracy, speed_kmh=speed, course_deg=course)


def _vector(random: Random, metres: tuple[float, float]) -> tuple[float, float]:
    length, angle = random.uniform(*metres), random.uniform(0, tau)
    return length * cos(angle), length * sin(angle)


class Moment(NamedTuple):
    """Where the truck really is: seconds from the start, metres along its path, metres a second."""

    at_s: float
    along_m: float
    speed_ms: float


def motion(
    length_m: float,
    every_s: float,
    random: Random,
    noise: Noise,
    *,
    kmh: tuple[float, float] = (40.0, 80.0),
    start_m: float = 0.0,
) -> Iterator[Moment]:
    """Along a path from `start_m` to its end, a moment every `every_s` seconds; the first at a random share of the interval."""
    cruise = speed = random.uniform(*kmh) / 3.6
    at_s = random.uniform(0, every_s)
    along_m = start_m + speed * at_s
    stopped_until = -inf
    while along_m < length_m:
        yield Moment(at_s, along_m, speed)
        dt = every_s + (random.uniform(-noise.jitter_s, noise.jitter_s) if noise.jitter_s else 0.0)
        at_s += dt
        along_m += speed * dt
        if noise.stop_and_go:
            if at_s >= stopped_until and random.random() < dt / 240:
                stopped_until = at_s + random.uniform(20, 120)
            speed = 0.0 if at_s < stopped_until else min(22.0, max(3.0, (speed or cruise) + random.gauss(0, 1.5)))
        else:
            speed = max(3.0, cruise + 0.9 * (speed - cruise) + random.gauss(0, 0.4))


class Driven(NamedTuple):
    """One drive: the fixes in the order they came, those that came hours late, and the ground driven.

    `truth` are the true moments of all fixes that were asked for, sent or not.
    """

    fixes: list[Fix]
    late: list[Fix]
    truth: list[Moment]


def driven(
    path: geo.Path,
    every_s: float,
    random: Random,
    noise: Noise,
    *,
    kmh: tuple[float, float] = (40.0, 80.0),
    start_m: float = 0.0,
    dark_m: tuple[float, float] | None = None,
) -> Driven:
    """A drive along a path, reported through a receiver, that sees no satellites between two places on it."""
    receiver = Receiver(noise, random)
    fixes, truth = [], []
    for moment in motion(path.length_m, every_s, random, noise, kmh=kmh, start_m=start_m):
        truth.append(moment)
        if dark_m is not None and dark_m[0] <= moment.along_m < dark_m[1]:
            receiver.lose()
            continue
        fix = receiver.report(moment.at_s, path.at(moment.along_m), moment.speed_ms, path.bearing_at(moment.along_m))
        if fix is not None:
            fixes.append(fix)
    return Driven(fixes, receiver.late, truth)


def standing(place: geo.LonLat, hours: float, every_s: float, random: Random, noise: Noise) -> list[Fix]:
    """A truck at rest, reported through a receiver."""
    receiver = Receiver(noise, random)
    found = (receiver.report(i * every_s, place, 0.0, 0.0) for i in range(int(hours * 3600 / every_s)))
    return [fix for fix in found if fix is not None]
