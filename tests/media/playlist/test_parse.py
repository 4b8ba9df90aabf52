"""Playlists good, odd and hostile, and exactly what is found in each."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.media.playlist import parse as playlist
from pipeline.model import Finding, InitSection, Key, Rotation, Segment, Severity, TrackEvent

CORPUS = Path(
    os.environ.get("RECPIPE_CORPUS", Path(__file__).parents[3].parent / "shared" / "corpora")
)
SID = "9d1c0a5b7e2f4c3388aa61f04b7d2e19"
AGORA = f"""\
#EXTM3U
#EXT-X-VERSION:3
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-ALLOW-CACHE:YES
#EXT-X-TARGETDURATION:17
#EXT-X-DISCONTINUITY
#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=AUDIO,TIME=20240415090002120
#EXT-X-AGORA-ROTATE:WIDTH=640,HEIGHT=360,ROTATE=0,TIME=20240415090002487
#EXTINF:16.034000
{SID}_lesson7_20240415090002120.ts
#EXTINF:15.998000
{SID}_lesson7_20240415090018154.ts
#EXT-X-AGORA-ROTATE:WIDTH=640,HEIGHT=360,ROTATE=90,TIME=20240415090110503
#EXT-X-DISCONTINUITY
#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME=20240415090110503
#EXTINF:9.215000
{SID}_lesson7_20240415090110503.ts
#EXT-X-ENDLIST
"""


def parse(text: str | bytes):
    return playlist.parse(text.encode() if isinstance(text, str) else text)


def found(text: str | bytes) -> list[str]:
    """One "ID severity" for each finding, with its count if it is not 1."""
    findings = parse(text).findings
    return [f"{f.id} {f.severity}" + (f" x{f.count}" if f.count > 1 else "") for f in findings]


def vod(*lines: str) -> str:
    """A finished playlist with these lines in its middle."""
    return "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:20", *lines, "#EXT-X-ENDLIST", ""])


def listing(*uris: str) -> str:
    return vod(*(line for uri in uris for line in ("#EXTINF:4.0,", uri)))


def test_agoras_dialect():
    result = parse(AGORA)
    assert result.ended
    assert result.segments == (
        Segment(
            f"{SID}_lesson7_20240415090002120.ts",
            16.034,
            discontinuity=True,
            events=(TrackEvent("audio", 1713171602.12),),
            rotations=(Rotation(640, 360, 0, 1713171602.487),),
        ),
        Segment(f"{SID}_lesson7_20240415090018154.ts", 15.998),
        Segment(
            f"{SID}_lesson7_20240415090110503.ts",
            9.215,
            discontinuity=True,
            events=(TrackEvent("video", 1713171670.503),),
            rotations=(Rotation(640, 360, 90, 1713171670.503),),
        ),
    )
    assert found(AGORA) == ["PL_DISCONTINUITY info"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(vod("#EXTINF:4.0,", "a.ts", "#EXTINF:5.5,", "b.ts"), id="by the book"),
        pytest.param(vod("#EXTINF:4", "a.ts", "#EXTINF:5.5", "b.ts"), id="no comma"),
        pytest.param(vod("#EXTINF:4,x", "a.ts", "#EXTINF:5.5, 7,8", "b.ts"), id="titles"),
        pytest.param(vod("#EXTINF: 4 ,", "a.ts ", "#EXTINF:5.5,\t", "\tb.ts"), id="blanks"),
        pytest.param(vod("#EXTINF:4.,", "a.ts", "#EXTINF:+55e-1,", "b.ts"), id="odd numbers"),
        pytest.param(
            vod("", "#EXTINF:4,", "", "a.ts", "", "#EXTINF:5.5,", "b.ts"), id="blank lines"
        ),
        pytest.param(vod("# hi", "#EXTINF:4,", "#", "a.ts", "#EXTINF:5.5,", "b.ts"), id="comments"),
        pytest.param(
            vod("#EXT-X-VERSION: 10", "#EXTINF:4,", "a.ts", "#EXTINF:5.5,", "b.ts"),
            id="a blank in a tag",
        ),
        pytest.param(
            vod("#EXT-X-PROGRAM-DATE-TIME:?", "#EXTINF:4,", "a.ts", "#EXTINF:5.5,", "b.ts"),
            id="a bad value in a tag that does not matter",
        ),
        pytest.param(
            vod(
                "#EXT-X-FUTURE:1", "#EXTINF:4,", "#EXT-X-BITRATE:x", "a.ts", "#EXTINF:5.5,", "b.ts"
            ),
            id="unknown tags",
        ),
        pytest.param(
            vod("#EXT-X-KEY:METHOD=NONE", "#EXTINF:4,", "a.ts", "#EXTINF:5.5,", "b.ts"),
            id="not encrypted",
        ),
        pytest.param(
            vod("#EXTINF:4,", "a.ts", "#EXTINF:5.5,", "b.ts").replace("\n", "\r\n"), id="CRLF"
        ),
        pytest.param(
            vod("#EXTINF:4,", "a.ts", "#EXTINF:5.5,", "b.ts").replace("\n", "\r"), id="CR"
        ),
        pytest.param(
            vod("#EXTINF:4,", "a.ts", "#EXTINF:5.5,", "b.ts").rstrip(), id="no last line break"
        ),
        pytest.param(
            "\n" + vod("#EXTINF:4,", "a.ts", "#EXTINF:5.5,", "b.ts"), id="a blank line first"
        ),
        pytest.param(
            "#EXTM3U\n#EXT-X-ENDLIST\n#EXTINF:4,\na.ts\n#EXTINF:5.5,\nb.ts\n", id="ENDLIST first"
        ),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:5.5,\nb.ts\n#EXT-X-ENDLIST\n# by x",
            id="a comment last",
        ),
    ],
)
def test_harmless_habits_find_nothing(text):
    result = parse(text)
    segments = [replace(segment, rounded=False) for segment in result.segments]
    assert segments == [Segment("a.ts", 4.0), Segment("b.ts", 5.5)]
    assert result.ended
    assert result.findings == ()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        pytest.param(b"", "nothing,", id="empty"),
        pytest.param(b" \r\n\r\n", "nothing,", id="blank"),
        pytest.param(b"<!DOCTYPE html>\n<html>404", "an HTML page,", id="HTML"),
        pytest.param(b"\n <HTML lang=en>", "an HTML page,", id="HTML without a doctype"),
        pytest.param(b"<?xml version='1.0'?><Error><Code>NoSuchKey", "an XML document,", id="XML"),
        pytest.param(b'{"code": 403}', "JSON,", id="JSON object"),
        pytest.param(b'["x"]', "JSON,", id="JSON array"),
        pytest.param("#EXTM3U\n".encode("utf-16"), "UTF-16 text,", id="UTF-16"),
        pytest.param(b"G\x40\0\x10" + bytes(184), "binary data,", id="a transport stream"),
        pytest.param(bytes(1000), "binary data,", id="zeroes"),
        pytest.param(b"Not Found", "some other text,", id="plain text"),
        pytest.param("不存在".encode(), "some other text,", id="Chinese text"),
        pytest.param(b"#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n", "some other text,", id="no header"),
        pytest.param(b"a.ts\n#EXTM3U\n", "some other text,", id="header second"),
        pytest.param(b"#EXTM3", "some other text,", id="cut inside the header"),
        pytest.param(b"#EXTM3U8\n", "some other text,", id="a longer tag"),
        pytest.param(b"\xef\xbb\xbf", "nothing,", id="only a BOM"),
    ],
)
def test_what_is_no_playlist(data, what):
    (finding,) = parse(data).findings
    assert (finding.id, finding.severity) == ("PL_NOT_M3U", Severity.FATAL)
    assert finding.detail.startswith(what)
    assert not parse(data).segments


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://10.0.0.1/a.ts", id="http"),
        pytest.param("HTTPS:a.ts", id="a scheme in capitals"),
        pytest.param("file:a.ts", id="file"),
        pytest.param("data:video/mp2t;base64,AA", id="data"),
        pytest.param("concat:a.ts|b.ts", id="concat"),
        pytest.param("subfile,,start,0,end,9,,:a.ts", id="subfile"),
        pytest.param("crypto+file:a.ts", id="crypto"),
        pytest.param("C:a.ts", id="a drive"),
        pytest.param("%68ttp%3Aa.ts", id="a scheme percent-encoded"),
        pytest.param("//host/a.ts", id="a host"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("../a.ts", id="the folder above"),
        pytest.param("..", id="dot dot"),
        pytest.param(".", id="dot"),
        pytest.param("x/../../a.ts", id="up again from a folder below"),
        pytest.param("./", id="the folder itself"),
        pytest.param("..\\a.ts", id="backslash"),
        pytest.param("%2e%2e", id="dot dot percent-encoded"),
        pytest.param("%2E%2E%2Fa.ts", id="the folder above percent-encoded"),
        pytest.param("%2fa.ts", id="absolute percent-encoded"),
        pytest.param("%252e%252e/a.ts", id="the folder above percent-encoded twice"),
        pytest.param("a.ts?x=/../../b", id="the folder above in a query"),
        pytest.param("x%5Ca.ts", id="backslash percent-encoded"),
        pytest.param("a.ts%00.jpg", id="NUL percent-encoded"),
        pytest.param("a%0aB.ts", id="line break percent-encoded"),
        pytest.param("a\0.ts", id="NUL"),
        pytest.param("a\x1b[2J.ts", id="escape"),
        pytest.param("a\x85b.ts", id="a C1 control"),
        pytest.param("a\u2028b.ts", id="a line separator"),
        pytest.param("a\x0bb.ts", id="vertical tab"),
        pytest.param("|ls", id="a command"),
        pytest.param("%7Cls", id="a command percent-encoded"),
        pytest.param("\u00a0a.ts", id="an odd blank in front"),
        pytest.param("a.ts\u3000", id="an odd blank behind"),
        pytest.param("a" * 253 + ".ts", id="longer than a file name can be"),
        pytest.param("é" * 127 + ".ts", id="longer in bytes"),
    ],
)
def test_unsafe_names_are_fatal_and_not_listed(uri):
    text = listing("a.ts", uri, "b.ts")
    assert found(text) == ["PL_UNSAFE_URI fatal"]
    assert [segment.uri for segment in parse(text).segments] == ["a.ts", "b.ts"]
    assert all(character.isprintable() for character in parse(text).findings[0].detail)
    for tag in ("#EXT-X-KEY:METHOD=NONE,URI=", "#EXT-X-MAP:URI="):
        assert "PL_UNSAFE_URI fatal" in found(vod(f'{tag}"{uri}"', "#EXTINF:4,", "a.ts"))


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(f"{SID}_a:b_20240415090002120.ts", id="colon after a sid"),
        pytest.param(f"bak0_{SID}_http://x_1.ts".replace("/", ""), id="a scheme after a sid"),
        pytest.param(f"{SID}_a b!#$%&()+-:;<=.>?@[]^_{{}}|~,_1.ts", id="Agora's punctuation"),
        pytest.param("12:30.ts", id="a scheme cannot begin with a digit"),
        pytest.param("课程_é_🎬.ts", id="UTF-8"),
        pytest.param("100%.ts", id="a bare percent"),
        pytest.param("a%20b.ts", id="a blank percent-encoded"),
        pytest.param("a..b.ts", id="two dots inside"),
        pytest.param("...", id="three dots"),
        pytest.param(".a.ts", id="a hidden file"),
        pytest.param("-i.ts", id="a dash first"),
        pytest.param("a|b.ts", id="a pipe inside"),
        pytest.param("a.ts?token=1#x", id="a query"),
        pytest.param("x/a.ts", id="a folder below"),
        pytest.param("x%2fa.ts", id="a folder below, percent-encoded"),
        pytest.param("./a.ts", id="the same folder spelt out"),
        pytest.param("a" * 252 + ".ts", id="as long as a file name can be"),
    ],
)
def test_odd_names_are_kept_to_the_letter(uri):
    assert parse(listing(uri)).segments == (Segment(uri, 4.0),)
    assert found(listing(uri)) == []


@pytest.mark.parametrize(
    ("lines", "findings", "durations"),
    [
        pytest.param(["#EXTINF:0,", "a.ts"], [], [0], id="zero"),
        pytest.param(["#EXTINF:86400,", "a.ts"], [], [86400], id="a day"),
        pytest.param(
            ["#EXTINF:3,040000,", "a.ts"], ["PL_EXTINF warning"], [3.04], id="decimal comma"
        ),
        pytest.param(
            ["#EXTINF:3,5,", "a.ts", "#EXTINF:1,25 , ", "b.ts"],
            ["PL_EXTINF warning x2"],
            [3.5, 1.25],
            id="decimal commas",
        ),
        pytest.param(["#EXTINF:10,2024", "a.ts"], [], [10], id="a title of digits"),
        pytest.param(["#EXTINF:10,5,x", "a.ts"], [], [10], id="a title that begins with digits"),
        pytest.param(["#EXTINF:-1,", "a.ts"], ["PL_EXTINF warning"], [0], id="negative"),
        pytest.param(["#EXTINF:nan,", "a.ts"], ["PL_EXTINF warning"], [0], id="not a number"),
        pytest.param(["#EXTINF:inf,", "a.ts"], ["PL_EXTINF warning"], [0], id="infinite"),
        pytest.param(["#EXTINF:1e999,", "a.ts"], ["PL_EXTINF warning"], [0], id="overflow"),
        pytest.param(
            ["#EXTINF:86400.1,", "a.ts"], ["PL_EXTINF warning"], [0], id="more than a day"
        ),
        pytest.param(
            ["#EXTINF:90000,5,", "a.ts"],
            ["PL_EXTINF warning"],
            [0],
            id="more than a day with a comma",
        ),
        pytest.param(["#EXTINF:", "a.ts"], ["PL_EXTINF warning"], [0], id="empty"),
        pytest.param(["#EXTINF:4_0,", "a.ts"], ["PL_EXTINF warning"], [0], id="underscore"),
        pytest.param(["#EXTINF:٤,", "a.ts"], ["PL_EXTINF warning"], [0], id="an Arabic digit"),
        pytest.param(["#EXTINF 4,", "a.ts"], ["PL_EXTINF warning"], [0], id="no colon"),
        pytest.param(["a.ts"], ["PL_EXTINF warning"], [0], id="a URI without EXTINF"),
        pytest.param(
            ["#EXTINF:4,", "a.ts", "b.ts"],
            ["PL_EXTINF warning"],
            [4, 0],
            id="two URIs for one EXTINF",
        ),
    ],
)
def test_extinf(lines, findings, durations):
    result = parse(vod(*lines))
    assert [f for f in found(vod(*lines)) if not f.startswith("PL_TARGET")] == findings
    assert [segment.duration for segment in result.segments] == durations


def test_a_duration_that_cannot_be_names_its_segment():
    (finding,) = parse(vod("#EXTINF:4,", "a.ts", "#EXTINF:-1.5,", "b.ts")).findings
    assert finding == Finding(
        "PL_EXTINF",
        Severity.WARNING,
        segment="b.ts",
        detail="EXTINF '-1.5', expected 0 to 86400 seconds",
    )


@pytest.mark.parametrize(
    ("text", "findings", "listed"),
    [
        pytest.param("#EXTM3U\n#EXTINF:4,\na.ts\n", ["PL_NO_ENDLIST error"], 1, id="not ended"),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na.ts", ["PL_NO_ENDLIST error"], 1, id="ends after a whole name"
        ),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST:x\n",
            ["PL_NO_ENDLIST error"],
            1,
            id="another tag than ENDLIST",
        ),
        pytest.param("#EXTM3U\n", ["PL_NO_ENDLIST error"], 0, id="nothing listed yet"),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4,\nb.t",
            ["PL_TRUNCATED error", "PL_NO_ENDLIST error"],
            1,
            id="ends inside a name",
        ),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na_b",
            ["PL_TRUNCATED error", "PL_NO_ENDLIST error"],
            0,
            id="ends inside the first name",
        ),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4.",
            ["PL_TRUNCATED error", "PL_NO_ENDLIST error"],
            1,
            id="ends inside EXTINF",
        ),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4,\n",
            ["PL_TRUNCATED error", "PL_NO_ENDLIST error"],
            1,
            id="ends after EXTINF",
        ),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4,\n#EXT-X-BYTERANGE:4@0\n",
            ["PL_TRUNCATED error", "PL_NO_ENDLIST error"],
            1,
            id="ends after BYTERANGE",
        ),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIS",
            ["PL_TRUNCATED error", "PL_NO_ENDLIST error"],
            1,
            id="ends inside ENDLIST",
        ),
        pytest.param(
            "#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4,\n../b",
            ["PL_UNSAFE_URI fatal", "PL_TRUNCATED error", "PL_NO_ENDLIST error"],
            1,
            id="ends inside an unsafe name",
        ),
        pytest.param(
            vod("#EXTINF:4,", "a.ts", "#EXTINF:4,"),
            ["PL_TRUNCATED error"],
            1,
            id="EXTINF without URI before ENDLIST",
        ),
        pytest.param(
            vod("#EXTINF:4,", "#EXTINF:5,", "#EXTINF:6,", "a.ts"),
            ["PL_TRUNCATED error x2"],
            1,
            id="EXTINF without URI twice",
        ),
        pytest.param(vod(), ["PL_TRUNCATED fatal"], 0, id="complete, yet without a segment"),
        pytest.param(vod() + "b", ["PL_TRUNCATED fatal"], 0, id="complete, yet with half a name"),
        pytest.param(
            vod("#EXT-X-SKIP:SKIPPED-SEGMENTS=3", "#EXTINF:4,", "a.ts"),
            ["PL_TRUNCATED fatal"],
            0,
            id="a delta update",
        ),
    ],
)
def test_unfinished_and_cut(text, findings, listed):
    assert found(text) == findings
    assert len(parse(text).segments) == listed


@pytest.mark.parametrize("cut", range(len(AGORA)))
def test_a_playlist_cut_anywhere_never_looks_finished(cut):
    """Except for its last line break, which carries nothing."""
    result = parse(AGORA[:cut])
    whole = cut == len(AGORA) - 1
    severities = {finding.severity for finding in result.findings}
    assert result.ended == whole
    assert bool(severities & {Severity.ERROR, Severity.FATAL}) != whole


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n", id="variants"),
        pytest.param("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=x\n../low\n", id="a broken variant"),
        pytest.param('#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI="a"\n', id="renditions"),
        pytest.param("#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1\n", id="key frame variants"),
        pytest.param("#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=AES-128\n", id="session key"),
        pytest.param("#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID=1\n", id="session data"),
        pytest.param(vod("#EXT-X-I-FRAMES-ONLY", "#EXTINF:4,", "a.ts"), id="key frames only"),
        pytest.param(listing("a.m3u8"), id="a playlist as a segment"),
        pytest.param(listing("a.M3U"), id="a playlist as a segment in capitals"),
    ],
)
def test_a_playlist_of_playlists(text):
    assert found(text) == ["PL_MASTER fatal"]
    assert not parse(text).segments


@pytest.mark.parametrize(
    ("lines", "findings"),
    [
        pytest.param(['#EXT-X-KEY:METHOD=AES-128,URI="k"'], [], id="AES-128"),
        pytest.param(['#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"'], ["PL_KEY fatal"], id="SAMPLE-AES"),
        pytest.param(["#EXT-X-KEY:"], ["PL_KEY fatal"], id="no method"),
        pytest.param(
            ['#EXT-X-KEY:X=",METHOD=NONE,",METHOD=AES-192'], ["PL_KEY fatal"], id="NONE in quotes"
        ),
        pytest.param(
            ["#EXT-X-KEY:METHOD=AES-192", "#EXT-X-KEY:METHOD=NONE"],
            ["PL_KEY fatal"],
            id="encrypted at first",
        ),
        pytest.param(
            ['#EXT-X-KEY:METHOD=AES-128,URI="https://k/"'],
            ["PL_UNSAFE_URI warning"],
            id="a key elsewhere",
        ),
        pytest.param(
            ['#EXT-X-KEY:METHOD=AES-128,URI=""'],
            ["PL_UNSAFE_URI warning"],
            id="a key nowhere",
        ),
        pytest.param(
            ['#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="com.apple.streamingkeydelivery"'],
            ["PL_KEY fatal"],
            id="a key system",
        ),
        pytest.param(
            ['#EXT-X-KEY:METHOD=AES-128,URI="k",IV=12'], ["PL_KEY fatal"], id="an IV that is none"
        ),
        pytest.param(['#EXT-X-MAP:URI="init.mp4"'], [], id="fragmented MP4"),
        pytest.param(
            ['#EXT-X-MAP:URI="init.mp4",BYTERANGE="7"'], ["PL_MAP fatal"], id="a part of nowhere"
        ),
        pytest.param(
            ['#EXT-X-KEY:METHOD=AES-128,URI="k"', '#EXT-X-MAP:URI="init.mp4"'],
            ["PL_MAP fatal"],
            id="a map under a key without IV",
        ),
        pytest.param(
            ["#EXT-X-MAP:URI=/etc/passwd"],
            ["PL_UNSAFE_URI fatal"],
            id="an unsafe map without quotes",
        ),
        pytest.param(["#EXT-X-KEYFORMAT:x", "#EXT-X-MAPPING"], [], id="tags that begin alike"),
    ],
)
def test_keys_and_maps(lines, findings):
    assert found(vod(*lines, "#EXTINF:4,", "a.ts")) == findings


def test_the_method_is_named():
    (finding,) = parse(vod("#EXT-X-KEY:METHOD=SAMPLE-AES", "#EXTINF:4,", "a.ts")).findings
    assert finding.detail == "encrypted with SAMPLE-AES: only AES-128 can be decrypted"


def test_what_each_segment_is_wrapped_in():
    """A key holds until the next one; without IV it is the segment's number (4.3.2.4)."""
    result = parse(
        vod(
            *("#EXT-X-MEDIA-SEQUENCE:7", "#EXTINF:1,", "a.ts"),
            *('#EXT-X-KEY:METHOD=AES-128,URI="k1"', "#EXTINF:1,", "b.ts"),
            *('#EXT-X-KEY:METHOD=AES-128,URI="k2",IV=0XaB', "#EXTINF:1,", "c.ts"),
            *('#EXT-X-MAP:URI="i.mp4",BYTERANGE="9@3"', "#EXTINF:1,", "d.ts"),
            *("#EXT-X-KEY:METHOD=NONE", '#EXT-X-MAP:URI="j.mp4"', "#EXTINF:1,", "e.ts"),
        )
    )
    second = Key("k2", bytes(15) + b"\xab")
    inits = InitSection("i.mp4", (9, 3), second), InitSection("j.mp4")
    assert [(s.key, s.init) for s in result.segments] == [
        (None, None),
        (Key("k1", bytes(15) + b"\x08"), None),
        (second, None),
        (second, inits[0]),
        (None, inits[1]),
    ]


