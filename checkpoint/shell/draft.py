"""`checkpoint loop draft TRACK...`: a loop document made from recorded drives or a planned route, to be read and corrected.

The law of this file: the document goes to standard output, and nothing else; what was found, left out and made up is said on
standard error. A draft that `loop check` would refuse is not printed.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from checkpoint import config
from checkpoint.core.geo import LonLat
from checkpoint.core.loop import Loop, MalformedLoop, parse
from checkpoint.decoders.recorded import Drive, fixes_of
from checkpoint.drafting import HALF_WIDTH_M, Draft, NoLoop, Suggested, draft
from checkpoint.drafting.fitting import Way
from checkpoint.replay import replay
from checkpoint.shell.ground import DONE, NO, complain
from checkpoint.shell.tracks import NotRead, drives
from checkpoint.ui import LANGUAGES, Texts, texts

_ZONE = "Asia/Shanghai"


def drafted(asked: argparse.Namespace, t: Texts) -> int:
    """Print the document, and say what went into it."""
    half_width_m: float = asked.half_width_m or HALF_WIDTH_M
    try:
        found = _named(list(drives(asked, t)))
        suggested = draft(found, half_width_m)
    except NotRead as error:
        complain(str(error))
        return NO
    except NoLoop as error:
        complain(t(f"draft.{error.why}", **error.values))
        return NO
    zone = str(asked.zone) if asked.zone is not None else _ZONE
    document = written(suggested, found[0][0], zone, config.utc_now())
    try:
        loop = parse(document)
    except MalformedLoop as error:
        for problem in error.problems:
            complain(t("cli.loop.problem", problem=problem))
        complain(t("draft.unsound"))
        return NO
    _said(suggested, t)
    _tried(loop, found, t)
    print(document)
    return DONE


def _named(found: Sequence[tuple[Path, Drive]]) -> list[tuple[str, Drive]]:
    """The drives by names of their own: the file's, and which of its drives."""
    names = [f"{file.name}: {drive.name}" if drive.name else file.name for file, drive in found]
    return [
        (f"{name} ({i + 1})" if names.count(name) > 1 else name, drive)
        for i, (name, (_, drive)) in enumerate(zip(names, found, strict=True))
    ]


# -- the document -----------------------------------------------------------------------------------------------------------


def written(suggested: Draft, name: str, zone: str, now: datetime) -> str:
    """The draft as a loop document, a station and some twenty points of a line to each line of text."""
    file = name.split(":")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", Path(file).stem.casefold()).strip("-")[:50] or "draft"
    made_from = "draft.note.back-driven" if suggested.back_driven else "draft.note.back-assumed"
    entries = {
        "id": slug,
        "version": 1,
        "effective_from": now.astimezone(UTC).replace(microsecond=0).isoformat(),
        "name": _both("draft.name", name=file),
        "note": _both(made_from, count=suggested.laps_count, name=file),
        "time_zone": zone,
        "origin": "origin",
        "destination": "destination",
    }
    lines = [f"  {json.dumps(key)}: {_compact(value)}" for key, value in entries.items()]
    lines.append('  "policy": ' + _compact({"half_width_m": suggested.half_width_m}))
    stations = ",\n".join("    " + _compact(station) for station in _stations(suggested.stations))
    lines.append(f'  "stations": [\n{stations}\n  ]')
    lines += [f'  "{leg}": {_way(way)}' for leg, way in (("outbound", suggested.out), ("inbound", suggested.back))]
    return "{\n" + ",\n".join(lines) + "\n}"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _both(key: str, **values: object) -> dict[str, str]:
    """A text in both languages: the document is read by people of both."""
    return {lang: texts(lang)(key, **values) for lang in LANGUAGES}


def _stations(suggested: Sequence[Suggested]) -> list[dict[str, Any]]:
    found = []
    number = 0
    for station in suggested:
        number += station.role == "stop"
        found.append(
            {
                "id": f"stop-{number}" if station.role == "stop" else station.role,
                "name": _both(f"draft.station.{station.role}", number=number),
                "boundary": {"circle": {"center": _place(station.center), "radius_m": station.radius_m}},
                "services": list(station.services),
            }
        )
    return found


def _place(place: LonLat) -> list[float]:
    return [round(place[0], 6), round(place[1], 6)]


def _way(way: Way) -> str:
    points = [_compact(_place(place)) for place in way.points]
    rows = ",\n".join("      " + ", ".join(points[i : i + 6]) for i in range(0, len(points), 6))
    sections = ", ".join(_compact({"from_m": start, "half_width_m": width}) for start, width in way.sections)
    return f'{{\n    "points": [\n{rows}\n    ],\n    "sections": [{sections}]\n  }}'


# -- what is said of it -----------------------------------------------------------------------------------------------------


def _said(suggested: Draft, t: Texts) -> None:
    complain(t(f"draft.shape.{suggested.shape}", count=suggested.laps_count))
    for leg, way in (("outbound", suggested.out), ("inbound", suggested.back)):
        widest = max((width for _, width in way.sections), default=suggested.half_width_m)
        km = f"{way.length_m / 1000:.1f}"
        complain(t("draft.way", leg=t(f"board.leg.{leg}"), km=km, count=len(way.points), widest=round(widest)))
    if not suggested.back_driven:
        complain(t("draft.back-assumed"))
    complain(t("draft.stations", count=len(suggested.stations)))
    if suggested.dropped_count:
        complain(t("draft.dropped", count=suggested.dropped_count))
    for name in suggested.elsewhere:
        complain(t("draft.elsewhere", name=name))
    for name, first, last in suggested.detours:
        complain(t("draft.detour", name=name, first=f"{first / 1000:.1f}", last=f"{last / 1000:.1f}"))


def _tried(loop: Loop, found: Sequence[tuple[str, Drive]], t: Texts) -> None:
    """Replay every drive on the draft: what would be said of it shows where the draft does not fit."""
    for name, drive in found:
        if not drive.timed:
            continue
        said = [one for one in replay(loop, fixes_of(drive, "track")) if one.confirmed_at is not None]
        if not said:
            complain(t("draft.tried.quiet", name=name))
        for kind in dict.fromkeys(one.kind for one in said):
            count = sum(one.kind == kind for one in said)
            complain(t("draft.tried.said", name=name, kind=t(f"finding.{kind}"), count=count))
