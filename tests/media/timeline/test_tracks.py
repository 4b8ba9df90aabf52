"""Which streams become tracks, and which recordings cannot be one MP4."""

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.media.es.codecs import AAC, H264
from pipeline.media.timeline.pid_mapping import aligned
from pipeline.media.timeline.tracks import choose
from pipeline.media.track import Lane
from pipeline.media.ts.scan import Scan, scan
from pipeline.model import Severity
from tests import ts

S = 96_000
CONFIG = bytes.fromhex("fff14c40")
SETS = (ts.SPS, ts.PPS)
VIDEO, AUDIO = Lane(ts.VIDEO, H264, ts.SPS, 6000.0, SETS), Lane(ts.AUDIO, AAC, CONFIG, 1920.0)
LARGER = bytes.fromhex("6742c00ad90141fb011000000300100000030140f14272")  # 320x180
BOTH = {ts.VIDEO: ts.H264, ts.AUDIO: ts.AAC}


def media(n: int = 0, **options: object) -> bytes:
    return ts.segment(start=S * (n + 1), pictures=16, **options)


def told(
    data: bytes, streams: dict[int, int] | None, pid: int = ts.PMT, **options: object
) -> bytes:
    """Media with other tables in front; none at all where ``streams`` is None."""
    if streams is None:
        return data[2 * ts.PACKET :]
    tables = ts.table_packets(0, ts.pat({1: pid}))
    tables += ts.table_packets(pid, ts.pmt(streams, **options))
    return b"".join(tables) + data[2 * ts.PACKET :]


def scans(*datas: bytes) -> list[Scan]:
    return [scan(f"{n}.ts", np.frombuffer(data, np.uint8)) for n, data in enumerate(datas)]


def rejection(*datas: bytes) -> list[tuple[str, str | None, int | None]]:
    """What is fatal about a recording: id, segment and PID."""
    _, findings = choose(aligned(scans(*datas))[0])
    return [(f.id, f.segment, f.pid) for f in findings if f.severity == Severity.FATAL]


@pytest.mark.parametrize(
    ("datas", "lanes"),
    [
        pytest.param([media(), media(1)], (VIDEO, AUDIO), id="sound and picture"),
        pytest.param([media(video=None)], (AUDIO,), id="sound only"),
        pytest.param([media(audio=None)], (VIDEO,), id="picture only"),
        pytest.param(
            [media(video=0x200, audio=0x80)],
            (Lane(0x200, H264, ts.SPS, 6000.0, SETS), Lane(0x80, AAC, CONFIG, 1920.0)),
            id="video first, whatever the PIDs",
        ),
    ],
)
def test_lanes(datas, lanes):
    assert choose(scans(*datas)) == (lanes, [])


def test_the_unit_is_the_usual_step():
    hole = media(3, audio=None)  # a gap between segments is none of its steps
    lanes, _ = choose(scans(media(audio=None), hole))
    assert [lane.unit for lane in lanes] == [6000.0]


def test_one_picture_lasts_a_25th_of_a_second():
    lanes, _ = choose(scans(ts.segment(pictures=1, audio=None)))
    assert [lane.unit for lane in lanes] == [3600.0]


@pytest.mark.parametrize(
    ("datas", "fatal"),
    [
        pytest.param(
            [
                media(),
                media(1) + b"".join(ts.table_packets(ts.PMT, ts.pmt({ts.VIDEO: ts.HEVC}), 1)),
            ],
            ("PMT_CHANGE", "1.ts", None),
            id="a stream becomes another inside a segment",
        ),
        pytest.param(
            [media(), media(1).replace(ts.SPS, LARGER)],
            ("SPS_CHANGE", "1.ts", ts.VIDEO),
            id="pictures of another size",
        ),
        pytest.param(
            [media(), media(1).replace(CONFIG[:3], b"\xff\xf1\x50")],
            ("AAC_CHANGE", "1.ts", ts.AUDIO),
            id="another rate",
        ),
        pytest.param(
            [told(media(), {ts.VIDEO: 0x02, ts.AUDIO: ts.AAC})],
            ("ES_CODEC", None, ts.VIDEO),
            id="a codec that is not supported",
        ),
        pytest.param(
            [media(audio=None).replace(ts.SPS, b"\x06" + ts.SPS[1:])],
            ("ES_CODEC", None, ts.VIDEO),
            id="no SPS",
        ),
        pytest.param(
            [told(media(), None), told(media(1), None)],
            ("PSI_MISSING", None, None),
            id="no tables anywhere",
        ),
        pytest.param(
            [told(media(), {0x106: 6})],
            ("ES_ABSENT", None, None),
            id="nothing but data is announced",
        ),
        pytest.param(
            [b"".join(ts.table_packets(0, ts.pat({1: ts.PMT, 2: 0x1001}))) + media()[188:]],
            ("PAT_PROGRAMS", None, None),
            id="two programs",
        ),
    ],
)
def test_rejected(datas, fatal):
    assert rejection(*datas) == [fatal]