@pytest.mark.parametrize(
    ("lines", "ranges"),
    [
        pytest.param(["#EXT-X-BYTERANGE:10@5", "a.ts"], [(10, 5)], id="length and offset"),
        pytest.param(["#EXT-X-BYTERANGE: 10@0 ", "a.ts"], [(10, 0)], id="blanks"),
        pytest.param(
            ["#EXT-X-BYTERANGE:10@5", "a.ts", "#EXTINF:1,", "#EXT-X-BYTERANGE:7", "a.ts"],
            [(10, 5), (7, 15)],
            id="goes on",
        ),
        pytest.param(
            ["#EXT-X-BYTERANGE:10@5", "a.ts", "#EXTINF:1,", "b.ts"],
            [(10, 5), None],
            id="for one segment only",
        ),
    ],
)
def test_byteranges(lines, ranges):
    result = parse(vod("#EXTINF:1,", *lines))
    assert [segment.byterange for segment in result.segments] == ranges
    assert result.findings == ()


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["#EXT-X-BYTERANGE:10", "x.ts"], id="no offset and nothing before"),
        pytest.param(
            ["#EXT-X-BYTERANGE:10@0", "a.ts", "#EXTINF:1,", "#EXT-X-BYTERANGE:7", "x.ts"],
            id="no offset after another file",
        ),
        pytest.param(
            ["a.ts", "#EXTINF:1,", "x.ts", "#EXTINF:1,", "#EXT-X-BYTERANGE:7", "x.ts"],
            id="no offset after the whole file",
        ),
        pytest.param(["#EXT-X-BYTERANGE:-1@0", "x.ts"], id="negative"),
        pytest.param(["#EXT-X-BYTERANGE:0@0", "x.ts"], id="no byte"),
        pytest.param(["#EXT-X-BYTERANGE:10@", "x.ts"], id="half a range"),
        pytest.param(["#EXT-X-BYTERANGE:", "x.ts"], id="empty"),
        pytest.param(["#EXT-X-BYTERANGE", "x.ts"], id="no value"),
        pytest.param(["#EXT-X-BYTERANGE:1@\u20280", "x.ts"], id="a line separator inside"),
        pytest.param(["#EXT-X-BYTERANGE:" + "9" * 5000 + "@0", "x.ts"], id="a huge number"),
    ],
)
def test_byteranges_that_cannot_be(lines):
    findings = parse(vod("#EXTINF:1,", *lines)).findings
    assert [(f.id, f.severity, f.segment) for f in findings] == [
        ("PL_BYTERANGE", Severity.FATAL, "x.ts")
    ]


