"""What is missing between two segments, and what of their ends belongs together."""

from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.slots.stamps import Stamps
from pipeline.media.timeline.edges.counters import counters_go_on
from pipeline.media.timeline.plan import plan
from pipeline.media.track import NOTHING, Edges
from pipeline.media.ts.continuity import continues
from pipeline.media.ts.scan import scan
from pipeline.model import Severity
from tests import ts

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
SECONDS = S / 90_000
BOTH = frozenset({ts.VIDEO, ts.AUDIO})
ONLY_VIDEO, ONLY_AUDIO = frozenset({ts.VIDEO}), frozenset({ts.AUDIO})


def run(count: int = 4, **options: object) -> list[bytes]:
    """Segments of a writer whose counters go on."""
    counters: dict[int, int] = {}
    return [
        ts.segment(start=S * (n + 1), pictures=16, counters=counters, **options)
        for n in range(count)
    ]


def packets(data: bytes) -> list[bytes]:
    return [data[at : at + 188] for at in range(0, len(data), 188)]


def last_of(data: bytes, pid: int) -> int:
    """Number of the last packet of a PID."""
    return max(n for n, p in enumerate(packets(data)) if (p[1] & 31) << 8 | p[2] == pid)


def without(data: bytes, number: int) -> bytes:
    return data[: 188 * number] + data[188 * (number + 1) :]


def planned(
    datas: list[bytes | None], tagged: int | None = None
) -> tuple[list[Edges], list[tuple[str, Severity, str | None, int | None]]]:
    slots = [
        Slot(
            f"{n}.ts",
            None if data is None else scan(f"{n}.ts", np.frombuffer(data, np.uint8)),
            SECONDS,
            discontinuity=n == tagged,
        )
        for n, data in enumerate(datas)
    ]
    made = plan(slots)
    return [p.edges for p in made.placed], [
        (f.id, f.severity, f.segment, f.pid) for f in made.findings
    ]


def torn(edges: list[Edges]) -> list[frozenset[int]]:
    return [edge.torn for edge in edges]


def test_clean_segments_have_clean_edges():
    edges, said = planned(run())
    assert said == []
    assert torn(edges) == [NOTHING] * 4
    assert [e.joined for e in edges] == [e.cut for e in edges] == [NOTHING] * 4
    assert [e.whole for e in edges] == [NOTHING, NOTHING, NOTHING, BOTH]


@pytest.mark.parametrize("tagged", [None, 2], ids=["untagged", "tagged"])
def test_the_last_packet_of_a_picture_is_lost(tagged):
    datas = run()
    datas[1] = without(datas[1], last_of(datas[1], ts.VIDEO))
    edges, said = planned(datas, tagged)
    if tagged:  # the counter may restart
        assert (torn(edges), said) == ([NOTHING] * 4, [])
        return
    assert said == [("CC_EDGE", Severity.ERROR, "2.ts", ts.VIDEO)]
    assert torn(edges) == [NOTHING, NOTHING, ONLY_VIDEO, NOTHING]
    assert edges[1].cut == edges[1].whole == ONLY_VIDEO


def test_the_last_packet_of_a_sound_is_lost():
    datas = run(frames_per_pes=10)
    datas[1] = without(datas[1], last_of(datas[1], ts.AUDIO))
    edges, said = planned(datas)
    assert said == [("PES_SIZE", Severity.ERROR, "1.ts", ts.AUDIO)]
    assert torn(edges) == [NOTHING, NOTHING, ONLY_AUDIO, NOTHING]


def test_the_first_packet_of_a_segment_is_lost():
    datas = run()
    first = min(n for n, p in enumerate(packets(datas[2])) if p[1:3] == b"\x41\x00")
    datas[2] = without(datas[2], first)
    edges, said = planned(datas)
    assert said == [("CC_EDGE", Severity.ERROR, "2.ts", ts.VIDEO)]
    assert torn(edges) == [NOTHING, NOTHING, ONLY_VIDEO, NOTHING]


@pytest.mark.parametrize("pid", [ts.VIDEO, ts.AUDIO], ids=["video", "audio"])
def test_a_pes_over_the_edge_is_joined(pid):
    one, two, three, four = run(frames_per_pes=10)
    at = 188 * last_of(two, pid)
    tables, rest = three[:376], three[376:]
    edges, said = planned([one, two[:at], tables + two[at:] + rest, four])
    assert (said, torn(edges)) == ([], [NOTHING] * 4)
    assert edges[1].joined == {pid}
    assert [edge.joined for edge in edges[::2]] == [NOTHING, NOTHING]