@pytest.mark.parametrize(
    ("datas", "lanes", "finding"),
    [
        pytest.param(
            [told(media(video=None), BOTH)],
            (AUDIO,),
            ("ES_ABSENT", Severity.WARNING, None, ts.VIDEO, None),
            id="announced but never sent",
        ),
        pytest.param(
            [media(), told(media(1), None)],
            (VIDEO, AUDIO),
            ("PSI_MISSING", Severity.WARNING, "1.ts", None, "those of the other segments used"),
            id="no tables in one segment",
        ),
        pytest.param(
            [told(media(), None), media(1)],
            (VIDEO, AUDIO),
            ("PSI_MISSING", Severity.WARNING, "0.ts", None, "those of the other segments used"),
            id="no tables in the first segment",
        ),
        pytest.param(
            [media(), media(1, pmt_pid=0x1100)],
            (VIDEO, AUDIO),
            ("PMT_PID_CHANGE", Severity.WARNING, "1.ts", None, "one PMT written"),
            id="the PMT moves",
        ),
        pytest.param(
            [told(media(), BOTH | {0x106: 6})],
            (VIDEO, AUDIO),
            ("ES_DATA", Severity.INFO, None, 0x106, None),
            id="a data stream",
        ),
        pytest.param(
            [media(), told(media(1), BOTH, descriptors={ts.VIDEO: b"\x28\x04abcd"})],
            (VIDEO, AUDIO),
            None,
            id="other descriptors",
        ),
        pytest.param(
            [media(), told(media(1, audio=None), BOTH), media(2)],
            (VIDEO, AUDIO),
            None,  # whether it was lost, its neighbours tell
            id="no sound in the middle",
        ),
        pytest.param(
            [media(), b"".join(ts.table_packets(0, ts.pat())), media(2)],
            (VIDEO, AUDIO),
            ("ES_ABSENT", Severity.ERROR, "1.ts", None, None),
            id="a segment of nothing but a table where media should be",
        ),
        pytest.param(
            [media(), b"".join(ts.table_packets(0, ts.pat())), media(1)],
            (VIDEO, AUDIO),
            ("ES_ABSENT", Severity.WARNING, "1.ts", None, None),
            id="a segment of nothing but a table between two that go on",
        ),
        pytest.param(
            [told(media(audio=None), BOTH), media(1)],
            (VIDEO, AUDIO),
            ("ES_ABSENT", Severity.WARNING, "1.ts", ts.AUDIO, None),
            id="sound comes late",
        ),
        pytest.param(
            [media(), told(media(1, audio=None), BOTH)],
            (VIDEO, AUDIO),
            ("ES_ABSENT", Severity.WARNING, "0.ts", ts.AUDIO, None),
            id="sound ends early",
        ),
        pytest.param(
            [media(), media(1) + b"".join(ts.table_packets(ts.PMT, ts.pmt({ts.AUDIO: 15}), 1))],
            (VIDEO, AUDIO),
            None,
            id="a stream vanishes from the tables inside a segment",
        ),
    ],
)
def test_accepted(datas, lanes, finding):
    found, findings = choose(scans(*datas))
    assert found == lanes
    said = [(f.id, f.severity, f.segment, f.pid, f.repair) for f in findings]
    assert said == ([finding] if finding else [])


