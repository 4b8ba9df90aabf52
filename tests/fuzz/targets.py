"""What must hold for any bytes at all: one function for each reader of foreign input.

A target takes bytes and raises only for a bug.  Its seeds are small inputs of the right shape, from
which a fuzzer starts.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.agora import names
from pipeline.media.captions import webvtt
from pipeline.media.captions.clock import ResultClock
from pipeline.media.captions.readings import CaptionFile, reading
from pipeline.media.captions.text_track import as_mp4, text_track
from pipeline.media.containers.packed_audio import OWNER, from_packed
from pipeline.media.containers.to_ts import Contained, from_fragments, from_webm
from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.malformed import Malformed
from pipeline.media.playlist import parse as playlist
from pipeline.media.playlist import tags as references
from pipeline.media.slots.bounds import believed
from pipeline.media.slots.segments import Slot
from pipeline.media.stitch.stitcher import Stitcher
from pipeline.media.timeline.plan import Plan, plan
from pipeline.media.ts.scan import Scan, scan
from pipeline.model import Severity
from pipeline.storage.names import safe_key
from tests import ts
from tests.media.boxes_builder import moov, trak
from tests.media.containers import test_matroska as webm
from tests.media.isobmff import test_fragments as fragments

CORPUS = Path(__file__).with_name("corpus")  # a zip of kept inputs for each target
PACKET = ts.PACKET
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")  # RFC 3986 section 3.1
PART = b"\0PART\0"  # between an initialisation section and a segment
SPLIT = 0xFE  # the byte that parts the segments of a recording, where a sync byte would stand


@dataclass(frozen=True)
class Target:
    """One reader, and inputs to begin with."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]
    longest: int  # bytes of an input


def scan_segment(data: bytes) -> Scan:
    """The scan of a segment is a value for any bytes; it depends on nothing but them."""
    first, again = (scan("a.ts", np.frombuffer(data, np.uint8)) for _ in range(2))
    assert first.findings == again.findings
    assert first.size == len(data)
    assert 0 <= first.packets * PACKET <= len(data)
    for pid, stream in first.streams.items():
        assert stream.pids[0] == pid
        assert 0 < stream.packets <= first.packets
        assert len(stream.pts) == len(stream.dts) <= stream.packets
        assert (stream.pts < 1 << 33).all()
        assert (stream.pts >= -1).all()
    return first


def join_recording(data: bytes) -> Plan:
    """What a plan makes of segments is a sound stream; and it says what it lacks."""
    parts = list(_segments(data))
    scans = [scan_segment(part) for part in parts]
    slots, said = believed([Slot(f"{n}.ts", one, 2.0) for n, one in enumerate(scans)])
    made = plan(slots)
    if made.rejected or any(finding.severity is Severity.FATAL for finding in said):
        return made
    stitcher = Stitcher(made.lanes)
    stream = bytearray(stitcher.tables())
    for placed in made.placed:
        for pid, (pts, dts) in placed.stamps.items():
            raw = placed.stream(pid)
            (lane,) = (lane for lane in made.lanes if lane.pid == pid)
            lost = lane.codec.kind == "audio"  # a stamp that cannot be right: frames follow
            for new, old in ((pts, raw.pts), (dts, raw.dts)):
                assert not ((new >= 0) & (old < 0)).any()
                assert lost or not ((new < 0) & (old >= 0)).any()
        part = np.frombuffer(bytearray(parts[placed.number]), np.uint8)
        edges, pids = placed.edges, placed.pids
        stitched = stitcher.add(placed.slot.name, part, placed.stamps, edges, pids=pids)
        for chunk in stitched.chunks:
            stream += chunk
        for units in stitched.units.values():
            assert len(units.sizes) == len(units.pts) == len(units.dts)
    assert_continuous(bytes(stream))
    return made


def assert_continuous(stream: bytes) -> None:
    """Packets in step, and no continuity_counter left out (ISO/IEC 13818-1 clause 2.4.3.3)."""
    assert len(stream) % PACKET == 0
    counters: dict[int, int] = {}
    for at in range(0, len(stream), PACKET):
        sync, high, low, control = stream[at : at + 4]
        pid = (high & 31) << 8 | low
        assert sync == 0x47
        if control & 0x10 and pid != ts.NULL:
            assert control & 15 == counters.get(pid, control & 15)
            counters[pid] = control + 1 & 15


