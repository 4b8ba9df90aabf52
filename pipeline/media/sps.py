"""What a sequence parameter set says of the pictures (H.264 clause 7.3.2.1.1)."""

from dataclasses import dataclass

HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}  # profiles with chroma_format


@dataclass(frozen=True, slots=True)
class Sps:
    """Size in pixels as shown, and the number the set has."""

    id: int
    profile: int
    width: int
    height: int


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def take(self, count: int) -> int:
        """Unsigned, ``count`` bits; ValueError behind the end."""
        self._at += count
        return int(self._bits[self._at - count : self._at] or "-", 2)

    def golomb(self) -> int:
        """ue(v), clause 9.1."""
        zeros = self._bits.index("1", self._at) - self._at
        self._at += zeros
        return self.take(zeros + 1) - 1

    def signed(self) -> int:
        """se(v), clause 9.1.1."""
        code = self.golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def parse(unit: bytes) -> Sps | None:
    """None where the bytes are none, or of a picture too large to be one."""
    try:
        return _parse(_Bits(unit[1:].replace(b"\0\0\3", b"\0\0")), unit[1])
    except (ValueError, IndexError):
        return None


def _parse(bits: _Bits, profile: int) -> Sps | None:
    bits.take(24)  # profile, constraints, level
    id = bits.golomb()
    chroma = _chroma(bits) if profile in HIGH else 1
    bits.golomb()  # log2_max_frame_num
    kind = bits.golomb()  # pic_order_cnt_type
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.golomb()):
            bits.signed()
    bits.golomb()  # max_num_ref_frames
    bits.take(1)
    width = 16 * (bits.golomb() + 1)
    units = bits.golomb() + 1
    frames_only = bits.take(1)
    height = 16 * units * (2 - frames_only)
    bits.take(1 if frames_only else 2)
    if bits.take(1):  # frame_cropping_flag
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1) * (2 - frames_only)
    fits = id < 32 and 0 < width <= 16384 and 0 < height <= 16384
    return Sps(id, profile, width, height) if fits else None


def _chroma(bits: _Bits) -> int:
    chroma = bits.golomb()
    if chroma == 3:
        bits.take(1)
    bits.golomb()
    bits.golomb()
    bits.take(1)
    if bits.take(1):  # seq_scaling_matrix_present_flag
        for number in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _scaling_list(bits, 16 if number < 6 else 64)
    return chroma


def _scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
