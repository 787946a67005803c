"""Every sentence a person reads, by dotted key, in Chinese and English.

The law of this file: code and templates hold keys, catalogues hold sentences. A catalogue is `catalogues/<lang>/<domain>.po`;
its msgid is the key, `%(name)s` its placeholders; an entry with `msgid_plural` is chosen by the value of `count`. All domains
of a language are one table, and the same key in two domains is a mistake.

A missing key must not stop a station at night: the key itself is shown, and logged once. Tests switch `strict` on, and then
it raises `MissingText`.
"""

from __future__ import annotations

import gettext
import logging
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from markupsafe import Markup, escape

LANGUAGES = ("zh", "en")
CATALOGUES = Path(__file__).parent / "catalogues"
LOCALES = {"zh": "zh_Hans_CN", "en": "en_GB"}

strict = False
"""Whether a missing key, or a placeholder without its value, raises. Tests set it."""

_log = logging.getLogger(__name__)
_missed: set[str] = set()


class MissingText(LookupError):
    """A key that the catalogue does not have, or a placeholder that got no value."""


class Texts:
    """The texts of one language; call it with a key and the values of its placeholders."""

    def __init__(self, lang: str, table: Mapping[str, tuple[str, ...]], plural: Callable[[int], int]) -> None:
        self.lang = lang
        self.locale = LOCALES[lang]
        self._table = table
        self._plural = plural

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key. `count`, where the entry has a plural, chooses its form. A text filled with markup is markup, and
        all else in it is escaped."""
        forms = self._table.get(key)
        if forms is None:
            return self._missing(key, "is in no catalogue")
        count = values.get("count")
        form = forms[self._plural(count)] if len(forms) > 1 and isinstance(count, int) else forms[0]
        try:
            if any(isinstance(value, Markup) for value in values.values()):
                return escape(form) % values
            return form % values
        except (KeyError, ValueError, TypeError) as error:
            return self._missing(key, f"cannot be filled in ({error})")

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def keys(self) -> frozenset[str]:
        """Every key of the language."""
        return frozenset(self._table)

    def placeholders(self, key: str) -> frozenset[str]:
        """The names of the values that a text wants."""
        return frozenset(name for form in self._table[key] for name in re.findall(r"%\((\w+)\)", form))

    def _missing(self, key: str, why: str) -> str:
        if strict:
            raise MissingText(f"{self.lang}: {key} {why}")
        if key not in _missed:
            _missed.add(key)
            _log.error("text %s (%s) %s", key, self.lang, why)
        return key


@cache
def texts(lang: str) -> Texts:
    """The texts of one of `LANGUAGES`. Raises `ValueError` when two catalogues fight over a key."""
    table: dict[str, tuple[str, ...]] = {}
    # Two forms for English, one for Chinese: what the catalogues' languages have, asked of no header.
    plural = gettext.c2py("n != 1") if lang == "en" else gettext.c2py("0")
    for path in sorted((CATALOGUES / lang).glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=LOCALES[lang], abort_invalid=True)
        for message in catalogue:
            if not message.id:
                continue
            key = message.id[0] if isinstance(message.id, list | tuple) else message.id
            said = message.string if isinstance(message.string, list | tuple) else (message.string,)
            forms = tuple(form or "" for form in said)
            if key in table:
                raise ValueError(f"{path.name} ({lang}) says {key} a second time")
            if all(forms):
                table[key] = forms
    return Texts(lang, table, plural)


def pick_language(cookie: str | None, accept_language: str | None) -> str:
    """The language to answer in: the one chosen before, else the browser's first that we have, else Chinese."""
    if cookie in LANGUAGES:
        return cookie
    wishes: list[tuple[float, str]] = []
    for part in (accept_language or "").split(",")[:20]:
        tag, _, weight = part.strip().partition(";q=")
        try:
            wishes.append((float(weight or 1), tag.split("-")[0].lower()))
        except ValueError:
            continue
    wishes = [wish for wish in wishes if wish[1] in LANGUAGES and wish[0] > 0]
    return max(wishes, key=lambda wish: wish[0])[1] if wishes else LANGUAGES[0]
