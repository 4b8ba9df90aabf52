"""Damaged recordings: the verdict, the finding, the seconds lost, and everything else in its place.

The truth is computed here, from the intact slices; the MP4 is read by ffprobe.
"""

import random
from collections import Counter
from pathlib import Path

import pytest

from pipeline.choices import OnLoss
from pipeline.model import Severity, Verdict
from tests import recordings as r

ONE_MOMENT = 0.1  # seconds lost_seconds may be off
WHERE = [
    pytest.param(0, id="first"),
    pytest.param(2, id="middle"),
    pytest.param(-1, id="last"),
]
PAGES = [
    pytest.param(b"", "SEG_EMPTY", id="empty"),
    pytest.param(r.HTML, "NOT_TS", id="HTML page"),
    pytest.param(r.XML, "NOT_TS", id="AccessDenied"),
    pytest.param(r.JSON, "NOT_TS", id="JSON"),
]


@pytest.fixture
def damaged(library, tmp_path):
    """A recording to damage."""
    return lambda kind=r.AV_B: library[kind].copy(tmp_path / "recording")


class Outcome:
    """A conversion of a damaged recording beside the truth."""

    def __init__(self, library, kind, made, gone, tmp_path, **chosen):
        # between two stamps ffmpeg counts whole ticks: 2089 for 2089.8 of a frame at 44.1 kHz
        self.ticks = 2.5 if kind.rate == 48000 else 20
        count = len(library[kind].names)
        self.gone = {n % count: which for n, which in gone.items()}
        self.held = library.held(kind)
        self.left, self.lost = r.survivors(self.held, self.gone)
        self.truth = r.seconds(self.lost, self.held)
        self.report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **chosen)
        self.samples = []
        if self.report.output:
            self.samples = r.recorded(r.samples(Path(self.report.output), library.ffmpeg))
        self.said = f"truth {self.truth}\n{r.said(self.report)}"

    def names(self):
        return {(f.id, f.segment) for f in self.report.findings if f.severity is Severity.ERROR}

    def right(self, *, moment=ONE_MOMENT):
        """Degraded, proved, counted right, and all that is left stands where it stood."""
        assert self.report.verdict is Verdict.DEGRADED, self.said
        assert self.report.proof.holds, self.said
        self.seconds_right(moment)
        self.in_place()

    def seconds_right(self, moment=ONE_MOMENT):
        for kind, seconds in self.truth.items():
            assert self.report.lost_seconds[kind] == pytest.approx(seconds, abs=moment), self.said

    def in_place(self):
        shifts = r.offsets(self.left, self.samples)
        every = [shift for of_kind in shifts.values() for shift in of_kind]
        assert max(every) - min(every) <= self.ticks, self.said
        first = min(sample.pts for sample in self.samples)
        assert abs(first) <= ONE_MOMENT * r.HZ, self.said
        for kind, of_kind in shifts.items():
            # a unit is either found again or counted as lost
            absent = sum(u.kind == kind for u in self.left) - len(of_kind)
            length = 0.0667 if kind == "video" else 0.0214
            said = f"{absent} {kind} units absent\n{self.said}"
            assert absent * length <= self.report.lost_seconds[kind] + ONE_MOMENT, said


@pytest.fixture
def outcome(library, tmp_path):
    def convert(made, gone, kind=r.AV_B, **chosen):
        return Outcome(library, kind, made, gone, tmp_path, **chosen)

    return convert


def same_by_check(made, report):
    """``check`` comes to the same without making anything."""
    checked = r.check(made.folder)
    assert checked.output is None
    assert checked.verdict is report.verdict, r.said(checked)
    assert checked.lost_seconds == report.lost_seconds
    assert {f.id for f in checked.findings} == {f.id for f in report.findings}


# --- whole slices ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", WHERE)
@pytest.mark.parametrize("kind", [r.AV, r.AV_B, r.AUDIO, r.VIDEO, r.AV_44, r.RESTARTING])
def test_a_missing_slice(damaged, outcome, kind, number):
    made = damaged(kind)
    name = made.names[number]
    done = outcome(made, r.missing(made, number), kind)
    assert ("SEG_MISSING", name) in done.names(), done.said
    done.right()
    same_by_check(made, done.report)


@pytest.mark.parametrize("number", WHERE)
@pytest.mark.parametrize(("data", "id"), PAGES)
def test_a_slice_that_is_something_else(damaged, outcome, data, id, number):
    made = damaged()
    done = outcome(made, r.replaced(made, number, data))
    assert (id, made.names[number]) in done.names(), done.said
    done.right()
    same_by_check(made, done.report)


