"""WebVTT as anybody may have written it comes out as plain text."""

import pytest

from pipeline.media.captions.webvtt import (
    LARGEST,
    MOST_CUES,
    MOST_TEXT,
    Cue,
    Document,
    TimestampMap,
    parse,
    plain,
)
from pipeline.media.malformed import Malformed

ONE = "00:01.000 --> 00:02.500\nhello\n"


def said(text: str) -> list[tuple[float, float, str]]:
    return [(cue.begin, cue.end, cue.text) for cue in parse(text.encode()).cues]


def test_a_file_as_speech_to_text_writes_it():
    text = (
        "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:01.500,MPEGTS:900000\nLanguage: en-US\n\n"
        "NOTE nothing\n\n1\n00:00:01.000 --> 00:00:02.500 line:0\n<v 1001>hello\nyou</v>\n\n"
        "492623:00:02.120 --> 492623:00:03.000\nlater\n"
    )
    assert parse(text.encode()) == Document(
        cues=(Cue(1.0, 2.5, "1001: hello\nyou"), Cue(1773442802.12, 1773442803.0, "later")),
        map=TimestampMap(1.5, 900000),
        language="en-US",
    )


@pytest.mark.parametrize(
    ("text", "cues"),
    [
        pytest.param(f"\ufeffWEBVTT a title\r\n\r\n{ONE}", [(1, 2.5, "hello")], id="mark and CRLF"),
        pytest.param(f"WEBVTT\r\r{ONE}".replace("\n", "\r"), [(1, 2.5, "hello")], id="CR alone"),
        pytest.param("WEBVTT", [], id="nothing but its name"),
        pytest.param(
            "WEBVTT\n\n" + ONE.rstrip(), [(1, 2.5, "hello")], id="no end of the last line"
        ),
        pytest.param(
            "WEBVTT\n\n00:01,000-->00:02,500\nhello", [(1, 2.5, "hello")], id="commas, no blanks"
        ),
        pytest.param(
            "WEBVTT\n\n00:01.000 --> 00:02.000\na\n00:02.000 --> 00:03.000\nb",
            [(1, 2, "a"), (2, 3, "b")],
            id="no blank line in between",
        ),
        pytest.param(
            "WEBVTT\n\n01:02:03.004 --> 02:03:04.005\nlong",
            [(3723.004, 7384.005, "long")],
            id="hours, minutes, seconds, milliseconds",
        ),
        pytest.param(
            "WEBVTT\n\nSTYLE\n::cue { color: red }\n\n" + ONE, [(1, 2.5, "hello")], id="style"
        ),
    ],
)
def test_what_is_read(text, cues):
    assert said(text) == cues


def test_its_head_may_say_only_one_thing():
    assert parse(b"WEBVTT\nLanguage: de\n").language == "de"
    told = parse(b"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:90,LOCAL:01:02:03.004\n").map
    assert told == TimestampMap(3723.004, 90)


@pytest.mark.parametrize(
    "cue",
    [
        pytest.param("00:02.000 --> 00:01.000\nback", id="it ends before it begins"),
        pytest.param("00:01.000 --> 00:01.000\nnever", id="it lasts for nothing"),
        pytest.param("0:01 --> 0:02\nno time", id="no milliseconds"),
        pytest.param("99999999999:00:00.000 --> 99999999999:00:01.000\nx", id="too many digits"),
        pytest.param("00:01.000 --> \nx", id="no end"),
        pytest.param("00:01.000 --> 00:02.000\n<b></b>\x1b\x00", id="no text"),
    ],
)
def test_a_cue_that_is_wrong_is_skipped_and_counted(cue):
    found = parse(f"WEBVTT\n\n{cue}\n\n{ONE}".encode())
    assert ([one.text for one in found.cues], found.skipped) == (["hello"], 1)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "its first line is not WEBVTT", id="nothing"),
        pytest.param(b"<html>404</html>", "its first line is not WEBVTT", id="an error page"),
        pytest.param(b"WEBVTTX\n", "its first line is not WEBVTT", id="another name"),
        pytest.param("WEBVTT\n".encode("utf-16"), "is not WEBVTT", id="UTF-16"),
        pytest.param(b"WEBVTT" + bytes(LARGEST), "expected at most 16777216", id="too large"),
    ],
)
def test_what_is_refused(data, why):
    with pytest.raises(Malformed, match=why):
        parse(data)


def test_more_cues_than_a_day_has_seconds_are_refused():
    with pytest.raises(Malformed, match=f"more than {MOST_CUES} cues"):
        parse(("WEBVTT\n\n" + f"{ONE}\n" * (MOST_CUES + 1)).encode())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("<b>a</b> &amp; <c.red.x>b</c> <00:01.000>c", "a & b c", id="markup"),
        pytest.param("<v.loud Anna Lee>hi", "Anna Lee: hi", id="a voice"),
        pytest.param(
            "a &lt;i&gt; {\\an8} b", "a <i> {\\an8} b", id="what looks like markup elsewhere"
        ),
        pytest.param("a\x00b\x1b[31mc\x9bd\u2028e", "ab[31mcde", id="control characters"),
        pytest.param("a&#0;b&#27;c&#x85;d", "a\ufffdbc…d", id="the same as references"),
        pytest.param(" a \n\n  \n\tb ", "a\nb", id="blanks"),
        pytest.param("<" * 100_000, "", id="tags that never end"),
        pytest.param("x" * 5000, "x" * MOST_TEXT, id="too long"),
    ],
)
def test_the_text_of_a_cue(text, shown):
    assert plain(text) == shown


def test_bytes_that_are_no_text_are_replaced():
    assert said("WEBVTT\n\n00:01.000 --> 00:02.000\n") == []
    (cue,) = parse(b"WEBVTT\n\n00:01.000 --> 00:02.000\na\xffb").cues
    assert cue.text == "a\ufffdb"


def test_a_map_that_says_too_little_is_none():
    for line in ("LOCAL:00:00:00.000", "MPEGTS:1", "LOCAL:0,MPEGTS:x", "MPEGTS:" + "9" * 30):
        assert parse(f"WEBVTT\nX-TIMESTAMP-MAP={line}\n\n{ONE}".encode()).map is None
