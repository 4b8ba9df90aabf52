"""Recordings that change on the way: nothing lost, so ``ok`` or ``repaired``, never ``degraded``.

The truth is what the slices hold, read by the tests; the MP4 is read by ffprobe.
"""

import os
import random
from itertools import accumulate
from pathlib import Path

import pytest

from pipeline.model import Severity, Verdict
from tests import recordings as r

MOVED = {0x100: 0x200, 0x101: 0x201}
SWAPPED = {0x100: 0x101, 0x101: 0x100}
CROSSED = {0x100: 0x101, 0x101: 0x102}  # the picture takes the place of the sound
LARGE = r.Kind(size="640x360", bitrate="6M")
KINDS = [r.AV, r.AV_B, r.AUDIO, r.VIDEO, r.AV_44, r.RESTARTING]


@pytest.fixture
def converted(library, tmp_path):
    """Converted and checked; every unit that the slices hold now stands in its place."""

    def convert(made, kind=r.AV_B):
        report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
        checked = r.check(made.folder)
        assert checked.verdict is report.verdict, r.said(report) + "\n" + r.said(checked)
        assert checked.lost_seconds == report.lost_seconds
        return report

    return convert


def whole(report, verdict, held, ffmpeg, kind=r.AV_B):
    """Nothing lost, and sound and picture within a millisecond of where they were."""
    assert report.verdict is verdict, r.said(report)
    assert not any(report.lost_seconds.values()), r.said(report)
    assert not report.holes
    assert report.proof.holds
    found = r.recorded(r.samples(Path(report.output), ffmpeg))
    assert len(found) == len(held), r.said(report)
    shifts = [s for of_kind in r.offsets(held, found).values() for s in of_kind]
    assert len(shifts) == len(held)
    assert max(shifts) - min(shifts) <= (2.5 if kind.rate == 48000 else 20), r.said(report)
    assert abs(min(s.pts for s in found)) <= 0.1 * r.HZ


def ids(report, severity=None):
    return {f.id for f in report.findings if severity in (None, f.severity)}


# --- other PIDs --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_pids_change(copied, converted, library, kind):
    made = copied(kind)
    since = 1 + KINDS.index(kind) % 4
    pids = MOVED if kind.video else {0x100: 0x200}
    for number in range(since, 5):
        made.write(number, r.renumbered(made.data(number), pids))
    report = converted(made)
    whole(report, Verdict.REPAIRED, library.held(kind), library.ffmpeg, kind)
    assert "PMT_CHANGE" in ids(report, Severity.WARNING)


@pytest.mark.parametrize("pids", [SWAPPED, CROSSED], ids=["swapped", "crossed"])
@pytest.mark.parametrize("which", [[0], [1, 3]], ids=str)
def test_a_pid_that_means_another_stream(copied, converted, library, pids, which):
    made = copied()
    for number in which:
        made.write(number, r.renumbered(made.data(number), pids))
    whole(converted(made), Verdict.REPAIRED, library.held(r.AV_B), library.ffmpeg)


@pytest.mark.parametrize("pids", [MOVED, {0x101: 0x300}, {0x100: 0x300}], ids=str)
@pytest.mark.parametrize("number", [0, 2, 4])
def test_the_pids_change_inside_a_slice(copied, converted, library, number, pids):
    kind = r.AV if number == 2 else r.AV_B
    made = copied(kind)
    made.write(number, r.renumbered_inside(made.data(number), pids))
    for later in range(number + 1, 5):
        made.write(later, r.renumbered(made.data(later), pids))
    report = converted(made)
    whole(report, Verdict.REPAIRED, library.held(kind), library.ffmpeg)
    assert len(report.tracks) == 2


@pytest.mark.parametrize("pids", [{}, MOVED], ids=["same PIDs", "other PIDs"])
def test_the_program_moves_to_another_pid(copied, converted, library, pids):
    made = copied()
    for number in (2, 3, 4):
        made.write(number, r.renumbered(made.data(number), pids, pmt_pid=0x1200))
    report = converted(made)
    whole(report, Verdict.REPAIRED, library.held(r.AV_B), library.ffmpeg)
    assert "PMT_PID_CHANGE" in ids(report)


def test_the_pids_change_and_the_clock_restarts(copied, converted, library):
    made = copied()
    r.shift(made, -r.first_pts(made.data(3)), since=3)
    for number in (3, 4):
        made.write(number, r.renumbered(made.data(number), MOVED))
    report = converted(made)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    found = r.recorded(r.samples(Path(report.output), library.ffmpeg))
    assert len(found) == len(library.held(r.AV_B))
    for shifts in r.offsets(library.held(r.AV_B), found).values():
        assert max(shifts) - min(shifts) <= 2000, r.said(report)


