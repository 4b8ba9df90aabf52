"""What other containers hold, as a transport stream: what is told, left out and refused."""

import pytest

from pipeline.media.clock import BASE
from pipeline.media.containers.to_ts import from_fragments, from_webm
from pipeline.media.es.codecs import AV1, OPUS, codec_of
from pipeline.media.isobmff import fragments as reader
from pipeline.media.ts.scan import scan
from pipeline.media.ts.writing.replace_streams import samples
from pipeline.model import Severity
from tests.media.boxes_builder import audio_entry, box, edits, full, trak
from tests.media.containers import test_matroska as w
from tests.media.isobmff import test_fragments as f

HEAD = b"OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0"
DOPS = b"\0\2\1\x38\0\0\xbb\x80\0\0\0"
AV1C = b"\x81\0\x0c\0"


def track(codec, *more, private=b""):
    entry = w.element(
        "ae",
        w.element("d7", b"\1"),
        w.element("86", codec),
        w.element("63a2", private),
        w.element("e0", w.element("b0", w.number(320)), w.element("ba", w.number(180))),
        *more,
    )
    return w.element("1654ae6b", entry)


def webm(tracks, *frames):
    blocks = [w.simple(1, 20 * n, frame) for n, frame in enumerate(frames)]
    return w.HEAD + w.element("18538067", tracks, w.cluster(1000, *blocks))


def test_opus_counts_from_what_is_heard():
    delay = w.element("56aa", w.number(6_500_000))
    found = from_webm("a.webm", webm(track(b"A_OPUS", delay, private=HEAD), b"a", b"b"))
    ((pid, config),) = found.configs.items()
    assert config == (312).to_bytes(2, "big") + DOPS
    stream = scan("a.webm", found.data).streams[pid]
    assert stream.codec == OPUS
    assert stream.pts.tolist() == [BASE + 90000 - 585 + n * 1800 for n in range(2)]
    assert [s.data for s in samples(found.data, pid)] == [b"a", b"b"]


def test_without_a_delay_nothing_is_skipped():
    found = from_webm("a.webm", webm(track(b"A_OPUS", private=HEAD), b"a"))
    assert list(found.configs.values()) == [bytes(2) + DOPS]


def test_opus_in_fragments_counts_from_what_its_edit_list_shows():
    sound = trak(
        handler=b"soun",
        edts=edits((0, 7, 0x10000)),  # of 1000 in a second
        stsd=audio_entry(box("dOps", DOPS), kind="Opus"),
        stsz=full("stsz", "2I", 0, 0),
    )
    movie = box("moov", f.MVHD, sound, box("mvex", full("trex", "5I", 7, 1, 20, 10, 0)))
    found = from_fragments("a.m4s", movie, f.segment(f.traf(f.trun(count=2, flags=1, offset=100))))
    assert list(found.configs.values()) == [(336).to_bytes(2, "big") + DOPS]


@pytest.mark.parametrize("private", [b"", b"OpusTags", HEAD[:18], b"OpusHead\x11" + HEAD[9:]])
def test_opus_that_does_not_tell_how_it_is_decoded(private):
    found = from_webm("a.webm", webm(track(b"A_OPUS", private=private), b"a"))
    assert not found.configs
    assert len(found.data)


def test_av1_without_what_mp4_does_not_store():
    unit = b"\x12\0" + b"\x0a\2xy" + b"\x32\3abc" + b"\x7a\1\0"
    found = from_webm("a.webm", webm(track(b"V_AV1", private=AV1C), unit, b"\x32\3abc"))
    assert found.configs == {0x100: b"\x01\x40\x00\xb4" + AV1C}
    stored = [s.data for s in samples(found.data, 0x100)]
    assert stored == [b"\x0a\2xy\x32\3abc", b"\x32\3abc"]
    assert AV1.is_key(stored[0])
    assert not AV1.is_key(stored[1])


def test_compressed_tracks_are_refused():
    found = from_webm("a.webm", webm(track(b"V_VP9", w.element("6d80", b"")), b"a"))
    (finding,) = found.findings
    assert (finding.id, finding.severity) == ("ES_CODEC", Severity.FATAL)


@pytest.mark.parametrize("codec", [b"V_MPEG4/ISO/AVC", b"A_AAC"])
@pytest.mark.parametrize("private", [b"", b"\1", b"\xff\xff\xff\xff\xff\xff\xff\xff"])
@pytest.mark.parametrize("frame", [b"", b"abc", bytes(9)])
def test_nonsense_is_refused_and_no_traceback(codec, private, frame):
    found = from_webm("a.webm", webm(track(codec, private=private), frame))
    assert all(f.severity is Severity.FATAL for f in found.findings)
    assert found.findings or codec == b"A_AAC"


def test_frames_whose_times_run_back_stay_in_their_order():
    blocks = [w.simple(1, offset, bytes([offset])) for offset in (40, 0, 20)]
    data = w.HEAD + w.element("18538067", track(b"V_VP9"), w.cluster(1000, *blocks))
    found = from_webm("a.webm", data)
    assert [s.data[0] for s in samples(found.data, 0x100)] == [40, 0, 20]
    assert not [x for x in scan("a.webm", found.data).findings if x.id == "CC"]


def test_a_type_of_our_own_counts_only_under_our_mark():
    """Somebody else's private stream is data."""
    assert codec_of(0xF2, "rcpp", 0) is AV1
    assert codec_of(0xF2, "", 0) is None
    assert codec_of(0xF2, "HEVC", 0) is None


@pytest.mark.parametrize("left", [0, 10, 25])
def test_a_fragment_tells_what_was_cut_off(left):
    def made(offset):
        run = f.trun((100, 100, 100), (10, 10, 10), flags=0x301, offset=offset)
        return f.segment(f.traf(run, time=1000), media=bytes(30))

    begin = made(0).index(b"mdat") + 4
    data = made(begin)
    found = reader.read(f.init(), data[: begin + left]).samples[0]
    whole = left // 10
    assert len(found.size) == whole
    end = 90_000 + 3 * 9_000 - (9_000 if whole == 2 else 0)  # how long a single one lasts is open
    assert found.gone == (90_000 + whole * 9_000, end)
    assert reader.read(f.init(), data).samples[0].gone is None


def test_nothing_is_told_where_nothing_can_be_read():
    assert not len(from_fragments("a.m4s", b"", b"\0\0\0\x10moofnonsense").data)
    assert [x.id for x in from_webm("a.webm", b"\x1a\x45\xdf\xa3").findings] != ["x"]
