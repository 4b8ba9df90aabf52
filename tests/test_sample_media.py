"""sample_media/: whole, small, and in the grammar of Agora Cloud Recording."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1] / "sample_media"
PLAYLISTS = sorted(HOME.glob("*/*.m3u8"))
SUM = re.compile(r"(?P<sum>[0-9a-f]{64})  (?P<name>\S+)")
NAME = re.compile(r"[0-9a-f]{32}_(?P<cname>[a-z_]+)(_(?P<utc>\d{17})\.ts|\.m3u8)")
PLAYLIST = re.compile(
    r"""\#EXTM3U\n
    \#EXT-X-VERSION:3\n
    \#EXT-X-MEDIA-SEQUENCE:0\n
    \#EXT-X-ALLOW-CACHE:YES\n
    \#EXT-X-TARGETDURATION:\d+\n
    \#EXT-X-DISCONTINUITY\n
    (\#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=(AUDIO|VIDEO),TIME=\d{17}\n
    |\#EXT-X-AGORA-ROTATE:WIDTH=640,HEIGHT=360,ROTATE=0,TIME=\d{17}\n)+
    (\#EXTINF:\d+\.\d{6}\n\S+\.ts\n){3,}
    \#EXT-X-ENDLIST\n""",
    re.VERBOSE,
)
LISTED = re.compile(r"#EXTINF:(\S+)\n(\S+)\n")
each_recording = pytest.mark.parametrize("playlist", PLAYLISTS, ids=lambda p: p.parent.name)


def listed(playlist):
    """Every slice with its EXTINF."""
    return [
        (float(extinf), playlist.with_name(uri))
        for extinf, uri in LISTED.findall(playlist.read_text())
    ]


def start(path):
    """The UTC time in a slice's name."""
    utc = NAME.fullmatch(path.name)["utc"]
    time = datetime.strptime(utc[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return time + timedelta(milliseconds=int(utc[14:]))


def packets(path):
    """The 188-byte packets of a transport stream (ISO/IEC 13818-1 section 2.4.3.2)."""
    data = path.read_bytes()
    assert data
    assert len(data) % 188 == 0
    return [data[i : i + 188] for i in range(0, len(data), 188)]


def test_the_sums_are_right_and_complete():
    lines = (HOME / "SHA256SUMS").read_text().splitlines()
    sums = {m["name"]: m["sum"] for m in map(SUM.fullmatch, lines)}
    assert list(sums) == sorted(sums)
    media = sorted(p.relative_to(HOME).as_posix() for p in HOME.glob("*/*"))
    assert list(sums) == media
    for name, digest in sums.items():
        assert hashlib.sha256((HOME / name).read_bytes()).hexdigest() == digest, name


def test_small_enough_for_a_clone():
    assert sum(p.stat().st_size for p in HOME.rglob("*") if p.is_file()) <= 6_000_000


def test_one_of_each_kind():
    kinds = {p.parent.name: set(re.findall(r"TYPE=(\w+)", p.read_text())) for p in PLAYLISTS}
    assert kinds == {
        "audio_only": {"AUDIO"},
        "composite": {"AUDIO", "VIDEO"},
        "video_only": {"VIDEO"},
    }
    assert any("_" in NAME.fullmatch(p.name)["cname"] for p in PLAYLISTS)


@each_recording
def test_grammar(playlist):
    assert PLAYLIST.fullmatch(playlist.read_text())
    files = sorted(p for p in playlist.parent.iterdir() if p != playlist)
    assert [path for _, path in listed(playlist)] == files
    for path in (playlist, *files):
        assert NAME.fullmatch(path.name)
        assert path.name.startswith(playlist.stem)


@each_recording
def test_each_slice_begins_where_the_one_before_ended(playlist):
    slices = listed(playlist)
    assert f"TIME={NAME.fullmatch(slices[0][1].name)['utc']}\n" in playlist.read_text()
    for (extinf, path), (_, after) in pairwise(slices):
        assert abs(start(after) - start(path) - timedelta(seconds=extinf)) <= timedelta(
            milliseconds=1
        )
        assert 14 < extinf < 17


@each_recording
def test_one_transport_stream_cut_into_slices(playlist):
    counters = {}
    for _, path in listed(playlist):
        kinds = []
        for packet in packets(path):
            assert packet[0] == 0x47
            pid = (packet[1] & 0x1F) << 8 | packet[2]
            counter, payload = packet[3] & 0x0F, packet[3] & 0x10
            if pid in counters and payload:
                assert counter == (counters[pid] + 1) % 16
            counters[pid] = counter
            kinds.append(pid)
        assert kinds[:3] == [0x11, 0, 0x1000]  # SDT, PAT, PMT: each slice can be read alone


@each_recording
def test_each_slice_begins_at_a_random_access_point(playlist):
    for _, path in listed(playlist):
        first = packets(path)[3]
        assert first[1] & 0x40  # payload_unit_start_indicator
        assert first[3] & 0x20  # adaptation field ...
        assert first[5] & 0x40  # ... with the random_access_indicator
