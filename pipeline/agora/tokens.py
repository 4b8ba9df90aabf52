"""When an RTC token ends, read from the token itself: versions 006 and 007 of Agora's format.

No signature is checked, and a token that cannot be read here may still be valid.
"""

import base64
import binascii
import struct
import zlib

APP_ID = 32  # characters behind the version, in 006
LARGEST = 1 << 16  # bytes of a token that is unpacked; one has some hundred
RTC, JOIN = 1, 1  # the service, and its privilege to enter a channel


def ends(token: str) -> float | None:
    """When a token admits nobody to a channel any more, in seconds since 1970.

    None if it does not say so, or cannot be read.
    """
    readers = {"006": _version_6, "007": _version_7}
    version, rest = token[:3], token[3:]
    try:
        return readers[version](rest) if version in readers else None
    except (binascii.Error, zlib.error, struct.error, ValueError):
        return None


class _Fields:
    """Little-endian fields, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, form: str) -> int:
        value: int = struct.unpack_from(f"<{form}", self._data, self._at)[0]
        self._at += struct.calcsize(form)
        return value

    def text(self) -> bytes:
        length = self.number("H")
        self._at += length
        return self._data[self._at - length : self._at]

    def privileges(self) -> dict[int, int]:
        return {self.number("H"): self.number("I") for _ in range(self.number("H"))}


def _version_6(rest: str) -> float | None:
    """Behind signature and two checksums: salt, a date that means nothing, absolute times."""
    outer = _Fields(base64.b64decode(rest[APP_ID:]))
    outer.text(), outer.number("I"), outer.number("I")
    inner = _Fields(outer.text())
    inner.number("I"), inner.number("I")
    return inner.privileges().get(JOIN) or None  # 0: never


def _version_7(rest: str) -> float | None:
    """Behind the signature: App ID, when it was made, then seconds from there."""
    fields = _Fields(zlib.decompressobj().decompress(base64.b64decode(rest), LARGEST))
    fields.text(), fields.text()
    made, lasts = fields.number("I"), fields.number("I")
    fields.number("I")
    services, kind = fields.number("H"), fields.number("H")
    join = fields.privileges().get(JOIN, 0) if services and kind == RTC else 0
    return made + min(lasts or join, join or lasts) if lasts or join else None