def test_a_recording_that_begins_inside_a_picture():
    datas = run()
    first = min(n for n, p in enumerate(packets(datas[0])) if p[1:3] == b"\x41\x00")
    edges, said = planned([without(datas[0], first), *datas[1:]])
    assert said == [("PES_START", Severity.ERROR, "0.ts", ts.VIDEO)]
    assert torn(edges) == [ONLY_VIDEO, NOTHING, NOTHING, NOTHING]


def test_a_recording_that_ends_inside_a_sound():
    datas = run(frames_per_pes=10)
    datas[3] = without(datas[3], last_of(datas[3], ts.AUDIO))
    edges, said = planned(datas)
    assert said == [("PES_SIZE", Severity.ERROR, "3.ts", ts.AUDIO)]
    assert edges[3].whole == BOTH
    assert ts.AUDIO in edges[3].cut


def test_a_segment_that_is_cut_inside_a_packet():
    datas = run()
    datas[1] = datas[1][: 188 * last_of(datas[1], ts.VIDEO) + 50]
    edges, _ = planned(datas)
    assert torn(edges) == [NOTHING, NOTHING, BOTH, NOTHING]
    assert edges[1].whole == BOTH
    assert ts.VIDEO in edges[1].cut


@pytest.mark.parametrize("gone", [None, b"", b"<html>" * 50], ids=["missing", "empty", "no stream"])
def test_a_segment_that_is_gone(gone):
    datas: list[bytes | None] = list(run())
    datas[2] = gone
    edges, said = planned(datas)
    assert (torn(edges), said) == ([NOTHING, NOTHING, BOTH], [])
    assert edges[1].whole == BOTH


def without_sound(which: int, *, sent: bool) -> list[bytes | None]:
    """Segments of which one has no sound: its packets are gone, or there never were any."""
    counters: dict[int, int] = {}
    datas: list[bytes | None] = []
    for n in range(4):
        silent = n == which and not sent
        options = {"counters": counters, "audio": None if silent else ts.AUDIO}
        data = ts.segment(start=S * (n + 1), pictures=16, **options)
        if n == which:
            data = b"".join(p for p in packets(data)[2:] if p[2] != ts.AUDIO & 0xFF)
            data = run(1)[0][:376] + data
        datas.append(data)
    return datas


def test_sound_that_is_missing_in_one_segment():
    edges, said = planned(without_sound(1, sent=True))
    assert said == [("ES_ABSENT", Severity.ERROR, "1.ts", ts.AUDIO)]
    assert torn(edges) == [NOTHING, NOTHING, ONLY_AUDIO, NOTHING]


def still(pictures: int) -> list[bytes]:
    """Four segments, of which the second and third hold no picture, and the first so many of 16."""
    counters: dict[int, int] = {}
    datas = []
    for n in range(4):
        data = ts.segment(start=S * (n + 1), pictures=16)
        rows, seen = [], 0
        for packet in packets(data):
            video = packet[1] & 0x1F == 1 and packet[2] == ts.VIDEO & 0xFF
            seen += video and packet[1] & 0x40 > 0
            if not video or n == 3 or (n == 0 and seen <= pictures):
                pid = (packet[1] & 0x1F) << 8 | packet[2]
                counter = counters.get(pid, 0)
                counters[pid] = counter + 1 & 15
                rows.append(packet[:3] + bytes((packet[3] & 0xF0 | counter,)) + packet[4:])
        datas.append(b"".join(rows))
    return datas


def test_a_picture_that_stands_still():
    """It stood still before the segments without pictures began."""
    edges, said = planned(still(6))
    assert said == [("ES_ABSENT", Severity.WARNING, "1.ts", ts.VIDEO)]
    assert torn(edges) == [NOTHING] * 4


def test_pictures_that_are_gone_from_end_to_end_of_a_segment():
    """Their counter goes on by chance."""
    edges, said = planned(still(16))
    assert ("ES_ABSENT", Severity.ERROR, "1.ts", ts.VIDEO) in said
    assert ONLY_VIDEO in torn(edges)


def test_sound_that_was_never_sent_in_one_segment():
    edges, said = planned(without_sound(1, sent=False))
    assert said == [("ES_ABSENT", Severity.WARNING, "1.ts", ts.AUDIO)]
    assert torn(edges) == [NOTHING] * 4


def test_silence_beside_a_slice_that_is_gone():
    """The counter goes on over both; how much sound the one that is gone held nobody knows."""
    datas = without_sound(1, sent=False)
    datas.insert(1, None)
    edges, said = planned(datas)
    assert ("ES_ABSENT", Severity.WARNING, "2.ts", ts.AUDIO) in said
    assert ts.AUDIO in edges[-2].torn