def _segments(data: bytes) -> Iterator[bytes]:
    """Packets in step, so that a change of length does not cost the rest of the input."""
    part = bytearray()
    for at in range(0, len(data), PACKET):
        packet = data[at : at + PACKET]
        if packet[0] == SPLIT and part:
            yield bytes(part)
            part.clear()
        part += b"\x47" + packet[1:] if packet[0] == SPLIT else packet
    if part:
        yield bytes(part)


def read_movie(data: bytes) -> None:
    """A moov box is read or malformed; what was read can be used."""
    try:
        movie = mp4.parse_moov(data)
    except Malformed:
        return
    for track in movie.tracks:
        count = len(track.sizes)
        assert len(track.dts) == count
        assert int(track.chunk_samples.sum()) == count
        assert len(track.chunk_offsets) == len(track.chunk_samples)
        if movie.timescale and track.timescale:
            assert len(mp4.presentation(track, movie.timescale)) == count
            assert len(mp4.decode_times(track, movie.timescale)) == count
            assert 0 <= mp4.hidden(track, movie.timescale) <= count
        mp4.runs(track)


def read_boxes(data: bytes) -> None:
    """The top level of a file is read or malformed, without a read outside of it."""

    def read(offset: int, length: int) -> bytes:
        assert 0 <= offset <= len(data)
        return data[offset : offset + length]

    try:
        layout = mp4.moov_span(read, len(data))
    except Malformed:
        return
    assert all(box.offset >= 0 and box.offset + box.size <= len(data) for box in layout.boxes)


def read_playlist(data: bytes) -> None:
    """A playlist is read; it names nothing that lies elsewhere unless it says so as fatal."""
    read = playlist.parse(data)
    fatal = any(f.severity == Severity.FATAL for f in read.findings)
    for segment in read.segments:
        assert segment.duration >= 0
        assert fatal or not SCHEME.match(segment.uri)
        files = references.names(segment.uri)
        assert files
        for file in files:
            assert safe_key(f"folder/{file}")
            assert file[0] != "/"
            assert file.isprintable() or all(ord(c) > 0x9F for c in file if not c.isprintable())
    assert len(read.findings) < 20 * playlist.MAX_NAMED


def read_captions(data: bytes) -> None:
    """Captions are read as plain text or malformed; what is shown of them makes a sound track."""
    try:
        document = webvtt.parse(data)
    except Malformed:
        return
    for cue in document.cues:
        assert 0 <= cue.begin < cue.end
        assert 0 < len(cue.text) <= webvtt.MOST_TEXT
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", cue.text)
    clock = ResultClock(zero=(1_772_442_000.0,), seconds=100.0, first=0)
    found = reading([CaptionFile(document)], clock)
    track = text_track(found.cues if found else (), "eng")
    times = [sample.at for sample in track.samples]
    assert times == sorted(set(times))
    assert times[0] == 0
    assert times[-1] <= 100_000
    if not track.says:
        return
    whole = as_mp4(track)
    moov = mp4.moov_span(lambda at, size: whole[at : at + size], len(whole)).moov
    (read,) = mp4.parse_moov(whole[moov.offset : moov.offset + moov.size]).tracks
    assert read.dts.tolist() == times[:-1]


def read_names(data: bytes) -> None:
    """A file name is in Agora's grammar or not."""
    text = data.decode("utf-8", "surrogateescape")
    for parse in (names.parse_slice_name, names.parse_playlist_name):
        parse(text)


def open_webm(data: bytes) -> None:
    """A WebM file is read or refused with a finding; what was read is a sound stream."""
    _as_stream(from_webm("a.webm", data))


def open_fragments(data: bytes) -> None:
    """The same for a segment of fragmented MP4 behind its initialisation section."""
    init, _, segment = data.partition(PART)
    _as_stream(from_fragments("a.m4s", init, segment or init))


