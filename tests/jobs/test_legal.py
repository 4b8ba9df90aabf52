"""Whatever the standards allow is ``ok``; what can be put right without loss is ``repaired``."""

import random
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.choices import Format
from pipeline.model import Severity, Verdict
from tests import recordings as r
from tests import ts

ALL = {
    "no B-frames": r.AV,
    "B-frames": r.AV_B,
    "sound only": r.AUDIO,
    "pictures only": r.VIDEO,
    "44.1 kHz": r.AV_44,
    "irregular frame times": r.VFR,
    "counters restart": r.RESTARTING,
    "600 tiny slices": r.MANY,
}


@pytest.fixture
def converted(library, tmp_path):
    def convert(made, **chosen):
        report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **chosen)
        checked = r.check(made.folder, **chosen)
        assert checked.verdict is report.verdict, r.said(report) + "\n" + r.said(checked)
        assert checked.lost_seconds == report.lost_seconds
        return report

    return convert


def clean(report):
    """Nothing found, nothing touched."""
    assert report.verdict is Verdict.OK, r.said(report)
    assert not r.loud(report), r.said(report)
    nothing_lost(report)


def repaired(report, *ids):
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert set(ids) <= {f.id for f in report.findings}, r.said(report)
    nothing_lost(report)


def nothing_lost(report):
    assert not any(report.lost_seconds.values()), r.said(report)
    assert not report.holes
    assert report.proof.holds


def all_there(report, held, ffmpeg, kind=r.AV_B):
    """Every unit of the source, where it was."""
    found = r.recorded(r.samples(Path(report.output), ffmpeg))
    assert len(found) == len(held), r.said(report)
    shifts = [s for of_kind in r.offsets(held, found).values() for s in of_kind]
    assert len(shifts) == len(held)
    # between two stamps ffmpeg counts whole ticks: 2089 for 2089.8 of a frame at 44.1 kHz
    assert max(shifts) - min(shifts) <= (2.5 if kind.rate == 48000 else 20), r.said(report)


# --- clean -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL.values(), ids=ALL)
def test_clean(copied, converted, library, kind):
    made = copied(kind)
    report = converted(made)
    clean(report)
    all_there(report, r.units(made.contents()), library.ffmpeg, kind)


@pytest.mark.parametrize("before", [4, 6], ids=["at the border of two slices", "inside a slice"])
@pytest.mark.parametrize("kind", [r.AV, r.AV_B, r.AUDIO, r.AV_44])
def test_the_clock_wraps(copied, converted, library, kind, before):
    """After 2^33 ticks; RFC 8216 and ISO/IEC 13818-1 allow it anywhere."""
    made = copied(kind)
    r.shift(made, r.MODULO - before * r.HZ - r.first_pts(made.data(0)))
    report = converted(made)
    clean(report)
    all_there(report, r.units(made.contents()), library.ffmpeg, kind)


@pytest.mark.parametrize("start", [0, 1, 90_000 * 86_400, (1 << 32) - 5 * 90_000])
def test_the_clock_begins_anywhere(copied, converted, library, start):
    made = copied()
    r.shift(made, start - r.first_pts(made.data(0)))
    report = converted(made)
    clean(report)
    all_there(report, r.units(made.contents()), library.ffmpeg)


def test_null_packets(copied, converted, library):
    made = copied()
    held = r.units(made.contents())
    for number in range(5):
        made.write(number, r.with_nulls(made.data(number)))
    report = converted(made)
    clean(report)
    all_there(report, held, library.ffmpeg)