@pytest.mark.parametrize("damage", ["cut", "hurt"])
def test_silence_in_what_is_damaged_is_taken_for_a_loss(damage):
    """The counter goes on by chance, one time in sixteen, also where packets are missing."""
    datas = without_sound(1, sent=False)
    assert datas[1] is not None
    if damage == "cut":
        datas[1] = datas[1][:-90]
    else:
        datas[1] = without(datas[1], 10)
    edges, said = planned(datas)
    assert ("ES_ABSENT", Severity.WARNING, "1.ts", ts.AUDIO) not in said
    assert ts.AUDIO in edges[-2].torn


@pytest.mark.parametrize(("whole", "sent"), [(1, True), (2, False)])
def test_a_pause_beside_a_slice_that_is_gone_with_sound_in_it(whole, sent):
    """No counter goes on over what is gone; whole slices without sound say that there was none."""
    counters: dict[int, int] = {}
    kinds = [ts.AUDIO, *[None] * whole, ts.AUDIO, ts.AUDIO, ts.AUDIO]
    datas: list[bytes | None] = [
        ts.segment(start=S * (n + 1), pictures=16, counters=counters, audio=kind)
        for n, kind in enumerate(kinds)
    ]
    datas[1 + whole] = None
    edges, said = planned(datas)
    absent = [severity for id, severity, _, pid in said if (id, pid) == ("ES_ABSENT", ts.AUDIO)]
    assert absent == [Severity.ERROR if sent else Severity.WARNING]
    assert ts.AUDIO in edges[1 + whole].torn


def test_a_pause_that_reaches_over_a_loss_of_pictures():
    """Two whole segments without sound, and a counter that goes on, speak for the damaged one."""
    counters: dict[int, int] = {}
    kinds = [ts.AUDIO, None, None, None, ts.AUDIO, ts.AUDIO]
    datas: list[bytes | None] = [
        ts.segment(start=S * (n + 1), pictures=16, counters=counters, audio=kind)
        for n, kind in enumerate(kinds)
    ]
    datas[1] = without(datas[1] or b"", 10)
    edges, said = planned(datas)
    assert ("ES_ABSENT", Severity.WARNING, "1.ts", ts.AUDIO) in said
    assert ts.AUDIO not in edges[4].torn


def test_a_writer_that_begins_anew_loses_nothing():
    datas = [ts.segment(start=S * (n + 1), pictures=16 + n) for n in range(1)]
    datas += [ts.segment(start=S * (n + 1), pictures=16) for n in range(1, 4)]
    edges, said = planned(datas)
    assert (torn(edges), said) == ([NOTHING] * 4, [])


def placed(*datas: bytes) -> list[Placed]:
    found = []
    for n, data in enumerate(datas):
        one = scan(f"{n}.ts", np.frombuffer(data, np.uint8))
        stamps = {pid: Stamps.of(s.pts, s.dts) for pid, s in one.streams.items()}
        found.append(Placed(Slot(one.name, one), n, stamps, n))
    return found


def test_continues():
    one, two, three = (p.stream(ts.VIDEO) for p in placed(*run(3)))
    assert [continues(one, two), continues(two, three)] == [True, True]
    assert [continues(one, three), continues(two, one)] == [False, False]