def test_two_slices_missing_in_a_row(damaged, outcome):
    made = damaged()
    gone = r.missing(made, 1) | r.missing(made, 2)
    outcome(made, gone).right()


def test_two_slices_missing_apart(damaged, outcome):
    made = damaged()
    gone = r.missing(made, 1) | r.missing(made, 3)
    outcome(made, gone).right()


def test_only_one_slice_left(damaged, outcome):
    made = damaged()
    gone = {}
    for number in (0, 1, 3, 4):
        gone |= r.missing(made, number)
    outcome(made, gone).right()


def test_no_slice_left(damaged, library, tmp_path):
    made = damaged()
    for number in range(5):
        r.missing(made, number)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.REJECTED
    assert {f.id for f in report.findings} >= {"SEG_MISSING"}
    assert not list((tmp_path / "out").glob("*.mp4"))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_sound_of_one_slice_missing(damaged, outcome, number):
    made = damaged()
    pid = r.stream_pids(made.data(number))["audio"]
    done = outcome(made, r.without_pid(made, number, pid))
    assert ("ES_ABSENT", made.names[number]) in done.names(), done.said
    done.right()
    assert done.report.lost_seconds["video"] == 0


@pytest.mark.parametrize("number", [1, 2, 3])
def test_pictures_of_one_slice_missing(damaged, outcome, number):
    made = damaged()
    pid = r.stream_pids(made.data(number))["video"]
    done = outcome(made, r.without_pid(made, number, pid))
    assert ("ES_ABSENT", made.names[number]) in done.names(), done.said
    done.right()
    assert done.report.lost_seconds["audio"] == 0


# --- cut ---------------------------------------------------------------------------------------

CUTS = [
    pytest.param(1, id="1 byte"),
    pytest.param(187, id="187 bytes"),
    pytest.param(188, id="one packet"),
    pytest.param(3 * 188, id="only tables"),
    pytest.param(5 * 188 + 60, id="very short"),
    pytest.param(100_001, id="odd"),
    pytest.param(500 * 188, id="multiple of 188"),
    pytest.param(700 * 188 + 94, id="half a packet"),
    pytest.param(-20 * 188, id="20 packets before the end"),
    pytest.param(-100, id="100 bytes before the end"),
]


@pytest.mark.parametrize("number", WHERE)
@pytest.mark.parametrize("at", CUTS)
def test_a_slice_cut_off(damaged, outcome, at, number):
    made = damaged()
    done = outcome(made, r.cut(made, number, at))
    assert any(name == made.names[number] for _, name in done.names()) or any(
        id == "CC_EDGE" for id, _ in done.names()
    ), done.said
    if at % 188:
        ids = {id for id, name in done.names() if name == made.names[number]}
        assert ids & {"SEG_PARTIAL", "NOT_TS"}, done.said
    done.right()
    same_by_check(made, done.report)


@pytest.mark.parametrize("kind", [r.AV, r.AUDIO, r.VIDEO, r.AV_44, r.RESTARTING])
@pytest.mark.parametrize("number", WHERE)
def test_slices_of_every_kind_cut_off(damaged, outcome, kind, number):
    made = damaged(kind)
    at = len(made.data(number)) * 2 // 5
    outcome(made, r.cut(made, number, at), kind).right()


# --- blocks and headers ------------------------------------------------------------------------


@pytest.mark.parametrize("number", WHERE)
@pytest.mark.parametrize(
    "at",
    [
        pytest.param(0, id="at the beginning"),
        pytest.param(100_000, id="inside"),
        pytest.param(-(64 << 10), id="at the end"),
    ],
)
def test_a_block_of_zeros(damaged, outcome, at, number):
    made = damaged()
    begin = at if at >= 0 else len(made.data(number)) + at
    done = outcome(made, r.zeroed(made, number, begin))
    ids = {id for id, name in done.names() if name == made.names[number]}
    assert ids & {"SYNC_BYTE", "SEG_PARTIAL", "CC"}, done.said
    done.right()
    same_by_check(made, done.report)