def beside(times: Sequence[int], *, stream_id: int = 0xBD, es: bytes = b"x" * 50) -> bytes:
    """PES on a PID of its own, at these ticks behind the beginning of a segment."""
    made = [ts.packets(0x106, ts.pes(stream_id, es, S + at), n) for n, at in enumerate(times)]
    return b"".join(packet for pes in made for packet in pes)


STEADY = range(0, 90_000, 3000)


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        pytest.param(
            told(media(), {ts.VIDEO: ts.HEVC, ts.AUDIO: ts.AAC}),
            ("ES_CODEC", Severity.ERROR, ts.VIDEO),
            id="pictures of another codec than announced",
        ),
        pytest.param(
            media().replace(b"\xff\xf1", b"\0\0"),
            ("ES_CODEC", Severity.ERROR, ts.AUDIO),
            id="sound that is none",
        ),
        pytest.param(
            told(media(), BOTH | {0x106: 0x06}) + beside(STEADY),
            ("ES_CODEC", Severity.ERROR, 0x106),
            id="steady PES of a type that nobody knows",
        ),
        pytest.param(
            told(media(), BOTH | {0x106: 0x06}) + beside([0, 30_000]),
            ("ES_DATA", Severity.INFO, 0x106),
            id="now and then",
        ),
        pytest.param(
            told(media(), BOTH | {0x106: 0x15}) + beside(STEADY),
            ("ES_DATA", Severity.INFO, 0x106),
            id="metadata",
        ),
        pytest.param(
            told(media(), BOTH | {0x106: 0x06}, descriptors={0x106: b"\x56\x05eng\x09\0"})
            + beside(STEADY),
            ("ES_DATA", Severity.INFO, 0x106),
            id="teletext",
        ),
        pytest.param(
            told(media(), BOTH | {0x106: 0x06}, descriptors={0x106: b"\x05\x04KLVA"})
            + beside(STEADY),
            ("ES_DATA", Severity.INFO, 0x106),
            id="told by its registration",
        ),
        pytest.param(
            media() + beside(STEADY),
            ("ES_UNREFERENCED", Severity.ERROR, 0x106),
            id="steady PES in no table",
        ),
        pytest.param(
            media() + beside([0], stream_id=0xC0),
            ("ES_UNREFERENCED", Severity.WARNING, 0x106),
            id="one PES in no table",
        ),
        pytest.param(media() + beside([0]), None, id="one PES in no table that is no media"),
    ],
)
def test_what_becomes_no_track(data, finding):
    lanes, findings = choose(scans(data))
    assert lanes
    assert {lane.pid for lane in lanes} == {ts.VIDEO, ts.AUDIO} - {finding and finding[2]}
    said = [(f.id, f.severity, f.pid) for f in findings]
    assert said == ([finding] if finding else [])


def test_a_stream_that_one_table_lists_is_no_stranger():
    lanes, findings = choose(scans(told(media(), {ts.VIDEO: ts.H264}), media(1)))
    assert {lane.pid for lane in lanes} == {ts.VIDEO, ts.AUDIO}
    assert "ES_UNREFERENCED" not in {f.id for f in findings}


def test_sound_of_another_type_than_told_is_said_once():
    lies = BOTH | {ts.AUDIO: 0x03}
    lanes, findings = choose(scans(told(media(), lies), told(media(1), lies)))
    assert lanes == (VIDEO, AUDIO)
    assert [(f.id, f.severity, f.segment, f.pid, f.count, f.repair) for f in findings] == [
        ("PMT_TYPE", Severity.WARNING, "0.ts", ts.AUDIO, 2, "taken as stream type 0x0f")
    ]


@pytest.mark.parametrize(
    ("told_first", "language"),
    [(b"eng", "eng"), (b"GER", "ger"), (b"und", "fra"), (b"\xff-\n", "fra"), (b"", "fra")],
)
def test_the_first_language_that_is_one_counts(told_first, language):
    def spoken(n: int, name: bytes) -> bytes:
        said = {ts.AUDIO: b"\x0a\x04" + name + b"\0"} if name else {}
        return told(media(n), BOTH, descriptors=said)

    lanes, _ = choose(aligned(scans(spoken(0, told_first), spoken(1, b"fra")))[0])
    assert next(lane.language for lane in lanes if lane.codec is AAC) == language


