"""The proof: which difference between an MP4 and its segments is found."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.media.clock import BASE
from pipeline.media.es.access_units import Units
from pipeline.media.es.codecs import AAC, H264, HEVC
from pipeline.media.isobmff.boxes import Box
from pipeline.media.isobmff.sample_tables import Layout, Movie, Track
from pipeline.media.isobmff.track_header import Edit
from pipeline.media.loss.holes import Stretch
from pipeline.media.proof import compare as proof
from pipeline.media.proof.pieces import digest_block, pieces
from pipeline.media.track import Lane
from pipeline.model import Proof
from tests import ts
from tests.media.es.test_avcc import hvcc

VIDEO = Lane(256, H264, ts.SPS, 6000.0)
AUDIO = Lane(257, AAC, bytes.fromhex("fff14c40"), 1920.0)
AVCC = (
    b"\x01\x42\xc0\x0a\xff\xe1"
    + len(ts.SPS).to_bytes(2, "big")
    + ts.SPS
    + b"\x01"
    + len(ts.PPS).to_bytes(2, "big")
    + ts.PPS
)
ASC = bytes.fromhex("1188")  # AAC LC, 48 kHz, mono
NOWHERE = np.empty(0, np.intp)
SPACE = 64  # bytes in front of the first chunk, and between the chunks


def units(pieces: list[bytes], begin: int, step: float, *, every: int = 1) -> Units:
    """Units stamped from ``begin`` on, every so many of them."""
    times = [round(begin + step * n) if n % every == 0 else -1 for n in range(len(pieces))]
    stamps = np.array(times, np.int64)
    sizes = np.array([len(piece) for piece in pieces], np.uint32)
    return Units(sizes, stamps, stamps, zlib.crc32(b"".join(pieces)), NOWHERE)


def track(
    sizes: list[int],
    offsets: list[int],
    per_chunk: list[int],
    *,
    lane: Lane = VIDEO,
    timescale: int = 90_000,
) -> Track:
    video = lane.codec.kind == "video"
    step = round(lane.unit * timescale / 90_000)
    return Track(
        track_id=1,
        handler="vide" if video else "soun",
        codec="avc1" if video else "mp4a",
        timescale=timescale,
        duration=0,
        width=16,
        height=16,
        channels=1,
        sample_rate=48_000,
        configuration=AVCC if video else ASC,
        descriptions=1,
        sizes=np.array(sizes, np.uint32),
        dts=step * np.arange(len(sizes), dtype=np.int64),
        cts=None,
        sync=None,
        chunk_offsets=np.array(offsets, np.int64),
        chunk_samples=np.array(per_chunk, np.uint32),
        edits=(),
        rotation=0,
    )


class Made:
    """A file of two tracks whose chunks alternate, and what its segments held."""

    def __init__(self, counts: list[int], audio: list[int], chunk: int = 3) -> None:
        self.lanes = (VIDEO, AUDIO)
        samples = []
        for lane, numbers in ((VIDEO, counts), (AUDIO, audio)):
            total = range(sum(numbers))
            samples.append([ts.noise(9 + 7 * n % 40, seed=n + lane.pid) for n in total])
        chunks = [
            (at, kind, group[at : at + chunk])
            for kind, group in enumerate(samples)
            for at in range(0, len(group), chunk)
        ]
        self.file = bytearray(SPACE)
        offsets: list[list[int]] = [[], []]
        for _, kind, group in sorted(chunks, key=lambda c: c[:2]):
            offsets[kind].append(len(self.file))
            self.file += b"".join(group) + bytes(len(self.file) % 5)
        self.expected = []
        self.tracks = []
        for kind, (lane, numbers) in enumerate(((VIDEO, counts), (AUDIO, audio))):
            at, stretches = 0, []
            for n, count in enumerate(numbers):
                begin = BASE + round(at * lane.unit)
                part = units(samples[kind][at : at + count], begin, lane.unit)
                stretches.append(Stretch(f"{n}.ts", part))
                at += count
            self.expected.append(stretches)
            sizes = [len(one) for one in samples[kind]]
            per_chunk = [min(chunk, at - n) for n in range(0, at, chunk)]
            scale = 90_000 if lane is VIDEO else 48_000
            self.tracks.append(track(sizes, offsets[kind], per_chunk, lane=lane, timescale=scale))
        moov, mdat = Box("moov", 0, SPACE, 8), Box("mdat", SPACE - 8, len(self.file), 8)
        self.layout = Layout((moov, mdat))

    def digests(self, block: int = 1 << 20) -> list[int]:
        piece = pieces(self.tracks, self.expected, block)
        digests = [0] * sum(map(len, self.expected))
        view = memoryview(bytes(self.file))
        for at in range(0, len(view), block):
            digest_block(view[at : at + block], at, piece, digests)
        return digests

    @property
    def pairs(self) -> list[proof.Pair]:
        there = zip(self.lanes, self.tracks, self.expected, strict=True)
        return [proof.Pair(*one) for one in there]

    def prove(self) -> tuple[Proof, list[tuple[str, str | None, int | None]]]:
        movie = Movie(90_000, 0, tuple(self.tracks))
        made, findings = proof.prove(movie, self.layout, self.pairs, self.digests())
        return made, [(f.id, f.segment, f.pid) for f in findings]

    def change(self, kind: int, **values: object) -> None:
        self.tracks[kind] = replace(self.tracks[kind], **values)


# --- digests -------------------------------------------------------------------------------------


@given(st.integers(1, 3000))
def test_any_block_size_gives_the_same_digests(block):
    made = Made([5, 0, 9, 1], [4, 7, 2, 8])
    wanted = [s.units.digest for stretches in made.expected for s in stretches]
    assert made.digests(block) == wanted


# --- what is found -------------------------------------------------------------------------------


def whole() -> Made:
    return Made([5, 4, 6], [7, 6, 8])


def test_the_same_is_proven():
    assert whole().prove() == (Proof(True, True, True, 0.0), [])


@pytest.mark.parametrize(
    ("kind", "pid", "sample", "segment"),
    [
        pytest.param(0, 256, 0, "0.ts", id="first picture"),
        pytest.param(0, 256, 4, "0.ts", id="last picture of a segment"),
        pytest.param(0, 256, 5, "1.ts", id="first picture of the next"),
        pytest.param(0, 256, 14, "2.ts", id="last picture"),
        pytest.param(1, 257, 7, "1.ts", id="a sound"),
        pytest.param(1, 257, 20, "2.ts", id="last sound"),
    ],
)
def test_a_byte_and_a_stamp_that_differ(kind, pid, sample, segment):
    made = whole()
    table = made.tracks[kind]
    chunk, inside = divmod(sample, 3)
    at = int(table.chunk_offsets[chunk] + table.sizes[3 * chunk : 3 * chunk + inside].sum())
    made.file[at] ^= 1
    assert made.prove() == (Proof(True, True, False, 0.0), [("M_HASH", segment, pid)])
    made.file[at] ^= 1
    dts = table.dts[:].copy()
    dts[sample] += 900
    made.change(kind, dts=dts)
    ticks = 900.0 if kind == 0 else 1687.0
    proven, said = made.prove()
    assert (proven.counts, proven.timestamps, proven.bytes) == (True, False, True)
    assert proven.max_error_ticks == pytest.approx(ticks, abs=1)
    assert said == [("M_TIME", segment, pid)]


def test_two_bytes_swapped():
    made = whole()
    at = int(made.tracks[0].chunk_offsets[2])  # sample 6, in the second segment
    made.file[at], made.file[at + 1] = made.file[at + 1], made.file[at]
    assert made.prove()[1] == [("M_HASH", "1.ts", 256)]


def test_sizes_count_even_where_the_bytes_agree():
    made = whole()
    sizes = made.tracks[0].sizes.copy()
    sizes[6], sizes[7] = sizes[6] + 1, sizes[7] - 1  # of one chunk and one segment
    made.change(0, sizes=sizes)
    assert made.prove()[1] == [("M_HASH", "1.ts", 256)]


def test_every_segment_that_differs_is_counted():
    made = whole()
    made.file[int(made.tracks[0].chunk_offsets[0])] ^= 1
    made.file[int(made.tracks[0].chunk_offsets[4])] ^= 1
    movie = Movie(90_000, 0, tuple(made.tracks))
    _, findings = proof.prove(movie, made.layout, made.pairs, made.digests())
    assert [(f.id, f.segment, f.count) for f in findings] == [("M_HASH", "0.ts", 2)]


@pytest.mark.parametrize("kind", [0, 1], ids=["video", "audio"])
@pytest.mark.parametrize("count", [3, 8], ids=["too many", "too few"])
def test_another_number_of_samples(kind, count):
    made = whole()
    made.expected[kind][1] = Stretch("1.ts", units([b"x"] * count, BASE, 1.0))
    proven, said = made.prove()
    assert (proven.counts, proven.timestamps, proven.bytes) == (False, False, False)
    assert said == [("M_COUNT", None, (256, 257)[kind])]


@pytest.mark.parametrize(
    ("off", "timescale", "right"),
    [
        pytest.param(1, 90_000, True, id="one tick of 90 kHz"),
        pytest.param(2, 90_000, False, id="two ticks"),
        pytest.param(1, 48_000, False, id="a whole unit of 48 kHz"),
        pytest.param(1, 45_000, True, id="one unit of 45 kHz"),
        pytest.param(2, 45_000, False, id="two units of 45 kHz"),
    ],
)
def test_how_far_stamps_may_be_off(off, timescale, right):
    made = whole()
    step = timescale // 15
    dts = step * np.arange(15, dtype=np.int64)
    dts[3] += off
    made.change(0, timescale=timescale, dts=dts)
    assert made.prove()[0].timestamps is right


def test_a_composition_offset_counts():
    made = whole()
    made.change(0, cts=np.array([0] * 5 + [6000] + [0] * 9, np.int32))
    assert made.prove()[1] == [("M_TIME", "1.ts", 256)]


def test_sound_without_its_own_stamp_follows_the_one_before():
    made = whole()
    first = made.expected[1][1]
    stamps = first.units.pts.copy()
    stamps[1:] = -1
    made.expected[1][1] = Stretch("1.ts", replace(first.units, pts=stamps, dts=stamps))
    assert made.prove()[1] == []
    dts = made.tracks[1].dts[:].copy()
    dts[10] += 500
    made.change(1, dts=dts)
    assert made.prove()[1] == [("M_TIME", "1.ts", 257)]


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        pytest.param(0, {"descriptions": 2}, [("M_CONFIG", None, 256)], id="two descriptions"),
        pytest.param(
            0,
            {"configuration": AVCC.replace(ts.SPS, ts.SPS[:-1] + b"\x19")},
            [("M_CONFIG", None, 256)],
            id="another SPS",
        ),
        pytest.param(
            1, {"configuration": bytes.fromhex("1208")}, [("M_CONFIG", None, 257)], id="44.1 kHz"
        ),
        pytest.param(
            1, {"configuration": bytes.fromhex("1190")}, [("M_CONFIG", None, 257)], id="stereo"
        ),
        pytest.param(
            1, {"configuration": bytes.fromhex("0988")}, [("M_CONFIG", None, 257)], id="AAC Main"
        ),
        pytest.param(0, {"rotation": 90}, [("M_ROTATION", None, 256)], id="turned"),
        pytest.param(0, {"rotation": None}, [("M_ROTATION", None, 256)], id="no matrix one knows"),
        pytest.param(
            0, {"edits": (Edit(84_000, 0, 1.0),)}, [("M_TIME", None, None)], id="an edit hides one"
        ),
    ],
)
def test_what_a_player_is_told(kind, values, said):
    made = whole()
    made.change(kind, **values)
    assert made.prove()[1] == said


@pytest.mark.parametrize(
    ("one", "inside", "said"),
    [
        pytest.param(ts.PPS, False, [], id="it is there"),
        pytest.param(ts.PPS + b"\1", False, [("M_CONFIG", None, 256)], id="it is not"),
        pytest.param(ts.PPS + b"\1", True, [], id="it stays in the samples"),
    ],
)
def test_every_parameter_set_of_a_lane_stands_in_the_sample_entry(one, inside, said):
    made = whole()
    made.lanes = (replace(VIDEO, sets=(ts.SPS, one), inside=inside), AUDIO)
    assert made.prove()[1] == said


@pytest.mark.parametrize(
    ("entry", "inside", "said"),
    [
        pytest.param("hvc1", False, [], id="in the sample entry alone"),
        pytest.param("hev1", True, [], id="in the samples"),
        pytest.param("hev1", False, [("M_CONFIG", None, 256)], id="said to be in the samples"),
        pytest.param("hvc1", True, [("M_CONFIG", None, 256)], id="said not to be"),
    ],
)
def test_the_sample_entry_says_where_parameter_sets_of_h265_stand(entry, inside, said):
    made = whole()
    made.lanes = (replace(VIDEO, codec=HEVC, config=b"\x42\1s", inside=inside), AUDIO)
    made.change(0, codec=entry, configuration=hvcc([b"\x42\1s"]))
    assert made.prove()[1] == said


def test_zeros_behind_a_parameter_set_are_no_part_of_it():
    padded = (len(ts.SPS) + 1).to_bytes(2, "big") + ts.SPS + b"\0"
    made = whole()
    made.change(0, configuration=AVCC.replace(AVCC[6 : 8 + len(ts.SPS)], padded))
    assert made.prove()[1] == []


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        pytest.param("1200050400000000", [], id="the same"),
        pytest.param("1200150400000000", [("M_CONFIG", None, 257)], id="others"),
        pytest.param("1208", [("M_CONFIG", None, 257)], id="none"),
    ],
)
def test_channels_that_moved_into_the_configuration(configuration, said):
    made = whole()
    made.lanes = (VIDEO, replace(AUDIO, config=bytes.fromhex("fff15000")))
    first = made.expected[1][0]
    element = frozenset((bytes.fromhex("a0a08000000000"),))
    made.expected[1][0] = replace(first, units=replace(first.units, sets=element))
    made.change(1, configuration=bytes.fromhex(configuration))
    assert made.prove()[1] == said


def test_chunks_outside_the_media_data():
    made = whole()
    made.layout = Layout((made.layout.boxes[0], Box("mdat", 80, 50, 8)))
    assert made.prove()[1] == [("M_BOUNDS", None, None)]


def test_an_index_behind_the_media_data():
    made = whole()
    size = len(made.file)
    made.layout = Layout((Box("mdat", 0, size, 8), Box("moov", size, 8, 8)))
    assert made.prove()[1] == [("M_FASTSTART", None, None)]


# --- which track is which ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        pytest.param(["vide avc1", "soun mp4a"], True, id="as asked for"),
        pytest.param(["vide avc3", "soun mp4a"], True, id="parameter sets in the stream"),
        pytest.param(["soun mp4a", "vide avc1"], False, id="the other way round"),
        pytest.param(["vide avc1"], False, id="one is missing"),
        pytest.param(["vide avc1", "soun mp4a", "soun mp4a"], False, id="one too many"),
        pytest.param(["vide hvc1", "soun mp4a"], False, id="another codec"),
        pytest.param(["soun avc1", "soun mp4a"], False, id="another handler"),
    ],
)
def test_lanes_are_paired_with_tracks(kinds, found):
    tracks = tuple(
        replace(track([1], [0], [1]), handler=kind[:4], codec=kind[5:]) for kind in kinds
    )
    pairs = proof.paired(Movie(1000, 0, tracks), (VIDEO, AUDIO), ([], []))
    assert (pairs and [(pair.lane, pair.track) for pair in pairs]) == (
        list(zip((VIDEO, AUDIO), tracks, strict=True)) if found else None
    )


# --- read back as units --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "proven", "ids"),
    [
        pytest.param({}, (True, True, True), [], id="the same"),
        pytest.param({"digest": 5}, (True, True, False), ["M_HASH"], id="other bytes"),
        pytest.param(
            {"sizes": np.array([3, 2], np.uint32)},
            (True, True, False),
            ["M_HASH"],
            id="other sizes",
        ),
        pytest.param({"pts": np.array([0, 7])}, (True, False, True), ["M_TIME"], id="shown later"),
        pytest.param(
            {"dts": np.array([0, 7])}, (True, False, True), ["M_TIME"], id="decoded later"
        ),
        pytest.param(
            {"sizes": np.array([2], np.uint32)},
            (False, False, False),
            ["M_COUNT", "M_TIME", "M_HASH"],
            id="one too few",
        ),
    ],
)
def test_compare(change, proven, ids):
    one = units([b"ab", b"cde"], 0, 1.0)
    wanted = [[Stretch("0.ts", one), Stretch("1.ts", one)]]
    real = [[Stretch("0.ts", one), Stretch("1.ts", replace(one, **change))]]
    made, findings = proof.compare((VIDEO,), wanted, real)
    assert (made.counts, made.timestamps, made.bytes) == proven
    assert [(f.id, f.segment, f.pid) for f in findings] == [(id, "1.ts", 256) for id in ids]
