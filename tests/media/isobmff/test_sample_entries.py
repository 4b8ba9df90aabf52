"""Sample entries: as muxers write them, and as none should."""

import pytest

from pipeline.media.malformed import Malformed
from tests.media.boxes_builder import ASC, audio_entry, box, esds, only, trak


def bits(text: str) -> bytes:
    text = text.replace(" ", "")
    return int(text.ljust(-len(text) % 8 + len(text), "0"), 2).to_bytes((len(text) + 7) // 8, "big")


@pytest.mark.parametrize(
    ("stsd", "why"),
    [
        pytest.param(audio_entry(esds(flags=0x80)), "flags 0x80", id="dependent stream"),
        pytest.param(audio_entry(esds(dsi=b"\x05\x09" + ASC)), "descriptor 5 of 9", id="too long"),
        pytest.param(audio_entry(esds(dsi=b"\x06\x02" + ASC)), "descriptor 6", id="another tag"),
        pytest.param(audio_entry(esds(dsi=b"\x05\xff\xff\xff\xff\x7f")), "descriptor 5", id="2^28"),
        pytest.param(audio_entry(box("esds", bytes(4))), "esds.*cut short", id="empty"),
        pytest.param(audio_entry(esds(), version=1), "version 1", id="QuickTime sound version 1"),
    ],
)
def test_audio_entries_that_are_refused(stsd, why):
    with pytest.raises(Malformed, match=why):
        only(trak(handler=b"soun", stsd=stsd))


def test_audio_entries_without_specific_info():
    assert only(trak(handler=b"soun", stsd=audio_entry(esds(dsi=b"")))).configuration == b""
    assert only(trak(handler=b"soun", stsd=audio_entry())).configuration == b""
    vorbis = only(trak(handler=b"soun", stsd=audio_entry(esds(kind=0xDD))))
    assert (vorbis.configuration, vorbis.channels, vorbis.sample_rate) == (b"", 2, 48000)


def test_the_decoder_configuration_overrules_the_sample_entry():
    def told(asc: bytes) -> tuple[int, int]:
        dsi = bytes([5, len(asc)]) + asc
        track = only(trak(handler=b"soun", stsd=audio_entry(esds(dsi=dsi))))
        return track.channels, track.sample_rate

    assert told(bits("00010 0000 0001")) == (1, 96000)
    assert told(bits("00010 0000 0000")) == (2, 96000)  # channels in the stream


def test_opus_configuration_is_its_box():
    track = only(trak(handler=b"soun", stsd=audio_entry(box("dOps", b"x" * 11), kind="Opus")))
    assert (track.codec, track.configuration) == ("Opus", b"x" * 11)