def test_packets_sent_twice(copied, converted, library):
    """Two, and only two, equal but for the PCR (ISO/IEC 13818-1 clause 2.4.3.3)."""
    dice = random.Random(5)
    made = copied()
    held = r.units(made.contents())
    for number in range(5):
        data = made.data(number)
        which = {k for k in range(len(data) // r.PACKET) if dice.random() < 0.2}
        made.write(number, r.repeated(data, which))
    report = converted(made)
    clean(report)
    all_there(report, held, library.ffmpeg)


def test_packets_at_the_edges_sent_twice(copied, converted, library):
    made = copied()
    held = r.units(made.contents())
    for number in range(5):
        data = made.data(number)
        count = len(data) // r.PACKET
        made.write(number, r.repeated(data, {0, 1, 2, 3, count - 1}))
    report = converted(made)
    clean(report)
    all_there(report, held, library.ffmpeg)


@pytest.mark.parametrize("cname", ["big room 1", "café_déjà ✓", "会议", "a_b_c", "x.y,z;{}"])
def test_names(copied, converted, library, tmp_path, cname):
    made = r.renamed(copied(), lambda name: name.replace(r.CNAME, cname))
    report = converted(made)
    clean(report)
    assert report.recording == f"{r.SID}_{cname}"
    assert Path(report.output).name == f"{r.SID}_{cname}.mp4"


def test_names_that_are_not_agoras(copied, converted):
    made = copied()
    order = {name: f"chunk {n} é.ts" for n, name in enumerate(made.names)}
    clean(converted(r.renamed(made, lambda name: order.get(name, "index one.m3u8"))))


def test_percent_encoded_names(copied, converted):
    made = r.renamed(copied(), lambda name: name.replace(r.CNAME, "big room"))
    made.edit(lambda text: text.replace("big room", "big%20room"))
    clean(converted(made))


def test_crlf(copied, converted):
    made = copied()
    made.edit(lambda text: text.replace("\n", "\r\n"))
    clean(converted(made))


def test_a_byte_order_mark(copied, converted):
    """Not allowed (RFC 8216 section 4.1), and harmless."""
    made = copied()
    made.playlist.write_bytes(b"\xef\xbb\xbf" + made.playlist.read_bytes())
    report = converted(made)
    assert report.verdict is Verdict.OK, r.said(report)
    assert [f.id for f in r.loud(report)] == ["PL_BOM"]


def test_standard_extinf(copied, converted):
    """With the comma that Agora leaves out."""
    made = copied()
    made.edit(lambda text: text.replace(".000000\n", ".000000,\n"))
    clean(converted(made))


def test_a_single_slice(copied, converted, library):
    made = copied()
    r.relisted(made, [0])
    for name in sorted(p.name for p in made.folder.glob("*.ts"))[1:]:
        (made.folder / name).unlink()
    report = converted(made)
    clean(report)
    all_there(report, r.units([made.data(0)]), library.ffmpeg)


def test_a_single_file(copied, library, tmp_path):
    made = copied()
    report = r.convert(made.path(0), tmp_path / "out", library.ffmpeg)
    clean(report)


def test_files_of_others_beside(copied, converted):
    made = copied()
    (made.folder / "notes.txt").write_text("hello")
    (made.folder / f"{r.SID}_{r.CNAME}_0.mp4").write_bytes(b"an MP4 of Agora")
    clean(converted(made))


def one_nal_each(pictures, n):
    nals, header = pictures[n]
    return [([nal], header) for nal in nals]


def stamped_once(pictures, n):
    (nals, header), *rest = one_nal_each(pictures, n)
    return [(nals, header), *((more, r.BARE) for more, _ in rest)]


def two_each(pictures, n):
    nals, header = pictures[n]
    return [] if n % 2 else [(nals + (pictures[n + 1][0] if n + 1 < len(pictures) else []), header)]


def delimiters_behind(pictures, n):
    nals, header = pictures[n]
    more = pictures[n + 1][0][:1] if n + 1 < len(pictures) else []
    return [(nals[1 if n else 0 :] + more, header)]


def zeros_behind(pictures, n):
    nals, header = pictures[n]
    return [([nal + bytes(len(nal) % 4) for nal in nals], header)]


def some_bare(pictures, n):
    nals, header = pictures[n]
    return [(nals, r.BARE if n % 3 == 1 else header)]


FORMS = [one_nal_each, stamped_once, two_each, delimiters_behind, zeros_behind, some_bare]


@pytest.mark.parametrize("kind", [r.AV, r.AV_B], ids=["no B-frames", "B-frames"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_pictures_in_any_pes(copied, converted, library, kind, form):
    made = copied(kind)
    held = r.units(made.contents())
    r.in_other_pes(made, form)
    report = converted(made)
    if kind is r.AV_B and form in (two_each, some_bare):
        repaired(report, "PTS_ABSENT")
    else:
        clean(report)
    all_there(report, held, library.ffmpeg, kind)


# --- put right ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", [True, False], ids=["DISCONTINUITY", "no tag"])
@pytest.mark.parametrize("kind", [r.AV, r.AV_B, r.AUDIO, r.VIDEO])
def test_the_clock_restarts(copied, converted, library, kind, tag):
    """Joined so that not a frame is added or missing."""
    made = copied(kind)
    held = r.units(made.contents())
    r.shift(made, -r.first_pts(made.data(3)), since=3)
    if tag:
        r.tagged(made, 3, "#EXT-X-DISCONTINUITY")
    report = converted(made)
    (announced if tag else repaired)(report, "DTS_BACK")
    assert report.duration == pytest.approx(held_seconds(held), abs=0.07), r.said(report)
    all_there_jointly(report, held, library.ffmpeg)


@pytest.mark.parametrize("waits", [2, 3])
def test_pictures_do_not_mix_where_the_clock_restarts(library, tmp_path, waits):
    """Those in front wait for B pictures, and those behind do not: they are decoded later, and
    were shown earlier.  (More of that, and with sound: ``test_turns``.)
    """
    made = library[r.Kind(b_frames=waits, audio=False)].copy(tmp_path / "recording")
    behind = library[r.Kind(audio=False)]
    for number in (2, 3, 4):
        made.write(number, behind.data(number))
    r.shift(made, -300_000, since=2)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    repaired(report, "DTS_BACK")
    pictures = [
        s.pts
        for s in r.recorded(r.samples(Path(report.output), library.ffmpeg))
        if s.kind == "video"
    ]
    assert max(pictures[:120]) < min(pictures[120:])
    steps = [b - a for a, b in pairwise(sorted(pictures))]
    assert min(steps) == pytest.approx(6000, abs=10)


@pytest.mark.parametrize("waits", [0, 1, 2])
def test_pictures_that_begin_late_begin_with_a_black_one(library, tmp_path, waits):
    """Also where one picture waits: ffmpeg believes none then that is shown at once."""
    made = library[r.Kind(b_frames=waits)].copy(tmp_path / "recording")
    for number in (0, 1):
        r.without_pid(made, number, r.stream_pids(made.data(number))["video"])
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.proof.holds
    pictures = [s.pts for s in r.samples(Path(report.output), library.ffmpeg) if s.kind == "video"]
    assert len(pictures) == 3 * 60 + 1
    assert min(pictures) == pytest.approx(0, abs=1)


def announced(report, id):
    """What the playlist says of its clock is no fault."""
    assert report.verdict is Verdict.OK, r.said(report)
    assert {f.severity for f in report.findings if f.id == id} == {Severity.INFO}, r.said(report)


def held_seconds(held):
    return (max(u.pts for u in held) - min(u.pts for u in held)) / r.HZ


def all_there_jointly(report, held, ffmpeg):
    """Every unit; at the join none moved by more than a frame of sound."""
    found = r.recorded(r.samples(Path(report.output), ffmpeg))
    assert len(found) == len(held)
    for kind, shifts in r.offsets(held, found).items():
        assert len(shifts) == sum(u.kind == kind for u in held)
        if shifts:
            assert max(shifts) - min(shifts) <= 2000, (kind, r.said(report))


def test_the_clock_jumps_ahead_at_a_discontinuity(copied, converted, library):
    """The names say that no time passed."""
    made = copied()
    held = r.units(made.contents())
    r.shift(made, 5000 * r.HZ, since=3)
    r.tagged(made, 3, "#EXT-X-DISCONTINUITY")
    report = converted(made)
    announced(report, "DTS_GAP")
    all_there_jointly(report, held, library.ffmpeg)


@pytest.mark.parametrize("order", [(0, 1, 1, 2, 3, 4), (0, 1, 2, 3, 4, 0), (0, 0, 1, 2, 3, 4, 4)])
def test_slices_listed_twice(copied, converted, library, order):
    made = copied()
    held = r.units(made.contents())
    r.relisted(made, order)
    report = converted(made)
    repaired(report, "PL_DUP_URI")
    all_there(report, held, library.ffmpeg)


def test_a_slice_copied_under_another_name(copied, converted, library):
    made = copied(r.AV)
    held = r.units(made.contents())
    name = made.names[1].replace("120.ts", "130.ts")
    (made.folder / name).write_bytes(made.data(1))
    one = made.names[1]
    made.edit(lambda text: text.replace(f"{one}\n", f"{one}\n#EXTINF:4.000000\n{name}\n"))
    report = converted(made)
    repaired(report, "SEG_DUP")
    all_there(report, held, library.ffmpeg)


@pytest.mark.parametrize("order", [(0, 2, 1, 3, 4), (4, 3, 2, 1, 0), (1, 0, 2, 3, 4)])
def test_slices_in_the_wrong_order(copied, converted, library, order):
    made = copied()
    held = r.units(made.contents())
    r.relisted(made, order)
    report = converted(made)
    repaired(report, "PL_ORDER")
    all_there(report, held, library.ffmpeg)


def test_slices_of_one_size_in_the_wrong_order(copied, converted, library):
    """Nothing but their clock tells one from the other."""
    made = copied(r.AUDIO)
    held = r.units(made.contents())
    assert len(made.data(0)) == len(made.data(2))
    r.relisted(made, (2, 1, 0, 3, 4))
    report = converted(made)
    repaired(report, "PL_ORDER")
    all_there(report, held, library.ffmpeg)


def test_slices_in_the_wrong_order_without_a_clock_in_their_names(copied, converted, library):
    made = copied()
    held = r.units(made.contents())
    names = {name: f"s{n}.ts" for n, name in enumerate(made.names)}
    r.renamed(made, lambda name: names.get(name, "index.m3u8"))
    r.relisted(made, (0, 2, 1, 3, 4))
    report = converted(made)
    repaired(report, "PL_ORDER")
    all_there(report, held, library.ffmpeg)


@pytest.mark.parametrize("number", [0, 2, 4])
def test_tables_missing_in_one_slice(copied, converted, library, number):
    made = copied()
    held = r.units(made.contents())
    made.write(number, r.without_tables(made.data(number)))
    report = converted(made)
    repaired(report, "PSI_MISSING")
    all_there(report, held, library.ffmpeg)


def test_sound_announced_but_never_sent(copied, converted):
    made = copied()
    pid = r.stream_pids(made.data(0))["audio"]
    for number in range(5):
        r.without_pid(made, number, pid)
    report = converted(made)
    assert report.verdict is Verdict.OK, r.said(report)
    assert [f.id for f in r.loud(report)] == ["ES_ABSENT"]
    assert [t.type for t in report.tracks] == ["video"]


def test_adts_that_the_tables_call_mpeg_audio(copied, converted, library):
    made = copied()
    held = r.units(made.contents())
    for number in range(5):
        made.write(number, r.listing(made.data(number), {0x100: 0x1B, 0x101: 0x03}))
    report = converted(made)
    repaired(report, "PMT_TYPE")
    assert report.reencoded == ()
    all_there(report, held, library.ffmpeg)


def test_two_sound_tracks_keep_their_languages(copied, converted, library):
    made = copied()
    languages = {0x101: b"\x0a\x04eng\0", 0x102: b"\x0a\x04ger\0"}
    for number in range(5):
        both = r.listing(made.data(number), {0x100: 0x1B, 0x101: 0x0F, 0x102: 0x0F}, languages)
        found = []
        for packet in r.packets(both):
            found += [packet, r.with_pid(packet, 0x102)] if r.pid_of(packet) == 0x101 else [packet]
        made.write(number, b"".join(found))
    report = converted(made)
    clean(report)
    argv = [str(library.ffmpeg.ffprobe), "-v", "error", "-select_streams", "a", "-of", "csv=p=0"]
    argv += ["-show_entries", "stream=nb_frames:stream_tags=language", report.output]
    done = subprocess.run(argv, env=library.ffmpeg.env or None, capture_output=True, check=True)
    frames = sum(u.kind == "audio" for u in library.held(r.AV_B))
    assert done.stdout.decode().split() == [f"{frames},eng", f"{frames},ger"]


def test_splices_metadata_and_teletext_beside(copied, converted, library):
    made = copied()
    held = r.units(made.contents())
    kinds = {0x100: 0x1B, 0x101: 0x0F, 0x106: 0x86, 0x107: 0x15, 0x108: 0x06}
    text = ts.pes(0xBD, b"\x10\x03\x2c" + b"\xff" * 44, 5)
    for number in range(5):
        data = r.listing(made.data(number), kinds, {0x108: b"\x56\x05eng\x09\0"})
        data += b"".join(ts.table_packets(0x106, ts.section(0xFC, 1, b"splice")))
        data += b"".join(ts.packets(0x107, ts.pes(0xBD, b"ID3\4", 5), 0))
        data += b"".join(p for n in range(9) for p in ts.packets(0x108, text, n))
        made.write(number, data)
    report = converted(made)
    clean(report)
    assert {f.id for f in report.findings} == {"ES_DATA"}
    all_there(report, held, library.ffmpeg)


def test_sound_that_holds_no_frame(copied, converted, library):
    """The pictures are made, and what was left out is told."""
    made = copied()
    held = [u for u in r.units(made.contents()) if u.kind == "video"]
    for number in range(5):
        rows = r.packets(made.data(number))
        none = [p.replace(b"\xff\xf1\x4c", bytes(3)) if r.pid_of(p) == 0x101 else p for p in rows]
        made.write(number, b"".join(none))
    report = converted(made)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert [(f.id, f.pid) for f in r.loud(report)] == [("ES_CODEC", 0x101)]
    all_there(report, held, library.ffmpeg)


def test_a_picture_that_stands_still(copied, converted, library):
    """No picture for two slices and a half while the counter and the sound go on."""
    made = copied()
    counter, datas = 0, []
    for number in range(5):
        data = made.data(number)
        rows = r.packets(r.only_until(data, "video", 0.5) if number == 1 else data)
        if number in (2, 3):
            rows = [row for row in rows if r.pid_of(row) != 0x100]
        for place, row in enumerate(rows):
            if r.pid_of(row) == 0x100 and row[3] & 0x10:
                rows[place] = row[:3] + bytes((row[3] & 0xF0 | counter,)) + row[4:]
                counter = counter + 1 & 15
        datas.append(b"".join(rows))
        made.write(number, datas[-1])
    report = converted(made)
    assert report.verdict is Verdict.OK, r.said(report)
    nothing_lost(report)
    all_there(report, r.units(datas), library.ffmpeg)


def test_overlapping_clocks(copied, converted, library):
    """Later slices two seconds early: joined, for no unit is in both."""
    made = copied()
    held = r.units(made.contents())
    r.shift(made, -2 * r.HZ, since=2)
    report = converted(made)
    repaired(report, "DTS_BACK")
    all_there_jointly(report, held, library.ffmpeg)


# --- other formats -----------------------------------------------------------------------------


@pytest.mark.parametrize("format", list(Format))
def test_every_format(copied, library, tmp_path, format):
    made = copied(r.AV)
    out = tmp_path / "out"
    report = r.convert(made.folder, out, library.ffmpeg, format=format)
    clean_but_proof = report.verdict is Verdict.OK and not r.loud(report)
    assert clean_but_proof, r.said(report)
    found = r.recorded(r.samples(Path(report.output), library.ffmpeg))
    seconds = {"audio": 20.0}
    if format in (Format.MP4, Format.TS):
        seconds["video"] = 20.0
    assert {s.kind for s in found} == set(seconds)


@pytest.mark.parametrize("format", [Format.M4A, Format.MP3, Format.WAV, Format.AAC])
def test_no_sound_to_make_a_file_of(copied, library, tmp_path, format):
    made = copied(r.VIDEO)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, format=format)
    assert report.verdict is Verdict.REJECTED
    assert "M_TRACKS" in {f.id for f in report.findings}
    assert not list((tmp_path / "out").glob("*.*"))