def test_declared_gaps_name_their_segment():
    result = parse(
        vod(
            "#EXT-X-GAP",
            "#EXTINF:4.004,",
            "a.ts",
            "#EXTINF:1,",
            "#EXT-X-GAP",
            "b.ts",
            "#EXTINF:1,",
            "c.ts",
        )
    )
    assert [segment.gap for segment in result.segments] == [True, True, False]
    assert [(f.id, f.severity, f.segment) for f in result.findings] == [
        ("PL_GAP", Severity.ERROR, "a.ts"),
        ("PL_GAP", Severity.ERROR, "b.ts"),
    ]
    assert result.findings[0].detail == "declared gap of 4.004 s"


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        pytest.param(
            vod("#EXT-X-MEDIA-SEQUENCE:45", "#EXTINF:4,", "a.ts"),
            ["PL_MEDIA_SEQUENCE warning"],
            id="head rotated out",
        ),
        pytest.param(
            "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:45\n#EXTINF:4,\na.ts\n",
            ["PL_NO_ENDLIST error"],
            id="still rotating",
        ),
        pytest.param(
            vod("#EXT-X-MEDIA-SEQUENCE:x", "#EXTINF:4,", "a.ts"),
            ["PL_MEDIA_SEQUENCE warning"],
            id="unreadable sequence",
        ),
        pytest.param(
            vod("#EXT-X-MEDIA-SEQUENCE:" + "9" * 5000, "#EXTINF:4,", "a.ts"),
            ["PL_MEDIA_SEQUENCE warning"],
            id="huge sequence",
        ),
        pytest.param(
            vod("#EXT-X-TARGETDURATION:4", "#EXTINF:4.49,", "a.ts"),
            [],
            id="rounds down to the target",
        ),
        pytest.param(
            vod("#EXT-X-TARGETDURATION:4", "#EXTINF:4.5,", "a.ts", "#EXTINF:9,", "b.ts"),
            ["PL_TARGET info x2"],
            id="longer than the target",
        ),
        pytest.param(
            vod("#EXT-X-TARGETDURATION:2.5", "#EXTINF:4,", "a.ts"),
            ["PL_TARGET info"],
            id="a target with a fraction",
        ),
        pytest.param("#EXTM3U\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n", [], id="no target"),
        pytest.param(
            vod("#EXT-X-DISCONTINUITY", "#EXTINF:4,", "a.ts"),
            [],
            id="a break before the first segment",
        ),
        pytest.param(
            vod(
                "#EXTINF:4,",
                "a.ts",
                "#EXT-X-DISCONTINUITY",
                "#EXTINF:4,",
                "b.ts",
                "#EXT-X-DISCONTINUITY",
                "#EXTINF:4,",
                "c.ts",
            ),
            ["PL_DISCONTINUITY info x2"],
            id="breaks",
        ),
        pytest.param(
            vod("#EXT-X-DISCONTINUITY-SEQUENCE:3", "#EXTINF:4,", "a.ts", "#EXTINF:4,", "b.ts"),
            [],
            id="a discontinuity sequence is no break",
        ),
        pytest.param(
            b"\xef\xbb\xbf" + vod("#EXTINF:4,", "a.ts").encode(), ["PL_BOM warning"], id="BOM"
        ),
        pytest.param(
            vod("#EXTINF:4,caf\xe9", "a.ts").encode("latin-1"),
            ["PL_ENCODING warning"],
            id="a title not in UTF-8",
        ),
        pytest.param(
            listing("caf\xe9.ts").encode("latin-1"), ["PL_ENCODING fatal"], id="a name not in UTF-8"
        ),
        pytest.param(
            listing("a.ts").encode() + b"\0" * 50,
            ["PL_UNSAFE_URI fatal", "PL_TRUNCATED error"],
            id="zeroes at the end",
        ),
    ],
)
def test_about_the_whole_playlist(text, findings):
    assert found(text) == findings


