"""Pictures that a playlist says are turned (EXT-X-AGORA-ROTATE), as players then show them."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from pipeline.agora import names
from pipeline.choices import Format, OnChange
from pipeline.model import Severity, Verdict
from pipeline.simulator.recorder.identify import WHOLE, Area, look_at
from tests import recordings as r

BANDS = "drawbox=0:0:iw:ih/4:white:fill,drawbox=0:ih*3/4:iw:ih/4:black:fill"
# the upper quarter is white, the lower one black; one key picture in a slice of 4 s
UPRIGHT = r.Kind(fps=10, picture_filter=BANDS)
SIZE = 320, 180
MIDDLE = Area(0.36, 0, 0.28, 1)  # of what is framed where a picture stands in one that lies
STEP = 0.1  # seconds


def kind(degrees: int) -> r.Kind:
    """Pictures that are stored turned so far anticlockwise."""
    turn = {0: "null", 90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}
    size = "180x320" if degrees % 180 else "320x180"
    return r.Kind(
        fps=10, size=size, picture_filter=f"{BANDS},{turn[degrees]}", audio=False, seconds=8
    )


def told(made: r.Recording, *turns: tuple[float, int]) -> None:
    """Put a tag for each turn (seconds from the beginning, degrees) in front of its slice."""

    def tag(at: float, degrees: int) -> str:
        time = names.stamp(r.EPOCH + at)
        return f"#EXT-X-AGORA-ROTATE:WIDTH=320,HEIGHT=180,ROTATE={degrees},TIME={time}\n"

    def change(text: str) -> str:
        begin, elapsed, lines = 0.0, 0.0, []
        for line in re.split(r"(?<=\n)(?=#EXTINF)", text):
            found = re.match(r"#EXTINF:([0-9.]+)", line)
            if found:
                begin, elapsed = elapsed, elapsed + float(found[1])
                here = [tag(*turn) for turn in turns if begin <= turn[0] < elapsed]
                lines += here
            lines.append(line)
        return "".join(lines)

    made.edit(change)


def rotation(path: str, ffmpeg) -> int:
    """What ffprobe says of the display matrix: degrees anticlockwise."""
    argv = [ffmpeg.ffprobe, "-v", "error", "-select_streams", "v", "-show_streams", "-of", "json"]
    said = subprocess.run([*argv, path], capture_output=True, check=True, env=ffmpeg.env or None)
    (stream,) = json.loads(said.stdout)["streams"]
    return next((d["rotation"] for d in stream.get("side_data_list", []) if "rotation" in d), 0)


def shown(path: str, ffmpeg, area: Area = WHOLE) -> list[int | None]:
    """How every picture is turned as players show it."""
    found = look_at(Path(path), ffmpeg)
    return [found.turned_at(float(time), area) for time in found.times]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_one_rotation_becomes_the_display_matrix_of_what_is_copied(
    library, tmp_path, out, ffmpeg, degrees
):
    made = library[kind(degrees)].copy(tmp_path / "turned")
    told(made, (0.0, degrees))
    report = r.convert(made.folder, out, ffmpeg)
    assert (report.verdict, report.reencoded) == (Verdict.OK, ()), r.said(report)
    assert report.proof.holds
    assert [track.rotation for track in report.tracks] == [degrees]
    assert (report.tracks[0].width, report.tracks[0].height) == SIZE
    assert rotation(report.output, ffmpeg) % 360 == -degrees % 360
    assert set(shown(report.output, ffmpeg)) == {0}
    assert [f.severity for f in report.findings if f.id == "ROTATION"] == [Severity.INFO]


def test_pyav_reads_the_same_rotation(library, tmp_path, out, ffmpeg):
    av = pytest.importorskip("av", reason="no PyAV here")
    made = library[kind(90)].copy(tmp_path / "turned")
    told(made, (0.0, 90))
    report = r.convert(made.folder, out, ffmpeg)
    with av.open(report.output) as file:
        frame = next(file.decode(video=0))
        assert frame.rotation == -90
        luma = frame.to_ndarray(format="gray")
        assert luma[:, :20].mean() > 200 > 40 > luma[:, -20:].mean()  # as it is stored


def test_upright_pictures_have_no_matrix_and_no_finding(library, tmp_path, out, ffmpeg):
    made = library[kind(0)].copy(tmp_path / "upright")
    told(made, (0.0, 0))
    report = r.convert(made.folder, out, ffmpeg)
    assert not [f for f in report.findings if f.id == "ROTATION"]
    assert (rotation(report.output, ffmpeg), report.tracks[0].rotation) == (0, 0)


# (turns, area that is looked at, display matrix, how pictures are shown from when on)
ON_THE_WAY = [
    pytest.param(((0, 0), (8, 90)), 8.0, id="with a slice"),
    pytest.param(((0, 0), (13.5, 180)), 13.5, id="between two key pictures"),
    pytest.param(((0, 0), (19.0, 270)), 19.0, id="at the very end"),
]


@pytest.mark.parametrize(("turns", "at"), ON_THE_WAY)
def test_a_change_is_encoded_upright_for_the_lesser_part(library, tmp_path, out, ffmpeg, turns, at):
    """All is stored upright: what is told to be turned comes out turned, from that picture on."""
    made = library[UPRIGHT].copy(tmp_path / "turned")
    told(made, *turns)
    report = r.convert(made.folder, out, ffmpeg)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.proof.holds
    assert report.lost_seconds == {"video": 0, "audio": 0}
    found = shown(report.output, ffmpeg, MIDDLE)
    last, degrees = turns[-1]
    small = last < 10
    wanted = [-degrees % 360 if n * STEP >= at - 0.001 else 0 for n in range(200)]
    if small:  # the longer part is the turned one, which is copied
        assert rotation(report.output, ffmpeg) % 360 == -degrees % 360
        area = Area(0, 0.36, 1, 0.28)
        found = shown(report.output, ffmpeg, area)
    assert found == wanted
    assert next(f.id for f in report.findings if f.severity is Severity.WARNING) == "ROTATION"
    assert r.check(made.folder).verdict is report.verdict


def test_split_begins_another_file_at_the_next_key_picture(library, tmp_path, out, ffmpeg):
    made = library[UPRIGHT].copy(tmp_path / "turned")
    told(made, (0, 0), (13.5, 90))
    report = r.convert(made.folder, out, ffmpeg, on_change=OnChange.SPLIT)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert [piece.begin for piece in report.pieces] == pytest.approx([0, 16], abs=0.03)
    assert [rotation(p.output, ffmpeg) for p in report.pieces] == [0, -90]
    assert [p.proof.holds for p in report.pieces] == [True, True]
    assert [set(shown(p.output, ffmpeg)) for p in report.pieces] == [{0}, {270}]
    (warned,) = (f for f in r.loud(report) if f.id == "ROTATION")
    assert (warned.severity, warned.repair) == (Severity.WARNING, "another file begins here")
    assert not report.reencoded


def test_fail_makes_nothing_of_a_change(library, tmp_path, out, ffmpeg):
    made = library[UPRIGHT].copy(tmp_path / "turned")
    told(made, (0, 0), (8, 90))
    report = r.convert(made.folder, out, ffmpeg, on_change=OnChange.FAIL)
    assert report.verdict is Verdict.REJECTED
    assert [f.id for f in report.findings if f.severity is Severity.FATAL] == ["ROTATION"]


def test_a_transport_stream_cannot_tell_and_sound_needs_not(library, tmp_path, out, ffmpeg):
    made = library[UPRIGHT].copy(tmp_path / "turned")
    told(made, (0, 0), (13.5, 90))
    report = r.convert(made.folder, out, ffmpeg, format=Format.TS)
    assert (report.verdict, report.reencoded) == (Verdict.OK, ()), r.said(report)
    assert [f.id for f in r.loud(report)] == ["ROTATION"]
    report = r.convert(made.folder, out, ffmpeg, format=Format.M4A)
    assert (report.verdict, report.reencoded) == (Verdict.OK, ())
    assert not [f for f in report.findings if f.id == "ROTATION"]


def headless(library, folder: Path) -> r.Recording:
    """Slices of 2, 2 and 4 s, of which the second begins without a key picture."""
    whole = library[kind(0)]
    first, second = whole.contents()
    units = r.units([first])
    (at,) = (n for u in units if u.pts - units[0].pts == 2 * 90_000 for _, n in sorted(u.where)[:1])
    tables = first[: 3 * 188]
    halves = [(2.0, first[: at * 188]), (2.0, tables + first[at * 188 :]), (4.0, second)]
    return r.publish(halves, folder, kinds=(False, True))


@pytest.mark.parametrize(
    ("turns", "encoded"),
    [
        pytest.param(((0, 0), (2, 90), (4, 0)), 20, id="turned where it begins so"),
        pytest.param(((0, 0), (1.5, 90), (4, 0)), 40, id="turned before"),
        pytest.param(((0, 0), (1, 90), (2, 0)), 40, id="turned back where it begins so"),
        pytest.param(((0, 0), (3, 90), (4, 0)), 20, id="turned inside"),
    ],
)
def test_what_begins_without_a_key_picture_is_decoded_from_what_is_before(
    library, tmp_path, out, ffmpeg, turns, encoded
):
    made = headless(library, tmp_path / "turned")
    told(made, *turns)
    report = r.convert(made.folder, out, ffmpeg)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.proof.holds
    in_force = [[d for at, d in turns if at <= n * STEP + 0.001][-1] for n in range(80)]
    assert shown(report.output, ffmpeg, MIDDLE) == [-degrees % 360 for degrees in in_force]
    assert sum(one.units for one in report.reencoded) == encoded
    assert r.check(made.folder).verdict is report.verdict


def test_a_change_of_size_and_of_rotation_at_once(simulated_turn, out, ffmpeg):
    _made, folder = simulated_turn("1001:resize@10:180x320", "1001:rotate@10:90")
    report = r.convert(folder, out, ffmpeg)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert {f.id for f in r.loud(report)} >= {"SPS_CHANGE"}
    assert report.proof.holds


@pytest.fixture
def simulated_turn(ffmpeg, tmp_path):
    """The pictures of one user of a session, and the folder they are in."""
    from pipeline.simulator.recorder.material import Look
    from pipeline.simulator.recorder.publish import Shelf, publish
    from pipeline.simulator.session.cast import crew, parse_act
    from pipeline.simulator.session.session import SessionOrder, simulate_session
    from pipeline.storage.local import LocalStorage

    def make(*acts, web=None):
        done = tuple(map(parse_act, acts))
        members = crew(1, Look(*SIZE, fps=10), 3, acts=done, web=web)
        made = simulate_session(SessionOrder(members, done, duration=20, slice=5), ffmpeg)
        folder = tmp_path / "session"
        folder.mkdir()
        (video,) = (t.track.part for t in made.tracks if t.stream == "video")
        publish(Shelf(LocalStorage(folder)), [video])
        (user,) = made.as_json()["users"]
        return user["streams"]["video"], folder

    return make


def flashes(told, output: str, ffmpeg, area: Area = WHOLE) -> list[int | None]:
    """Which way up every flash is."""
    found = look_at(Path(output), ffmpeg)
    begin = told["sent"][0]["begin"]
    return [found.turned_at(at - begin + 0.02, area) for at in told["flashes"]]


@pytest.mark.parametrize("web", [None, "vp8", "vp9"])
def test_whatever_a_phone_sends_comes_out_upright(simulated_turn, out, ffmpeg, web):
    acts = ("1001:rotate@0:270", "1001:rotate@7.3:90", "1001:rotate@15:0")
    told, folder = simulated_turn(*acts, web=web and {"1001": web})
    report = r.convert(folder, out, ffmpeg)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    stands = flashes(told, report.output, ffmpeg)
    lies = flashes(told, report.output, ffmpeg, Area(0, 0.36, 1, 0.28))
    middle = flashes(told, report.output, ffmpeg, MIDDLE)
    assert all(0 in one for one in zip(stands, lies, middle, strict=True))
    assert report.proof.holds


@pytest.mark.parametrize("web", [None, "vp8", "vp9"])
def test_a_phone_that_is_held_one_way_comes_out_upright(simulated_turn, out, ffmpeg, web):
    told, folder = simulated_turn("1001:rotate@0:270", web=web and {"1001": web})
    report = r.convert(folder, out, ffmpeg)
    assert set(flashes(told, report.output, ffmpeg)) == {0}, r.said(report)
    assert report.tracks[0].rotation == (0 if web == "vp8" else 270)
    assert report.proof.holds