# --- tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("told", "kind"), [(0, r.AV_B), (4, r.AV_B), (2, r.AUDIO), (2, r.VIDEO)])
def test_only_one_slice_has_tables(copied, converted, library, kind, told):
    made = copied(kind)
    for number in set(range(5)) - {told}:
        made.write(number, r.without_tables(made.data(number)))
    report = converted(made)
    whole(report, Verdict.REPAIRED, library.held(kind), library.ffmpeg, kind)
    assert "PSI_MISSING" in ids(report)


@pytest.mark.parametrize("number", [0, 2, 4])
def test_other_pids_and_no_tables_that_say_so(copied, converted, library, number):
    made = copied()
    made.write(number, r.without_tables(r.renumbered(made.data(number), MOVED)))
    whole(converted(made), Verdict.REPAIRED, library.held(r.AV_B), library.ffmpeg)


@pytest.mark.parametrize("pid", [0, 0x1000], ids=["PAT", "PMT"])
@pytest.mark.parametrize("number", [0, 2])
def test_one_of_the_tables_missing(copied, converted, library, number, pid):
    made = copied()
    found = r.packets(made.data(number))
    made.write(number, b"".join(p for p in found if r.pid_of(p) != pid))
    report = converted(made)
    whole(report, Verdict.REPAIRED, library.held(r.AV_B), library.ffmpeg)
    assert "PSI_MISSING" in ids(report)


@pytest.mark.parametrize("pid", [0, 0x1000], ids=["PAT", "PMT"])
def test_tables_with_a_wrong_checksum(copied, converted, library, pid):
    """Bits of a table are no media."""
    made = copied()
    data = bytearray(made.data(2))
    for at in range(0, len(data), r.PACKET):
        if r.pid_of(data[at : at + r.PACKET]) == pid:
            data[at + 17] ^= 4
    made.write(2, bytes(data))
    report = converted(made)
    whole(report, Verdict.REPAIRED, library.held(r.AV_B), library.ffmpeg)
    assert "PSI_CRC" in ids(report)


def test_tables_behind_the_media(copied, converted, library):
    """Spread over packets, behind another section, at the end of the slice."""
    made = copied()
    found = r.packets(made.data(1))
    media = [p for p in found if r.pid_of(p) >= 0x100 and r.pid_of(p) != 0x1000]
    pmt = r.ts.pmt({0x100: 0x1B, 0x101: 0x0F})
    spread = r.ts.table_packets(0x1000, r.ts.section(0x50, 1, r.ts.noise(150)) + pmt)
    assert len(spread) == 2
    made.write(1, b"".join([*media, *r.ts.table_packets(0, r.ts.pat()), *spread]))
    report = converted(made)
    whole(report, Verdict.OK, library.held(r.AV_B), library.ffmpeg)


# --- bytes in front, packets sent again ---------------------------------------------------------


@pytest.mark.parametrize(("number", "size"), [(0, 10), (2, 187), (4, 300), (2, 5000), (0, 1000)])
def test_garbage_in_front(copied, converted, library, number, size):
    made = copied()
    made.write(number, r.ts.noise(size) + made.data(number))
    report = converted(made)
    whole(report, Verdict.REPAIRED, library.held(r.AV_B), library.ffmpeg)
    assert "SEG_PARTIAL" in ids(report)


@pytest.mark.parametrize("lost", [0, 40, 41, 42, 43])
def test_a_slice_that_also_holds_the_next_one(copied, converted, library, lost):
    """Of which some of the first packets are gone: the other one has them all."""
    made = copied(r.AV_B)
    held = r.units(made.contents())
    made.write(1, made.data(1) + made.data(2))
    r.dropped(made, 2, range(lost))
    report = converted(made)
    whole(report, Verdict.REPAIRED, held, library.ffmpeg)
    assert "SEG_DUP" in ids(report, Severity.WARNING)


