"""Camera frame, photograph -> text. Nothing is decided here but which text is worth reporting.

The law of this file:

* zbar reads a frame as it is, then after each of a ladder of cheap retries; the first text for which `good` says yes ends
  the climb. Hard frames (small, blurred, dark, inverted) that zbar alone misses are mostly read further up the ladder.
* Only the kinds of symbol asked for are looked for: two and a half times faster, and quieter.
* An image is never trusted: its bytes, its pixels and the time spent on it are limited before it is decoded. A frame of
  our own page is read in a thread; a photograph that somebody brings is read in a child process that may be killed,
  because no exception is raised when a C library aborts.

Images are flattened on white, made grey, and no larger than is useful. Texts come out as they were read.
"""

from __future__ import annotations

import ctypes
import functools
import io
import json
import shutil
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, ImageChops, ImageFilter, ImageOps

from checkpoint.core import badges

PASSES = ("QRCODE",)
TUBES = ("CODE128", "CODE39", "EAN13", "QRCODE")

PACKAGE = "libzbar0"
OLDEST = (0, 23, 92)
# The first Debian build of 0.23.92 without CVE-2023-40889 and CVE-2023-40890; 0.23.93 has the fixes itself.
MENDED_BUILD = "0.23.92-7+deb12u1"

MAX_BYTES = 25 * 1024 * 1024
MAX_JPEG_PIXELS = 80_000_000  # JPEG is decoded at a fraction of its size
MAX_PIXELS = 30_000_000  # other formats must be decoded whole first
USEFUL_SIDE = 2000
FRAME_BUDGET_S = 0.25
PHOTO_BUDGET_S = 6.0
PHOTO_LIMIT_S = 10.0
_PHOTO_MEMORY = 1024 * 1024 * 1024

Trouble = Literal["empty", "too-heavy", "too-large", "not-an-image", "reader-stopped"]
Good = Callable[[str], bool]


class UnreadableImage(ValueError):
    """The image cannot be looked at; `trouble` says why, as the end of a catalogue key (`kiosk.image.<trouble>`)."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble: Trouble = trouble
        super().__init__(trouble)


class NoReader(RuntimeError):
    """libzbar is not there, or too old to be shown strangers' images; `trouble` is `missing` or `old`."""

    def __init__(self, trouble: Literal["missing", "old"], found: str = "") -> None:
        self.trouble = trouble
        self.found = found
        super().__init__(f"{PACKAGE} is {trouble} {found}".strip())


@dataclass(frozen=True)
class Sight:
    """What was seen: every different text in the order found; `good` is the one that was asked for, if any.

    `climbed` counts the rungs of the ladder that were tried.
    """

    texts: tuple[str, ...]
    good: str | None
    climbed: int


def is_tube(text: str) -> bool:
    """Whether a text can be a tube's number: half a barcode, a badge and a stranger's QR code cannot."""
    if badges.normal(text) is not None:
        return False
    return 4 <= len(text) <= 40 and text.isascii() and all(c.isalnum() or c in "-_." for c in text)


# -- the library ------------------------------------------------------------------------------------------------------


@functools.cache
def _zbar() -> Any:  # noqa: ANN401 (pyzbar has no types)
    try:
        from pyzbar import pyzbar
        from pyzbar.wrapper import load_libzbar
    except ImportError:
        raise NoReader("missing") from None
    version = _version(load_libzbar())
    if version < OLDEST:
        raise NoReader("old", ".".join(map(str, version)))
    # zbar gives the parts of a structured-append symbol an orientation that pyzbar cannot name; it then raises, and the
    # valid pass beside that symbol is lost. Nothing here needs the orientation, so it is not asked for.
    pyzbar.zbar_symbol_get_orientation = None
    return pyzbar


def _version(library: ctypes.CDLL) -> tuple[int, int, int]:
    # pyzbar's own prototype lacks the third argument, which current versions write to.
    parts = [ctypes.c_uint(), ctypes.c_uint(), ctypes.c_uint()]
    library.zbar_version(*(ctypes.byref(part) for part in parts))
    return parts[0].value, parts[1].value, parts[2].value


