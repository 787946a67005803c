"""Reading passes from pictures: hard conditions, hostile pictures, and what lies beside the pass."""

from __future__ import annotations

import io
import random
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import qrcode
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from checkpoint.core import passes
from checkpoint.core.passes import PROVINCES, Pass
from kiosk import scanner
from kiosk.scanner import NoReader, UnreadableImage, grey_image, read_frame, read_luma, read_photo
from tests.station import jpeg, picture

ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {passes.key_id(ISSUER.public_key()): ISSUER.public_key()}
BEGINS = datetime(2026, 5, 3, tzinfo=UTC)
PATIENT_S = 5.0  # on a busy test machine the ladder must not end for want of time


def sealed(plate: str = "浙C12345") -> str:
    found = Pass(
        number="330304-0000017",
        plate=plate,
        loop_digest=passes.loop_digest("ouhai-shanghai"),
        not_before=BEGINS,
        expires=BEGINS + timedelta(days=2),
    )
    return passes.seal(found, ISSUER)


PASS = sealed()


def good(text: str) -> bool:
    try:
        passes.read(text, KEYS)
    except (passes.NotAPass, passes.Untrusted):
        return False
    return True


def png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def webp(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.convert("RGB").save(data, "WEBP", quality=80)
    return data.getvalue()


def noisy(image: Image.Image, sigma: float) -> Image.Image:
    rng = random.Random(3)
    noise = Image.frombytes("L", (256, 256), bytes(min(255, max(0, int(rng.gauss(128, sigma)))) for _ in range(256 * 256)))
    out = image.copy()
    for x in range(0, out.width, 256):
        for y in range(0, out.height, 256):
            box = (x, y, min(x + 256, out.width), min(y + 256, out.height))
            tile = noise.crop((0, 0, box[2] - box[0], box[3] - box[1]))
            part = out.crop(box)
            out.paste(Image.eval(Image.blend(part, tile, 0.5), lambda v: max(0, min(255, 2 * v - 128))), box)
    return out


CONDITIONS = {
    "as the phone shows it": picture(PASS),
    "tiny": picture(PASS, box=2, side=320).resize((240, 240), Image.Resampling.LANCZOS),
    "out of focus": picture(PASS).filter(ImageFilter.GaussianBlur(3.1)),
    "at night": Image.eval(picture(PASS), lambda v: 20 + v // 7),
    "with a dark screen": ImageOps.invert(picture(PASS)),
    "turned": picture(PASS).rotate(31, fillcolor=90, resample=Image.Resampling.BICUBIC),
    "grainy": noisy(picture(PASS), 45),
    "badly compressed": Image.open(io.BytesIO(jpeg(picture(PASS, box=4), quality=10))).convert("L"),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_pass_is_read(condition: str) -> None:
    found = read_frame(jpeg(CONDITIONS[condition], quality=90), good, budget_s=PATIENT_S)
    assert found.good == PASS


def test_the_ladder_reads_what_the_bare_library_does_not() -> None:
    rungs = {name: read_frame(jpeg(image, quality=90), good, budget_s=PATIENT_S).climbed for name, image in CONDITIONS.items()}
    assert rungs["as the phone shows it"] == 1
    assert rungs["with a dark screen"] > 1
    assert rungs["out of focus"] > 1


@pytest.mark.parametrize("province", PROVINCES)
def test_plates_of_every_province_survive_the_camera(province: str) -> None:
    text = sealed(f"{province}A1B2C3")
    found = read_frame(jpeg(picture(text)), good, budget_s=PATIENT_S)
    assert found.good is not None
    assert passes.read(found.good, KEYS).pass_.plate == f"{province}A1B2C3"


def appended_part(data: str) -> Image.Image:
    """One symbol of a structured append (part 1 of 2, parity 0): mode 0011, then the place, then the text."""
    code = qrcode.QRCode(version=4, error_correction=qrcode.constants.ERROR_CORRECT_M, box_size=5)
    code.add_data(data, optimize=0)
    plain = qrcode.util.create_data

    def with_header(version: int, level: int, parts: list[object]) -> list[int]:
        written = qrcode.util.BitBuffer()
        for value, bits in ((3, 4), (0, 4), (1, 4), (0, 8)):
            written.put(value, bits)
        real = qrcode.util.BitBuffer
        first = [written]

        class Headed(real):  # type: ignore[misc, valid-type]
            def __init__(self) -> None:
                super().__init__()
                if first:
                    head = first.pop()
                    self.buffer, self.length = list(head.buffer), head.length

        qrcode.util.BitBuffer = Headed
        try:
            return plain(version, level, parts)  # type: ignore[no-any-return]
        finally:
            qrcode.util.BitBuffer = real

    qrcode.util.create_data = with_header
    try:
        code.make(fit=False)
    finally:
        qrcode.util.create_data = plain
    image: Image.Image = code.make_image().get_image().convert("L")
    return image


def test_a_sticker_of_a_structured_append_does_not_hide_the_pass_beside_it() -> None:
    from pyzbar import pyzbar, wrapper

    sticker = appended_part("PART ONE OF TWO")
    frame = Image.new("L", (1280, 720), 200)
    frame.paste(sticker, (40, 200))
    frame.paste(picture(PASS, side=300, box=5), (620, 80))
    assert read_frame(jpeg(frame), good, budget_s=PATIENT_S).good == PASS
    # It is a symbol that stops pyzbar as it comes: otherwise this test would prove nothing.
    pyzbar.zbar_symbol_get_orientation = wrapper.zbar_symbol_get_orientation
    try:
        with pytest.raises(ValueError, match="ZBarOrientation"):
            pyzbar.decode(frame)
    finally:
        pyzbar.zbar_symbol_get_orientation = None


def test_other_codes_beside_the_pass_are_seen_but_the_pass_is_the_good_one() -> None:
    frame = Image.new("L", (1280, 720), 230)
    frame.paste(picture("HTTPS://EXAMPLE.ORG/MENU", side=300), (40, 200))
    frame.paste(picture(PASS, side=300, box=5), (620, 80))
    found = read_frame(jpeg(frame), good, budget_s=PATIENT_S)
    assert found.good == PASS


def test_a_foreign_code_is_told_and_nothing_is_good() -> None:
    found = read_frame(jpeg(picture("HTTPS://EXAMPLE.ORG/MENU")), good, budget_s=PATIENT_S)
    assert found == scanner.Sight(("HTTPS://EXAMPLE.ORG/MENU",), None, len(scanner.LADDER))


def test_an_empty_frame_shows_nothing() -> None:
    assert read_frame(jpeg(Image.new("L", (640, 480), 90)), good).texts == ()


def test_pictures_of_every_kind_are_read() -> None:
    symbol = picture(PASS, side=400)
    see_through = Image.new("RGBA", symbol.size, (0, 0, 0, 0))
    ink = ImageOps.invert(symbol).point([255 if v > 128 and v != 165 else 0 for v in range(256)])
    see_through.putalpha(ink)  # black modules on nothing: white must be put under them
    kinds = {
        "png": png(symbol),
        "webp": webp(symbol),
        "palette": png(symbol.convert("P")),
        "one bit": png(symbol.point([255 if v > 100 else 0 for v in range(256)]).convert("1")),
        "sixteen bits": png(Image.frombytes("I;16", symbol.size, b"".join(bytes((0, v)) for v in symbol.tobytes()))),
        "transparent": png(see_through),
        "cmyk": _saved(symbol.convert("CMYK"), "JPEG"),
    }
    for kind, data in kinds.items():
        assert read_frame(data, good, budget_s=PATIENT_S).good == PASS, kind


def _saved(image: Image.Image, form: str) -> bytes:
    data = io.BytesIO()
    image.save(data, form)
    return data.getvalue()


def test_a_photograph_of_twelve_megapixels_is_read_small() -> None:
    photo = Image.new("RGB", (4000, 3000), (120, 120, 120))
    photo.paste(picture(PASS, box=16, side=900).convert("RGB"), (1500, 1000))
    data = jpeg(photo)
    assert max(grey_image(data).size) <= scanner.USEFUL_SIDE
    assert read_frame(data, good, budget_s=PATIENT_S).good == PASS


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        (b"", "empty"),
        (b"not a picture at all", "not-an-image"),
        (jpeg(picture(PASS))[:2000], "not-an-image"),
        (png(picture(PASS))[:400], "not-an-image"),
        (b"\x00" * (scanner.MAX_BYTES + 1), "too-heavy"),
        (_saved(Image.new("L", (20, 20)), "GIF"), "not-an-image"),
    ],
    ids=["nothing", "text", "half a jpeg", "half a png", "heavy", "another format"],
)
def test_what_is_no_picture_is_named(data: bytes, trouble: str) -> None:
    with pytest.raises(UnreadableImage) as raised:
        read_frame(data, good)
    assert raised.value.trouble == trouble


def test_a_bomb_of_pixels_is_refused_before_it_is_unpacked() -> None:
    bomb = png(Image.new("1", (12_000, 12_000)))
    assert len(bomb) < 100_000
    began = time.monotonic()
    with pytest.raises(UnreadableImage) as raised:
        read_frame(bomb, good)
    assert raised.value.trouble == "too-large"
    assert time.monotonic() - began < 1


def test_grey_pixels_are_read_and_measured() -> None:
    image = picture(PASS)
    assert read_luma(image.tobytes(), image.width, image.height, good).good == PASS
    for pixels, width, height, trouble in (
        (b"", 0, 0, "empty"),
        (b"\x00" * 12, 0, 12, "empty"),
        (b"\x00" * 11, 3, 4, "not-an-image"),
        (b"\x00", 100_000, 100_000, "too-large"),
    ):
        with pytest.raises(UnreadableImage) as raised:
            read_luma(pixels, width, height, good)
        assert raised.value.trouble == trouble


def test_garbage_never_raises_anything_else() -> None:
    rng = random.Random(5)
    real = png(picture(PASS, side=300))
    for _ in range(60):
        data = bytearray(real)
        for _ in range(rng.randint(1, 30)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with suppress(UnreadableImage):  # the only error there is
            read_frame(bytes(data), good, budget_s=0.05)


def test_the_climb_ends_when_its_time_is_used_up() -> None:
    hopeless = noisy(picture(PASS).filter(ImageFilter.GaussianBlur(9)), 60)
    began = time.monotonic()
    assert read_frame(jpeg(hopeless), good, budget_s=0.0).good is None
    quick = time.monotonic() - began
    began = time.monotonic()
    read_frame(jpeg(hopeless), good, budget_s=PATIENT_S)
    assert time.monotonic() - began > quick


def test_a_photograph_is_read_in_a_child() -> None:
    assert read_photo(jpeg(picture(PASS)), good).good == PASS
    assert read_photo(jpeg(picture("SOMETHING ELSE")), good).texts == ("SOMETHING ELSE",)
    with pytest.raises(UnreadableImage) as raised:
        read_photo(b"nonsense", good)
    assert raised.value.trouble == "not-an-image"


def test_a_child_that_takes_too_long_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(UnreadableImage) as raised:
        read_photo(jpeg(picture(PASS)), good, limit_s=0.01)
    assert raised.value.trouble == "reader-stopped"
    assert time.monotonic() - began < 5


def test_tube_barcodes_are_read_only_when_asked_for() -> None:
    frame = code128("TB20260503017")
    assert read_frame(jpeg(frame), scanner.is_tube, budget_s=PATIENT_S).texts == ()
    found = read_frame(jpeg(frame), scanner.is_tube, symbols=scanner.TUBES, budget_s=PATIENT_S)
    assert found.good == "TB20260503017"


def code128(text: str) -> Image.Image:
    """Code 128, set B, drawn from its own table of widths."""
    values = [104] + [ord(c) - 32 for c in text]
    values.append((values[0] + sum(i * v for i, v in enumerate(values[1:], start=1))) % 103)
    bars = "".join(WIDTHS[v] for v in values) + "2331112"
    frame = Image.new("L", (1000, 300), 255)
    draw = ImageDraw.Draw(frame)
    x, dark = 60, True
    for width in bars:
        if dark:
            draw.rectangle((x, 60, x + int(width) * 3 - 1, 240), fill=0)
        x, dark = x + int(width) * 3, not dark
    return frame


# ISO/IEC 15417, table 1: widths of bar and space for values 0 to 105.
WIDTHS = (  # noqa: SIM905
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 123122 "
    "123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 232121 111323 "
    "131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 313121 211331 231131 "
    "213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 111422 121124 121421 141122 "
    "141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 "
    "124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 "
    "411131 211412 211214 211232"
).split()


def test_a_missing_library_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("pyzbar"):
            raise ImportError("Unable to find zbar shared library")
        return real(name, *rest, **more)  # type: ignore[arg-type]

    scanner._zbar.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NoReader, match="libzbar0 is missing"):
        read_frame(jpeg(picture(PASS)), good)
    monkeypatch.undo()
    assert scanner.check_reader() is not None


def test_an_old_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    scanner._zbar.cache_clear()
    monkeypatch.setattr(scanner, "_version", lambda library: (0, 10, 0))
    with pytest.raises(NoReader, match=r"libzbar0 is old 0\.10\.0"):
        scanner.check_reader()
    monkeypatch.undo()
    scanner._zbar.cache_clear()
