"""WebM by hand: frames and their times, every lacing, and what cannot be read."""

from contextlib import suppress

import pytest

from pipeline.media.containers.matroska import read
from pipeline.media.malformed import Malformed


def element(id, *content, size=None):
    """An EBML element; ``size`` None: as long as it is, else these bytes."""
    body = b"".join(content)
    length = (len(body) | 1 << 56).to_bytes(8, "big") if size is None else size
    return bytes.fromhex(id) + length + body


def number(value):
    return value.to_bytes(4, "big")


UNKNOWN = b"\xff"
HEAD = element("1a45dfa3", element("4282", b"webm"))


def track(n, kind, codec):
    return element(
        "ae", element("d7", bytes([n])), element("83", bytes([kind])), element("86", codec)
    )


TRACKS = element("1654ae6b", track(1, 1, b"V_VP8"), track(2, 2, b"A_OPUS"))


def block(n, offset, data, lacing=0):
    return bytes([0x80 | n]) + offset.to_bytes(2, "big", signed=True) + bytes([lacing << 1]) + data


def simple(*given, **chosen):
    return element("a3", block(*given, **chosen))


def cluster(time, *blocks, size=None):
    return element("1f43b675", element("e7", number(time)), *blocks, size=size)


def info(scale=1_000_000):
    return element("1549a966", element("2ad7b1", number(scale)))


def webm(*clusters, size=None, scale=1_000_000):
    return HEAD + element("18538067", info(scale), TRACKS, *clusters, size=size)


@pytest.mark.parametrize("size", [None, UNKNOWN, b"\x01" + b"\xff" * 7])
def test_frames_and_times(size):
    """A live recorder does not know how long a cluster becomes."""
    data = webm(
        cluster(0, simple(1, 0, b"aa"), simple(2, 5, b"o"), size=size),
        cluster(1000, simple(1, -33, b"bbb"), element("a0", element("a1", block(2, 20, b"p")))),
        size=size,
    )
    video, audio = read(data).tracks
    assert (video.codec, video.kind, video.times, video.frames) == (
        "V_VP8",
        1,
        [0, 967 * 90],
        [b"aa", b"bbb"],
    )
    assert (audio.codec, audio.times, audio.frames) == ("A_OPUS", [450, 1020 * 90], [b"o", b"p"])
    assert not read(data).cut


def test_other_units_of_time():
    found = read(webm(cluster(3, simple(1, 1, b"a")), scale=100_000)).tracks[0]
    assert found.times == [36]


@pytest.mark.parametrize(
    ("lacing", "data", "frames"),
    [
        pytest.param(1, b"\x02\x01\x02abbccc", [b"a", b"bb", b"ccc"], id="Xiph"),
        pytest.param(1, b"\x01\xff\x00" + b"x" * 256, [b"x" * 255, b"x"], id="Xiph, a long one"),
        pytest.param(2, b"\x02aabbcc", [b"aa", b"bb", b"cc"], id="fixed"),
        pytest.param(3, b"\x02\x82\xc0aabbbc", [b"aa", b"bbb", b"c"], id="EBML"),
    ],
)
def test_lacing(lacing, data, frames):
    assert read(webm(cluster(0, simple(2, 0, data, lacing=lacing)))).tracks[1].frames == frames


@pytest.mark.parametrize("size", [UNKNOWN, None])
@pytest.mark.parametrize("length", range(1, 40))
def test_what_is_cut_off_is_not_there(length, size):
    """Also between two elements, where the file says how long it was to be."""
    inner = cluster(0, simple(1, 0, b"a" * 20), simple(1, 33, b"b" * 20), size=UNKNOWN)
    found = read(webm(inner, size=size)[:-length])
    assert found.cut is (length != 33 or size is None)
    assert len(found.tracks[0].frames) == 1 - (length > 33)


def test_a_cluster_of_known_size_that_ends_early():
    inner = cluster(0, simple(1, 0, b"a" * 20), simple(1, 33, b"b" * 20))
    assert read(webm(inner, size=UNKNOWN)[:-33]).cut
    assert not read(webm(inner, size=UNKNOWN)).cut


@pytest.mark.parametrize("id", ["1c53bb6b", "1254c367", "ec"])
@pytest.mark.parametrize("size", [UNKNOWN, None])
def test_an_index_that_is_cut_off_is_no_loss(id, size):
    """Cues, Tags or Void, if nothing was to follow."""
    media = cluster(0, simple(1, 0, b"a" * 20))
    found = read(webm(media, element(id, bytes(50)), size=size)[:-10])
    assert (found.cut, found.index_cut, len(found.tracks[0].frames)) == (False, True, 1)
    if size is None:
        found = read(webm(media, element(id, bytes(50)), media)[: -len(media) - 10])
        assert (found.cut, found.index_cut) == (True, False)


def test_what_else_a_track_says():
    entry = element(
        "ae",
        element("d7", b"\1"),
        element("83", b"\1"),
        element("86", b"V_AV1"),
        element("63a2", b"\x81\0\0\0"),
        element("e0", element("b0", number(320)), element("ba", number(180))),
        element("56aa", number(6_500_000)),
        element("6d80", b""),
    )
    data = HEAD + element("18538067", element("1654ae6b", entry))
    (found,) = read(data).tracks
    assert (found.size, found.delay, found.private) == ((320, 180), 6_500_000, b"\x81\0\0\0")
    assert found.encoded


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<html>", id="HTML"),
        pytest.param(webm(cluster(0, simple(9, 0, b"a"))), id="a track that is not there"),
        pytest.param(webm(cluster(0, element("a3", b"\x81"))), id="a short block"),
        pytest.param(webm(cluster(0, simple(2, 0, b"\x02aabb", lacing=2))), id="uneven"),
        pytest.param(webm(cluster(0, simple(2, 0, b"\x01\xff\xffa", lacing=1))), id="too long"),
        pytest.param(HEAD + bytes(20), id="zeros"),
    ],
)
def test_what_cannot_be_read(data):
    with pytest.raises(Malformed):
        read(data)


@pytest.mark.parametrize("seed", range(200))
def test_flipped_bytes_raise_nothing_else(seed):
    data = bytearray(webm(cluster(0, simple(1, 0, b"a" * 9), simple(2, 3, b"\x01ab", lacing=2))))
    data[seed * 7919 % len(data)] ^= 1 << seed % 8
    data[seed * 104729 % len(data)] = seed
    with suppress(Malformed):
        read(bytes(data))
