"""Access units and AAC frames: their boundaries, their stamps, and the bytes MP4 stores of them."""

import itertools
import time
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.media.es import access_units as units
from pipeline.media.es.access_units import Units
from pipeline.media.es.adts import frames as frames_of
from pipeline.media.es.audio_config import program_config
from pipeline.media.es.nal import AVC
from pipeline.media.malformed import Malformed
from tests import ts

CONFIG = bytes.fromhex("fff14c40")  # of ts.adts_frame


def video(es: bytes, pes: list[int] | None = None) -> tuple[Units, list[bytes]]:
    """Units of a stream whose PES number n is stamped 100 n, and decoded 1 before."""
    begins = np.array([0] if pes is None else pes, np.intp)
    pts = 100 * np.arange(1, len(begins) + 1, dtype=np.int64)
    return units.video(np.frombuffer(es, np.uint8), begins, pts, pts - 1)


def stored(nals: list[bytes]) -> bytes:
    """Units as MP4 stores them."""
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def stored_of_stream(es: bytes) -> bytes:
    """The same from a byte stream, one byte after the other."""
    nals: list[bytearray] = []
    at = 0
    while at < len(es):
        if es[at : at + 3] == b"\0\0\1" and at + 3 < len(es):
            if nals and nals[-1][-1:] == b"\0":
                del nals[-1][-1]
            nals.append(bytearray())
            at += 3
        else:
            if nals:
                nals[-1].append(es[at])
            at += 1
    return stored([bytes(nal) for nal in nals])


AUD, SPS, PPS = ts.AUD, ts.SPS, ts.PPS
SEI = ts.sei(9)
IDR, REST_OF_IDR, END_OF_IDR = ts.nal(5), ts.nal(5, first_mb=1), ts.nal(5, first_mb=6)
SLICE, REST = ts.nal(1), ts.nal(1, first_mb=1)
FILLER, END = b"\x0c\xff\xff\x80", b"\x0a"


@pytest.mark.parametrize(
    "pictures",
    [
        pytest.param([[AUD, SPS, PPS, IDR], [AUD, SLICE], [AUD, SLICE]], id="with AUD"),
        pytest.param([[SPS, PPS, IDR], [SLICE], [SLICE], [SPS, PPS, IDR]], id="without AUD"),
        pytest.param([[IDR], [SLICE], [IDR], [SLICE]], id="slices only"),
        pytest.param([[IDR, REST_OF_IDR, END_OF_IDR], [SLICE, REST]], id="several slices"),
        pytest.param([[IDR, REST_OF_IDR], [REST], [SLICE]], id="a first slice is gone"),
        pytest.param([[AUD, IDR, REST_OF_IDR], [AUD, SLICE, REST]], id="several slices, AUD"),
        pytest.param([[AUD, SPS, PPS, SEI, IDR], [AUD, SEI, SLICE]], id="with SEI"),
        pytest.param([[IDR], [SEI, SLICE], [PPS, SLICE], [SLICE]], id="SEI or PPS in front"),
        pytest.param([[IDR, FILLER], [SLICE, FILLER], [SLICE, END]], id="filler and end behind"),
        pytest.param([[REST], [SLICE, REST]], id="begins inside a picture"),
        pytest.param([[AUD, SPS, PPS]], id="no picture at all"),
        pytest.param([[SPS, PPS, SEI, IDR]], id="one picture"),
    ],
)
@pytest.mark.parametrize(
    "codes",
    [pytest.param((4,), id="4"), pytest.param((3,), id="3"), pytest.param((4, 3), id="4 3")],
)
def test_pictures(pictures, codes):
    es = b"".join(ts.annex_b(picture, codes) for picture in pictures)
    made, _ = video(es)
    assert made.sizes.tolist() == [len(stored(picture)) for picture in pictures]
    assert made.sizes.dtype == np.uint32
    assert made.digest == zlib.crc32(b"".join(stored(picture) for picture in pictures))
    assert made.digest == zlib.crc32(stored_of_stream(es))
    assert (made.torn.tolist(), made.cut) == ([], 0)