FLIPS = {
    "sync byte": (0x01000000, {"SYNC_BYTE"}),
    "transport error": (0x00800000, {"TEI"}),
    "unit start": (0x00400000, {"PES_START", "PES_SIZE", "CC", "ADTS_SYNC"}),
    "PID": (0x00001000, {"CC", "CC_EDGE", "PES_SIZE", "PES_START", "ES_UNREFERENCED"}),
    "other PID": (0x00000100, {"CC", "CC_EDGE", "PES_SIZE", "PES_START"}),
    "scrambled": (0x000000C0, {"SCRAMBLED"}),
    "adaptation field": (0x00000020, {"AF_LENGTH", "CC", "PES_START", "PES_SIZE"}),
    "no payload": (0x00000010, {"AF_LENGTH", "CC", "CC_EDGE", "PES_SIZE", "PES_START"}),
    "counter": (0x00000005, {"CC", "CC_EDGE"}),
    "several": (0x0000A0C3, set()),
}
TARGETS = ["first picture", "inside a picture", "end of a picture", "first sound", "inside sound"]


def target(data, which):
    """The packet of a slice that is meant."""
    found = r.packets(data)
    kind = "audio" if "sound" in which else "video"
    pid = r.stream_pids(data)[kind]
    mine = [k for k, p in enumerate(found) if r.pid_of(p) == pid]
    starts = [k for k in mine if r.is_pes(found[k])]
    if which.startswith("first"):
        return starts[0]
    if which.startswith("end"):
        return mine[mine.index(starts[9]) - 1]
    return mine[mine.index(starts[len(starts) // 2]) + 2]


# every pattern on the first packets of a stream in each slice, elsewhere in one of the slices
FLIPPED = [
    pytest.param(which, flip, number, id=f"{flip}, {which} of slice {number}")
    for n, which in enumerate(TARGETS)
    for m, flip in enumerate(FLIPS)
    for k, number in enumerate((0, 2, 4))
    if which.startswith("first") or (n + m) % 3 == k
]


@pytest.mark.parametrize(("which", "flip", "number"), FLIPPED)
def test_flipped_header_bits(damaged, outcome, which, flip, number):
    made = damaged()
    mask, ids = FLIPS[flip]
    packet = target(made.data(number), which)
    gone = r.flipped(made, number, packet, mask)
    if flip == "unit start" and which.startswith("first"):  # its header tells it all the same
        report = outcome(made, {}).report
        assert report.verdict is Verdict.REPAIRED, r.said(report)
        assert not any(report.lost_seconds.values()), r.said(report)
        return
    done = outcome(made, gone)
    here = {id for id, name in done.names() if name == made.names[number]}
    assert here, done.said
    assert not ids or here & ids, done.said
    done.right(moment=0.15)


@pytest.mark.parametrize("number", WHERE)
def test_the_last_packet_of_a_slice_flipped(damaged, outcome, number):
    made = damaged()
    last = len(made.data(number)) // r.PACKET - 1
    outcome(made, r.flipped(made, number, last, 0x00800000)).right()


@pytest.mark.parametrize("number", WHERE)
@pytest.mark.parametrize("length", [1, 5, 40, 200])
def test_packets_lost(damaged, outcome, number, length):
    made = damaged()
    done = outcome(made, r.dropped(made, number, range(300, 300 + length)))
    assert ("CC", made.names[number]) in done.names(), done.said
    done.right()


def test_triple_packets_are_not_media_twice(damaged, outcome):
    """Two, and only two: the third one is an error, but it takes nothing away (2.4.3.3)."""
    made = damaged()
    data = made.data(2)
    made.write(2, r.repeated(data, {target(data, "inside a picture")}, times=3))
    done = outcome(made, {})
    assert done.report.verdict in (Verdict.OK, Verdict.REPAIRED, Verdict.DEGRADED), done.said
    assert r.loud(done.report), done.said
    done.in_place()


def test_leading_garbage(damaged, outcome):
    made = damaged()
    made.write(2, b"\r\ngarbage\0" + made.data(2))
    done = outcome(made, {})
    assert done.report.verdict is Verdict.REPAIRED, done.said
    assert "SEG_PARTIAL" in {f.id for f in done.report.findings}
    assert done.report.lost_seconds == {"video": 0, "audio": 0}
    done.in_place()


# --- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [7, 3600])
def test_a_gap_in_the_clock(damaged, library, tmp_path, length):
    """Time in which nothing was recorded, told by the clock and the names alike."""
    made = damaged()
    r.shift(made, length * r.HZ, since=2)
    later = {name: r.names.parse_slice_name(name).utc + length for name in made.names[2:]}
    renames = {n: r.names.slice_name(r.SID, r.CNAME, utc) for n, utc in later.items()}
    r.renamed(made, lambda name: renames.get(name, name))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.duration == pytest.approx(20 + length, abs=0.2)
    assert report.lost_seconds["video"] == pytest.approx(length, abs=ONE_MOMENT)
    assert report.lost_seconds["audio"] == pytest.approx(length, abs=ONE_MOMENT)


def test_a_slice_missing_in_the_playlist_too(damaged, outcome):
    made = damaged()
    gone = r.missing(made, 2)
    intact = made.names
    r.relisted(made, [0, 1, 3, 4])
    assert len(intact) == 5
    done = outcome(made, gone)
    done.right()
    assert "DTS_GAP" in {id for id, _ in done.names()}, done.said


def test_a_slice_that_holds_the_one_before(damaged, outcome):
    """The playlist shows the last slice once more in place of this one."""
    made = damaged()
    made.write(2, made.data(1))
    done = outcome(made, {2: None})
    assert "SEG_DUP" in {f.id for f in done.report.findings}, done.said
    done.right()


def test_a_slice_missing_where_the_clock_restarts(damaged, library, tmp_path):
    made = damaged()
    r.shift(made, -r.first_pts(made.data(3)), since=3)
    r.missing(made, 2)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED
    assert report.proof.holds
    for seconds in report.lost_seconds.values():
        assert seconds == pytest.approx(4, abs=ONE_MOMENT), r.said(report)
    assert report.duration == pytest.approx(20, abs=0.15)


# --- what becomes of a loss --------------------------------------------------------------------


@pytest.mark.parametrize("number", WHERE)
def test_on_loss_close(damaged, outcome, number):
    made = damaged()
    done = outcome(made, r.missing(made, number), on_loss=OnLoss.CLOSE)
    assert done.report.verdict is Verdict.DEGRADED
    assert done.report.proof.holds
    done.seconds_right()
    assert done.report.duration == pytest.approx(16, abs=0.15), done.said
    shifts = r.offsets(done.left, done.samples)
    for picture, sound in zip(shifts["video"][::50], shifts["audio"][::156], strict=False):
        assert abs(picture - sound) <= 2.5, done.said


def test_on_loss_close_inside_a_slice(damaged, outcome):
    made = damaged()
    done = outcome(made, r.cut(made, 2, 100_001), on_loss=OnLoss.CLOSE)
    assert done.report.verdict is Verdict.DEGRADED
    assert done.report.proof.holds
    done.seconds_right()


@pytest.mark.parametrize("number", WHERE)
def test_on_loss_fail(damaged, library, tmp_path, number):
    made = damaged()
    r.missing(made, number)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, on_loss=OnLoss.FAIL)
    assert report.verdict is Verdict.REJECTED
    assert "SEG_MISSING" in {f.id for f in report.findings if f.severity is Severity.FATAL}
    assert not list((tmp_path / "out").glob("*.mp4*"))
    assert not list((tmp_path / "out").glob("*.json"))


# --- the playlist ------------------------------------------------------------------------------

UNSAFE = [
    "../x.ts",
    "..%2fx.ts",
    "/etc/passwd",
    "http://127.0.0.1:9/x.ts",
    "file:///etc/passwd",
    "concat:a.ts|b.ts",
    "subfile,,start,0,end,9,,:/etc/passwd",
    "data:text/plain,x",
]


@pytest.mark.parametrize("uri", UNSAFE)
def test_a_playlist_that_names_what_is_not_its_own(damaged, library, tmp_path, uri):
    made = damaged()
    (tmp_path / "x.ts").write_bytes(made.data(0))
    name = made.names[2]
    made.edit(lambda text: text.replace(name, uri))
    for report in (r.convert(made.folder, tmp_path / "out", library.ffmpeg), r.check(made.folder)):
        assert report.verdict is Verdict.REJECTED, r.said(report)
        assert "PL_UNSAFE_URI" in {f.id for f in report.findings}
    assert not list((tmp_path / "out").glob("*"))


def test_a_link_out_of_the_folder(damaged, library, tmp_path):
    made = damaged()
    outside = tmp_path / "outside.ts"
    outside.write_bytes(made.data(2))
    made.path(2).unlink()
    made.path(2).symlink_to(outside)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.REJECTED
    assert "PL_UNSAFE_URI" in {f.id for f in report.findings}


@pytest.mark.parametrize(
    ("change", "id"),
    [
        pytest.param(lambda t: t.replace("#EXT-X-ENDLIST\n", ""), "PL_NO_ENDLIST", id="no ENDLIST"),
        pytest.param(lambda t: t[: len(t) * 2 // 3], "PL_NO_ENDLIST", id="cut inside a name"),
        pytest.param(lambda t: t[: t.rindex("#EXTINF") + 11], "PL_TRUNCATED", id="cut in EXTINF"),
    ],
)
def test_an_unfinished_playlist(damaged, library, tmp_path, change, id):
    made = damaged()
    made.edit(change)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.PENDING, r.said(report)
    assert id in {f.id for f in report.findings}
    assert not list((tmp_path / "out").glob("*.mp4"))


def test_accept_unfinished(damaged, library, tmp_path):
    made = damaged()
    made.edit(lambda text: text.replace("#EXT-X-ENDLIST\n", ""))
    out = tmp_path / "out"
    report = r.convert(made.folder, out, library.ffmpeg, accept_unfinished=True)
    assert report.verdict in (Verdict.OK, Verdict.REPAIRED), r.said(report)
    assert report.duration == pytest.approx(20, abs=0.15)


def test_accept_a_playlist_cut_off(damaged, library, tmp_path):
    """What is there: also the slice whose entry is gone."""
    made = damaged()
    made.edit(lambda text: text[: text.rindex("#EXTINF") + 11])
    out = tmp_path / "out"
    report = r.convert(made.folder, out, library.ffmpeg, accept_unfinished=True)
    assert report.output, r.said(report)
    assert report.duration == pytest.approx(20, abs=0.15)


# --- any damage --------------------------------------------------------------------------------

ROUNDS = 50


def any_damage(dice, made):
    """One damage of any kind, and what it takes away."""
    number = dice.randrange(len(made.names))
    data = made.data(number)
    count = len(data) // r.PACKET
    if count < 4:
        return "nothing", {}
    how = dice.choice(("cut", "zero", "flip", "flip", "drop", "slice"))
    if how == "cut":
        return how, r.cut(made, number, dice.randrange(len(data)))
    if how == "zero":
        return how, r.zeroed(made, number, dice.randrange(len(data)), dice.randrange(4, 1 << 17))
    if how == "flip":
        mask = 0
        while not mask & ~0x00200000:
            mask = sum(1 << dice.randrange(32) for _ in range(dice.choice((1, 1, 1, 2, 5))))
            mask &= 0xFFFFFFFF
        packet = dice.randrange(count)
        return f"{how} {mask:08x} {packet}/{count}", r.flipped(made, number, packet, mask)
    if how == "drop":
        begin = dice.randrange(count)
        run = range(begin, min(count, begin + dice.choice((1, 2, 3, 9, 30, 150))))
        return f"{how} {run}/{count}", r.dropped(made, number, run)
    return how, r.missing(made, number)


def invisible(intact, gone):
    """What no reader can see: a multiple of 16 packets of a stream, or the very end."""
    for number, which in gone.items():
        if which is None:
            continue
        data = r.packets(intact.data(number))
        by_pid = Counter(r.pid_of(data[k]) for k in which if k < len(data))
        media = [by_pid[pid] for pid in r.stream_pids(intact.data(number)).values()]
        if any(media) and not any(n % 16 for n in media):
            return True
        if number == len(intact.names) - 1 and which and max(which) >= len(data) - 1:
            return True
    return False


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_any_damage_is_told(library, tmp_path, seed):
    dice = random.Random(seed)
    kind = dice.choice((r.AV, r.AV_B, r.AV_B, r.AUDIO, r.VIDEO))
    intact = library[kind]
    made = intact.copy(tmp_path / "recording")
    gone = {}
    how = []
    for _ in range(dice.choice((1, 1, 1, 2))):
        number = dice.randrange(len(made.names))
        if number in gone:
            continue
        before = {n: made.folder / name for n, name in enumerate(made.names)}
        whole = {n for n, path in before.items() if path.exists() and n not in gone}
        if len(whole) < len(made.names):
            break
        what, more = any_damage(dice, made)
        how.append(what)
        gone |= more
    done = Outcome(library, kind, made, gone, tmp_path)
    said = f"seed {seed}, {kind.b_frames} B, {how} in {list(gone)}\n{done.said}"
    if done.report.verdict is Verdict.REJECTED:
        assert not done.samples, said
        assert not any(w in h for h in how for w in ("cut", "zero", "drop", "slice")), said
        return
    assert done.report.proof.holds, said
    if done.lost and not invisible(intact, gone):
        assert done.report.verdict is Verdict.DEGRADED, said
    if not invisible(intact, gone):
        for stream, seconds in done.truth.items():
            assert done.report.lost_seconds[stream] == pytest.approx(seconds, abs=0.25), said
    shifts = [s for of_kind in r.offsets(done.left, done.samples).values() for s in of_kind]
    assert max(shifts) - min(shifts) <= 2.5, said
