"""VP8 (RFC 6386) and VP9 (VP9 bitstream specification): what frames say of themselves."""

from collections.abc import Collection, Sequence


def vp8_size(es: bytes) -> bytes | None:
    """Width and height in pixels of a VP8 key frame (RFC 6386 section 9.1), two bytes each; None
    for other frames.
    """
    if len(es) < 10 or es[0] & 1 or es[3:6] != b"\x9d\x01\x2a":
        return None
    return bytes((es[7] & 0x3F, es[6], es[9] & 0x3F, es[8]))


def is_vp8_key(es: bytes) -> bool:
    """Whether a VP8 frame is a key frame (RFC 6386 section 9.1); an empty one counts as one."""
    return not es[:1] or not es[0] & 1


def vp9_key(es: bytes) -> bool | None:
    """Whether a VP9 frame is a key frame; None where it only shows an earlier frame again (VP9
    bitstream specification, section 6.2).
    """
    bits = "".join(f"{byte:08b}" for byte in es[:1]).ljust(8, "0")
    at = 4 + (bits[2:4] == "11")  # reserved_zero of profile 3
    if bits[at] == "1":  # show_existing_frame
        return None
    return bits[:2] == "10" and bits[at + 1] == "0"


def vp9_config(es: bytes) -> bytes | None:
    """Width and height in pixels of a VP9 key frame, two bytes each, and the content of vpcC (VP
    Codec ISO Media File Format Binding, section 2.2), without a level; None for other frames.
    """
    bits = "".join(f"{byte:08b}" for byte in es[:17]).ljust(136, "0")
    profile = int(bits[3] + bits[2], 2)
    at = 8 + (profile == 3)  # behind frame_type, show_frame and error_resilient_mode
    if not vp9_key(es) or int(bits[at : at + 24], 2) != 0x498342:
        return None
    at += 24
    depth = 8
    if profile >= 2:
        depth = 12 if bits[at] == "1" else 10
        at += 1
    rgb = int(bits[at : at + 3], 2) == 7
    full, chroma = rgb, 3 if rgb else 1
    at += 3
    if not rgb:
        full = bits[at] == "1"
        at += 1
    if profile in (1, 3):
        chroma = 3 if rgb else {"11": 1, "10": 2, "00": 3}.get(bits[at : at + 2], 0)
        at += 1 if rgb else 3
    sizes = int(bits[at : at + 16], 2) + 1, int(bits[at + 16 : at + 32], 2) + 1
    entry = bytes((1, 0, 0, 0, profile, 0, depth << 4 | chroma << 1 | full, 2, 2, 2, 0, 0))
    return b"".join(size.to_bytes(2, "big") for size in sizes) + entry


def is_vp9_key(es: bytes) -> bool:
    """Whether a VP9 frame is a key frame, or only shows an earlier frame again: a track may begin
    with either.
    """
    return vp9_key(es) is not False


def vpcc(config: bytes, _: Sequence[bytes]) -> bytes:
    """The content of vpcC in the sample entry."""
    return config[4:]


def same_config(told: bytes, config: bytes, _: Collection[bytes]) -> bool:
    """Whether the vpcC of a result, ``told``, has profile, bit depth and chroma of the stream."""
    return _formed(told) == _formed(config[4:])


def _formed(payload: bytes) -> tuple[int, int, int]:
    """Profile, bit depth and chroma subsampling of a vpcC; where the chroma samples of 4:2:0 lie is
    not in the stream.
    """
    profile, depth = payload[4:5], payload[6] if len(payload) > 6 else 0
    return int.from_bytes(profile, "big"), depth >> 4, max(1, depth >> 1 & 7)