@pytest.mark.parametrize(
    ("es", "nals"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(ts.noise(99), [], id="no start code"),
        pytest.param(b"\0\0\1", [], id="a start code and nothing behind"),
        pytest.param(b"xyz" + ts.annex_b([IDR]), [IDR], id="bytes in front"),
        pytest.param(b"\0\0\0" + ts.annex_b([IDR]), [IDR], id="zero bytes in front"),
        pytest.param(
            ts.annex_b([IDR]) + b"\0\0" + ts.annex_b([SLICE], (3,)),
            [IDR + b"\0", SLICE],
            id="only one zero byte belongs to the next start code",
        ),
        pytest.param(ts.annex_b([SLICE]) + b"\0\0", [SLICE + b"\0\0"], id="zero bytes at the end"),
        pytest.param(b"\0\0\1\0\0\1" + IDR, [b"", IDR], id="an empty unit"),
        pytest.param(b"\0\0\1\x65\0\0\3\1\x80", [b"\x65\0\0\3\1\x80"], id="emulation prevention"),
        pytest.param(b"\0\0\1\x65", [b"\x65"], id="a unit of one byte at the end"),
    ],
)
def test_bytes_between_units(es, nals):
    made, _ = video(es)
    assert made.sizes.sum() == len(stored(nals))
    assert made.digest == zlib.crc32(stored(nals))


@given(st.lists(st.sampled_from([b"\0", b"\0", b"\1", b"\x65\x88", b"\x41", b"\x09"]), max_size=60))
def test_any_bytes_are_stored_as_one_reads_them(pieces):
    es = b"".join(pieces) + b"\x80"
    made, _ = video(es)
    assert made.digest == zlib.crc32(stored_of_stream(es))
    assert made.sizes.sum() == len(stored_of_stream(es))
    assert len(made.sizes) == len(made.pts) == len(made.dts)


def test_a_stream_without_units_has_none():
    made, sets = video(b"")
    assert (len(made.sizes), len(made.pts), len(made.dts), made.digest, sets) == (0, 0, 0, 0, [])


@pytest.mark.parametrize("codes", [(3,), (4,)])
def test_the_stream_itself_is_left_alone(codes):
    es = np.frombuffer(ts.access_unit(0, codes=codes), np.uint8)  # that may only be read
    units.video(es, np.array([0]), np.array([0]), np.array([0]))


@pytest.mark.parametrize("codes", [(3,), (4,), (4, 3)])
def test_in_place_the_units_are_the_same(codes):
    parts = [ts.access_unit(n, codes=codes) for n in range(4)]
    begins, stamps = np.cumsum([0, *map(len, parts)])[:-1], np.arange(4)
    es = b"".join(parts)
    apart, _ = units.video(np.frombuffer(es, np.uint8), begins, stamps, stamps)
    own = np.frombuffer(bytearray(es), np.uint8)
    here, _ = units.video(own, begins, stamps, stamps, in_place=True)
    assert bytes(here.data) == bytes(apart.data) == stored_of_stream(es)
    for name in ("digest", "foreign", "taken"):
        assert getattr(here, name) == getattr(apart, name)
    for name in ("sizes", "pts", "dts", "ends"):
        assert np.array_equal(getattr(here, name), getattr(apart, name))


def test_parameter_sets():
    other = SPS[:-1] + b"\x19"
    es = ts.annex_b([SPS, PPS, IDR]) + ts.annex_b([other + b"\0\0", PPS, IDR])
    assert video(es)[1] == [SPS, other]
    assert video(ts.annex_b([IDR]))[1] == []


# --- stamps ------------------------------------------------------------------------------------

ONE, TWO, THREE = (ts.access_unit(n, seed=n) for n in range(3))
CODE3 = ts.access_unit(1, codes=(3,))


@pytest.mark.parametrize(
    ("es", "pes", "pts"),
    [
        pytest.param(ONE + TWO, [0, len(ONE)], [100, 200], id="one picture in each PES"),
        pytest.param(ONE + TWO + THREE, [0, len(ONE + TWO)], [100, -1, 200], id="two in a PES"),
        pytest.param(ONE + TWO, [0, 50, len(ONE)], [100, 300], id="one over two PES"),
        pytest.param(ONE + TWO, [50, len(ONE)], [-1, 200], id="begins before the first PES"),
        pytest.param(ONE + TWO, [0, len(ONE) - 9], [100, 200], id="begins inside the PES before"),
        pytest.param(ONE + TWO, [0, len(ONE) + 9], [100, -1], id="begins before the last PES"),
        pytest.param(ONE + TWO, [], [-1, -1], id="no PES"),
        pytest.param(ONE + CODE3, [0, len(ONE)], [100, 200], id="3-byte code at the PES"),
        pytest.param(ONE + CODE3, [0, len(ONE) + 1], [100, -1], id="code over two PES"),
        pytest.param(ONE + TWO, [0, len(ONE) + 1], [100, 200], id="zero byte in the PES before"),
        pytest.param(b"xx" + ONE + TWO, [0, 2 + len(ONE)], [100, 200], id="bytes in front"),
    ],
)
def test_stamps_belong_to_the_first_unit_that_begins_in_a_pes(es, pes, pts):
    made, _ = video(es, pes)
    assert made.pts.tolist() == pts
    assert made.dts.tolist() == [p - 1 if p >= 0 else -1 for p in pts]


