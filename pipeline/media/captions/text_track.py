"""Cues as a text track (3GPP TS 26.245, "tx3g"): one text at a time, in a small MP4 of its own that
the muxer copies the track from.  Nothing in it is left for ffmpeg to interpret.
"""

import struct
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from pipeline.media.captions.webvtt import Cue

MILLISECONDS = 1000  # the clock of the track, as that of WebVTT, in Hz
MOST_AT_ONCE = 4  # cues that are shown together: the latest
_MATRIX = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


class Sample(Struct, frozen=True):
    """What is shown from a time (milliseconds) on; an empty text is nothing."""

    at: int
    text: str


class TextTrack(Struct, frozen=True):
    """Samples without a gap from 0 on; the last one is empty, and where the track ends."""

    samples: tuple[Sample, ...] = ()
    language: str = ""  # ISO 639-2, or empty

    @property
    def says(self) -> bool:
        """Whether anything is shown: a track of nothing cannot be made."""
        return len(self.samples) > 1

    @property
    def index_size(self) -> int:
        """Bytes that the index of an MP4 may need for it: muxers put empty samples between."""
        return 2048 + 64 * len(self.samples)


def text_track(cues: Sequence[Cue], language: str = "") -> TextTrack:
    """Cues in the order of their beginnings, seconds from 0; those at one time as lines."""
    spans = [(round(cue.begin * 1000), round(cue.end * 1000), cue.text) for cue in cues]
    spans = [span for span in spans if span[0] < span[1]]
    bounds = sorted({0, *(at for begin, end, _ in spans for at in (begin, end))})
    samples: list[Sample] = []
    shown: list[tuple[int, int, str]] = []
    waiting = iter(spans)
    following = next(waiting, None)
    for at in bounds:
        while following is not None and following[0] <= at:
            shown = [*shown, following][-MOST_AT_ONCE:]
            following = next(waiting, None)
        shown = [span for span in shown if span[1] > at]
        text = "\n".join(span[2] for span in shown)
        if not samples or samples[-1].text != text:
            samples.append(Sample(at, text))
    return TextTrack(tuple(samples), language)


def as_mp4(track: TextTrack) -> bytes:
    """A file that holds only this track (ISO/IEC 14496-12)."""
    datas = [_data(sample.text) for sample in track.samples[:-1]]
    lasting = [b.at - a.at for a, b in pairwise(track.samples)]
    head = _box("ftyp", b"isom\0\0\0\0isommp42")
    offset = len(head) + len(_moov(datas, lasting, 0)) + 8
    return head + _moov(datas, lasting, offset) + _box("mdat", *datas)


def _data(text: str) -> bytes:
    said = text.encode("utf-8", "replace")
    return struct.pack(">H", len(said)) + said


def _moov(datas: Sequence[bytes], lasting: Sequence[int], offset: int) -> bytes:
    count, total = len(datas), sum(lasting)
    tables = (
        _full("stsd", struct.pack(">I", 1) + _entry()),
        _full(
            "stts", struct.pack(">I", count) + b"".join(struct.pack(">2I", 1, t) for t in lasting)
        ),
        _full("stsc", struct.pack(">4I", 1, 1, count, 1)),
        _full("stsz", struct.pack(f">{2 + count}I", 0, count, *map(len, datas))),
        _full("stco", struct.pack(">2I", 1, offset)),
    )
    here = _box("dinf", _full("dref", struct.pack(">I", 1) + _full("url ", b"", 1)))
    minf = _box("minf", _full("nmhd", b""), here, _box("stbl", *tables))
    mdhd = _full("mdhd", struct.pack(">4I2H", 0, 0, MILLISECONDS, total, 0x55C4, 0))  # "und"
    hdlr = _full("hdlr", struct.pack(">I4s13x", 0, b"sbtl"))
    tkhd = struct.pack(">5I", 0, 0, 1, 0, total) + bytes(16) + _MATRIX + bytes(8)
    mvhd = struct.pack(">4IIH10x", 0, 0, MILLISECONDS, total, 1 << 16, 1 << 8) + _MATRIX
    mvhd += bytes(24) + struct.pack(">I", 2)
    trak = _box("trak", _full("tkhd", tkhd, 7), _box("mdia", mdhd, hdlr, minf))
    return _box("moov", _full("mvhd", mvhd), trak)


def _entry() -> bytes:
    """TextSampleEntry (3GPP TS 26.245 clause 5.16): white at the bottom, in the middle."""
    look = struct.pack(">IBB12x3H2B4B", 0, 1, 255, 0, 0, 1, 0, 18, *[255] * 4)
    font = _box("ftab", struct.pack(">2HB", 1, 1, 5) + b"Serif")
    return _box("tx3g", bytes(6) + struct.pack(">H", 1) + look + font)


def _box(kind: str, *payload: bytes) -> bytes:
    inside = b"".join(payload)
    return struct.pack(">I4s", 8 + len(inside), kind.encode()) + inside


def _full(kind: str, payload: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), payload)
