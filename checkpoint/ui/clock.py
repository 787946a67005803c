"""Instants and spans as people read them: in the loop's time zone, in their language. UTC stays inside.

A time is never shown without its day unless the day is today's at the glass, and always carries its instant for machines.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from babel.dates import format_datetime
from markupsafe import Markup, escape

from checkpoint.ui.catalogue import Texts

_FORMS = {
    "zh": {"time": "HH:mm", "seconds": "HH:mm:ss", "day": "M月d日 HH:mm", "full": "y年M月d日 HH:mm:ss", "date": "y年M月d日"},
    "en": {"time": "HH:mm", "seconds": "HH:mm:ss", "day": "d MMM HH:mm", "full": "d MMM y, HH:mm:ss", "date": "d MMM y"},
}


def local(at: datetime, zone: tzinfo, lang: str, form: str = "day", now: datetime | None = None) -> str:
    """An instant as text. Forms: `time`, `seconds`, `day`, `full`, `date`, and `near`: the time alone when it is today."""
    shown = at.astimezone(zone)
    if form == "near":
        form = "time" if now is not None and shown.date() == now.astimezone(zone).date() else "day"
    return format_datetime(shown, _FORMS[lang][form], locale="zh_Hans_CN" if lang == "zh" else "en_GB")


def stamp(at: datetime, zone: tzinfo, lang: str, form: str = "day", now: datetime | None = None) -> Markup:
    """An instant as a `<time>` element: local to read, the instant in its attribute, the zone in its title."""
    text = local(at, zone, lang, form, now)
    title = f"{local(at, zone, lang, 'full')} {at.astimezone(zone).tzname()}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), title, escape(text))


def span(length: timedelta | float, t: Texts, units: int = 2) -> str:
    """A length of time (or seconds) in at most so many units, one or two: `1 h 20 min`, `2 天 3 小时`, `40 s`."""
    seconds = int(abs(length.total_seconds() if isinstance(length, timedelta) else length))
    if seconds < 60:
        return t("span.seconds", count=seconds)
    minutes = seconds // 60
    if minutes < 60:
        return t("span.minutes", count=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        first, second = t("span.hours", count=hours), t("span.minutes", count=minutes) if minutes else ""
    else:
        days, hours = divmod(hours, 24)
        first, second = t("span.days", count=days), t("span.hours", count=hours) if hours else ""
    return f"{first} {second}".strip() if units > 1 else first
