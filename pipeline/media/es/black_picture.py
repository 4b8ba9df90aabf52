"""A black picture of one H.264 stream put into another: its slice header is rewritten for the
parameter sets of that stream (H.264 clause 7.3.3).

A picture that refers to no other depends on its parameter sets only by its slice header and the way
macroblocks are coded.  So what is black in one stream is black in another of the same size, if both
code their macroblocks in the same way.
"""

from msgspec import Struct

from pipeline.media.es.nal import AVC, nal_units
from pipeline.media.es.sps import HIGH, Bits, picture_order

IDR = 5  # nal_unit_type (Table 7-1)
I_SLICE = 7  # slice_type: all slices of the picture are I
NUMBERS = 65533, 65534  # idr_pic_id of neighbours differ (clause 7.4.3)
_CODE = b"\0\0\0\1"
_DELIMITER = _CODE + b"\x09\x10"


class Coding(Struct, frozen=True):
    """What a slice header and the macroblocks behind it take from the parameter sets."""

    size: tuple[int, int]  # macroblocks
    frame_num: int  # bits of frame_num
    order: int  # pic_order_cnt_type
    order_bits: int  # of pic_order_cnt_lsb
    deltas: bool  # delta_pic_order_cnt may stand in the slice header
    number: int  # pic_parameter_set_id
    cabac: bool  # entropy_coding_mode_flag
    both_fields: bool  # bottom_field_pic_order_in_frame_present_flag
    qp: int  # 26 + pic_init_qp_minus26
    deblocking: bool  # deblocking_filter_control_present_flag
    redundant: bool  # redundant_pic_cnt_present_flag
    eight: bool  # transform_8x8_mode_flag


def coding(sps: bytes, pps: bytes) -> Coding | None:
    """What an SPS and a PPS say of it.  None where one is cut short, and for what is not supported
    here: fields, samples other than 8 bits 4:2:0, slice groups, scaling lists.
    """
    try:
        return _coding(Bits(sps[1:]), Bits(pps[1:]))
    except ValueError:
        return None


def _coding(sps: Bits, pps: Bits) -> Coding | None:
    profile = sps.take(8)
    sps.take(16)
    number = sps.ue()
    if profile in HIGH and (sps.ue(), sps.ue(), sps.ue(), sps.take(2)) != (1, 0, 0, 0):
        return None
    frame_num = sps.ue() + 4
    order, order_bits, deltas = picture_order(sps)
    sps.ue()  # max_num_ref_frames
    sps.take(1)
    size = sps.ue() + 1, sps.ue() + 1
    frames_only = sps.take(1)
    own, of = pps.ue(), pps.ue()
    cabac, both_fields, groups = pps.take(1), pps.take(1), pps.ue()
    if not frames_only or of != number or groups:
        return None
    pps.ue(), pps.ue(), pps.take(3)  # references, weights
    qp = 26 + pps.se()
    pps.se(), pps.se()
    deblocking, _, redundant = pps.take(1), pps.take(1), pps.take(1)
    more = pps.rest().rstrip("0")[:-1]
    if more[1:2] == "1":  # pic_scaling_matrix_present_flag
        return None
    flags = bool(cabac), bool(both_fields), qp, bool(deblocking), bool(redundant)
    return Coding(size, frame_num, order, order_bits, deltas, own, *flags, more[:1] == "1")


def adapted(unit: bytes, sps: bytes, pps: bytes) -> tuple[bytes, ...]:
    """A key picture (a byte stream with its own SPS and PPS) as two access units for the stream
    with these parameter sets, which each of them carries.  They may follow each other; empty where
    the two streams code pictures too differently.
    """
    nals = {AVC.kind(nal): nal for nal in nal_units(unit) if nal}
    if not {IDR, AVC.sps, AVC.pps} <= nals.keys():
        return ()
    source, target = coding(nals[AVC.sps], nals[AVC.pps]), coding(sps, pps)
    alike = source and target and _macroblocks(source) == _macroblocks(target)
    if source is None or target is None or not alike:
        return ()
    bits = Bits(nals[IDR][1:])
    qp = _read_header(bits, source)
    if qp is None:
        return ()
    data = bits.rest(aligned=source.cabac)
    written = (_slice(nals[IDR][:1], _header(target, qp, number), data) for number in NUMBERS)
    sets = b"".join(_CODE + one for one in (sps, pps))
    return tuple(_DELIMITER + sets + _CODE + nal for nal in written)


def _macroblocks(found: Coding) -> tuple[tuple[int, int], bool, bool]:
    return found.size, found.cabac, found.eight


def _read_header(bits: Bits, of: Coding) -> int | None:
    """The quantiser (SliceQPY) of a slice that is a whole key picture; None if it is not one."""
    if bits.ue() or bits.ue() not in (2, I_SLICE) or bits.ue() != of.number:
        return None
    bits.take(of.frame_num)
    bits.ue()  # idr_pic_id
    bits.take(of.order_bits)
    for _ in range(_deltas(of)):
        bits.se()
    if of.redundant:
        bits.ue()
    bits.take(2)  # dec_ref_pic_marking
    qp = of.qp + bits.se()
    if of.deblocking and bits.ue() != 1:
        bits.se(), bits.se()
    return qp


def _deltas(of: Coding) -> int:
    """How many delta_pic_order_cnt a slice header has."""
    return int(of.both_fields) + int(of.order == 1) if of.order == 0 or of.deltas else 0


def _header(of: Coding, qp: int, number: int) -> str:
    """The bits of a slice header with another idr_pic_id."""
    bits = _ue(0) + _ue(I_SLICE) + _ue(of.number) + "0" * of.frame_num + _ue(number)
    bits += "0" * of.order_bits + _se(0) * _deltas(of)
    bits += _ue(0) * of.redundant + "00" + _se(qp - of.qp)
    bits += _ue(1) * of.deblocking  # no filter: there is no edge
    if of.cabac:
        bits += "1" * (-len(bits) % 8)  # cabac_alignment_one_bit
    return bits


def _slice(head: bytes, header: str, data: str) -> bytes:
    bits = header + data.rstrip("0")  # up to rbsp_stop_one_bit
    bits += "0" * (-len(bits) % 8)
    raw = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return head + _guarded(raw)


def _guarded(raw: bytes) -> bytes:
    """With emulation_prevention_three_byte (clause 7.4.1)."""
    out = bytearray()
    for byte in raw:
        if byte <= 3 and out[-2:] == b"\0\0":
            out.append(3)
        out.append(byte)
    return bytes(out)


def _ue(value: int) -> str:
    """An unsigned Exp-Golomb code (clause 9.1)."""
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def _se(value: int) -> str:
    return _ue(2 * value - 1 if value > 0 else -2 * value)
