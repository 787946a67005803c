"""Another datum: positions that keep one constant shift of some hundred metres against the line.

A line drawn on a Chinese map and taken for WGS-84 makes a departure of every fix. That is one finding about the line (or
the device), not a flood about the trucks. `episodes.py` has the law that watchers keep to.

A shift was there from the first fix on, and is the same in every direction. A truck that drove on its line and then beside
it has left it; a road beside the line keeps its distance through a bend, a shift does not. What a shift would explain is
therefore tried on the line itself: moved back by it, nearly every position must lie on the line as near as a receiver can
say, and nearly none may have lain there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from math import hypot, sqrt
from typing import Literal, NamedTuple

from checkpoint.core import datum, geo
from checkpoint.core.episodes import EVIDENCE_FIXES, Step, Watcher, cited
from checkpoint.core.facts import Cited
from checkpoint.core.fixes import Episode
from checkpoint.core.loop import LEGS, Leg
from checkpoint.core.ways import Match, Ways

_SPACING_M = 100.0  # samples nearer to each other than this say the same thing twice
_MOST = 48  # samples kept; when there are more every second one goes, and they stand twice as far apart
_ENOUGH = 12
_AGAIN = 1.5  # a fit that failed is tried again with so many more samples: it is dear
_AGAINST = 5
_LONG_ENOUGH_M = 3_000.0
_BESIDE_M = 60.0  # nearer to the line than this on the whole there is nothing to explain
_LEAST_M, _MOST_M = 80.0, 900.0  # how large a shift between two datums is
_SHARE = 0.9  # of the samples must be explained: some are matched to the wrong piece of line
_CLOSE_M = 30.0  # what a receiver and a drawn line are apart when nothing is wrong
_CLOSE_RMS_M = 18.0


class _Sample(NamedTuple):
    """A position and where it was found against the line of its leg."""

    place: geo.LonLat
    leg: Leg
    match: Match


class _Fit(NamedTuple):
    """A shift, metres east and north, that explains the samples."""

    east_m: float
    north_m: float
    likely: Literal["GCJ-02", ""]


class DatumSuspect(Watcher):
    """Positions that keep one constant shift against the line: not a truck that left it, but a line or a device in another
    datum.

    Only the part of a shift across the line can be seen. On a line with bends the whole shift follows by least squares
    from what is seen on its different directions. On a straight line the shift of GCJ-02, which is known for every place,
    is tried both ways.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._since: Step | None = None
        self._last: Step | None = None
        self._length = 0.0
        self._spacing = _SPACING_M
        self._samples: tuple[_Sample, ...] = ()
        self._tried = 0  # with how many samples a fit was tried last
        self._fitted: _Fit | None = None
        self._confirmed: Step | None = None
        self._against = 0
        self._evidence: tuple[Cited, ...] = ()

    @property
    def since_s(self) -> float | None:
        """When what the confirmed suspicion explains began."""
        return self._since.at_s if self._since is not None and self._confirmed is not None else None

    def places(self, step: Step) -> tuple[geo.LonLat, ...]:
        """Where a position may be: where it says, and once a shift is found, moved back by it too. Which of the two is wrong
        nobody knows yet, and a truck that may be at a station has neither passed it by nor stopped elsewhere."""
        if self._confirmed is None or self._fitted is None:
            return (_place(step),)
        return _place(step), _back(_place(step), self._fitted)

    def explains(self, step: Step, ways: Ways) -> bool:
        """Whether a position off the line is just where the suspected shift puts the line's own places."""
        fit = self._fitted
        if self._confirmed is None or fit is None:
            return False
        allowed = step.match.half_m + min(step.accuracy_m, 50.0)
        if abs(_across(step.match, fit) - step.match.left_m) <= allowed:
            return True
        back = _back(_place(step), fit)
        legs = LEGS if step.leg is None else (step.leg,)
        return any(ways.legs[leg].match(back, step.scale).off_m <= allowed for leg in legs)

    def accounts_for(self, episode: Episode) -> bool:
        """Whether an excursion since the suspicion's beginning went no farther than the shift itself."""
        fit, since = self._fitted, self._since
        if fit is None or since is None or episode.kind != "off-loop" or episode.since < since.fix.fixed_at:
            return False
        farthest = episode.values.get("farthest_m")
        allowed = hypot(fit.east_m, fit.north_m) + since.match.half_m + 50
        return isinstance(farthest, int | float) and farthest <= allowed

    def step(self, step: Step, ways: Ways) -> Episode | None:
        """Told of a step; the episode that has closed with it, or None."""
        if self._since is None:
            self._since = step
        if step.leaped or step.leg is None or step.station or step.match.off_m > 1_500:
            self._last = None if step.leaped or step.gap else self._last
            return None
        gone_m = None
        if self._last is not None and not step.gap:
            gone_m = geo.apart_m(_place(self._last), _place(step), step.scale)
            if gone_m < self._spacing:
                return None
        self._length += gone_m or 0.0
        self._sample(step, step.leg)
        if self._confirmed is None:
            count = len(self._samples)
            if count >= max(_ENOUGH, _AGAIN * self._tried) and self._length >= _LONG_ENOUGH_M:
                self._tried, self._fitted = count, _fit(self._samples, ways)
                self._confirmed = step if self._fitted is not None else None
            return None
        # Once found it stands, also on straight stretches that show less of it, until fixes keep to the line as it is drawn.
        assert self._fitted is not None
        on_line = abs(step.match.left_m) <= step.match.half_m < abs(_across(step.match, self._fitted)) - 50
        self._against = self._against + 1 if on_line else 0
        if self._against < _AGAINST:
            return None
        closed = self._episode(step.fix.fixed_at)
        self._clear()
        return closed

    def _sample(self, step: Step, leg: Leg) -> None:
        self._last = step
        if self._confirmed is not None:
            return
        if len(self._samples) >= _MOST:
            self._samples, self._spacing = self._samples[::2], self._spacing * 2
            self._tried = len(self._samples)
        self._samples = (*self._samples, _Sample(_place(step), leg, step.match))
        if step.match.off_m > _BESIDE_M / 2:
            self._evidence = (*self._evidence, cited(step))[-EVIDENCE_FIXES:]

    def open(self) -> Episode | None:
        """The open suspicion, once it is well founded."""
        return self._episode(None) if self._confirmed is not None else None

    def _episode(self, until: datetime | None) -> Episode:
        assert self._since is not None
        assert self._confirmed is not None
        assert self._fitted is not None
        return Episode(
            kind="datum-suspect",
            since=self._since.fix.fixed_at,
            confirmed_at=self._confirmed.fix.fixed_at,
            until=until,
            evidence=self._evidence,
            values={
                "shift_east_m": round(self._fitted.east_m),
                "shift_north_m": round(self._fitted.north_m),
                "likely": self._fitted.likely,
            },
        )