@pytest.mark.parametrize("times", [3, 5])
def test_packets_sent_more_than_twice(copied, converted, library, times):
    made = copied()
    data = made.data(2)
    dice = random.Random(3)
    which = {k for k in range(len(data) // r.PACKET) if dice.random() < 0.1}
    made.write(2, r.repeated(data, which, times))
    whole(converted(made), Verdict.REPAIRED, library.held(r.AV_B), library.ffmpeg)


# --- streams that come and go -------------------------------------------------------------------


def absent(made, kind, which, announced):
    """Take a stream out of some slices."""
    other = "audio" if kind == "video" else "video"
    for number in which:
        data = made.data(number)
        r.without_pid(made, number, r.stream_pids(data)[kind])
        if not announced:
            made.write(number, r.announcing(made.data(number), [other]))


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
@pytest.mark.parametrize("since", [1, 4])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_stream_that_starts_late(copied, converted, library, kind, since, announced):
    made = copied()
    absent(made, kind, range(since), announced)
    report = converted(made)
    whole(report, Verdict.OK, r.units(made.contents()), library.ffmpeg)
    assert "AV_START" in ids(report)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
@pytest.mark.parametrize("since", [1, 4])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_stream_that_ends_early(copied, converted, library, kind, since, announced):
    made = copied()
    absent(made, kind, range(since, 5), announced)
    report = converted(made)
    whole(report, Verdict.OK, r.units(made.contents()), library.ffmpeg)
    assert "AV_END" in ids(report)


@pytest.mark.parametrize("kind", [r.AV, r.RESTARTING])
@pytest.mark.parametrize("first", ["video", "audio"])
def test_one_stream_takes_over_from_the_other(copied, converted, library, kind, first):
    made = copied(kind)
    absent(made, "audio" if first == "video" else "video", (0, 1), announced=False)
    absent(made, first, (2, 3, 4), announced=False)
    whole(converted(made), Verdict.OK, r.units(made.contents()), library.ffmpeg)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_late_stream_whatever_the_clock_of_the_sound(copied, converted, library, kind, rate):
    """On which a muxer may count the time."""
    recorded = r.Kind(rate=rate, channels=1)
    made = copied(recorded)
    absent(made, kind, range(2), announced=False)
    held = r.units(made.contents())
    whole(converted(made), Verdict.OK, held, library.ffmpeg, recorded)


def one_picture(data):
    """The first, and the sound."""
    pid = r.stream_pids(data)["video"]
    found = r.packets(data)
    second = [k for k, p in enumerate(found) if r.pid_of(p) == pid and r.is_pes(p)][1]
    return b"".join(p for k, p in enumerate(found) if k < second or r.pid_of(p) != pid)


@pytest.mark.parametrize("until", [1, 3, 5])
def test_a_screen_that_stands_still_from_the_beginning(copied, converted, library, until):
    """A muxer has seen nothing of a picture before the next one begins."""
    made = copied()
    still = [one_picture(made.data(n)) if n < until else made.data(n) for n in range(5)]
    counted = r.recounted(b"".join(still))
    for number, end in enumerate(accumulate(map(len, still))):
        made.write(number, counted[end - len(still[number]) : end])
    whole(converted(made), Verdict.OK, r.units(made.contents()), library.ffmpeg)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_stream_that_starts_late_behind_many_bytes(copied, converted, library, kind):
    """Far more of them than a muxer looks at to find its streams."""
    made = copied(LARGE)
    absent(made, kind, range(4), announced=False)
    if kind == "audio":
        assert sum(map(len, made.contents()[:4])) > 8 << 20
    whole(converted(made), Verdict.OK, r.units(made.contents()), library.ffmpeg)


@pytest.mark.parametrize("number", [0, 2, 4])
def test_sound_that_starts_inside_a_slice(copied, converted, library, number):
    made = copied()
    absent(made, "audio", range(number), announced=False)
    made.write(number, r.only_from(made.data(number), "audio", 0.4))
    whole(converted(made), Verdict.OK, r.units(made.contents()), library.ffmpeg)


@pytest.mark.parametrize("number", [0, 2])
def test_a_picture_that_starts_inside_a_slice(copied, converted, library, number):
    """With a key picture: two slices as one, so that there is one in the middle."""
    made = copied(r.AV)
    one, two = made.names[number : number + 2]
    absent(made, "video", range(number), announced=True)
    both = made.data(number) + made.data(number + 1)
    made.write(number, r.only_from(both, "video", 0.45))
    made.path(number + 1).unlink()
    listed = f"#EXTINF:4.000000\n{one}\n#EXTINF:4.000000\n{two}\n"
    assert listed in made.text
    made.edit(lambda text: text.replace(listed, f"#EXTINF:8.000000\n{one}\n"))
    whole(converted(made), Verdict.OK, r.units(made.contents()), library.ffmpeg)


@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("number", [0, 2])
def test_a_stream_that_ends_inside_a_slice(copied, converted, library, kind, number):
    made = copied()
    absent(made, kind, range(number + 1, 5), announced=True)
    made.write(number, r.only_until(made.data(number), kind, 0.6))
    whole(converted(made), Verdict.OK, r.units(made.contents()), library.ffmpeg)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_stream_that_starts_late_where_the_clock_wraps(copied, converted, library, kind):
    made = copied()
    r.shift(made, r.MODULO - 9 * r.HZ - r.first_pts(made.data(0)))
    absent(made, kind, range(3), announced=False)
    whole(converted(made), Verdict.OK, r.units(made.contents()), library.ffmpeg)


# --- what is lost all the same ------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_stream_missing_in_between_is_lost(copied, converted, library, kind, announced):
    made = copied()
    held = library.held(r.AV_B)
    absent(made, kind, (2, 3), announced)
    report = converted(made)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    gone = [u for u in held if u.kind == kind and {n for n, _ in u.where} <= {2, 3}]
    assert report.lost_seconds[kind] == pytest.approx(r.seconds(gone, held)[kind], abs=0.05)
    assert report.lost_seconds["audio" if kind == "video" else "video"] == 0
    assert {h.kind for h in report.holes} == {kind}


@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_late_stream_may_have_begun_in_a_missing_slice(copied, converted, library, kind, missing):
    made = copied()
    absent(made, kind, range(missing), announced=True)
    r.missing(made, missing)
    report = converted(made)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    for seconds in report.lost_seconds.values():
        assert seconds == pytest.approx(4, abs=0.15), r.said(report)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_stream_that_begins_inside_a_unit_lost_its_beginning(copied, converted, library, kind):
    made = copied()
    absent(made, kind, (0, 1), announced=True)
    data = r.packets(made.data(2))
    pid = r.stream_pids(made.data(2))[kind]
    first = next(k for k, p in enumerate(data) if r.pid_of(p) == pid)
    made.write(2, b"".join(p for k, p in enumerate(data) if k != first))
    report = converted(made)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert "PES_START" in ids(report, Severity.ERROR)
    assert report.lost_seconds[kind] > 0


def test_moved_pids_hide_no_loss(copied, converted, library):
    made = copied()
    for number in (2, 3, 4):
        made.write(number, r.renumbered(made.data(number), MOVED))
    r.dropped(made, 3, range(300, 340))
    report = converted(made)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.lost_seconds["video"] > 0


# --- anything harmless, with and without a loss --------------------------------------------------

ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "4"))


