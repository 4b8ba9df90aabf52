"""What a sequence parameter set says of the pictures (H.264 clause 7.3.2.1.1, H.265 clause
7.3.2.2.1).
"""

from collections.abc import Callable, Hashable
from itertools import islice

from pipeline.media.es.descriptions import Picture
from pipeline.media.es.nal import AVC, HEVC_NAL

HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})  # with chroma
LARGEST = 16384  # pixels of width or height; no level allows more
VPS = 32  # nal_unit_type of H.265
NUMBERS = 32  # parameter sets a stream may have at once (H.264 clause 7.4.2.1.1)


class Bits:
    """Reads a NAL unit bit by bit, without its emulation prevention bytes (H.264 clause 7.4.1).

    ValueError where bits are asked for behind its end.
    """

    def __init__(self, nal: bytes) -> None:
        data = nal.replace(b"\0\0\3", b"\0\0")
        self._bits = iter("".join(f"{byte:08b}" for byte in data))
        self._taken = 0

    def take(self, count: int) -> int:
        """The next ``count`` bits as an unsigned number."""
        taken = "".join(islice(self._bits, count))
        self._taken += count
        if len(taken) < count:
            raise ValueError("a parameter set that is cut short")
        return int(taken, 2) if taken else 0

    def ue(self) -> int:
        """An unsigned Exp-Golomb code (H.264 clause 9.1); ValueError if it is longer than 32 bits
        allow.
        """
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("a parameter set that cannot be one")
        return (1 << zeros) - 1 + self.take(zeros)

    def rest(self, *, aligned: bool = False) -> str:
        """All bits that follow, as "0" and "1"; ``aligned``: from the next whole byte on."""
        if aligned:
            self.take(-self._taken % 8)
        return "".join(self._bits)

    def se(self) -> int:
        """A signed Exp-Golomb code (H.264 clause 9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def avc_picture(sps: bytes) -> Picture | None:
    """What an SPS says of the pictures (H.264 clause 7.3.2.1.1); None where it cannot be read, or
    is impossible.
    """
    return _possible(_h264, sps)


def hevc_picture(sps: bytes) -> Picture | None:
    """The same of H.265 (clause 7.3.2.2.1)."""
    return _possible(_h265, sps)


def _possible(read: Callable[[bytes], Picture], sps: bytes) -> Picture | None:
    try:
        found = read(sps)
    except ValueError:
        return None
    sides = 0 < found.width <= LARGEST and 0 < found.height <= LARGEST
    return found if sides and found.number < NUMBERS else None


def avc_needs(sps: bytes) -> Hashable:
    """Size, chroma format and bit depths of an SPS; the whole set where it cannot be read.  Not its
    number, level, count of reference pictures nor VUI.
    """
    return _decoded(avc_picture(sps)) or sps


def hevc_needs(sps: bytes) -> Hashable:
    """The same of H.265."""
    return _decoded(hevc_picture(sps)) or sps


def _decoded(shown: Picture | None) -> Hashable:
    return shown and (shown.width, shown.height, shown.chroma, shown.depths)


def avc_identity(unit: bytes) -> tuple[int, int] | None:
    """nal_unit_type and id of a parameter set, by which others refer to it; None if it cannot be
    one.
    """
    kind = AVC.kind(unit)
    if kind == AVC.sps:
        shown = avc_picture(unit)
        return (kind, shown.number) if shown else None
    return _numbered(kind, unit, AVC.header)


def hevc_identity(unit: bytes) -> tuple[int, int] | None:
    """The same of H.265."""
    kind = HEVC_NAL.kind(unit)
    if kind == HEVC_NAL.sps:
        shown = hevc_picture(unit)
        return (kind, shown.number) if shown else None
    return _numbered(kind, unit, HEVC_NAL.header, 4 if kind == VPS else None)


def _numbered(
    kind: int, unit: bytes, header: int, width: int | None = None
) -> tuple[int, int] | None:
    """By the id a parameter set begins with: ue(v), or ``width`` bits."""
    bits = Bits(unit[header:])
    try:
        return kind, bits.ue() if width is None else bits.take(width)
    except ValueError:
        return None


def depths(sps: bytes) -> bytes:
    """The last four bytes of the avcC of a high profile: chroma format and bit depths (ISO/IEC
    14496-15 clause 5.3.3.1.2); empty for other profiles.  ValueError if the SPS is cut short.
    """
    bits = Bits(sps[1:])
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
    bits = Bits(sps[1:])
    profile, _, level, number = bits.take(8), bits.take(8), bits.take(8), bits.ue()
    chroma, depths = _chroma(bits) if profile in HIGH else (1, (8, 8))
    bits.ue()  # log2_max_frame_num
    picture_order(bits)
    bits.ue()  # max_num_ref_frames
    bits.take(1)
    width, units = 16 * (bits.ue() + 1), bits.ue() + 1
    frames_only = bits.take(1)
    height = 16 * units * (2 - frames_only)
    bits.take(1 if frames_only else 2)
    if bits.take(1):  # frame_cropping_flag
        left, right, top, bottom = (bits.ue() for _ in range(4))
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1) * (2 - frames_only)
    return Picture(width, height, profile, level, number, chroma, depths)


def picture_order(bits: Bits) -> tuple[int, int, bool]:
    """Reads pic_order_cnt_type of an SPS, how many bits pic_order_cnt_lsb has in a slice header,
    and whether that may have delta_pic_order_cnt (H.264 clause 7.3.2.1.1).
    """
    order = bits.ue()
    if order == 0:
        return order, bits.ue() + 4, False
    never = bits.take(1) if order == 1 else 1  # delta_pic_order_always_zero_flag
    if order == 1:
        bits.se()
        bits.se()
        for _ in range(bits.ue()):
            bits.se()
    return order, 0, not never


def _chroma(bits: Bits) -> tuple[int, tuple[int, int]]:
    """chroma_format_idc, 4 where the three planes are coded apart, as they are cropped like grey;
    and bit depths.
    """
    chroma = bits.ue()
    lists = 12 if chroma == 3 else 8
    chroma += bits.take(1) if chroma == 3 else 0
    depths = 8 + bits.ue(), 8 + bits.ue()
    bits.take(1)
    if bits.take(1):  # seq_scaling_matrix_present_flag
        for number in range(lists):
            if bits.take(1):
                _scaling_list(bits, 16 if number < 6 else 64)
    return chroma, depths


def _scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _h265(sps: bytes) -> Picture:
    bits = Bits(sps[2:])
    bits.take(4)
    layers = bits.take(3)  # sps_max_sub_layers_minus1
    bits.take(4)
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
    if bits.take(1):  # conformance_window_flag
        left, right, top, bottom = (bits.ue() for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (top + bottom)
    depths = 8 + bits.ue(), 8 + bits.ue()
    return Picture(width, height, profile, level, number, chroma, depths)
