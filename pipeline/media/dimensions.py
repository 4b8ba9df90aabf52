"""Size and profile in a sequence parameter set (H.264 clause 7.3.2.1.1, H.265 clause 7.3.2.2)."""

from dataclasses import dataclass
from itertools import islice

from pipeline.media.codecs import PRIVATE, Codec

HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True, slots=True)
class Picture:
    """Size in pixels; profile, level and the number of the set as they are written."""

    width: int
    height: int
    profile: int
    level: int
    number: int


class _Bits:
    """Reads a NAL unit bit by bit, without its emulation prevention bytes (H.264 clause 7.4.1)."""

    def __init__(self, nal: bytes) -> None:
        data = nal.replace(b"\0\0\3", b"\0\0")
        self._bits = iter("".join(f"{byte:08b}" for byte in data))

    def take(self, count: int) -> int:
        taken = "".join(islice(self._bits, count))
        if len(taken) < count:
            raise ValueError("a parameter set that is cut short")
        return int(taken, 2) if taken else 0

    def ue(self) -> int:
        """An unsigned Exp-Golomb code (H.264 clause 9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("a parameter set that cannot be one")
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        """A signed one."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def picture(codec: Codec, sps: bytes) -> Picture | None:
    """The pictures of a stream; None where the set cannot be read."""
    if codec.stream_type >= PRIVATE:
        return Picture(int.from_bytes(sps[:2], "big"), int.from_bytes(sps[2:4], "big"), 0, 0, 0)
    try:
        return _h265(sps) if codec.name == "hevc" else _h264(sps)
    except ValueError:
        return None


def depths(sps: bytes) -> bytes:
    """What avcC says of the samples of an H.264 stream of a high profile (ISO/IEC 14496-15 clause
    5.3.3.1.2); nothing for the others.
    """
    bits = _Bits(sps[1:])
    profile = bits.take(8)
    bits.take(16)
    bits.ue()
    if profile not in HIGH:
        return b""
    chroma = bits.ue()
    if chroma == 3:
        bits.take(1)
    return bytes((0xFC | chroma & 3, 0xF8 | bits.ue() & 7, 0xF8 | bits.ue() & 7, 0))


def _h264(sps: bytes) -> Picture:
    bits = _Bits(sps[1:])
    profile, _, level, number = bits.take(8), bits.take(8), bits.take(8), bits.ue()
    chroma, separate = 1, 0
    if profile in HIGH:
        chroma = bits.ue()
        separate = bits.take(1) if chroma == 3 else 0
        bits.ue()
        bits.ue()
        bits.take(1)
        if bits.take(1):
            _skip_scaling(bits, 12 if chroma == 3 else 8)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()
    bits.ue()
    bits.take(1)
    width, height = bits.ue() + 1, bits.ue() + 1
    frames = bits.take(1)
    if not frames:
        bits.take(1)
    bits.take(1)
    left = right = top = bottom = 0
    if bits.take(1):
        left, right, top, bottom = (bits.ue() for _ in range(4))
    sampled = chroma if not separate else 0
    across = 2 if sampled in (1, 2) else 1
    down = (2 if sampled == 1 else 1) * (2 - frames)
    return Picture(
        width * 16 - across * (left + right),
        height * 16 * (2 - frames) - down * (top + bottom),
        profile,
        level,
        number,
    )


def _skip_scaling(bits: _Bits, lists: int) -> None:
    for number in range(lists):
        if bits.take(1):
            last = following = 8
            for _ in range(16 if number < 6 else 64):
                if following:
                    following = (last + bits.se()) % 256
                last = following or last


def _h265(sps: bytes) -> Picture:
    bits = _Bits(sps[2:])
    bits.take(4)
    layers = bits.take(3)
    bits.take(1)
    bits.take(3)
    profile = bits.take(5)
    bits.take(80)
    level = bits.take(8)
    there = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for has_profile, has_level in there:
        bits.take(88 * has_profile + 8 * has_level)
    number, chroma = bits.ue(), bits.ue()
    if chroma == 3:
        bits.take(1)
    width, height = bits.ue(), bits.ue()
    if bits.take(1):
        left, right, top, bottom = (bits.ue() for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (top + bottom)
    return Picture(width, height, profile, level, number)