@pytest.mark.parametrize(
    ("datas", "on"),
    [
        pytest.param(run(), True, id="they go on"),
        pytest.param([ts.segment(start=S * n, pictures=16) for n in range(1, 5)], False, id="anew"),
        pytest.param(run(2), False, id="too few to tell"),
        pytest.param(run(3), True, id="two streams over two edges"),
        pytest.param(run(3, audio=None), False, id="one stream over two edges"),
        pytest.param([*run(3), run(5)[4]], True, id="most go on"),
        pytest.param(run(6)[::2], False, id="none goes on"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_counters_go_on(datas, on):
    segments = placed(*datas)
    lanes = plan([s.slot for s in segments]).lanes
    assert counters_go_on(segments, lanes) is on


def test_a_stream_under_another_pid_counts_again():
    """Counters that go on say nothing of a PID that was not there before."""
    moved = ts.segment(start=5 * S, pictures=16, video=0x200, audio=0x201, counters={0x200: 7})
    edges, said = planned([*run(4), moved])
    assert torn(edges) == [NOTHING] * 5
    assert {severity for _, severity, _, _ in said} <= {Severity.WARNING, Severity.INFO}


def test_a_missing_key_picture_shows_in_the_time_that_is_left_for_it():
    """Two segments tell nothing about counters."""
    first, second = run(2)
    edges, said = planned([first, ts.headless(second)])
    assert torn(edges) == [NOTHING, ONLY_VIDEO]
    assert ("DTS_GAP", Severity.ERROR, "1.ts", ts.VIDEO) in said


def test_a_segment_may_begin_without_a_key_picture():
    first = ts.segment(start=S, pictures=16, audio=None)
    second = ts.headless(ts.segment(start=2 * S - 6000, pictures=17, audio=None))
    edges, said = planned([first, second])
    assert torn(edges) == [NOTHING, NOTHING]
    assert said == []


def test_pictures_that_come_when_they_like_leave_no_place_for_a_key_picture():
    counters: dict[int, int] = {}
    early = ts.segment(start=S - 24_000, pictures=1, audio=None, counters=counters)
    first = early + ts.segment(start=S, pictures=16, audio=None, counters=counters)
    edges, _ = planned([first, ts.headless(ts.segment(start=2 * S, pictures=16, audio=None))])
    assert torn(edges) == [NOTHING, NOTHING]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_clock_that_goes_on_by_chance_is_no_witness(lost):
    """It restarted behind a segment that nobody lists any more; counters and names tell."""
    counters: dict[int, int] = {}
    made = []
    for n in range(6):
        at = n - lost if n > 2 else n
        made.append(ts.segment(start=S * (at + 1), pictures=16, counters=counters))
    named = [(n, data) for n, data in enumerate(made) if not lost or n != 2]
    slots = [
        Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(data, np.uint8)), SECONDS, utc=n * SECONDS)
        for n, data in named
    ]
    found = plan(slots)
    ticks = found.placed[2].first(ts.VIDEO) - found.placed[1].last(ts.VIDEO)
    assert ticks == pytest.approx(6000 + lost * S, abs=2)
    assert [p.edges.torn for p in found.placed].count(BOTH) == lost


@pytest.mark.parametrize("audio", [None, ts.AUDIO], ids=["pictures", "and sound"])
@pytest.mark.parametrize(
    ("named", "promised", "ticks"),
    [
        pytest.param(SECONDS, SECONDS, 6000, id="names and EXTINF agree"),
        pytest.param(SECONDS + 0.5, SECONDS, 0, id="they do not"),
        pytest.param(SECONDS, SECONDS - 1 / 15, 0, id="EXTINF knows of no longer one"),
    ],
)
def test_how_long_the_last_picture_before_a_restart_is_shown(named, promised, ticks, audio):
    """It stands as long as two, and the clock restarts behind it."""
    starts = [S, 2 * S, 0, S]
    datas = [
        ts.segment(start=start, pictures=15 if n == 1 else 16, audio=audio)
        for n, start in enumerate(starts)
    ]
    utcs = [0.0, SECONDS, SECONDS + named, 2 * SECONDS + named]
    slots = [
        Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(data, np.uint8)), SECONDS, utc=1e9 + utc)
        for n, (data, utc) in enumerate(zip(datas, utcs, strict=True))
    ]
    slots[1] = replace(slots[1], duration=promised)
    made = plan(slots).placed
    behind = made[2].first(ts.VIDEO) - made[1].end(plan(slots).lanes[0])
    assert behind == pytest.approx(ticks, abs=300)  # sound has frames of its own


@pytest.mark.parametrize(
    ("behind", "gap"),
    [
        pytest.param(10, 10, id="as much as the clock showed before it"),
        pytest.param(0, 0, id="nothing: they were right"),
        pytest.param(4, 0, id="something else: the clock goes on"),
    ],
)
def test_names_that_do_not_believe_the_clock_and_then_show_what_it_showed(behind, gap):
    """A slice under the name of the one before: what is missing lies behind it by the names, in
    front of it by the clock, and is missing by both.
    """
    begins = [S, 2 * S, *(S * (n + 1) + 10 * 90_000 for n in range(2, 6))]
    datas = [ts.segment(start=begin // 1920 * 1920, pictures=16) for begin in begins]
    later = [0, 0, 0, *[behind] * 3]
    slots = [
        Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(data, np.uint8)), SECONDS, utc=when)
        for n, data in enumerate(datas)
        if (when := 1e9 + n * SECONDS + later[n])
    ]
    begun = [segment.first(ts.VIDEO) for segment in plan(slots).placed]
    steps = [round((b - a - S) / 90_000, 1) for a, b in pairwise(begun)]
    assert steps == [0.0, 0.0, gap, 0.0, 0.0]


@pytest.mark.parametrize(("silent", "sent"), [(1, True), (2, False)])
def test_a_pause_behind_a_segment_that_lost_its_end(silent, sent):
    """It may have held packets that the counter misses; whole slices without sound say more."""
    counters: dict[int, int] = {}
    kinds = [ts.AUDIO, *[None] * silent, ts.AUDIO, ts.AUDIO, ts.AUDIO]
    datas: list[bytes | None] = [
        ts.segment(start=S * (n + 1), pictures=16, counters=counters, audio=kind)
        for n, kind in enumerate(kinds)
    ]
    datas[0] = (datas[0] or b"")[: -188 * 3 - 21]
    _, said = planned(datas)
    absent = [severity for id, severity, _, pid in said if (id, pid) == ("ES_ABSENT", ts.AUDIO)]
    assert absent == [Severity.ERROR if sent else Severity.WARNING]