def test_parameter_sets_that_change_under_their_number_stay_inside():
    other = ts.SPS[:3] + b"\x1f" + ts.SPS[4:]  # level
    (video, audio), findings = choose(scans(media(), media(1).replace(ts.SPS, other)))
    assert (video.inside, audio.inside) == (True, False)
    assert video.sets == (*SETS, other)
    assert [(f.id, f.severity, f.pid) for f in findings] == [
        ("SPS_CHANGE", Severity.INFO, ts.VIDEO)
    ]


def test_sound_that_is_announced_late_and_never_sent():
    datas = told(media(audio=None), {ts.VIDEO: ts.H264}), told(media(1, audio=None), BOTH)
    found, findings = choose(scans(*datas))
    assert found == (VIDEO,)
    assert [(f.id, f.severity) for f in findings] == [
        ("PMT_CHANGE", Severity.INFO),
        ("ES_ABSENT", Severity.WARNING),
    ]


def test_streams_that_come_and_go_are_told():
    datas = [media(), told(media(1), BOTH | {0x102: ts.AAC}), media(2)]
    found, findings = choose(scans(*datas))
    assert found == (VIDEO, AUDIO)
    assert [(f.id, f.severity, f.segment, f.pid) for f in findings] == [
        ("PMT_CHANGE", Severity.INFO, "1.ts", None),
        ("PMT_CHANGE", Severity.INFO, "2.ts", None),
        ("ES_ABSENT", Severity.WARNING, None, 0x102),
    ]


def test_a_data_stream_that_comes_and_goes_is_no_change():
    found, findings = choose(scans(told(media(), BOTH | {0x106: 6}), media(1)))
    assert found == (VIDEO, AUDIO)
    assert [f.id for f in findings] == ["ES_DATA"]


def test_sound_that_a_damaged_first_segment_lost_is_not_late():
    damaged = told(media(audio=None), BOTH)
    damaged = damaged[: 188 * 5] + damaged[188 * 6 :]
    assert rejection(damaged, media(1)) == []


def section(counter: int, table: int = 0xFC) -> bytes:
    return b"".join(ts.table_packets(0x106, ts.section(table, 1, b"splice"), counter))


@pytest.mark.parametrize("kind", [0x05, 0x0B, 0x0C, 0x0D, 0x86, 0xC1], ids=hex)
def test_sections_are_no_damaged_pes(kind):
    (found,) = scans(told(media(), BOTH | {0x106: kind}) + section(0) + section(5))
    assert found.findings == ()
    _, findings = choose([found])
    assert [(f.id, f.severity, f.pid) for f in findings] == [("ES_DATA", Severity.INFO, 0x106)]


def test_sections_on_a_pid_in_no_table_say_nothing():
    (found,) = scans(media() + section(0))
    assert found.findings == ()
    assert choose([found])[1] == []


def test_what_is_wrong_with_data_loses_nothing():
    data = beside(range(0, 90_000, 30_000), es=b"x" * 500)
    hurt = data[:188] + data[376:]
    (found,) = scans(told(media(), BOTH | {0x106: 0x15}) + hurt)
    assert {f.severity for f in found.findings} == {Severity.WARNING}
    assert "CC" in {f.id for f in found.findings}


@pytest.mark.parametrize(
    ("stamped", "each"),
    [
        pytest.param(lambda n: n % 3 != 1, 1, id="some pictures have no stamp"),
        pytest.param(lambda n: True, 2, id="two pictures in each PES"),
    ],
)
def test_a_picture_lasts_its_share_of_what_lies_between_two_stamps(stamped, each):
    made: list[bytes] = []
    for n in range(12):
        es = b"".join(ts.access_unit(n * each + k) for k in range(each))
        stamp = ts.START + 6000 * each * n if stamped(n) else None
        made += ts.packets(ts.VIDEO, ts.pes(0xE0, es, stamp), len(made))
    tables = ts.table_packets(0, ts.pat()) + ts.table_packets(ts.PMT, ts.pmt({ts.VIDEO: ts.H264}))
    (lane,), _ = choose(scans(b"".join([*tables, *made])))
    assert lane.unit == 6000