def test_a_pes_without_a_stamp_gives_none():
    nothing = np.array([-1, 7, 8])
    pes = np.array([0, len(ONE), len(ONE + TWO)])
    made, _ = units.video(np.frombuffer(ONE + TWO + THREE, np.uint8), pes, nothing, nothing)
    assert made.pts.tolist() == [-1, 7, 8]


def test_a_long_stream_takes_little_time():
    parts = [ts.access_unit(n % 30, seed=n % 7) for n in range(1000)]
    es = np.frombuffer(b"".join(parts) * 20, np.uint8)
    started = time.process_time()
    made, _ = units.video(es, np.array([0]), np.array([0]), np.array([0]))
    assert len(made.sizes) == 20_000
    assert time.process_time() - started < 3  # about 0.1 s on an idle machine


def test_nothing_but_start_codes_takes_little_time():
    started = time.process_time()
    made, _ = video(b"\0\0\1" * 300_000 + b"\x80")
    assert made.sizes.sum() == 4 * 300_000 + 1
    assert time.process_time() - started < 3


# --- AAC ---------------------------------------------------------------------------------------


def bytes_of(es: bytes) -> np.ndarray:
    return np.frombuffer(es, np.uint8)


def chain(es: bytes, config: bytes = CONFIG) -> tuple[list[int], list[int], int]:
    found = frames_of(bytes_of(es), config)
    return found.begin.tolist(), found.length.tolist(), found.end


RAW = [ts.silence(20 + 9 * n, n) for n in range(6)]
FRAMES = [ts.adts_frame(raw) for raw in RAW]
ES = b"".join(FRAMES)
LENGTHS = [len(frame) for frame in FRAMES]
BEGINS = [sum(LENGTHS[:n]) for n in range(6)]
DISGUISED = ts.adts_frame(b"ab" + ts.adts_frame(b"cdef"))  # a frame inside a frame
BROKEN_DISGUISE = ts.adts_frame(CONFIG + ts.noise(20))


@pytest.mark.parametrize(
    ("es", "begins"),
    [
        pytest.param(ES, BEGINS, id="whole"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"x" + ES, [], id="a byte in front"),
        pytest.param(ES + b"x", BEGINS, id="a byte behind"),
        pytest.param(ES + FRAMES[0][:6], BEGINS, id="half a header behind"),
        pytest.param(ES + b"tail" + ES, BEGINS, id="a broken chain"),
        pytest.param(
            DISGUISED + ES, [0, *(len(DISGUISED) + b for b in BEGINS)], id="a false frame"
        ),
        pytest.param(ES + DISGUISED, [*BEGINS, len(ES)], id="a false frame in the last one"),
        pytest.param(BROKEN_DISGUISE, [0], id="a false sync word"),
        pytest.param(ts.adts_frame(b""), [0], id="one frame of nothing"),
        pytest.param(ES + ts.adts_frame(b"ab", rate=44100), BEGINS, id="another rate"),
        pytest.param(ES + ts.adts_frame(b"ab", channels=2), BEGINS, id="another channel count"),
        pytest.param(ES + ts.adts_frame(b"ab", length=0), BEGINS, id="a length of 0"),
        pytest.param(ES + ts.adts_frame(b"ab", length=6) * 9, BEGINS, id="shorter than its header"),
        pytest.param(ES + ts.adts_frame(b"ab", length=8191), BEGINS, id="longer than the stream"),
    ],
)
def test_frames(es, begins):
    found, lengths, end = chain(es)
    assert found == begins
    assert end == (begins[-1] + lengths[-1] if begins else 0)
    made = units.audio(bytes_of(es), frames_of(bytes_of(es), CONFIG), np.array([0]), np.array([5]))
    assert made.sizes.tolist() == [length - 7 for length in lengths]
    raw = b"".join(es[b + 7 : b + n] for b, n in zip(found, lengths, strict=True))
    assert made.digest == zlib.crc32(raw)


