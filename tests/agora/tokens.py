"""RTC tokens as Agora's own builders lay them out; the signatures are nonsense."""

import base64
import struct
import zlib


def text(data: bytes) -> bytes:
    return struct.pack("<H", len(data)) + data


def privileges(times: dict[int, int]) -> bytes:
    pairs = (struct.pack("<HI", privilege, time) for privilege, time in times.items())
    return struct.pack("<H", len(times)) + b"".join(pairs)


def version_7(made: int, lasts: int, join: int = 0, service: int = 1) -> str:
    """Times count from ``made``."""
    signed = text(b"a" * 32) + struct.pack("<IIIH", made, lasts & 0xFFFFFFFF, 7, 1)
    one = struct.pack("<H", service) + privileges({1: join, 2: 1}) + text(b"room") + text(b"5")
    return "007" + base64.b64encode(zlib.compress(text(b"s" * 32) + signed + one)).decode()


def version_6(join: int) -> str:
    """The second date is a day after it was made, and means nothing."""
    message = struct.pack("<II", 7, 5) + privileges({1: join, 2: 1})
    content = text(b"s" * 32) + struct.pack("<II", 1, 2) + text(message)
    return "006" + "a" * 32 + base64.b64encode(content).decode()
