"""Movie fragments by hand: where samples lie and when, and everything that cannot be one."""

import struct
from contextlib import suppress

import pytest

from pipeline.media.isobmff.fragments import MAX_SAMPLES, parted, read
from pipeline.media.malformed import Malformed
from tests.media.boxes_builder import STBL, box, counted, full, trak

MVHD = full("mvhd", "24I", 0, 0, 1000, 0, *[0] * 20)


def init(*, edts=b"", trex=(7, 1, 100, 10, 0), entries=STBL["stsd"]):
    """Track 7 of 1000 ticks a second."""
    track = trak(
        edts=edts,
        stsd=entries,
        stts=counted("stts"),
        ctts=counted("ctts"),
        stss=counted("stss"),
        stsz=full("stsz", "2I", 0, 0),
        stsc=counted("stsc"),
        stco=counted("stco"),
    )
    mvex = box("mvex", full("trex", "5I", *trex))
    return box("ftyp", b"isom") + box("moov", MVHD, track, mvex)


def trun(*columns, flags=0, count=None, offset=None, version=0):
    rows = list(zip(*columns, strict=True)) if columns else []
    fields = [] if offset is None else [offset]
    body = struct.pack(f">{len(fields)}i", *fields)
    body += b"".join(struct.pack(">I", n & 0xFFFFFFFF) for row in rows for n in row)
    head = struct.pack(">II", version << 24 | flags, len(rows) if count is None else count)
    return box("trun", head, body)


def traf(*truns, tfhd=b"", flags=0x20000, time=0, id=7):
    head = box("tfhd", struct.pack(">II", flags, id), tfhd)
    clock = [] if time is None else [box("tfdt", struct.pack(">IQ", 1 << 24, time))]
    return box("traf", head, *clock, *truns)


def segment(*trafs, media=bytes(60)):
    return box("moof", full("mfhd", "I", 1), *trafs) + box("mdat", media)


def test_every_field_given():
    """Duration, size and composition offset of each; the offset may be negative (version 1)."""
    columns = ((100, 50, 50), (10, 20, 30), (0, 100, -50))
    data = segment(traf(trun(*columns, flags=0xB01, offset=100, version=1), time=1000))
    (found,) = read(init(), data).samples
    assert found.offset.tolist() == [100, 110, 130]
    assert found.size.tolist() == [10, 20, 30]
    assert found.dts.tolist() == [90000, 99000, 103500]
    assert found.pts.tolist() == [90000, 108000, 99000]
    assert found.track.codec == "avc1"


def test_defaults_of_the_fragment_before_those_of_the_track():
    data = segment(
        traf(trun(count=2, flags=1, offset=120)),
        traf(
            trun(count=2, flags=1, offset=140),
            tfhd=struct.pack(">II", 50, 15),
            flags=0x20018,
            time=None,
        ),
    )
    (found,) = read(init(), data + bytes(0)).samples
    assert found.size.tolist() == [10, 10, 15, 15]
    assert found.dts.tolist() == [0, 9000, 18000, 22500]  # without tfdt it goes on


def test_a_second_run_goes_on_behind_the_first():
    data = segment(traf(trun(count=2, flags=1, offset=90), trun(count=1)))
    (found,) = read(init(), data).samples
    assert found.offset.tolist() == [90, 100, 110]
    assert found.dts.tolist() == [0, 9000, 18000]


def test_offsets_count_from_the_fragment_or_from_the_file():
    inner = traf(trun(count=1, flags=1, offset=80))
    outer = traf(trun(count=1, flags=1, offset=5), tfhd=struct.pack(">Q", 200), flags=1)
    data = box("styp", b"msdh") + segment(inner) + bytes(0)
    assert read(init(), data).samples[0].offset.tolist() == [12 + 80]
    data = segment(outer, media=bytes(200))
    assert read(init(), data).samples[0].offset.tolist() == [205]


def test_the_edit_list_moves_the_track():
    """An empty edit in movie ticks, then a media time in track ticks."""
    elst = full("elst", "7I", 2, 500, 0xFFFFFFFF, 1 << 16, 0, 200, 1 << 16)
    (found,) = read(init(edts=box("edts", elst)), segment(traf(trun(count=1)))).samples
    assert found.dts.tolist() == [round(0.3 * 90000)]


def test_a_segment_may_bring_its_own_movie_box():
    data = init() + segment(traf(trun(count=1, flags=1, offset=90)))
    assert read(b"", data).samples[0].size.tolist() == [10]


@pytest.mark.parametrize(("length", "left"), [(1, 3), (11, 2), (29, 1), (30, 1), (31, 0), (60, 0)])
def test_what_is_cut_off_is_not_there(length, left):
    data = segment(traf(trun(count=4, flags=1, offset=0)))
    at = len(data) - 40
    data = segment(traf(trun(count=4, flags=1, offset=at)))
    found = read(init(), data[:-length])
    assert found.cut
    assert sum(len(s.size) for s in found.samples) == left
    assert found.missing == 4 - left


def test_a_box_cut_off_in_its_header():
    data = segment(traf(trun(count=1, flags=1, offset=90)))
    found = read(init(), data + b"\0\0\0")
    assert found.cut
    assert found.missing == 0


ONE = traf(trun(count=1))


@pytest.mark.parametrize(
    ("first", "data", "why"),
    [
        pytest.param(b"", segment(ONE), "0 moov boxes", id="no initialisation section"),
        pytest.param(init()[:-1], segment(ONE), "expected one whole", id="a cut one"),
        pytest.param(init(), segment(traf(id=9)), "track 9 is not among", id="another track"),
        pytest.param(
            init(), segment(traf(trun(count=1 << 30))), "there is room for", id="a billion samples"
        ),
        pytest.param(
            init(), segment(traf(trun(count=9, flags=0x200))), "room for 0", id="a short run"
        ),
        pytest.param(
            init(),
            segment(traf(tfhd=struct.pack(">I", 2), flags=2)),
            "sample entry 2",
            id="another entry",
        ),
        pytest.param(
            init(edts=box("edts", full("elst", "7I", 2, 5, 0, 1 << 16, 5, 9, 1 << 16))),
            segment(ONE),
            "edit list",
            id="two edits",
        ),
    ],
)
def test_what_cannot_be_read(first, data, why):
    with pytest.raises(Malformed, match=why):
        read(first, data)


def test_many_runs_are_no_way_around_the_limit():
    half = trun(count=(MAX_SAMPLES >> 1) + 1)
    assert read(init(), segment(traf(half))).missing > 0
    with pytest.raises(Malformed, match="there is room for"):
        read(init(), segment(traf(half, half)))


@pytest.mark.parametrize("seed", range(200))
def test_flipped_bytes_never_raise_anything_else(seed):
    data = bytearray(segment(traf(trun((100,) * 3, (10,) * 3, flags=0x301, offset=100))))
    first = bytearray(init())
    for target in (data, first):
        target[seed * 7919 % len(target)] ^= 1 << seed % 8
        target[seed * 104729 % len(target)] = seed & 255
    with suppress(Malformed):
        read(bytes(first), bytes(data))


def test_media_behind_an_initialisation_section_is_parted_from_it():
    head, media = init(), segment(traf(trun(flags=0x1, count=6, offset=100)))
    assert parted(head + media) == (head, media)
    assert parted(head) == (head, b"")
    assert parted(b"\0\0\0\1junk") == (b"\0\0\0\1junk", b"")