@pytest.mark.parametrize("cut", range(1, LENGTHS[-1] + 1))
def test_a_last_frame_cut_anywhere_is_left_out(cut):
    assert chain(ES[:-cut]) == (BEGINS[:5], LENGTHS[:5], BEGINS[5])


def test_headers_with_a_checksum_have_nine_bytes():
    frames = [ts.adts_frame(raw, crc=True) for raw in RAW]
    es = bytes_of(b"".join(frames))
    found = frames_of(es, bytes.fromhex("fff04c40"))
    assert (found.header.tolist(), found.length.tolist()) == ([9] * 6, [len(f) for f in frames])
    made = units.audio(es, found, np.array([0]), np.array([5]))
    assert made.sizes.tolist() == [len(raw) for raw in RAW]
    assert made.digest == zlib.crc32(b"".join(RAW))


def test_checksums_may_come_and_go():
    es = bytes_of(b"".join(ts.adts_frame(raw, crc=n % 2 == 1) for n, raw in enumerate(RAW)))
    found = frames_of(es, CONFIG)
    assert found.end == len(es)
    made = units.audio(es, found, np.array([0]), np.array([5]))
    assert made.sizes.tolist() == [len(raw) for raw in RAW]
    assert made.digest == zlib.crc32(b"".join(RAW))


@pytest.mark.parametrize("length", [7, 8])
def test_a_frame_shorter_than_its_header_of_nine_bytes_is_none(length):
    frame = ts.adts_frame(b"", crc=True, length=length)[:length]
    assert chain(frame, bytes.fromhex("fff04c40")) == ([], [], 0)


@pytest.mark.parametrize(
    ("pes", "pts"),
    [
        pytest.param(BEGINS, [100, 200, 300, 400, 500, 600], id="one frame in each PES"),
        pytest.param([0], [100, -1, -1, -1, -1, -1], id="all in one PES"),
        pytest.param([0, BEGINS[3]], [100, -1, -1, 200, -1, -1], id="three in each"),
        pytest.param([0, BEGINS[3] - 1], [100, -1, -1, 200, -1, -1], id="a frame over two PES"),
        pytest.param([BEGINS[2]], [-1, -1, 100, -1, -1, -1], id="begins before the first PES"),
        pytest.param([], [-1] * 6, id="no PES"),
    ],
)
def test_stamps_of_frames(pes, pts):
    stamps = 100 * np.arange(1, len(pes) + 1, dtype=np.int64)
    es = bytes_of(ES)
    made = units.audio(es, frames_of(es, CONFIG), np.array(pes, np.intp), stamps)
    assert made.pts.tolist() == made.dts.tolist() == pts
    assert made.sizes.tolist() == [len(raw) for raw in RAW]
    assert made.digest == zlib.crc32(b"".join(RAW))


@given(st.lists(st.binary(max_size=300), max_size=9), st.binary(max_size=30), st.booleans())
def test_frames_of_anything_are_found_again(raws, behind, crc):
    frames = [ts.adts_frame(raw, crc=crc) for raw in raws]
    begins = list(itertools.accumulate(map(len, frames), initial=0))
    config = bytes((0xFF, 0xF0 | (not crc), 0x4C, 0x40))
    found, lengths, _ = chain(b"".join(frames) + behind, config)
    assert found[: len(raws)] == begins[:-1]
    assert lengths[: len(raws)] == [len(f) for f in frames]


@given(st.lists(st.sampled_from([CONFIG, b"\xff", b"\0", b"\x01", b"\x1f", b"\xfc"]), max_size=40))
def test_no_bytes_are_too_wrong_to_be_frames(pieces):
    es = bytes_of(b"".join(pieces))
    found = frames_of(es, CONFIG)
    made = units.audio(es, found, np.array([0]), np.array([5]))
    assert found.end == int(found.length.sum())
    assert int(made.sizes.sum()) == found.end - 7 * len(found.begin)


def test_nothing_but_sync_words_takes_little_time():
    started = time.process_time()
    assert chain((CONFIG + b"\x01\x1f\xfc") * 300_000 + b"x")[0] == [0]
    assert time.process_time() - started < 3