def open_packed(data: bytes) -> None:
    """Packed audio is read, with a finding for what is none; what was read is a sound stream."""
    _as_stream(from_packed("a.aac", data))


def _as_stream(found: Contained) -> None:
    if not len(found.data):
        return
    made = scan_segment(found.data.tobytes())
    assert made.program.streams
    assert not made.cut
    assert not any(f.severity is Severity.ERROR for f in made.findings), made.findings
    assert found.configs.keys() | found.gone.keys() <= made.program.streams.keys()


# --- seeds ---------------------------------------------------------------------------------------


def segments() -> Iterator[bytes]:
    """Small segments of every kind."""
    yield ts.segment(pictures=3, size=60)
    yield ts.segment(pictures=3, size=60, audio=None, codes=(3, 4))
    yield ts.segment(pictures=3, video=None)
    yield ts.segment(start=(1 << 33) - 2 * ts.PICTURE, pictures=3, size=200, delay=2 * ts.PICTURE)


def recordings() -> Iterator[bytes]:
    """Two segments in a row."""
    for step in (3 * ts.PICTURE, 90 * ts.HZ, -ts.HZ):
        counters: dict[int, int] = {}
        one, two = (
            ts.segment(start=at, pictures=3, size=60, counters=counters)
            for at in (ts.START, ts.START + step)
        )
        yield one + bytes((SPLIT,)) + two[1:]
    yield from _in_other_pes()


def _in_other_pes() -> Iterator[bytes]:
    """Two segments of pictures: with a PES for each NAL unit, with what opens the next one behind
    them and zeros between, and as one PES of all.
    """
    pictures = [ts.picture_nals(n, size=9, slices=2) for n in range(4)]
    for form in ("units", "behind", "whole"):
        counter, parts = 0, []
        for half in (pictures[:2], pictures[2:]):
            groups = [[ts.annex_b([nal]) for nal in nals] for nals in half]
            if form == "behind":
                groups = [[ts.annex_b(nals[1:]) + b"\0" + ts.annex_b([ts.AUD])] for nals in half]
            if form == "whole":
                groups = [[b"".join(ts.annex_b(nals) for nals in half)]]
            own = [
                *ts.table_packets(0, ts.pat()),
                *ts.table_packets(ts.PMT, ts.pmt({256: ts.H264})),
            ]
            for n, group in enumerate(groups, 2 * len(parts)):
                for es in group:
                    made = ts.packets(256, ts.pes(0xE0, es, ts.START + n * ts.PICTURE), counter)
                    counter += len(made)
                    own += made
            parts.append(b"".join(own))
        yield parts[0] + bytes((SPLIT,)) + parts[1][1:]


def movies() -> Iterator[bytes]:
    """Movie boxes by hand."""
    yield moov()
    yield moov(trak(), trak(handler=b"soun"))


def files() -> Iterator[bytes]:
    """Whole small files."""
    yield b"\0\0\0\x10ftypisom\0\0\0\0" + moov() + b"\0\0\0\x0cmdatabcd"


def playlists() -> Iterator[bytes]:
    """Playlists in Agora's dialect and in plain HLS."""
    head = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:16\n"
    agora = b"#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME=1\n#EXT-X-DISCONTINUITY\n"
    yield head + agora + b"#EXTINF:15.0\na_20260101000000000.ts\n#EXT-X-ENDLIST\n"
    yield head + b"#EXTINF:4.0,\na.ts\n#EXT-X-GAP\n#EXTINF:4,x\nb.ts\n#EXT-X-BYTERANGE:5@0\nb.ts\n"
    yield head + b"#EXTINF:4,\n./x/a%20b.ts?t=%2F#f\n#EXTINF:4,\n%2e%2e/a.ts\n#EXT-X-ENDLIST\n"
    yield head + b'#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXT-X-MAP:URI="i.mp4"\n#EXTINF:1,\n../a.ts\n'