def test_low_latency_tags_tell_of_no_segment():
    """RFC 8216bis section 4.4.4.9 and 4.4.5.3: parts lie in segments that are listed besides."""
    text = vod(
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES",
        "#EXT-X-PART-INF:PART-TARGET=1.0",
        '#EXT-X-PART:DURATION=2.0,URI="../elsewhere/a.0.ts",INDEPENDENT=YES',
        "#EXTINF:4.0,",
        "a.ts",
        '#EXT-X-PART:DURATION=2.0,URI="b.0.ts"',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="http://x/b.1.ts"',
        '#EXT-X-RENDITION-REPORT:URI="../b.m3u8"',
    )
    assert parse(text).segments == (Segment("a.ts", 4.0),)
    assert found(text) == []


def test_what_agora_tells_of_a_segment_that_is_not_listed_is_not_told_of_the_next():
    tag = "#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME=1713171670503"
    segments = parse(vod(tag, "#EXTINF:1,", "../a.ts", "#EXTINF:1,", "b.ts")).segments
    assert [segment.events for segment in segments] == [()]


@pytest.mark.parametrize(
    ("value", "time"),
    [
        pytest.param("2026-03-02T09:00:10Z", 1772442010.0, id="UTC"),
        pytest.param(" 2026-03-02T10:00:10.250+01:00", 1772442010.25, id="another zone"),
        pytest.param("2026-03-02T09:00:10.5", 1772442010.5, id="no zone"),
        pytest.param("2026-13-02T09:00:10Z", None, id="no date"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_when_a_segment_began(value, time):
    """The next one that is listed, and no other."""
    tag = f"#EXT-X-PROGRAM-DATE-TIME:{value}"
    listed = ("#EXTINF:1,", tag, "a.ts", "#EXTINF:1,", "b.ts", tag, "#EXTINF:1,", "../c.ts")
    segments = parse(vod(*listed, "#EXTINF:1,", "d.ts")).segments
    assert [(one.uri, one.time) for one in segments] == [
        ("a.ts", time),
        ("b.ts", None),
        ("d.ts", None),
    ]


def test_a_playlist_is_told_by_its_first_line():
    """Whatever the file is called."""
    assert playlist.begins(b"#EXTM3U\n#EXT")
    assert playlist.begins(b"\xef\xbb\xbf\r\n#EXTM3U")
    assert not any(map(playlist.begins, (b"", b"#EXTM3U8\n", b"# a\n#EXTM3U\n", b"G#EXTM3U\n")))


def test_a_name_not_in_utf8_is_not_listed():
    assert parse(listing("caf\xe9.ts", "b.ts").encode("latin-1")).segments == (
        Segment("b.ts", 4.0),
    )


def test_nothing_here_claims_a_repair():
    """A BOM or a decimal comma must not turn the verdict into "repaired"."""
    text = b"\xef\xbb\xbf" + vod("#EXTINF:3,5,", "a.ts", "#EXTINF:1,", "a.ts").encode()
    assert len(parse(text).findings) == 2
    assert all(finding.repair is None for finding in parse(text).findings)


@pytest.mark.parametrize(
    ("limit", "value", "within", "over"),
    [
        pytest.param("MAX_BYTES", 100, b"#EXTM3U".ljust(100), b"#EXTM3U".ljust(101), id="bytes"),
        pytest.param("MAX_LINES", 9, b"#EXTM3U" + b"\n" * 9, b"#EXTM3U" + b"\r" * 10, id="lines"),
        pytest.param("MAX_LINE", 9, b"#EXTM3U\n#12345678\n", b"#EXTM3U\n#123456789\n", id="line"),
        pytest.param(
            "MAX_SEGMENTS",
            2,
            listing("a", "b").encode(),
            listing("a", "b", "c").encode(),
            id="segments",
        ),
    ],
)
def test_limits(monkeypatch, limit, value, within, over):
    monkeypatch.setattr(playlist, limit, value)
    assert "PL_LIMIT fatal" not in found(within)
    assert found(over) == ["PL_LIMIT fatal"]


def test_a_flood_of_unsafe_names_is_one_finding():
    (finding,) = parse(listing(*(f"../{n}.ts" for n in range(20_000)))).findings
    assert (finding.id, finding.count, finding.segment) == ("PL_UNSAFE_URI", 20_000, None)
    assert "../0.ts" in finding.detail


def test_a_flood_of_gaps_names_only_the_first():
    findings = parse(vod(*(f"#EXT-X-GAP\n#EXTINF:1,\n{n}.ts" for n in range(1_000)))).findings
    assert [f.segment for f in findings[:50]] == [f"{n}.ts" for n in range(50)]
    assert [(f.id, f.segment, f.count) for f in findings[50:]] == [("PL_GAP", None, 950)]


LINES = st.lists(
    st.sampled_from(
        [
            *AGORA.splitlines(),
            "",
            "#EXTINF:x",
            "../a",
            "a.m3u8",
            "#EXT-X-GAP",
            "#EXT-X-MAP:",
            "#EXT-X-BYTERANGE:1",
            "#EXT-X-BYTERANGE:2@3",
            "#EXT-X-KEY:METHOD",
            "#EXT-X-STREAM-INF:",
            "#EXT-X-MEDIA-SEQUENCE",
            "#EXT-X-TARGETDURATION:",
            "#EXT-X-ENDLIST:x",
            "a\u2028b",
            "\x85",
        ]
    )
    | st.text(max_size=12)
    | st.text(max_size=12).map("#EXTINF:{}".format)
    | st.text(max_size=12).map("#EXT-X-BYTERANGE:{}".format)
)


def sound(data: bytes) -> None:
    """What holds for whatever parse is given."""
    result = playlist.parse(data)
    fatal = any(finding.severity is Severity.FATAL for finding in result.findings)
    names = [f.segment for f in result.findings] + [s.uri for s in result.segments]
    parts = [name.split("/") for name in names if name is not None]
    assert all(".." not in part and part[0] for part in parts if part != [""])
    assert "" not in names
    assert all(0 <= segment.duration <= playlist.MAX_SECONDS for segment in result.segments)
    assert result.ended or result.findings
    assert result.segments or fatal or not result.ended
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n").split(b"\n")
    listed = sum(1 for line in text if line.strip(b" \t") and line.strip(b" \t")[:1] != b"#")
    lost = any(finding.severity in (Severity.FATAL, Severity.ERROR) for finding in result.findings)
    assert lost or len(result.segments) == listed


@given(st.binary())
def test_any_bytes_get_an_answer(data):
    sound(data)
    sound(b"#EXTM3U\n" + data)


@settings(max_examples=300)
@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]))
@example(["#EXT-X-BYTERANGE:1@0"], "\n")
@example(["#EXT-X-BYTERANGE:1\x1e2", "a.ts"], "\n")
def test_any_lines_get_an_answer(lines, end):
    sound(end.join(["#EXTM3U", *lines]).encode("utf-8", "surrogatepass"))


