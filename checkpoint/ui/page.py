"""The ground every template stands on: one Jinja environment, escaping always, undefined names an error.

Each render is given `_` (a `Texts`), `lang`, `zone` (the loop's time zone) and `now`. The filters `when` and `span` take
them from there, and from nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import jinja2
import qrcode
from markupsafe import Markup

from checkpoint.ui import clock

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"


def environment(extra_template_dirs: Iterable[Path | str] = ()) -> jinja2.Environment:
    """A Jinja environment over the shared templates and a program's own (its own win)."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*map(str, extra_template_dirs), str(TEMPLATES)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["when"] = _when
    found.filters["span"] = _span
    found.globals["qr_svg"] = qr_svg
    return found


@jinja2.pass_context
def _when(context: jinja2.runtime.Context, at: datetime | None, form: str = "near") -> str | Markup:
    """`{{ at | when }}`: see `clock.stamp`; nothing for None."""
    return "" if at is None else clock.stamp(at, context["zone"], context["lang"], form, context["now"])


@jinja2.pass_context
def _span(context: jinja2.runtime.Context, length: timedelta | float | None) -> str:
    """`{{ seconds | span }}`: see `clock.span`; nothing for None."""
    return "" if length is None else clock.span(length, context["_"])


def qr_text(text: str) -> str:
    """A QR code for a terminal, two modules a character; read best dark on light, so it brings its own light."""
    code = qrcode.QRCode(border=2)
    code.add_data(text)
    said = StringIO()
    code.print_ascii(out=said, invert=True)
    return said.getvalue().rstrip("\n")


def qr_svg(text: str, label: str, border: int = 4, level: str = "M") -> Markup:
    """A QR code as inline SVG, black on white whatever the theme, with its name for those who cannot see it.

    Upper-case letters and digits make the densest code, so passes are written in them. Level `M` reads best on screens,
    `Q` on paper, where scratches and dirt come.
    """
    correction = {"M": qrcode.constants.ERROR_CORRECT_M, "Q": qrcode.constants.ERROR_CORRECT_Q}[level]
    code = qrcode.QRCode(error_correction=correction, border=border)
    code.add_data(text)
    code.make(fit=True)
    matrix = code.get_matrix()
    runs: list[str] = []
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            length = 0
            while x + length < len(row) and row[x + length]:
                length += 1
            if length:
                runs.append(f"M{x} {y}h{length}v1h-{length}z")
            x += length or 1
    side = len(matrix)
    return Markup(
        '<svg class="qr" role="img" aria-label="{}" viewBox="0 0 {} {}" shape-rendering="crispEdges">'
        '<rect width="{}" height="{}" fill="#fff"/><path d="{}" fill="#000"/></svg>'
    ).format(label, side, side, side, side, "".join(runs))
