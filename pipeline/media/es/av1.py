"""AV1 (AV1 specification; AV1 Codec ISO Media File Format Binding): temporal units, and av1C."""

from collections.abc import Collection, Iterator, Sequence

_NOT_STORED = (2, 7, 8, 15)  # OBUs: temporal delimiters, repeated headers, tile lists, padding


def obus(es: bytes) -> Iterator[tuple[int, int, int]]:
    """obu_type, first byte and end of each OBU of an AV1 temporal unit (AV1 specification, section
    5.3); stops where they cannot be followed.
    """
    at = 0
    while at < len(es):
        begin, head = at, es[at]
        at += 2 if head & 4 else 1
        length = shift = 0
        byte = 0x80 if head & 2 else 0  # leb128, section 4.10.5
        while byte & 0x80:
            if at >= len(es) or shift > 49:
                return
            byte = es[at]
            length |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
        length = length if head & 2 else len(es) - at
        if head & 0x80 or length < 0 or at + length > len(es):
            return
        at += length
        yield head >> 3 & 15, begin, at


def is_key(es: bytes) -> bool:
    """Whether decoding can begin with a temporal unit: only then it has a sequence header (AV1
    specification, section 7.5).
    """
    return any(kind == 1 for kind, _, _ in obus(es))


def stored(unit: bytes) -> bytes:
    """A temporal unit without the OBUs that MP4 does not store (AV1 Codec ISO Media File Format
    Binding, section 2.4).
    """
    found = list(obus(unit))
    if not any(kind in _NOT_STORED for kind, _, _ in found) or found[-1][2] != len(unit):
        return unit
    return b"".join(unit[a:b] for kind, a, b in found if kind not in _NOT_STORED)


def configured(box: bytes, size: tuple[int, int], _: float) -> bytes:
    """A configuration of ours: width and height in pixels, two bytes each, and av1C (binding,
    section 2.3); empty if the box is no av1C.
    """
    if box[:1] != b"\x81" or len(box) < 4 or max(size) >= 1 << 16:
        return b""
    return b"".join(side.to_bytes(2, "big") for side in size) + box


def av1c(config: bytes, _: Sequence[bytes] = ()) -> bytes:
    """The content of av1C in the sample entry."""
    return config[4:]


def same_config(told: bytes, config: bytes, _: Collection[bytes]) -> bool:
    """Whether the av1C of a result, ``told``, is that of the configuration."""
    return told == av1c(config)