def _fit(samples: tuple[_Sample, ...], ways: Ways) -> _Fit | None:
    """The shift that explains the samples far better than none does, or None."""
    lefts = [s.match.left_m for s in samples]
    if _rms(lefts) < _BESIDE_M:
        return None
    place = samples[-1].place
    kx, ky = geo.scale_m(place[1])
    gx, gy = datum.wgs_to_gcj(*place)
    east, north = (gx - place[0]) * kx, (gy - place[1]) * ky
    for gcj in (_Fit(east, north, "GCJ-02"), _Fit(-east, -north, "GCJ-02")):
        if hypot(east, north) > 0 and _worth_trying(samples, gcj) and _explained(samples, _matched(samples, gcj, ways)):
            return gcj
    middle = sorted(lefts)[len(lefts) // 2]
    found = _least_squares(samples, lefts)
    # A road beside the line would show one distance on all its directions: the shift must explain them far better.
    beside = _rms(_best(left - middle for left in lefts))
    if found is None or beside < _rms(_best(left - _across(s.match, found) for s, left in zip(samples, lefts, strict=True))):
        return None
    for _ in range(3):
        if found is None or not _worth_trying(samples, found):
            return None
        matches = _matched(samples, found, ways)
        more = _least_squares(samples, [m.left_m for m in matches], matches)
        if more is None:
            return None
        found = _Fit(found.east_m + more.east_m, found.north_m + more.north_m, "")
    assert found is not None
    if not _LEAST_M <= hypot(found.east_m, found.north_m) <= _MOST_M:
        return None
    matches = _matched(samples, found, ways)
    return found if _explained(samples, matches) and _rms(_best(m.off_m for m in matches)) <= 0.33 * beside else None


def _worth_trying(samples: tuple[_Sample, ...], fit: _Fit) -> bool:
    """Whether the shift explains the distances roughly, as if the line were straight about each sample."""
    misfits = [s.match.left_m - _across(s.match, fit) for s in samples]
    return _rms(_best(misfits)) <= max(40.0, 0.3 * hypot(fit.east_m, fit.north_m))


def _matched(samples: tuple[_Sample, ...], fit: _Fit, ways: Ways) -> list[Match]:
    """Where on its line each sample lies once it is moved back by the shift."""
    scale = geo.scale_m(samples[0].place[1])
    return [ways.legs[s.leg].match(_back(s.place, fit), scale) for s in samples]


def _explained(samples: tuple[_Sample, ...], matches: list[Match]) -> bool:
    # Those that were on the line where the shift would have shown.
    agreed = sum(s.match.off_m <= _CLOSE_M and m.off_m > 2 * _CLOSE_M for s, m in zip(samples, matches, strict=True))
    close = sum(m.off_m <= _CLOSE_M for m in matches)
    return (
        agreed <= 0.05 * len(samples) and close >= _SHARE * len(samples) and _rms(_best(m.off_m for m in matches)) <= _CLOSE_RMS_M
    )


def _best(values: Iterable[float]) -> list[float]:
    """The smallest of some misfits: a few samples are matched to the wrong piece of line."""
    found = sorted(abs(v) for v in values)
    return found[: int(_SHARE * len(found)) + 1]


def _place(step: Step) -> geo.LonLat:
    return step.fix.lon, step.fix.lat


def _back(place: geo.LonLat, fit: _Fit) -> geo.LonLat:
    kx, ky = geo.scale_m(place[1])
    return place[0] - fit.east_m / kx, place[1] - fit.north_m / ky


def _across(match: Match, fit: _Fit) -> float:
    """How far left of the line the shift puts the line's own places there."""
    return match.east * fit.north_m - match.north * fit.east_m


def _rms(values: list[float]) -> float:
    return sqrt(sum(v * v for v in values) / len(values))


def _least_squares(samples: tuple[_Sample, ...], lefts: list[float], matches: list[Match] | None = None) -> _Fit | None:
    """The shift nearest to all samples but the worst; None when their directions are too much alike to tell."""
    rows = [(-m.north, m.east, c) for m, c in zip(matches or [s.match for s in samples], lefts, strict=True)]
    found = _solved(rows)
    if found is None:
        return None
    x, y = found
    rows.sort(key=lambda row: abs(row[2] - row[0] * x - row[1] * y))
    found = _solved(rows[: int(_SHARE * len(rows)) + 1])
    return _Fit(*found, "") if found is not None else None


def _solved(rows: list[tuple[float, float, float]]) -> tuple[float, float] | None:
    uu, vv, uv = sum(u * u for u, _, _ in rows), sum(v * v for _, v, _ in rows), sum(u * v for u, v, _ in rows)
    uc, vc = sum(u * c for u, _, c in rows), sum(v * c for _, v, c in rows)
    det = uu * vv - uv * uv
    # det / count² is the product of the shares of the two directions seen: 0 on a straight line, 1/4 at most.
    if det < 0.015 * len(rows) ** 2:
        return None
    return (uc * vv - vc * uv) / det, (vc * uu - uc * uv) / det