def captions() -> Iterator[bytes]:
    """Captions with what may stand in them."""
    head = b"WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\nLanguage: en-US\n\n"
    yield head + b"1\n00:01.000 --> 00:02.500 line:0\n<v Anna>a &amp; <b>b</b>\n\nNOTE x\n"
    yield head + b"492345:00:01.000 --> 492345:00:02.000\nx\n00:03.000 --> 00:04.000\ny\n"
    yield b"WEBVTT\n\n00:01.000 --> 00:09.000\na\n\n00:02,000-->00:08,000\nb\n"


def file_names() -> Iterator[bytes]:
    """Names of slices and playlists."""
    sid = b"0123456789abcdef0123456789abcdef"
    yield sid + b"_channel_20260101000000000.ts"
    yield b"bak0_" + sid + b"_chan_nel.m3u8"


def packed_audio() -> Iterator[bytes]:
    """Frames behind a tag with a time."""
    told = OWNER + bytes(8)
    frame = b"PRIV" + len(told).to_bytes(4, "big") + b"\0\0" + told
    head = b"ID3\4\0\0\0\0\0" + bytes((len(frame),)) + frame
    yield head + b"".join(ts.adts_frame(ts.noise(60, n)) for n in range(8))


def webms() -> Iterator[bytes]:
    """A track of every codec, and blocks of every lacing."""
    yield webm.webm(webm.cluster(0, webm.simple(1, 0, b"aa"), webm.simple(2, 5, b"o")))
    group = webm.element("a0", webm.element("a1", webm.block(2, 20, b"\2aabbcc", lacing=2)))
    yield webm.webm(webm.cluster(7, group, size=webm.UNKNOWN), size=webm.UNKNOWN)
    codecs = b"V_VP9", b"V_AV1", b"V_MPEG4/ISO/AVC", b"A_AAC", b"A_OPUS"
    for n, codec in enumerate(codecs, 1):
        private = PRIVATE[codec]
        entry = webm.element(
            "ae",
            webm.element("d7", bytes([n])),
            webm.element("86", codec),
            webm.element("63a2", private),
        )
        tracks = webm.element("1654ae6b", entry)
        media = webm.cluster(0, webm.simple(n, 0, FRAME[codec]), webm.simple(n, 40, FRAME[codec]))
        yield webm.HEAD + webm.element("18538067", tracks, media)


PRIVATE = {
    b"V_VP9": b"",
    b"V_AV1": b"\x81\x00\x0c\x00",
    b"V_MPEG4/ISO/AVC": bytes.fromhex("0142c01effe100086742c01ea9028058010004")
    + b"\x68\xce\x3c\x80",
    b"A_AAC": b"\x11\x88",
    b"A_OPUS": b"OpusHead\1\1\x38\1\x80\xbb\0\0\0\0\0",
}
FRAME = {
    b"V_VP9": bytes.fromhex("824983420013f00b3000"),
    b"V_AV1": b"\x12\0\x0a\2\0\0\x32\1a",
    b"V_MPEG4/ISO/AVC": b"\0\0\0\3\x65\x88\x80",
    b"A_AAC": b"\x21\x10\5",
    b"A_OPUS": b"\xfc\xff\xfe",
}


def fragmented() -> Iterator[bytes]:
    """Initialisation sections with the fragments of a segment."""
    run = fragments.trun((100,) * 3, (10,) * 3, flags=0x301, offset=100)
    yield fragments.init() + PART + fragments.segment(fragments.traf(run))
    whole = fragments.trun((100, 50), (10, 20), (0, 100), flags=0xB01, offset=100, version=1)
    yield fragments.init() + fragments.segment(fragments.traf(whole, time=1000))


TARGETS: Mapping[str, Target] = {
    "scan": Target(scan_segment, segments, 24 * PACKET),
    "join": Target(join_recording, recordings, 48 * PACKET),
    "movie": Target(read_movie, movies, 4096),
    "boxes": Target(read_boxes, files, 4096),
    "playlist": Target(read_playlist, playlists, 2048),
    "webm": Target(open_webm, webms, 4096),
    "fmp4": Target(open_fragments, fragmented, 4096),
    "packed": Target(open_packed, packed_audio, 2048),
    "captions": Target(read_captions, captions, 2048),
    "names": Target(read_names, file_names, 300),
}
