"""Encoded images without their metadata, for those that a reader refuses for nothing but that.

Kept is what pixels depend on, and the EXIF block, which says how an image is turned and is read apart from the pixels.
PNG, JPEG and TIFF alone have metadata that can keep Pillow from reading an image.
"""

import struct
import zlib
from collections.abc import Iterator

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
TIFF = {b"II*\0": "<", b"MM\0*": ">"}
PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # chunks of a PNG
EXIF = b"eXIf"
JFIF = 14  # bytes of the contents of a whole JFIF segment of a JPEG
LONE = (0x01, *range(0xD0, 0xD8))  # markers of a JPEG without contents
# Tags of a TIFF (TIFF 6.0, and JPEGTables and SampleFormat): sizes, layout, compression, colours and orientation.
TAGS = {254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 284, 292, 293, 317, 320}
TAGS |= {322, 323, 324, 325, 332, 334, 336, 338, 339, 340, 341, 347, *range(512, 522), 529, 530, 531, 532}
ENTRY = 12  # bytes of a tag


def bare(content: bytes) -> bytes | None:
    """The same image without metadata; None if it is of another format, or too damaged for that.

    >>> bare(b"GIF89a") is None
    True
    """
    try:
        if content.startswith(PNG):
            return PNG + b"".join(_chunks(content))
        if content.startswith(JPEG):
            return content[:2] + b"".join(_segments(content))
        if content[:4] in TIFF:
            return _tags(content, TIFF[content[:4]])
    except (struct.error, IndexError):  # it ends too early
        return None
    return None


def _chunks(content: bytes) -> Iterator[bytes]:
    at = len(PNG)
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        whole = content[at : at + size + 12]
        if kind in PIXELS or (kind == EXIF and whole[-4:] == struct.pack(">I", zlib.crc32(whole[4:-4]))):
            yield whole
        if kind == b"IEND":
            return
        at += size + 12


def _segments(content: bytes) -> Iterator[bytes]:
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a byte that fills
            at += 1
            continue
        if marker == 0xDA:  # the pixels
            break
        size = 2 if marker in LONE else 2 + struct.unpack_from(">H", content, at + 2)[0]
        inside = content[at + 4 : at + size]
        metadata = 0xE0 <= marker <= 0xEF or marker == 0xFE
        jfif = marker == 0xE0 and inside.startswith(b"JFIF\0") and len(inside) >= JFIF
        exif = marker == 0xE1 and inside.startswith(b"Exif\0")
        adobe = marker == 0xEE and inside.startswith(b"Adobe")  # it names the colours
        if not metadata or jfif or exif or adobe:
            yield content[at : at + size]
        at += size
    yield content[at:]


def _tags(content: bytes, order: str) -> bytes:
    """Only the first image of the file, which is the one that is read."""
    (start,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, start)
    end = start + 2 + ENTRY * count
    entries = [content[i : i + ENTRY] for i in range(start + 2, end, ENTRY)]
    kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] in TAGS]
    listed = (struct.pack(f"{order}H", len(kept)) + b"".join(kept)).ljust(end + 4 - start, b"\0")
    return content[:start] + listed + content[end + 4 :]
