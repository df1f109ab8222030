"""Metadata that a reader refuses cost no pixels, in each format that has such."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxgen.core import BadRequest
from jaxgen.data.bare import bare
from jaxgen.data.decode import decode, highest, read_header

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (16, 12, 3), np.uint8)
DEEP = RNG.integers(0, 4096, (16, 12)).astype(np.uint16)
TURNED = Image.Exif()
TURNED[0x0112] = 3  # by 180 degrees


def encoded(image, format, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, format, **options)
    return file.getvalue()


def chunk(kind, content, crc=None):
    crc = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


BIG = b"Comment\0" + zlib.compress(b"x" * 2_000_000).join((b"\0", b""))
CHUNKS = {
    "text above the limit, packed": chunk(b"zTXt", BIG),
    "the same in Unicode": chunk(b"iTXt", b"Comment\0\1\0\0\0" + BIG[9:]),
    "texts above the limit together": chunk(b"zTXt", b"k\0\0" + zlib.compress(b"x" * 1_000_000)) * 70,
    "text that ends too early": chunk(b"zTXt", b"k\0"),
    "a profile of an unknown compression": chunk(b"iCCP", b"name\0\7junk"),
    "a profile above the limit": chunk(b"iCCP", b"name\0\0" + BIG[9:]),
    "short chunks": b"".join(chunk(kind, b"") for kind in (b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"acTL")),
    "a wrong checksum": chunk(b"tIME", b"1234567", crc=1),
}


def refused_by_pillow(content):
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except Exception:
        return True
    return False


@pytest.mark.parametrize(
    "name, late", [(name, late) for name in CHUNKS for late in (False, True) if not (late and "together" in name)]
)
def test_chunks_of_a_png(name, late):
    # Kills: each of them, before the pixels or behind them; an image that loses its turn, its palette, its
    # transparency or its depth with them.
    def with_chunk(content):
        at = len(content) - 12 if late else 33  # before the end, or behind the header
        return content[:at] + CHUNKS[name] + content[at:]

    turned = with_chunk(encoded(COLOUR, "PNG", exif=TURNED))
    np.testing.assert_array_equal(decode(io.BytesIO(turned), "a.png", (16, 12, 3)), COLOUR[::-1, ::-1])
    assert read_header(io.BytesIO(turned), "a.png")[:3] == (12, 16, False)
    deep = with_chunk(encoded(DEEP, "PNG"))
    assert highest(io.BytesIO(deep), "a.png") == DEEP.max()
    palette = Image.fromarray(COLOUR).quantize(8)
    file = io.BytesIO()
    palette.save(file, "PNG", transparency=0)
    expected = decode(io.BytesIO(file.getvalue()), "a.png", (16, 12, 3))
    found = decode(io.BytesIO(with_chunk(file.getvalue())), "a.png", (16, 12, 3))
    np.testing.assert_array_equal(found, expected)
    assert (found == 255).all(-1).any()


def test_pillow_refuses_most_of_these():
    # Kills: this file, if Pillow read all of these as they are.
    content = encoded(COLOUR, "PNG")
    refused = [name for name in CHUNKS if refused_by_pillow(content[:33] + CHUNKS[name] + content[33:])]
    assert len(refused) >= 6, refused


def test_exif_of_a_png_that_does_not_hold():
    # Kills: EXIF that is damaged on the way and kept, by which the image without metadata is refused too.
    content = encoded(COLOUR, "PNG")
    odd = content[:33] + chunk(b"eXIf", b"II*\0", crc=1) + content[33:]
    np.testing.assert_array_equal(decode(io.BytesIO(odd), "a.png", (16, 12, 3)), COLOUR)


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize("bad", [segment(0xE2, b"ICC_PROFILE\0"), segment(0xE0, b"JFIF\0"), segment(0xE0, b"JFIF\0\1")])
@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_segments_of_a_jpeg(bad, mode):
    # Kills: a profile or a JFIF segment that ends too early; the Adobe segment of four colours lost with it; the turn.
    file = io.BytesIO()
    Image.fromarray(COLOUR).convert(mode).save(file, "JPEG", exif=TURNED, quality=95)
    content = file.getvalue()
    odd = content[:2] + bad + content[2:]
    assert refused_by_pillow(odd)
    channels = 1 if mode == "L" else 3
    expected = decode(io.BytesIO(content), "a.jpg", (16, 12, channels))
    np.testing.assert_array_equal(decode(io.BytesIO(odd), "a.jpg", (16, 12, channels)), expected)
    assert abs(expected.astype(float) - np.float64(COLOUR[::-1, ::-1].mean(-1, keepdims=True))).mean() < 60


def test_colours_that_the_adobe_segment_names():
    # Kills: that segment lost with a profile, by which red, green and blue are taken for brightness and two colours.
    content = bytearray(encoded(COLOUR, "JPEG", keep_rgb=True, quality=95))
    frame, scan = content.index(b"\xff\xc0"), content.index(b"\xff\xda")
    for i in range(3):  # components that are not called R, G and B
        content[frame + 10 + 3 * i] = content[scan + 5 + 2 * i] = i + 1
    odd = content[:2] + segment(0xE2, b"ICC_PROFILE\0") + content[2:]
    assert b"Adobe" in odd and refused_by_pillow(odd)
    found = decode(io.BytesIO(odd), "a.jpg", (16, 12, 3))
    assert np.abs(found.astype(float) - COLOUR).mean() < 15


def tiff(order, *extra):
    """A TIFF of 16 x 12 colour pixels that is turned by 180 degrees, with more tags."""
    tags = [(256, 3, 12), (257, 3, 16), (259, 3, 1), (262, 3, 2), (274, 3, 3), (277, 3, 3), (278, 3, 16), *extra]
    end = 8 + 2 + 12 * (len(tags) + 3) + 4
    tags += [(258, "bits", end), (273, 4, end + 6), (279, 4, COLOUR.size)]
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, len(tags))
    for tag, kind, value in sorted(tags):
        form = f"{order}HHIHxx" if kind == 3 else f"{order}HHII"
        head += struct.pack(form, tag, 3 if kind == "bits" else kind, 3 if kind == "bits" else 1, value)
    return head + bytes(4) + struct.pack(f"{order}HHH", 8, 8, 8) + COLOUR.tobytes()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("tag", [(34665, 4, 2**32 - 1), (700, 4, 7), (34853, 4, 2**32 - 1)])
def test_tags_of_a_tiff(order, tag):
    # Kills: an EXIF or GPS block beyond the file, and an XMP of another type; the order of bytes; a tag that pixels
    # depend on lost with them.
    found = decode(io.BytesIO(tiff(order, tag)), "a.tif", (16, 12, 3))
    np.testing.assert_array_equal(found, COLOUR[::-1, ::-1])
    assert refused_by_pillow(tiff(order, tag))
    np.testing.assert_array_equal(decode(io.BytesIO(bare(tiff(order))), "a.tif", (16, 12, 3)), found)


def test_from_a_file_on_the_disk(tmp_path):
    # Kills: a second attempt that begins where the first one ended.
    content = encoded(COLOUR, "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content[:33] + CHUNKS["text above the limit, packed"] + content[33:])
    np.testing.assert_array_equal(decode(str(path), "a.png", (16, 12, 3)), COLOUR)


def test_what_is_damaged_stays_refused():
    # Kills: a picture that is made up of what is left; the reason of the second attempt in place of the first.
    content = encoded(COLOUR, "PNG")
    for cut in (content[:60], content[:33] + CHUNKS["short chunks"] + content[33:70]):
        with pytest.raises(BadRequest, match=r"a\.png cannot be read as an image"):
            decode(io.BytesIO(cut), "a.png", (16, 12, 3))
    for n in range(0, len(content), 5):
        bare(content[:n])  # raises nothing
    jpeg, tif = encoded(COLOUR, "JPEG"), tiff("<")
    for n in range(0, 700, 7):
        bare(jpeg[:n]), bare(tif[:n])
    assert bare(b"RIFF") is None and bare(b"") is None


def test_a_deep_image_that_is_cropped_keeps_its_white():
    # Kills: the place of the crop taken for the number that is white.
    tall = np.zeros((40, 20), np.uint16)
    tall[10:30] = 4095
    found = decode(io.BytesIO(encoded(tall, "PNG")), "a.png", (20, 20, 1), 4095)
    assert found.min() == found.max() == 255