def check_reader() -> str:
    """See to it that codes can be read here. Raises `NoReader`; returns a build that wants an update, or nothing.

    Only the package manager knows whether a 0.23.92 has its holes mended, so it is asked where there is one.
    """
    pyzbar = _zbar()
    if _version(pyzbar.EXTERNAL_DEPENDENCIES[0]) > OLDEST:
        return ""
    query, compare = shutil.which("dpkg-query"), shutil.which("dpkg")
    if query is None or compare is None:
        return ""
    asked = subprocess.run([query, "-W", "-f=${Version}", PACKAGE], capture_output=True, text=True, check=False)  # noqa: S603
    build = asked.stdout.strip()
    if asked.returncode != 0 or not build or "ubuntu" in build:  # Ubuntu mends under numbers of its own
        return ""
    older = subprocess.run([compare, "--compare-versions", build, "lt", MENDED_BUILD], check=False)  # noqa: S603
    return build if older.returncode == 0 else ""


# -- the ladder -------------------------------------------------------------------------------------------------------


def _as_it_is(grey: Image.Image) -> Image.Image:
    return grey


def _locally_thresholded(grey: Image.Image) -> Image.Image:
    around = grey.filter(ImageFilter.BoxBlur(max(2, min(grey.size) // 40)))
    return ImageChops.subtract(grey, around, 1, 128).point(_ABOVE_ITS_SURROUNDINGS)


def _contrast_raised(grey: Image.Image) -> Image.Image:
    smooth = grey.filter(ImageFilter.GaussianBlur(1))
    return ImageChops.subtract(smooth, smooth.filter(ImageFilter.BoxBlur(24)), 0.25, 128)


def _sharpened(grey: Image.Image) -> Image.Image:
    return grey.filter(ImageFilter.UnsharpMask(4, 200, 0))


def _inverted(grey: Image.Image) -> Image.Image:
    return ImageOps.invert(grey)


def _doubled(grey: Image.Image) -> Image.Image:
    return grey.resize((grey.width * 2, grey.height * 2), Image.Resampling.BICUBIC)


def _doubled_and_sharpened(grey: Image.Image) -> Image.Image:
    return _sharpened(_doubled(grey))


_ABOVE_ITS_SURROUNDINGS = [255 if level > 124 else 0 for level in range(256)]
_DOUBLED_UP_TO = 1920
LADDER: tuple[Callable[[Image.Image], Image.Image], ...] = (
    _as_it_is,
    _locally_thresholded,
    _contrast_raised,
    _sharpened,
    _inverted,
    _doubled,
    _doubled_and_sharpened,
)


def _texts(grey: Image.Image, symbols: Iterable[str]) -> Iterator[str]:
    zbar = _zbar()
    wanted = [zbar.ZBarSymbol[name] for name in symbols]
    for found in zbar.decode((grey.tobytes(), grey.width, grey.height), symbols=wanted):
        if found.data:
            # A pass is ASCII; what is not is somebody else's code, and only its being there matters.
            yield found.data.decode("utf-8", "replace")


def _climb(grey: Image.Image, symbols: Iterable[str], budget_s: float) -> Iterator[tuple[int, str]]:
    """Each different text found, with the number of the rung it was found on, until the time is used up."""
    ends = time.monotonic() + budget_s
    told: set[str] = set()
    for rung, change in enumerate(LADDER, start=1):
        if rung > 1 and time.monotonic() >= ends:
            return
        if change in (_doubled, _doubled_and_sharpened) and max(grey.size) > _DOUBLED_UP_TO:
            continue
        for text in _texts(change(grey), symbols):
            if text not in told:
                told.add(text)
                yield rung, text


def _look(grey: Image.Image, good: Good, symbols: Iterable[str], budget_s: float) -> Sight:
    texts: list[str] = []
    for rung, text in _climb(grey, symbols, budget_s):
        texts.append(text)
        if good(text):
            return Sight(tuple(texts), text, rung)
    return Sight(tuple(texts), None, len(LADDER))


# -- images -----------------------------------------------------------------------------------------------------------

# What Pillow's decoders raise on bytes made to hurt them, beside OSError.
_PILLOW_GIVES_UP = (
    OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError, KeyError, AttributeError, OverflowError,
    ZeroDivisionError, MemoryError, struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


def grey_image(data: bytes) -> Image.Image:
    """A JPEG, PNG or WebP as grey pixels of a useful size, flattened on white. Raises `UnreadableImage`."""
    if not data:
        raise UnreadableImage("empty")
    if len(data) > MAX_BYTES:
        raise UnreadableImage("too-heavy")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            pixels = image.width * image.height
            if not pixels:
                raise UnreadableImage("empty")
            if pixels > (MAX_JPEG_PIXELS if image.format == "JPEG" else MAX_PIXELS):
                raise UnreadableImage("too-large")
            if image.format == "JPEG" and max(image.size) > USEFUL_SIDE:
                image.draft("L", (1600, 1200))
            return _useful(_flattened(image))
    except UnreadableImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableImage("too-large") from None
    except _PILLOW_GIVES_UP:
        raise UnreadableImage("not-an-image") from None


def _flattened(image: Image.Image) -> Image.Image:
    if "A" in image.getbands() or "transparency" in image.info:
        clear = image.convert("RGBA")
        page = Image.new("RGBA", clear.size, "white")
        page.alpha_composite(clear)
        return page.convert("L")
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda level: level / 256).convert("L")
    return image.convert("L")


def _useful(grey: Image.Image) -> Image.Image:
    grey.load()
    if max(grey.size) > USEFUL_SIDE:
        grey.thumbnail((USEFUL_SIDE, USEFUL_SIDE))
    return grey


def read_frame(data: bytes, good: Good, *, symbols: Iterable[str] = PASSES, budget_s: float = FRAME_BUDGET_S) -> Sight:
    """Read a frame of our own page, in this thread. Raises `UnreadableImage`, `NoReader`."""
    return _look(grey_image(data), good, symbols, budget_s)


def read_luma(
    pixels: bytes,
    width: int,
    height: int,
    good: Good,
    *,
    symbols: Iterable[str] = PASSES,
    budget_s: float = FRAME_BUDGET_S,
) -> Sight:
    """Read 8-bit grey pixels, row by row. Raises `UnreadableImage`, `NoReader`."""
    if width <= 0 or height <= 0 or not pixels:
        raise UnreadableImage("empty")
    if width * height > MAX_PIXELS:
        raise UnreadableImage("too-large")
    if len(pixels) != width * height:
        raise UnreadableImage("not-an-image")
    return _look(_useful(Image.frombytes("L", (width, height), pixels)), good, symbols, budget_s)


# -- photographs, in a child ------------------------------------------------------------------------------------------


def read_photo(data: bytes, good: Good, *, symbols: Iterable[str] = PASSES, limit_s: float = PHOTO_LIMIT_S) -> Sight:
    """Read a photograph that somebody brought, in a child process. Raises `UnreadableImage`, `NoReader`.

    The child says every text as it finds it; it is ended as soon as one is good, or when `limit_s` is over.
    """
    if not data:
        raise UnreadableImage("empty")
    if len(data) > MAX_BYTES:
        raise UnreadableImage("too-heavy")
    _zbar()
    command = [sys.executable, "-m", "kiosk.scanner", *symbols]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603
    over = threading.Timer(limit_s, child.kill)
    over.start()
    try:
        with child:
            try:
                return _heard(child, data, good)
            finally:
                child.kill()
    finally:
        over.cancel()


def _heard(child: subprocess.Popen[bytes], data: bytes, good: Good) -> Sight:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(data)
        child.stdin.close()
    except BrokenPipeError:
        raise UnreadableImage("reader-stopped") from None
    texts: list[str] = []
    for line in child.stdout:
        said = json.loads(line)
        if "trouble" in said:
            raise UnreadableImage(said["trouble"])
        if "end" in said:
            return Sight(tuple(texts), None, len(LADDER))
        texts.append(said["text"])
        if good(said["text"]):
            return Sight(tuple(texts), said["text"], said["rung"])
    raise UnreadableImage("reader-stopped")


def _child(symbols: list[str]) -> None:
    """Read one image from standard input and say what is found, a JSON object a line."""
    try:
        import resource
    except ImportError:  # not on this system: the parent's time limit remains
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (_PHOTO_MEMORY, _PHOTO_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(PHOTO_LIMIT_S) + 1, int(PHOTO_LIMIT_S) + 1))

    def say(**said: object) -> None:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()

    try:
        grey = grey_image(sys.stdin.buffer.read(MAX_BYTES + 1))
    except UnreadableImage as unreadable:
        say(trouble=unreadable.trouble)
        return
    for rung, text in _climb(grey, symbols, PHOTO_BUDGET_S):
        say(rung=rung, text=text)
    say(end=True)


if __name__ == "__main__":
    _child(sys.argv[1:] or list(PASSES))
