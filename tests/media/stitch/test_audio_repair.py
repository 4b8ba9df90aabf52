"""Sound with bytes missing: which frames are kept, and when they are heard."""

import zlib

import numpy as np
import pytest

from pipeline.media.clock import BASE
from pipeline.media.es.codecs import AAC
from pipeline.media.stitch.audio_repair import behind, in_line
from pipeline.media.stitch.stitcher import Stitched
from pipeline.media.stitch.work import CarryOver
from pipeline.media.track import Lane
from pipeline.media.ts.scan import scan
from pipeline.model import Severity
from tests import ts
from tests.media.slots_builder import S, stitched

FRAME = 1920
IN_PES = 8  # frames


def media(n: int = 0, **options: object) -> bytes:
    return ts.segment(start=S * (n + 1), pictures=16, frames_per_pes=IN_PES, **options)


def frames(n: int = 0) -> list[bytes]:
    """The sound of :func:`media`, as MP4 stores it."""
    times = range(S * (n + 1), S * (n + 2), FRAME)
    return [ts.silence(40 + t // FRAME % 9, seed=t) for t in times]


def sound_packets(data: bytes) -> list[int]:
    return [n for n in range(len(data) // 188) if data[188 * n + 1] & 31 == 1 and data[188 * n + 2]]


def without(data: bytes, *gone: int) -> bytes:
    """Without these packets."""
    return b"".join(data[188 * n : 188 * n + 188] for n in range(len(data) // 188) if n not in gone)


def heard(part: Stitched) -> list[int]:
    """Number of each frame by its time: stamped ones exactly, the others behind them."""
    numbers: list[int] = []
    for pts in part.units[ts.AUDIO].pts.tolist():
        if pts >= 0:
            assert (pts - BASE) % FRAME == 0
        numbers.append((pts - BASE) // FRAME if pts >= 0 else numbers[-1] + 1)
    return numbers


def written(parts: list[Stitched]) -> tuple[list[bytes], list[int]]:
    """Payload of every audio PES that was written, its header included, and the counters."""
    found: list[bytes] = []
    counters = []
    out = b"".join(bytes(chunk) for part in parts for chunk in part.chunks)
    for n in sound_packets(out):
        raw = out[188 * n : 188 * n + 188]
        payload = raw[5 + raw[4] if raw[3] & 0x20 else 4 :]
        found += [b""] if raw[1] & 0x40 else []
        found[-1] += payload
        counters.append(raw[3] & 15)
    return found, counters


def survivors(gone: int, segment: int = 0) -> list[int]:
    """Frames of :func:`media` with no byte in audio packet number ``gone``."""
    kept, packet = [], 0
    for first in range(0, 50, IN_PES):
        group = frames(segment)[first : first + IN_PES]
        at = 14  # PES header
        for n, raw in enumerate(group, first):
            spans = {packet + at // 184, packet + (at + 6 + len(raw)) // 184}
            kept += [] if gone in spans else [n]
            at += 7 + len(raw)
        packet += -(-at // 184)
    return kept


@pytest.mark.parametrize("gone", range(1, 19))
def test_frames_beside_a_lost_packet_keep_their_times(gone):
    data = media()
    packets = sound_packets(data)
    _, parts, _ = stitched(without(data, packets[gone]))
    made = parts[0].units[ts.AUDIO]
    kept = survivors(gone)
    assert 40 < len(kept) < 50
    assert heard(parts[0]) == kept
    assert made.sizes.tolist() == [len(frames()[n]) for n in kept]
    assert made.digest == zlib.crc32(b"".join(frames()[n] for n in kept))
    hole = next((n for n, number in enumerate(kept) if n != number), len(kept))
    assert hole in made.torn.tolist() or hole == len(kept)
    _, counters = written(parts)
    assert counters == [n & 15 for n in range(len(counters))]


@pytest.mark.parametrize("gone", [9, 12, 15], ids=str)
def test_a_frame_that_began_in_the_segment_before_is_completed_where_packets_are_lost(gone):
    data = media(video=None)
    packets = sound_packets(data)
    cut = packets[5] * 188  # inside a PES, and inside a frame
    behind = without(data[cut:], packets[gone] - packets[5])
    _, parts, _ = stitched(data[:cut], data[: 2 * 188] + behind)
    made = [part.units[ts.AUDIO] for part in parts]
    kept = survivors(gone)
    sizes = [size for one in made for size in one.sizes.tolist()]
    assert sizes == [len(frames()[n]) for n in kept]
    assert made[1].pts[0] == -1  # its stamp stands in the segment before
    assert made[1].dropped < 200  # nothing but what the lost packet left
    pes, counters = written(parts)
    es = b"".join(one[14 if one[7] & 0x80 else 9 :] for one in pes)
    assert es == b"".join(ts.adts_frame(frames()[n]) for n in kept)
    assert counters == [n & 15 for n in range(len(counters))]


def test_a_rest_that_lost_packets_completes_nothing():
    data = media(video=None)
    packets = sound_packets(data)
    cut = packets[4] * 188
    made, parts, _ = stitched(data[:cut], data[: 2 * 188] + without(data[cut:], 1))
    assert not made.placed[0].joined
    assert made.placed[1].torn == {ts.AUDIO}
    sizes = [size for part in parts for size in part.units[ts.AUDIO].sizes.tolist()]
    assert len(sizes) < 50
    assert set(sizes) <= {len(frame) for frame in frames()}


def test_the_beginning_that_lost_its_stamp_is_counted_back():
    data = media()
    packets = sound_packets(data)
    _, parts, _ = stitched(without(data, packets[3]))  # begins the second PES
    made = parts[0].units[ts.AUDIO]
    first = heard(parts[0]).index(12)
    assert heard(parts[0])[first - 1] == 7
    assert made.pts[first] == BASE + 12 * FRAME


def test_what_is_written_is_what_is_told():
    data = media()
    _, parts, _ = stitched(without(data, sound_packets(data)[4]))
    made = parts[0].units[ts.AUDIO]
    pes, _ = written(parts)
    es = b"".join(one[14:] for one in pes)
    kept = survivors(4)
    assert es == b"".join(ts.adts_frame(frames()[n]) for n in kept)
    stamps = [one[9:14] for one in pes]
    assert stamps == [ts.stamp(t, 2) for t in made.pts.tolist() if t >= 0]
    assert all(int.from_bytes(one[4:6], "big") == len(one) - 6 for one in pes)


def test_a_wrong_packet_is_a_lost_one():
    data = bytearray(media())
    data[188 * sound_packets(bytes(data))[4] + 1] |= 0x80  # transport_error_indicator
    assert heard(stitched(bytes(data))[1][0]) == survivors(4)


def test_nothing_is_heard_before_the_beginning():
    data = media(video=None)
    _, parts, _ = stitched(without(data, sound_packets(data)[0]))
    made = parts[0].units[ts.AUDIO]
    assert made.pts[0] == BASE
    assert heard(parts[0]) == list(range(42))  # the 8 of the first PES are before its first stamp
    assert made.digest == zlib.crc32(b"".join(frames()[8:]))


def test_beside_a_picture_the_same_frames_are_heard():
    data = media()
    _, parts, _ = stitched(without(data, sound_packets(data)[0]))
    assert heard(parts[0]) == survivors(0)
    assert len(survivors(0)) < 49


def test_two_losses_in_one_segment():
    data = media()
    packets = sound_packets(data)
    _, parts, _ = stitched(without(data, packets[4], packets[13]))
    kept = [n for n in survivors(4) if n in survivors(13)]
    assert heard(parts[0]) == kept
    assert parts[0].units[ts.AUDIO].torn.tolist() == [11, 12, 31, 32]  # or may be missing


def test_a_loss_harms_no_other_segment():
    counters: dict[int, int] = {}
    datas = [media(n, counters=counters) for n in range(3)]
    datas[1] = without(datas[1], sound_packets(datas[1])[4])
    _, parts, _ = stitched(*datas)
    assert heard(parts[0]) == list(range(50))
    assert heard(parts[1]) == [50 + n for n in survivors(4, 1)]
    assert heard(parts[2]) == list(range(100, 150))
    assert [part.units[ts.AUDIO].digest for part in parts[::2]] == [
        zlib.crc32(b"".join(frames(n))) for n in (0, 2)
    ]
    _, numbers = written(parts)
    assert numbers == [n & 15 for n in range(len(numbers))]


def spoiled(at: int) -> bytes:
    """Media with one byte of sound frame 12's header changed."""
    data = media()
    frame = ts.adts_frame(frames()[12])
    begin = data.index(frame[:20])
    return data[: begin + at] + bytes((data[begin + at] ^ 0x40,)) + data[begin + at + 1 :]


def test_bytes_between_frames_that_are_no_frame():
    _, parts, _ = stitched(spoiled(0))
    assert heard(parts[0]) == [n for n in range(50) if n not in (11, 12)]
    said = [(f.id, f.severity, f.pid, f.count) for f in parts[0].findings]
    assert said == [("ADTS_SYNC", Severity.ERROR, ts.AUDIO, 1)]


def test_a_last_frame_that_is_cut_is_left_out():
    data = media(audio=None)
    counter = 0
    out = data
    for first in range(0, 48, IN_PES):
        es = b"".join(map(ts.adts_frame, frames()[first : first + IN_PES]))
        es = es[:-9] if first == 40 else es
        unit = ts.packets(ts.AUDIO, ts.pes(0xC0, es, S + FRAME * first), counter)
        counter += len(unit)
        out += b"".join(unit)
    pmt = b"".join(ts.table_packets(ts.PMT, ts.pmt({ts.VIDEO: ts.H264, ts.AUDIO: ts.AAC})))
    _, parts, _ = stitched(out[:188] + pmt + out[376:])
    assert heard(parts[0]) == list(range(47))
    said = [(f.id, f.severity, f.pid, f.repair) for f in parts[0].findings]
    assert said == [("ADTS_SYNC", Severity.WARNING, ts.AUDIO, "left out")]


# --- stamps that no muxer can follow ----------------------------------------------------------


LANE = Lane(ts.AUDIO, AAC, ts.adts_frame(b"")[:7], float(ts.FRAME))


@pytest.mark.parametrize(
    ("ticks", "left"),
    [
        pytest.param(0, 0, id="right"),
        pytest.param(-1000, -1000, id="less than a frame early"),
        pytest.param(-ts.FRAME, -ts.FRAME // 2, id="with the last frame of the PES before"),
        pytest.param(-3 * ts.FRAME, -ts.FRAME // 2, id="three frames early"),
        pytest.param(5 * ts.FRAME, 5 * ts.FRAME, id="late"),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_sound_stamped_before_the_frame_in_front_of_it(number, ticks, left):
    """Half a frame too early at most; the rest stays where it is stamped."""
    first = np.array([0, 4, 8, 12])
    stamps = BASE + first * ts.FRAME
    stamps[number] += ticks
    right = stamps.copy()
    right[number] += left - ticks
    if ticks > 0:
        first, stamps, right = (x[: number + 1] for x in (first, stamps, right))
    found = behind(first, stamps, 16, CarryOver(LANE))
    assert found.tolist() == right.tolist()


@pytest.mark.parametrize("overlap", [1, 4])
def test_sound_stamped_before_the_last_frame_of_the_segment_before(overlap):
    carried = CarryOver(LANE)
    behind(np.array([0]), np.array([BASE]), 10, carried)
    begin = BASE + (10 - overlap) * ts.FRAME
    found = behind(np.array([0]), np.array([begin]), 10, carried)
    assert found.tolist() == [BASE + 9.5 * ts.FRAME]


@pytest.mark.parametrize(
    ("off", "left"),
    [
        pytest.param([0, 2000, 0, 0], [0, 0, 0, 0], id="one jumps out and back"),
        pytest.param([0, -2000, 0, 0], [0, 0, 0, 0], id="or back and out"),
        pytest.param([2000, 0, 0, 0], [0, 0, 0, 0], id="the first one"),
        pytest.param([0, 0, 0, 2000], [0, 0, 0, 2000], id="nothing follows the last one"),
        pytest.param([0, 2000, 2000, 2000], [0, 2000, 2000, 2000], id="a pause"),
        pytest.param([0, 900, 0, 0], [0, 900, 0, 0], id="less than half a frame"),
        pytest.param([0, 2000, 700, 700], [0, 2000, 700, 700], id="it does not come back"),
    ],
)
def test_a_stamp_that_jumps_out_and_back(off, left):
    carried = CarryOver(LANE)
    behind(np.array([0]), np.array([BASE]), 10, carried)
    first = np.array([0, 5, 7, 12])
    line = BASE + (10 + first) * ts.FRAME
    found = in_line(first, line + np.array(off), carried)
    assert found.tolist() == (line + np.array(left)).tolist()


def test_a_first_stamp_has_nothing_in_front_to_be_held_against():
    stamps = BASE + np.array([2000, 5 * ts.FRAME, 7 * ts.FRAME])
    assert in_line(np.array([0, 5, 7]), stamps, CarryOver(LANE)) is stamps


def test_one_sound_stamp_that_is_off_by_a_frame_makes_no_silence():
    datas = [media(0), media(1)]
    pts = scan("1.ts", np.frombuffer(datas[1], np.uint8)).streams[ts.AUDIO].pts
    field = datas[1].index(ts.stamp(int(pts[2]), 2))
    stamp = ts.stamp(int(pts[2]) + 2000, 2)
    spoiled = datas[1][:field] + stamp + datas[1][field + 5 :]
    _, right, _ = stitched(*datas)
    _, parts, _ = stitched(datas[0], spoiled)
    assert heard(parts[1]) == heard(right[1])
    assert parts[1].units[ts.AUDIO].pts.tolist() == right[1].units[ts.AUDIO].pts.tolist()
    said = [(f.id, f.severity, f.count, f.repair) for f in parts[1].findings]
    assert said == [("PTS_RANGE", Severity.WARNING, 1, "set behind the frame in front")]