PCE = bytes.fromhex("a0a08000000000")  # LC, 44.1 kHz, one front element, no comment


def test_the_channels_of_a_track_are_told_apart():
    raw = [PCE + b"first", b"second"]
    es = b"".join(ts.adts_frame(one) for one in raw)
    data = np.frombuffer(es, np.uint8)
    found = frames_of(data, CONFIG)
    made = units.audio(data, found, np.array([0]), np.array([7], np.int64))
    apart = units.told_apart(made)
    end = program_config(raw[0], 3).end
    assert (apart.sets, apart.sizes.tolist()) == (frozenset((raw[0][:end],)), [12 - end, 6])
    assert apart.digest == zlib.crc32(bytes(apart.data)) == zlib.crc32(raw[0][end:] + raw[1])
    assert apart.pts.tolist() == made.pts.tolist()


@pytest.mark.parametrize("frame", [b"\x20frame", PCE[:3]], ids=["another element", "cut short"])
def test_channels_that_are_told_nowhere(frame):
    data = np.frombuffer(ts.adts_frame(frame), np.uint8)
    made = units.audio(data, frames_of(data, CONFIG), np.array([0]), np.array([7], np.int64))
    with pytest.raises(Malformed):
        units.told_apart(made)


def test_which_pes_the_slices_of_each_picture_begin_in():
    parts = [ts.annex_b([IDR, AUD]), ts.annex_b([SLICE, REST]), ts.annex_b([SEI, SLICE, AUD])]
    begins = np.cumsum([0, *map(len, parts)])[:-1]
    assert units.owners(np.frombuffer(b"".join(parts), np.uint8), begins, AVC).tolist() == [0, 1, 2]


def some(torn=(), filled=(), **told):
    """Two units, the bytes of which differ with what else is told of them."""
    data = repr(told).encode()[:8].ljust(8)
    numbers = np.array([3, 5])
    found = (np.array(torn, np.intp), np.array(filled, np.intp))
    made = Units(numbers.astype(np.uint32), numbers, numbers - 1, zlib.crc32(data), found[0])
    return replace(made, data=data, filled=found[1], ends=numbers, **told)


def test_nothing_is_forgotten_of_units_that_are_joined():
    first = some(torn=[1], filled=[0], cut=1, foreign=2, sets=frozenset([b"a"]), taken=10)
    second = some(torn=[0], filled=[1], cut=2, foreign=3, sets=frozenset([b"b"]), taken=20)
    made = units.joined(replace(first, dropped=1, spared=4), replace(second, dropped=2, spared=5))
    assert made.sizes.tolist() == made.pts.tolist() == [3, 5, 3, 5]
    assert made.dts.tolist() == [2, 4, 2, 4]
    assert bytes(made.data) == first.data + second.data
    assert made.digest == zlib.crc32(first.data + second.data)
    assert (made.torn.tolist(), made.filled.tolist()) == ([1, 2], [0, 3])
    counts = (made.cut, made.foreign, made.taken, made.dropped, made.spared)
    assert counts == (3, 5, 30, 3, 9)
    assert made.sets == {b"a", b"b"}
    assert len(made.ends) == 0


def test_every_field_of_units_is_thought_of_when_they_are_joined():
    """A new one needs a line in ``joined``, and one here."""
    assert set(Units.__struct_fields__) == {
        *("sizes", "pts", "dts", "digest", "torn", "cut", "foreign", "sets", "data"),
        *("taken", "dropped", "spared", "unfinished", "filled", "ends"),
    }


@pytest.mark.parametrize(
    ("first", "second", "unfinished"),
    [
        pytest.param((0, True), (0, False), True, id="nothing dropped"),
        pytest.param((3, True), (0, False), True, id="silence behind it"),
        pytest.param((3, True), (4, True), True, id="both"),
        pytest.param((3, False), (4, True), False, id="only the second"),
        pytest.param((3, True), (4, False), False, id="only the first"),
        pytest.param((0, False), (0, False), False, id="neither"),
    ],
)
def test_a_loss_is_not_taken_for_the_beginning_of_a_unit(first, second, unfinished):
    parts = [some(dropped=dropped, unfinished=begun) for dropped, begun in (first, second)]
    assert units.joined(*parts).unfinished is unfinished