def move(dice, made):
    pids = dice.choice((MOVED, SWAPPED, CROSSED, {0x101: 0x300}))
    for number in range(dice.randrange(1, 5), 5):
        made.write(number, r.renumbered(made.data(number), pids, pmt_pid=0x1000))


def tables(dice, made):
    for number in dice.sample(range(5), dice.randrange(1, 4)):
        made.write(number, r.without_tables(made.data(number)))


def garbage(dice, made):
    number = dice.randrange(5)
    made.write(number, r.ts.noise(dice.choice((3, 100, 187))) + made.data(number))


def again(dice, made):
    number = dice.randrange(5)
    data = made.data(number)
    which = {dice.randrange(len(data) // r.PACKET) for _ in range(9)}
    made.write(number, r.repeated(data, which, dice.choice((2, 3))))


def wrap(dice, made):
    r.shift(made, r.MODULO - dice.randrange(1, 19) * r.HZ - r.first_pts(made.data(0)))


HARMLESS = (move, wrap, again, tables, garbage)  # in an order in which each finds what it needs


def changed(dice, made):
    """Two harmless changes."""
    chosen = dice.sample(range(len(HARMLESS)), 2)
    for k in sorted(chosen):
        HARMLESS[k](dice, made)
    return [HARMLESS[k].__name__ for k in sorted(chosen)]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_lost_nothing_is_never_degraded(copied, converted, library, seed):
    dice = random.Random(seed)
    kind = dice.choice((r.AV, r.AV_B, r.RESTARTING))
    made = copied(kind)
    said = changed(dice, made)
    report = converted(made)
    assert report.verdict in (Verdict.OK, Verdict.REPAIRED), f"{said}\n{r.said(report)}"
    held = library.held(kind)
    found = r.recorded(r.samples(Path(report.output), library.ffmpeg))
    assert len(found) == len(held), f"{said}\n{r.said(report)}"
    shifts = [s for of_kind in r.offsets(held, found).values() for s in of_kind]
    assert len(shifts) == len(held), said
    assert max(shifts) - min(shifts) <= 2.5, f"{said}\n{r.said(report)}"


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_lost_something_is_never_ok(copied, converted, library, seed):
    """Whatever else was put right."""
    dice = random.Random(seed)
    kind = dice.choice((r.AV, r.AV_B, r.RESTARTING))
    made = copied(kind)
    held = library.held(kind)
    number = dice.randrange(5)
    how = dice.choice(("slice", "packets", "half"))
    if how == "packets":
        begin = dice.randrange(100, 400)
        gone = r.dropped(made, number, range(begin, begin + dice.choice((5, 60))))
    elif how == "half":
        gone = r.cut(made, number, dice.randrange(60_000, 120_000))
    else:
        gone = {number: None}
    said = [how, number, *changed(dice, made)]
    if how == "slice":
        r.missing(made, number)
    _, lost = r.survivors(held, gone)
    report = converted(made)
    assert report.verdict is Verdict.DEGRADED, f"{said}\n{r.said(report)}"
    assert report.proof.holds
    for of_kind, seconds in r.seconds(lost, held).items():
        found = report.lost_seconds[of_kind]
        assert found == pytest.approx(seconds, abs=0.25), f"{said}\n{r.said(report)}"
