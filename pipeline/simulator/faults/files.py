"""Faults of files: what disks and uploads do to slices."""

from msgspec.structs import replace

from pipeline.simulator.faults.fault_context import Case
from pipeline.simulator.recorder.values import RecordedPart

PAGE = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body></body></html>\n"
ROOM = 4096  # bytes that were reserved and not used


def missing_file(part: RecordedPart, case: Case) -> RecordedPart:
    """The file of a slice is gone."""
    n = case.pick(part)
    return part.with_segment(n, replace(part.segments[n], stored=False))


def missing_also_in_playlist(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice is gone, and so are its lines."""
    n = case.pick(part)
    gone = part.segments[n]
    part = part.with_segment(n, replace(gone, stored=False))
    return part.with_entries(*(e for e in part.playlist.entries if e.uri != gone.name))


def zero_byte(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice is empty."""
    return _file(part, case, b"")


def html_as_ts(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice is an error page."""
    return _file(part, case, PAGE)


def aes_no_key_tag(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice is encrypted although the playlist says nothing of it."""
    n = case.pick(part)
    return _file(part, case, case.dice.randbytes(-(-len(part.segments[n].data) // 16) * 16))


def trunc_odd(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice ends inside a packet."""
    n = case.pick(part)
    segment = part.segments[n]
    at = len(segment.packets) * 3 // 5
    rest = segment.packets[at].data[:101] if at < len(segment.packets) else b""
    cut = replace(segment, packets=segment.packets[:at], suffix=rest)
    return part.with_segment(n, cut)


def leading_garbage(part: RecordedPart, case: Case) -> RecordedPart:
    """Ten bytes stand in front of the first packet."""
    n = case.pick(part)
    return part.with_segment(n, replace(part.segments[n], prefix=b"\r\ngarbage\0"))


def garbage_behind(part: RecordedPart, case: Case) -> RecordedPart:
    """Four hundred bytes that mean nothing stand behind the last packet."""
    n = case.pick(part)
    return part.with_segment(n, replace(part.segments[n], suffix=case.dice.randbytes(400)))


def zeros_behind(part: RecordedPart, case: Case) -> RecordedPart:
    """Room that was reserved and not needed: zeros behind the last packet."""
    n = case.pick(part)
    return part.with_segment(n, replace(part.segments[n], suffix=bytes(ROOM)))


def _file(part: RecordedPart, case: Case, data: bytes) -> RecordedPart:
    n = case.pick(part)
    return part.with_segment(n, replace(part.segments[n], content=data, readable=False))
