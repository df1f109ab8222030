"""Damage to bytes, for any format, and to the parts of PNG and JPEG files."""

import random
import re
import struct
import zlib
from collections.abc import Sequence

PNG = b"\x89PNG\r\n\x1a\n"
NUMBERS = (0, 1, 2, 8, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 10**5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**40, 2**63)


def junk(rng: random.Random, most: int = 64) -> bytes:
    return rng.randbytes(rng.randint(0, most))


def damaged(rng: random.Random, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """One to four changes: bits, numbers, pieces cut, doubled, moved, or taken from another file."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = _once(rng, bytearray(content), others)
    return content


def _once(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> bytes:
    # Half of all changes are near the start, where headers are.
    size = len(data)
    at = rng.randrange(min(size, 128) if rng.random() < 0.5 else size) if size else 0
    end = min(size, at + rng.choice((1, 2, 4, 8, 64, 1000)))
    way = rng.randrange(11)
    if way == 0 and size:
        data[at] ^= 1 << rng.randrange(8)
    elif way == 1 and size:
        data[at] = rng.randrange(256)
    elif way == 2:
        width, order = rng.choice("HIQ"), rng.choice("<>")
        number = rng.choice(NUMBERS) % (1 << 8 * struct.calcsize(f"<{width}"))
        piece = struct.pack(order + width, number)
        data[at : at + len(piece)] = piece
    elif way == 3:
        del data[at:]
    elif way == 4:
        del data[at:end]
    elif way == 5:
        data[at:at] = junk(rng)
    elif way == 6:
        data[at:at] = data[at:end] * rng.choice((1, 2, 50))
    elif way == 7 and others:
        other = rng.choice(others)
        data[at:] = other[rng.randrange(len(other) + 1) :]
    elif way == 8:
        data[at:end] = bytes(end - at)
    elif way == 9:
        data += junk(rng, 2000)
    else:
        digits = list(re.finditer(rb"\d+", data))
        if digits:
            found = rng.choice(digits)
            number = rng.choice((*NUMBERS, -1, 10**30, 10**400))
            data[found.start() : found.end()] = rng.choice((b"%d" % number, b"1e999", b"NaN", b"'1'", b""))
    return bytes(data)


def png_parts(rng: random.Random, content: bytes) -> bytes:
    """A PNG with chunks changed, moved, doubled, left out or added; their checksums are right."""
    chunks, at = [], len(PNG)
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        chunks.append([kind, bytearray(content[at + 8 : at + 8 + size])])
        at += size + 12
    for _ in range(rng.randint(1, 3)):
        where, way = rng.randrange(len(chunks)), rng.randrange(5)
        if way == 0:
            head = chunks[0][1]
            field = rng.choice(((0, "I"), (4, "I"), (8, "B"), (9, "B"), (10, "B"), (11, "B"), (12, "B")))
            if len(head) >= 13:
                most = 255 if field[1] == "B" else 2**32 - 1
                small = (0, 1, 2, 3, 4, 6, 8, 16, 30, 1000, 3000, 70000, most)
                struct.pack_into(f">{field[1]}", head, field[0], min(most, rng.choice(small)))
        elif way == 1:
            kinds = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"tRNS", b"PLTE", b"gAMA", b"acTL", b"fcTL", b"sBIT")
            text = rng.choice((junk(rng, 300), b"a\0\0" + zlib.compress(bytes(10**6)), b"Exif\0\0II*\0" + junk(rng)))
            chunks.insert(min(where, 1), [rng.choice(kinds), bytearray(text)])
        elif way == 2 and len(chunks) > 1:
            del chunks[where]
        elif way == 3:
            chunks.append(chunks[where])
        else:
            chunks[where] = [chunks[where][0], bytearray(_once(rng, chunks[where][1], ()))]
    whole = ((kind, bytes(body)) for kind, body in chunks)
    return PNG + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in whole
    )


def jpeg_parts(rng: random.Random, content: bytes) -> bytes:
    """A JPEG with segments changed, moved, doubled, left out or added before its pixels."""
    segments, at = [], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        size = 2 + struct.unpack_from(">H", content, at + 2)[0]
        segments.append(bytearray(content[at : at + size]))
        at += size
    for _ in range(rng.randint(1, 3)):
        where, way = rng.randrange(len(segments)), rng.randrange(5)
        if way == 0:
            frame = [segment for segment in segments if len(segment) > 9 and segment[1] in (0xC0, 0xC2)]
            if frame:
                struct.pack_into(">H", frame[0], rng.choice((5, 7)), rng.choice((0, 1, 8, 500, 4000, 65535)))
        elif way == 1:
            body = rng.choice((junk(rng, 300), b"Exif\0\0MM\0*" + junk(rng), b"ICC_PROFILE\0\1\1" + junk(rng)))
            segments.insert(where, bytearray(struct.pack(">BBH", 255, rng.randrange(0xC0, 0xFF), len(body) + 2) + body))
        elif way == 2 and len(segments) > 1:
            del segments[where]
        elif way == 3:
            segments.append(segments[where])
        else:
            segments[where] = bytearray(_once(rng, segments[where], ()))
    return content[:2] + b"".join(map(bytes, segments)) + content[at:]
