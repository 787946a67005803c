"""Mozilla's HTTP Observatory, as far as one answer shows: its checks and its scoring, in our words.

A site begins with 100 points. Penalties come first; bonus points count only for whoever still has 90 without them. What it
asks of a whole site and not of an answer (a redirect from http to https, a certificate, the browsers' own preload list) is not
here, and so is its bonus for integrity attributes, which scripts of one's own origin do not need. The most that can be had
here is therefore 135: ten for the policy, ten for the resource policy, five each for cookies, referrer and framing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import SimpleCookie

FULL_MARKS, WITHOUT_COOKIES = 135, 130
_BROAD = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}
_INLINE = {"'unsafe-inline'", "data:"}
_HALF_A_YEAR_S = 15_552_000


@dataclass(frozen=True)
class Mark:
    """One check: what was found, and the points it gives or takes."""

    found: str
    points: int


def score(headers: Iterable[tuple[str, str]]) -> tuple[int, list[Mark]]:
    """The points of an answer that came by https, and how they came about."""
    told = [(name.lower(), value.strip()) for name, value in headers]

    def all_of(name: str) -> list[str]:
        return [value for there, value in told if there == name]

    policy = _policy(all_of("content-security-policy"))
    hsts = _hsts(all_of("strict-transport-security"))
    marks = [
        hsts,
        _csp(policy),
        _cookies(all_of("set-cookie"), hsts.points >= 0),
        _sharing(all_of("access-control-allow-origin"), all_of("access-control-allow-credentials")),
        _referrer(all_of("referrer-policy")),
        Mark("nosniff", 0) if all_of("x-content-type-options") == ["nosniff"] else Mark("sniffed", -5),
        _framing(policy, all_of("x-frame-options")),
        _resources(all_of("cross-origin-resource-policy")),
    ]
    points = 100 + sum(mark.points for mark in marks if mark.points < 0)
    if points >= 90:
        points += sum(mark.points for mark in marks if mark.points > 0)
    return max(points, 0), marks


def _policy(headers: list[str]) -> dict[str, list[str]] | None:
    """Directives and their sources; None without a policy, or with one that says a thing twice."""
    if len(headers) != 1 or "," in headers[0]:
        return None
    found: dict[str, list[str]] = {}
    for part in headers[0].split(";"):
        name, *sources = part.lower().split()
        if name in found:
            return None
        found[name] = sources
    return found


def _csp(policy: dict[str, list[str]] | None) -> Mark:
    if policy is None:
        return Mark("no usable policy", -25)
    default = policy.get("default-src", ["*"])
    script, style, objects = (set(policy.get(name, default)) for name in ("script-src", "style-src", "object-src"))
    everything = {source for sources in policy.values() for source in sources}
    if script & (_BROAD | _INLINE) or objects & _BROAD:
        return Mark("scripts from anywhere", -20)
    if any(source.startswith(("http:", "ftp:")) for source in everything):
        return Mark("something may come unencrypted", -20)
    if "'unsafe-eval'" in script | style:
        return Mark("eval", -10)
    if style & (_BROAD | _INLINE):
        return Mark("styles from anywhere", 0)
    return Mark("nothing by default", 10) if default == ["'none'"] else Mark("nothing unsafe", 5)


def _hsts(headers: list[str]) -> Mark:
    found = [re.fullmatch(r"max-age=(\d+)(;\s*includesubdomains)?(;\s*preload)?", header.lower()) for header in headers]
    if len(found) != 1 or found[0] is None:
        return Mark("https not insisted on", -20)
    return Mark("https insisted on", 0) if int(found[0][1]) >= _HALF_A_YEAR_S else Mark("https for too short a time", -10)


def _cookies(headers: list[str], https_insisted_on: bool) -> Mark:
    worst = Mark("no cookies", 0) if not headers else Mark("cookies as they should be", 5)
    for header in headers:
        for name, cookie in SimpleCookie(header).items():
            # A name with `login` or `sess` in it is taken for a session's by the grader; ours are all of one kind.
            candidates = [Mark("cookie", 5)]
            if not cookie["secure"]:
                candidates.append(Mark(f"{name} without Secure", -10 if https_insisted_on else -40))
            if not cookie["httponly"]:
                candidates.append(Mark(f"{name} without HttpOnly", -30))
            if cookie["samesite"].lower() not in ("lax", "strict"):
                candidates.append(Mark(f"{name} without SameSite", -20))
            worst = min(worst, *candidates, key=lambda mark: mark.points)
    return worst


def _sharing(origins: list[str], credentials: list[str]) -> Mark:
    return Mark("shared with everybody", -50) if origins and credentials else Mark("not shared", 0)


def _referrer(headers: list[str]) -> Mark:
    private = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
    if not headers:
        return Mark("referrer not spoken of", 0)
    return Mark("referrer kept private", 5) if len(headers) == 1 and headers[0] in private else Mark("referrer told", -5)


def _framing(policy: dict[str, list[str]] | None, headers: list[str]) -> Mark:
    if policy is not None and policy.get("frame-ancestors") and not set(policy["frame-ancestors"]) & _BROAD:
        return Mark("framed by nobody, says the policy", 5)
    return Mark("framed by nobody", 0) if headers in (["DENY"], ["SAMEORIGIN"]) else Mark("framed by anybody", -20)


def _resources(headers: list[str]) -> Mark:
    if not headers:
        return Mark("resources not spoken of", 0)
    return Mark("resources kept", 10) if headers in (["same-origin"], ["same-site"]) else Mark("resources open", -5)
