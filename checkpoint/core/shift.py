"""Another datum: positions that keep one constant shift of some hundred metres against the line.

A line drawn on a Chinese map and taken for WGS-84 makes a departure of every fix. That is one finding about the line (or
the device), not a flood about the trucks. `episodes.py` has the law that watchers keep to.
"""

from __future__ import annotations

from datetime import datetime
from math import hypot, sqrt
from typing import Literal

from checkpoint.core import datum, geo
from checkpoint.core.episodes import EVIDENCE_FIXES, Step, Watcher, cited
from checkpoint.core.facts import Cited
from checkpoint.core.fixes import Episode

_SPACING_M = 250.0  # samples nearer to each other than this say the same thing twice
_FADING = 0.97  # how much older samples still count with each new one: about the last thirty
_ENOUGH = 12
_AGAINST = 5
_LONG_ENOUGH_M = 3_000.0


class DatumSuspect(Watcher):
    """Positions that keep one constant shift of some hundred metres against the line: not a truck that left it, but a
    line or a device in another datum.

    Only the part of a shift across the line can be seen. On a line with bends the whole shift follows by least squares
    from what is seen on its different directions (a road beside the line keeps its distance through a bend, a shift does
    not). On a straight line the shift of GCJ-02, which is known for every place, is tried both ways.
    """

    def __init__(self) -> None:
        self._agreed = False  # device and line once agreed where the shift of GCJ-02 would have shown
        self._clear()

    def _clear(self) -> None:
        self._since: Step | None = None
        self._last: Step | None = None
        self._length = 0.0
        self._count = 0
        # Fading sums over samples with the line's left normal (u, v) and the signed distance c off it.
        self._weight = self._uu = self._uv = self._vv = self._uc = self._vc = self._cc = self._c = 0.0
        self._plus = self._minus = 0.0  # squared misfit if the device, or the line, is in GCJ-02
        self._gcj: geo.LonLat = (0.0, 0.0)
        self._gcj_at: geo.LonLat | None = None
        self._shift: geo.LonLat | None = None
        self._likely: Literal["GCJ-02", ""] = ""
        self._confirmed: Step | None = None
        self._against = 0
        self._evidence: tuple[Cited, ...] = ()

    @property
    def since_s(self) -> float | None:
        """When the confirmed suspicion's samples began."""
        return self._since.at_s if self._since is not None and self._confirmed is not None else None

    def explains(self, step: Step) -> bool:
        """Whether a position off the line is just where the suspected shift puts the line's own places."""
        if self._confirmed is None:
            return False
        return abs(step.match.left_m - self._across(step)) <= step.match.half_m + min(step.accuracy_m, 50.0)

    def step(self, step: Step) -> Episode | None:
        """Told of a step; the episode that has closed with it, or None."""
        if step.gap or step.leaped:
            self._last = None
            return None
        if step.station or step.match.off_m > 1_500:
            return None
        gone_m = geo.apart_m(_place(self._last), _place(step), step.scale) if self._last is not None else None
        if gone_m is not None and gone_m < _SPACING_M:
            return None
        self._length += gone_m or 0.0
        self._sample(step)
        fits = self._fit()
        if fits is not None:
            self._shift, self._likely = fits
        if self._confirmed is None:
            enough = self._count >= _ENOUGH and self._length >= _LONG_ENOUGH_M
            if fits is not None and enough and step.excess_m > 0:
                self._confirmed = step
            return None
        # Once found it stands, also on straight stretches that show less of it, until fixes keep to the line as it is drawn.
        on_line = abs(step.match.left_m) <= step.match.half_m < abs(self._across(step)) - 50
        self._against = self._against + 1 if on_line else 0
        if self._against < _AGAINST:
            return None
        closed = self._episode(step.fix.fixed_at)
        self._clear()
        return closed

    def _across(self, step: Step) -> float:
        """How far left of the line the suspected shift puts the line's own places there."""
        return 0.0 if self._shift is None else step.match.east * self._shift[1] - step.match.north * self._shift[0]

    def _sample(self, step: Step) -> None:
        if self._since is None:
            self._since = step
        self._last = step
        self._count += 1
        place = _place(step)
        if self._gcj_at is None or geo.apart_m(self._gcj_at, place, step.scale) > 2_000:
            gx, gy = datum.wgs_to_gcj(*place)
            self._gcj = (gx - place[0]) * step.scale[0], (gy - place[1]) * step.scale[1]
            self._gcj_at = place
        u, v, c = -step.match.north, step.match.east, step.match.left_m
        across, f = u * self._gcj[0] + v * self._gcj[1], _FADING
        self._weight = self._weight * f + 1
        self._uu, self._uv, self._vv = self._uu * f + u * u, self._uv * f + u * v, self._vv * f + v * v
        self._uc, self._vc, self._cc = self._uc * f + u * c, self._vc * f + v * c, self._cc * f + c * c
        self._c = self._c * f + c
        if abs(c) <= step.match.half_m < abs(across) - 50:
            self._agreed = True
        self._plus = self._plus * f + (c - across) ** 2
        self._minus = self._minus * f + (c + across) ** 2
        if self._confirmed is None and step.excess_m > 0:
            self._evidence = (*self._evidence, cited(step))[-EVIDENCE_FIXES:]

    def _fit(self) -> tuple[geo.LonLat, Literal["GCJ-02", ""]] | None:
        """The shift (metres east, north) that explains the samples far better than none does, or None."""
        w = self._weight
        plain = sqrt(self._cc / w)
        if plain < 60:
            return None
        for squares, sign in ((self._plus, 1), (self._minus, -1)):
            if not self._agreed and sqrt(squares / w) <= min(25.0, plain / 4):
                return (sign * self._gcj[0], sign * self._gcj[1]), "GCJ-02"
        det = self._uu * self._vv - self._uv * self._uv
        # det / w² is the product of the shares of the two directions seen: 0 on a straight line, 1/4 at most.
        if det < 0.06 * w * w:
            return None
        x = (self._uc * self._vv - self._vc * self._uv) / det
        y = (self._vc * self._uu - self._uc * self._uv) / det
        rest = sqrt(max(0.0, self._cc - x * self._uc - y * self._vc) / w)
        # A road beside the line would show one distance on all its directions: the shift must explain them far better.
        beside = sqrt(max(0.0, self._cc - self._c * self._c / w) / w)
        if 80 <= hypot(x, y) <= 900 and rest <= max(25.0, 0.2 * hypot(x, y)) and rest <= min(plain / 3, 0.4 * beside):
            return (x, y), ""
        return None

    def open(self) -> Episode | None:
        """The open suspicion, once it is well founded."""
        return self._episode(None) if self._confirmed is not None else None

    def _episode(self, until: datetime | None) -> Episode:
        assert self._since is not None
        assert self._confirmed is not None
        assert self._shift is not None
        return Episode(
            kind="datum-suspect",
            since=self._since.fix.fixed_at,
            confirmed_at=self._confirmed.fix.fixed_at,
            until=until,
            evidence=self._evidence,
            values={
                "shift_east_m": round(self._shift[0]),
                "shift_north_m": round(self._shift[1]),
                "likely": self._likely,
            },
        )


def _place(step: Step) -> geo.LonLat:
    return step.fix.lon, step.fix.lat