@settings(max_examples=300)
@given(st.integers(0, len(AGORA)), st.integers(0, 40), st.binary(max_size=8))
def test_a_damaged_playlist_gets_an_answer(at, length, patch):
    sound(AGORA.encode()[:at] + patch + AGORA.encode()[at + length :])


@pytest.mark.parametrize(
    ("path", "segments", "seconds", "findings"),
    [
        pytest.param(
            "videojs+videojs-contrib-hls/utils/fixtures/prog_index.m3u8",
            2,
            20,
            [],
            id="Apple's segmenter",
        ),
        pytest.param("livepeer+catalyst-api/test/fixtures/tiny.m3u8", 3, 30, [], id="CRLF"),
        pytest.param(
            "livepeer+catalyst-api/test/fixtures/rec-fallback-bucket/tiny.m3u8",
            4,
            40,
            [],
            id="absent files are not its business",
        ),
        pytest.param(
            "shaka-project+shaka-player/test/test/assets/hls-ts-muxed-aac-h264/chunk.m3u8",
            6,
            36,
            [],
            id="whole seconds",
        ),
        pytest.param(
            "ant-media+Ant-Media-Server/src/test/resources/test.m3u8",
            5,
            28.68,
            ["PL_EXTINF warning x5", "PL_MEDIA_SEQUENCE warning"],
            id="decimal comma",
        ),
        pytest.param(
            "flutter+assets-for-api-docs/assets/videos/hls/bee.m3u8",
            3,
            4.037367,
            [],
            id="byte ranges",
        ),
        pytest.param(
            "flutter+assets-for-api-docs/assets/videos/hls/derived_encrypted_bee_localkey.m3u8",
            3,
            4.037367,
            [],
            id="encrypted",
        ),
        pytest.param(
            "flutter+assets-for-api-docs/assets/videos/hls/bee_audio_only.m3u8",
            1,
            4.076956,
            [],
            id="audio only",
        ),
        pytest.param(
            "membraneframework+ex_hls/test/fixtures/mpeg_ts_only_video/output_playlist.m3u8",
            3,
            10.001677,
            [],
            id="video only",
        ),
        pytest.param(
            "membraneframework+ex_hls/test/fixtures/mpeg_ts_live/output_playlist.m3u8",
            3,
            10.001677,
            ["PL_NO_ENDLIST error"],
            id="not ended",
        ),
        pytest.param(
            "puemos+hls-downloader/src/background/test/fixtures/level-muxed.m3u8",
            2,
            6,
            [],
            id="timestamps are not its business",
        ),
        pytest.param(
            "shaka-project+shaka-player/test/test/assets/hls-gap/playlist.m3u8",
            8,
            32.032,
            ["PL_GAP error", "PL_GAP error"],
            id="declared gaps",
        ),
        pytest.param(
            "videojs+http-streaming/test/manifests/zeroLength.m3u8",
            0,
            0,
            ["PL_UNSAFE_URI fatal x2"],
            id="another folder",
        ),
        pytest.param(
            "shaka-project+shaka-player/test/test/assets/hls-raw-aac/stream.m4a.m3u8",
            4,
            39.98479,
            [],
            id="packed audio",
        ),
        pytest.param(
            "shaka-project+shaka-player/test/test/assets/hls-multivideo/derived_reschange.m3u8",
            2,
            8,
            ["PL_DISCONTINUITY info"],
            id="a declared break",
        ),
        pytest.param(
            "KaeeGH+hls-samples/hls-server/m3u8/m3u8/test2/test2.m3u8",
            13,
            13,
            [],
            id="no last line break",
        ),
    ],
)
def test_real_playlists(path, segments, seconds, findings):
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus of real recordings at {CORPUS} (set RECPIPE_CORPUS)")
    data = (CORPUS / path).read_bytes()
    result = parse(data)
    assert found(data) == findings
    assert len(result.segments) == segments
    assert sum(segment.duration for segment in result.segments) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("extinf", "rounded"),
    [("4", True), ("4,", True), ("4,a.b", True), ("4.0,", False), ("4,5,", False), ("4.5", False)],
)
def test_what_is_given_in_whole_seconds_may_be_half_a_second_off(extinf, rounded):
    (segment,) = parse(f"#EXTM3U\n#EXTINF:{extinf}\na.ts\n#EXT-X-ENDLIST\n").segments
    assert segment.rounded is rounded
