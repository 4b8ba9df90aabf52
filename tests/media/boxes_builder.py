"""MP4 boxes by hand: every field can be said, and anything else is a plain small movie."""

import struct

from pipeline.media.isobmff import sample_tables as mp4

HUGE = 0xFFFFFFFF


def box(kind: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def full(kind: str, layout: str, *fields: int, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]) + struct.pack(">" + layout, *fields))


def counted(kind: str, *rows: tuple[int, ...], count: int | None = None, version: int = 0) -> bytes:
    flat = [n for row in rows for n in row]
    count = len(rows) if count is None else count
    return full(kind, f"I{len(flat)}I", count, *flat, version=version)


AVCC = bytes.fromhex("0142c00bffe10003674200 01000268ce")
ASC = bytes.fromhex("1190")  # LC, 48 kHz, stereo
AVC1 = box("avc1", bytes(24), struct.pack(">HH", 160, 120), bytes(50), box("avcC", AVCC))
SIZES = (10, 20, 30, 40, 50)
STBL = {
    "stsd": box("stsd", bytes(4), struct.pack(">I", 1), AVC1),
    "stts": counted("stts", (3, 100), (2, 50)),
    "ctts": counted("ctts", (1, 100), (4, 0)),
    "stss": counted("stss", (1,), (4,)),
    "stsz": full("stsz", "7I", 0, 5, *SIZES),
    "stsc": counted("stsc", (1, 2, 1), (3, 1, 1)),
    "stco": counted("stco", (1000,), (2000,), (3000,)),
}


def esds(*, dsi: bytes = b"\x05\x02" + ASC, flags: int = 0, kind: int = 0x40) -> bytes:
    config = bytes([4, 13 + len(dsi), kind]) + bytes(12) + dsi
    return box("esds", bytes(4), bytes([3, 0x80, 0x80, 0x80, 3 + len(config), 0, 1, flags]), config)


def audio_entry(*inside: bytes, version: int = 0, kind: str = "mp4a") -> bytes:
    fields = struct.pack(">6xHH6xHHxxxxI", 1, version, 2, 16, 48000 << 16)
    return box("stsd", bytes(4), struct.pack(">I", 1), box(kind, fields, *inside))


def trak(
    *, handler: bytes = b"vide", edts: bytes = b"", mdhd: bytes = b"", **tables: bytes
) -> bytes:
    stbl = box("stbl", *({**STBL, **tables}).values())
    return box(
        "trak",
        full("tkhd", "5I", 0, 0, 7, 0, 0),
        edts,
        box(
            "mdia",
            mdhd or full("mdhd", "5I", 0, 0, 1000, 400, 0),
            full("hdlr", "I4s12x", 0, handler),  # type: ignore[arg-type]
            box("minf", box("vmhd", bytes(12)), box("abcd", bytes(3)), stbl),
        ),
    )


MVHD = full("mvhd", "4I80x", 0, 0, 600, 240)


def moov(*traks: bytes, mvhd: bytes = MVHD) -> bytes:
    return box("moov", mvhd, *(traks or (trak(),)), box("udta", b"anything"))


def only(*traks: bytes, **tables: bytes) -> mp4.Track:
    (track,) = mp4.parse_moov(moov(*traks or (trak(**tables),))).tracks
    return track


def reader(data: bytes):
    return lambda offset, length: data[offset : offset + length]


def edits(*entries: tuple[int, int, int], version: int = 0) -> bytes:
    row = ">Qqi" if version else ">Iii"
    rows = b"".join(struct.pack(row, *e) for e in entries)
    return box(
        "edts", box("elst", bytes([version, 0, 0, 0]), struct.pack(">I", len(entries)), rows)
    )
