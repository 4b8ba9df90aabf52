"""Cues as a text track: one text at a time."""

import subprocess

from pipeline.media.captions.text_track import MOST_AT_ONCE, Sample, as_mp4, text_track
from pipeline.media.captions.webvtt import Cue
from pipeline.media.isobmff import sample_tables as mp4


def samples(*cues: tuple[float, float, str]) -> list[tuple[int, str]]:
    return [(one.at, one.text) for one in text_track([Cue(*cue) for cue in cues]).samples]


def test_nothing_is_shown_before_between_and_behind():
    assert samples((1, 2, "a"), (3.5, 4, "b")) == [
        (0, ""),
        (1000, "a"),
        (2000, ""),
        (3500, "b"),
        (4000, ""),
    ]


def test_cues_at_one_time_are_lines_in_the_order_in_which_they_began():
    assert samples((0, 3, "a"), (1, 2, "b")) == [(0, "a"), (1000, "a\nb"), (2000, "a"), (3000, "")]


def test_cues_without_a_gap_or_a_length():
    assert samples((0, 1, "a"), (1, 2, "b"), (1.5, 1.5001, "c")) == [
        (0, "a"),
        (1000, "b"),
        (2000, ""),
    ]


def test_a_track_of_nothing_says_nothing():
    """A cue may be cut to less than a millisecond."""
    assert [text_track(cues).says for cues in ([], [Cue(1.0, 1.0002, "a")])] == [False, False]
    assert text_track([Cue(1.0, 1.001, "a")]).says


def test_the_latest_are_shown_where_there_are_too_many():
    many = text_track([Cue(n, 100.0, str(n)) for n in range(10)]).samples
    assert many[-2] == Sample(9000, "\n".join(map(str, range(10 - MOST_AT_ONCE, 10))))


def test_an_mp4_that_ffmpeg_takes_for_subtitles(tmp_path, ffmpeg):
    track = text_track([Cue(1.0, 2.5, "hello {\\an8} <b>\n2"), Cue(4.0, 45_000.0, "ümlaut")])
    path = tmp_path / "text.mp4"
    path.write_bytes(as_mp4(track))
    entries = ("-show_entries", "packet=pts_time,size:stream=codec_name")
    argv = [str(ffmpeg.ffprobe), "-v", "error", *entries, "-of", "csv=p=0", str(path)]
    told = subprocess.run(argv, capture_output=True, check=True, text=True, env=ffmpeg.env)
    *packets, codec = told.stdout.split()
    assert codec == "mov_text"
    assert packets == ["0.000000,2", "1.000000,20", "2.500000,2", "4.000000,9"]


def test_its_tables_are_what_our_own_reader_reads():
    data = as_mp4(text_track([Cue(1.0, 2.5, "hello")], "eng"))
    layout = mp4.moov_span(lambda at, size: data[at : at + size], len(data))
    moov = layout.moov
    (track,) = mp4.parse_moov(data[moov.offset : moov.offset + moov.size]).tracks
    assert (track.handler, track.codec, track.timescale) == ("sbtl", "tx3g", 1000)
    assert (track.dts.tolist(), track.sizes.tolist()) == ([0, 1000], [2, 7])
    at = int(track.chunk_offsets[0])
    assert data[at : at + 9] == b"\0\0\0\5hello"
