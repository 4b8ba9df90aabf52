"""``recpipe convert`` and ``recpipe check``: verdicts, exit codes, JSON, and nothing half done."""

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import COMPOSITE, SAMPLES, edit_playlist, names, segments, snapshot

KEYS = [
    "recording",
    "source",
    "verdict",
    "output",
    "receipt",
    "duration",
    "lost_seconds",
    "size",
    "sha256",
    "tracks",
    "proof",
    "findings",
    "timings",
]
TIMINGS = {"fetch", "inspect", "convert", "verify", "publish", "total"}

needs_ffmpeg = pytest.mark.usefixtures("ffmpeg")


@needs_ffmpeg
def test_a_recording_becomes_a_proven_mp4(recpipe, composite, tmp_path):
    ended = recpipe("convert", composite, "-o", tmp_path / "out", "--json")
    line = ended.line
    assert (ended.code, ended.err, line["verdict"]) == (0, "", "ok")
    assert line["recording"] == COMPOSITE
    assert line["source"] == str(composite / f"{COMPOSITE}.m3u8")
    assert line["output"] == str(tmp_path / "out" / f"{COMPOSITE}.mp4")
    assert line["receipt"] == str(tmp_path / "out" / f"{COMPOSITE}.receipt.json")
    assert Path(line["output"]).stat().st_size == line["size"]
    assert line["proof"] == {"counts": True, "timestamps": True, "bytes": True, "filled": 0}
    assert line["lost_seconds"] == {"video": 0.0, "audio": 0.0}
    assert [(t["type"], t["samples"]) for t in line["tracks"]] == [("video", 900), ("audio", 2814)]
    assert names(tmp_path / "out") == [
        f"{COMPOSITE}.mp4",
        f"{COMPOSITE}.receipt.json",
    ]


@needs_ffmpeg
def test_the_keys_of_a_line_are_a_contract(recpipe, composite, tmp_path):
    line = recpipe("convert", composite, "-o", tmp_path, "--json").line
    assert [key for key in line if key in KEYS] == KEYS
    assert set(line["timings"]) == TIMINGS
    assert None not in [value for track in line["tracks"] for value in track.values()]
    assert {"width", "height"} <= line["tracks"][0].keys()
    assert not {"width", "height"} & line["tracks"][1].keys()


def test_the_keys_of_a_checked_one_are_the_same(recpipe, composite):
    ended = recpipe("check", composite, "--json")
    line = ended.line
    assert [key for key in line if key in KEYS] == KEYS
    assert (ended.code, line["verdict"], line["output"], line["receipt"]) == (0, "ok", None, None)
    assert line["proof"] is None


def test_the_keys_of_a_failed_one(recpipe, composite, tmp_path):
    (tmp_path / "out").write_text("not a folder")
    again = [composite, composite / "missing.m3u8"]
    ended = recpipe("check", *again, "--json")
    failed = next(line for line in ended.lines if line["verdict"] is None)
    assert ended.code == 5
    assert failed == {
        "recording": None,
        "source": str(composite / "missing.m3u8"),
        "verdict": None,
        "made": False,
        "output": None,
        "receipt": None,
        "error": {"message": failed["error"]["message"], "exit": 2},
        "findings": [],
    }
    assert failed["error"]["message"] in ended.err


@needs_ffmpeg
def test_running_again_is_a_no_op(recpipe, composite, tmp_path):
    first = recpipe("convert", composite, "-o", tmp_path / "out", "--json")
    before = snapshot(tmp_path / "out")
    second = recpipe("convert", composite, "-o", tmp_path / "out", "--json")
    assert (first.code, second.code) == (0, 0)
    assert snapshot(tmp_path / "out") == before
    assert (first.line["made"], second.line["made"]) == (True, False)
    without_timings = [{**e.line, "timings": None, "made": None} for e in (first, second)]
    assert without_timings[0] == without_timings[1]


@needs_ffmpeg
def test_running_again_is_a_no_op_whatever_the_case_of_the_suffix(recpipe, composite, tmp_path):
    command = ("convert", composite, "-o", tmp_path / "call.MP4", "--json")
    assert [recpipe(*command).line["made"] for _ in range(2)] == [True, False]


def test_a_missing_segment_is_a_degraded_recording(recpipe, composite, tmp_path):
    gone = segments(composite)[2]
    gone.unlink()
    ended = recpipe("convert", composite, "-o", tmp_path / "out", "--json")
    line = ended.line
    assert (ended.code, line["verdict"]) == (3, "degraded")
    assert line["lost_seconds"]["video"] == pytest.approx(15.2, abs=0.1)
    missing = [f for f in line["findings"] if f["id"] == "SEG_MISSING"]
    assert [(f["segment"], f["severity"], f["repair"]) for f in missing] == [
        (gone.name, "error", "hole kept")
    ]
    assert line["holes"]
    assert Path(line["output"]).exists()


@needs_ffmpeg
def test_on_loss_fail_makes_nothing(recpipe, composite, tmp_path):
    segments(composite)[2].unlink()
    ended = recpipe("convert", composite, "-o", tmp_path / "out", "--on-loss", "fail", "--json")
    assert (ended.code, ended.line["verdict"], ended.line["output"]) == (4, "rejected", None)
    assert not list((tmp_path / "out").glob("*"))


def test_check_finds_a_cut_segment(recpipe, composite):
    cut = segments(composite)[1]
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    ended = recpipe("check", composite, "--json")
    assert (ended.code, ended.line["verdict"]) == (3, "degraded")
    assert ended.line["lost_seconds"]["video"] > 1
    assert cut.name in {f["segment"] for f in ended.line["findings"]}


@pytest.mark.parametrize(
    ("given", "found"),
    [("0", []), ("audio", []), ("2", ["EXPECT_VIDEO"]), ("both", ["EXPECT_VIDEO"])],
)
def test_what_was_to_be_recorded_is_missed(recpipe, given, found):
    line = recpipe("check", SAMPLES / "audio_only", "--stream-types", given, "--json").line
    assert [finding["id"] for finding in line["findings"]] == found


def test_an_unfinished_recording_is_pending(recpipe, composite, tmp_path):
    edit_playlist(composite, "#EXT-X-ENDLIST", "")
    ended = recpipe("check", composite, "--json")
    assert (ended.code, ended.line["verdict"]) == (75, "pending")
    assert ended.line["lost_seconds"] == {"video": None, "audio": None}
    accepted = recpipe("check", composite, "--json", "--accept-unfinished")
    assert accepted.code in (0, 3)


@needs_ffmpeg
def test_an_unfinished_recording_is_not_converted_unless_accepted(recpipe, composite, tmp_path):
    edit_playlist(composite, "#EXT-X-ENDLIST", "")
    assert recpipe("convert", composite, "-o", tmp_path / "out").code == 75
    assert not (tmp_path / "out").exists()
    ended = recpipe("convert", composite, "-o", tmp_path / "out", "--accept-unfinished")
    assert ended.code in (0, 3)
    assert (tmp_path / "out" / f"{COMPOSITE}.mp4").exists()


@needs_ffmpeg
def test_an_unsafe_playlist_is_rejected(recpipe, composite, tmp_path):
    edit_playlist(composite, segments(composite)[0].name, "../../secret.ts")
    ended = recpipe("convert", composite, "-o", tmp_path / "out", "--json")
    assert (ended.code, ended.line["verdict"], ended.line["output"]) == (4, "rejected", None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["convert", "check"])
def test_a_folder_with_nothing_in_it(recpipe, tmp_path, command):
    (tmp_path / "empty").mkdir()
    more = ["-o", tmp_path / "out"] if command == "convert" else []
    ended = recpipe(command, tmp_path / "empty", *more)
    assert (ended.code, ended.out) == (2, "")
    assert "no recording found" in ended.err
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("recpipe: error: ")


def test_a_source_that_is_not_there(recpipe, tmp_path):
    ended = recpipe("check", tmp_path / "nowhere")
    assert ended.code == 2
    assert str(tmp_path / "nowhere") in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="platform: root may read everything")
def test_no_permission(recpipe, composite, tmp_path):
    composite.chmod(0)
    try:
        ended = recpipe("check", composite)
    finally:
        composite.chmod(0o755)
    assert ended.code == 2
    assert "permission denied" in ended.err


@needs_ffmpeg
def test_many_go_on_after_one_that_failed(recpipe, samples, tmp_path):
    segments(samples / "composite")[0].write_bytes(b"<html>404</html>")
    edit_playlist(samples / "audio_only", "#EXT-X-ENDLIST", "")
    ended = recpipe("convert", samples, "-o", tmp_path / "out", "--json")
    verdicts = sorted(line["verdict"] for line in ended.lines)
    assert verdicts == ["degraded", "ok", "pending"]
    assert ended.code == 5


def test_only_pending_ones_among_many_are_a_temporary_failure(recpipe, samples):
    edit_playlist(samples / "audio_only", "#EXT-X-ENDLIST", "")
    assert recpipe("check", samples, "--quiet").code == 75


def test_with_one_job_the_lines_come_in_order(recpipe, samples):
    ended = recpipe("check", samples, "--json", "--jobs", 1)
    sources = [line["source"] for line in ended.lines]
    assert sources == sorted(sources)
    assert len(sources) == 3


def test_two_recordings_of_one_name_are_both_refused(recpipe, tmp_path, composite):
    other = tmp_path / "other"
    shutil.copytree(composite, other)
    ended = recpipe("convert", composite, other, "-o", tmp_path / "out", "--json")
    assert ended.code == 2
    assert not (tmp_path / "out").exists()
    for line in ended.lines:
        assert line["error"]["exit"] == 2
        assert str(composite) in line["error"]["message"]
        assert str(other) in line["error"]["message"]
    assert len(ended.lines) == 2


@needs_ffmpeg
def test_two_of_one_name_do_not_stop_the_others(recpipe, tmp_path, samples):
    shutil.copytree(samples / "composite", samples / "again")
    ended = recpipe("convert", samples, "-o", tmp_path / "out", "--json", "--quiet")
    assert ended.code == 5
    assert sorted(str(line["verdict"]) for line in ended.lines) == ["None", "None", "ok", "ok"]


def test_a_recording_named_twice_is_done_once(recpipe, composite):
    ended = recpipe("check", composite, composite / f"{COMPOSITE}.m3u8", "--json")
    assert ended.line["recording"] == COMPOSITE


@needs_ffmpeg
@pytest.mark.parametrize("name", ["call.mp4", "new/deep/call.MP4"])
def test_a_file_for_a_single_recording(recpipe, composite, tmp_path, name):
    ended = recpipe("convert", composite, "-o", tmp_path / name, "--json")
    assert (ended.code, ended.line["output"]) == (0, str(tmp_path / name))
    assert (tmp_path / name).is_file()


@needs_ffmpeg
def test_a_new_name_with_another_suffix_is_a_folder(recpipe, composite, tmp_path):
    assert recpipe("convert", composite, "-o", tmp_path / "2026.03").code == 0
    assert (tmp_path / "2026.03" / f"{COMPOSITE}.mp4").is_file()


@pytest.mark.parametrize(
    ("output", "why"),
    [
        pytest.param("all.mp4", "one file for 3 recordings", id="one file for many"),
        pytest.param("sound.m4a", "give --format m4a", id="suffix of another format"),
        pytest.param("there.txt", "is a file", id="a file that is there"),
        pytest.param("-", "standard output", id="standard output"),
        pytest.param("ftp://bucket/out", "not supported", id="unknown kind of store"),
        pytest.param("", "not a path", id="nothing"),
    ],
)
def test_outputs_that_cannot_be(recpipe, samples, clean, output, why):
    Path("there.txt").write_text("mine")
    ended = recpipe("convert", samples, "-o", output)
    assert ended.code == 2
    assert why in ended.err
    assert ended.err.count("\n") == 1
    assert names(clean) == ["there.txt"]


@needs_ffmpeg
def test_a_source_is_never_replaced_by_its_result(recpipe, composite):
    segment = segments(composite)[0]
    before = snapshot(composite)
    ended = recpipe("convert", segment, "-o", composite, "--format", "ts", "--force")
    assert ended.code == 2
    assert "is a source itself" in ended.err
    assert snapshot(composite) == before


@needs_ffmpeg
def test_what_is_not_ours_is_only_replaced_with_force(recpipe, composite, tmp_path):
    mine = tmp_path / "out" / f"{COMPOSITE}.mp4"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert recpipe("convert", composite, "-o", mine.parent).code == 2
    assert mine.read_bytes() == b"mine"
    assert recpipe("convert", composite, "-o", mine.parent, "--force").code == 0
    assert mine.stat().st_size > 100_000


@needs_ffmpeg
@pytest.mark.parametrize("format", ["m4a", "aac", "ts"])
def test_other_formats_have_their_own_suffix(recpipe, tmp_path, format):
    ended = recpipe("convert", SAMPLES / "audio_only", "-o", tmp_path, "--format", format, "--json")
    assert ended.code == 0
    assert ended.line["output"].endswith(f"_helpline.{format}")


@needs_ffmpeg
def test_names_that_come_from_hostile_playlists_stay_in_the_destination(recpipe, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(SAMPLES / "video_only", folder)
    (playlist,) = folder.glob("*.m3u8")
    hostile = folder / "...a\\b\n\x1b[31m été  .m3u8"
    playlist.rename(hostile)
    ended = recpipe("convert", hostile, "-o", tmp_path / "out", "--json")
    assert ended.code == 0
    safe = "___a_b__[31m été  "
    assert names(tmp_path / "out") == [f"{safe}.mp4", f"{safe}.receipt.json"]
    told = recpipe("convert", hostile, "-o", tmp_path / "out")
    assert "\x1b" not in told.out + told.err


@needs_ffmpeg
def test_a_name_that_is_no_utf_8(recpipe, tmp_path):
    folder = Path(shutil.copytree(SAMPLES / "video_only", tmp_path / "in"))
    (playlist,) = folder.glob("*.m3u8")
    playlist.rename(folder / os.fsdecode(b"caf\xe9.m3u8"))
    ended = recpipe("convert", folder, "-o", tmp_path / "out", "--json")
    assert (ended.code, os.fsencode(ended.line["recording"])) == (0, b"caf\xe9")
    assert names(tmp_path / "out") == ["caf_.mp4", "caf_.receipt.json"]
    before = snapshot(tmp_path / "out")
    again = os.fsencode(folder) + b"/caf\xe9.m3u8\n"
    assert recpipe("convert", "-", "-o", tmp_path / "out", stdin=again).code == 0
    assert snapshot(tmp_path / "out") == before


@needs_ffmpeg
@pytest.mark.skipif(os.geteuid() == 0, reason="platform: root may write everywhere")
def test_a_destination_of_somebody_else(recpipe, composite, tmp_path):
    (tmp_path / "out").mkdir(mode=0o500)
    ended = recpipe("convert", composite, "-o", tmp_path / "out")
    assert ended.code == 2
    assert "permission denied" in ended.err


def test_a_dry_run_writes_nothing(recpipe, composite, tmp_path, clean, cache):
    gone = segments(composite)[0]
    gone.unlink()
    before = snapshot(tmp_path), snapshot(cache)
    ended = recpipe("convert", composite, "-o", tmp_path / "out", "--dry-run")
    assert ended.code == 0
    assert COMPOSITE in ended.out
    assert "3 of 4" in ended.out
    assert str(tmp_path / "out" / f"{COMPOSITE}.mp4") in ended.out
    assert (snapshot(tmp_path), snapshot(cache)) == before
    assert not (tmp_path / "out").exists()


def test_a_dry_run_as_json(recpipe, composite, tmp_path):
    edit_playlist(composite, "#EXT-X-ENDLIST", "")
    line = recpipe("convert", composite, "-o", tmp_path, "--dry-run", "--json").line
    assert line["dry_run"] is True
    assert (line["verdict"], line["output"]) == ("pending", None)
    assert (line["segments"]["listed"], line["segments"]["found"]) == (4, 4)


@needs_ffmpeg
def test_quiet_says_nothing_when_all_is_well(recpipe, samples, tmp_path):
    ended = recpipe("convert", samples, "-o", tmp_path / "out", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_quiet_says_one_line_for_each_problem(recpipe, samples):
    segments(samples / "composite")[3].unlink()
    edit_playlist(samples / "audio_only", "#EXT-X-ENDLIST", "")
    ended = recpipe("check", samples, samples / "nowhere.m3u8", "--quiet")
    assert (ended.code, ended.out) == (5, "")
    said = sorted(line.split(":")[1] for line in ended.err.splitlines())
    assert said == [" degraded", " error", " pending"]


@needs_ffmpeg
def test_results_are_on_stdout_and_the_rest_is_on_stderr(recpipe, composite, samples, tmp_path):
    segments(composite)[2].unlink()
    ended = recpipe("convert", composite, samples / "audio_only", "-o", tmp_path)
    assert ended.out.count("degraded") == 1  # grep finds the recording, and no sum
    assert (
        "672 video and 2814 audio samples, every time stamp and byte equal; 713 of them put in"
        in ended.out
    )
    assert "SEG_MISSING" in ended.out
    assert "\x1b" not in ended.out  # not a terminal
    assert ended.err == "2 recordings: 1 ok, 1 degraded\n"


@needs_ffmpeg
def test_a_template_names_results_and_they_are_found_again(recpipe, samples, tmp_path):
    out, template = tmp_path / "out", "{date}/{cname}_{sid}"
    first = recpipe("convert", samples, "-o", out, "--name", template, "--json")
    assert [line["made"] for line in first.lines] == [True] * 3
    day = Path(next(line for line in first.lines if line["recording"] == COMPOSITE)["output"])
    sid, _, cname = COMPOSITE.partition("_")
    assert day.name == f"{cname}_{sid}.mp4"
    assert day.parent.parent == out
    assert len(list(out.glob("2*/*.receipt.json"))) == 3
    again = recpipe("convert", samples, "-o", out, "--name", template, "--json")
    assert [line["made"] for line in again.lines] == [False] * 3
    archived = recpipe("archive", "ingest", out, "--to", tmp_path / "archive", "--json")
    assert {line["state"] for line in archived.lines} == {"ingested"}
    rebuilt = recpipe("ledger", "rebuild", "--to", out)
    assert (rebuilt.code, "3" in rebuilt.out + rebuilt.err) == (0, True)
    assert COMPOSITE in recpipe("status", "--state", "published").out
    safe = (
        "--older-than",
        "0s",
        "--max-fraction",
        "100%",
        "--require-archive",
        tmp_path / "archive",
    )
    planned = recpipe("clean", "plan", samples, "--to", out, "-o", "plan.json", *safe, "--json")
    assert [line["action"] for line in planned.lines] == ["delete"] * 3


def test_a_template_that_leaves_the_destination_is_refused(recpipe, composite, tmp_path):
    for template, to in (("../{id}", "out"), ("{id}", "out.mp4")):
        ended = recpipe("convert", composite, "-o", tmp_path / to, "--name", template)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "--name" in ended.err
    assert not list(tmp_path.glob("out*"))


def test_a_selection(recpipe, samples):
    ended = recpipe("check", samples, "--include", "*weekly*", "--json")
    assert [line["recording"] for line in ended.lines] == [COMPOSITE]
    rest = recpipe("check", samples, "--exclude", "*weekly*", "--json")
    assert len(rest.lines) == 2
    none = recpipe("check", samples, "--min-age", "30d")
    assert (none.code, none.out) == (0, "")
    assert "none of the recordings is selected" in none.err
    assert recpipe("check", samples, "--min-age", "30d", "--quiet").err == ""
    assert recpipe("check", samples, "--max-age", "soon").code == 2


def test_a_limit_says_what_is_left(recpipe, samples):
    ended = recpipe("check", samples, "--limit", "1")
    assert (ended.code, ended.out.count("samples")) == (75, 0)
    assert ended.err == "3 recordings: 1 ok, 2 left for the next run\n"


@needs_ffmpeg
def test_a_limit_goes_on_where_the_last_run_ended(recpipe, samples, tmp_path):
    args = ("convert", samples, "-o", tmp_path / "out", "--limit", "2", "--json", "--jobs", "2")
    assert sum(line["made"] for line in recpipe(*args).lines) == 2
    assert sum(line["made"] for line in recpipe(*args).lines) == 1
    dry = recpipe("convert", samples, "-o", tmp_path / "new", "--limit", "2", "--dry-run", "--json")
    assert len(dry.lines) == 2


@pytest.mark.parametrize(
    ("limit", "done"), [(("--max-bytes", "1"), 1), (("--max-duration", "0s"), 0)]
)
def test_nothing_is_begun_beyond_a_budget(recpipe, samples, limit, done):
    ended = recpipe("check", samples, *limit, "--jobs", "1", "--json")
    assert (ended.code, len(ended.lines)) == (75, done)
    whole = recpipe("check", samples, "--max-bytes", "1TB", "--max-duration", "1h", "--json")
    assert (whole.code, len(whole.lines)) == (0, 3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("list.txt", "{a}\n# not this one\n{b}\n", id="lines"),
        pytest.param("list.csv", "id,Source\n1,{a}\n2,{b}\n", id="CSV"),
        pytest.param("list.csv", "\ufeffsource\n{a}\n\n{b}\n", id="one column"),
    ],
)
def test_a_list_in_a_file(recpipe, samples, tmp_path, name, text):
    a, b = samples / "composite", samples / "video_only"
    (tmp_path / name).write_text(text.format(a=a, b=b), encoding="utf-8")
    ended = recpipe("check", "--from", tmp_path / name, "--json")
    assert (ended.code, len(ended.lines)) == (0, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("n,source\n1\n", "list.csv: row 2 has no source", id="a short row"),
        pytest.param("#EXTM3U\n", "list.csv is a playlist", id="a playlist"),
    ],
)
def test_a_list_that_is_none(recpipe, tmp_path, text, said):
    (tmp_path / "list.csv").write_text(text)
    ended = recpipe("check", "--from", tmp_path / "list.csv")
    assert ended.code == 2
    assert said in ended.err


def test_no_source_at_all(recpipe, tmp_path):
    ended = recpipe("check")
    assert ended.code == 2
    assert "--from FILE" in ended.err
    missing = recpipe("check", "--from", tmp_path / "none.txt")
    assert (missing.code, "none.txt" in missing.err) == (2, True)
    for place in (tmp_path, "s3://bucket/calls/", "@calls"):
        ended = recpipe("check", "--from", place)
        assert ended.code == 2
        assert f"--from {place}: is a folder or a store, expected a file" in ended.err


def test_a_list_on_standard_input(recpipe, samples):
    listed = f"# the list\n\n  {samples / 'composite'}  \r\n{samples / 'video_only'}\n"
    ended = recpipe("check", "-", "--json", stdin=listed.encode())
    assert ended.code == 0
    assert len(ended.lines) == 2


def test_an_empty_list_is_nothing_to_do(recpipe):
    ended = recpipe("check", "-", stdin=b"# none today\n")
    assert (ended.code, ended.out) == (0, "")


def test_a_playlist_on_standard_input_is_explained(recpipe, composite):
    text = (composite / f"{COMPOSITE}.m3u8").read_bytes()
    ended = recpipe("check", "-", stdin=text)
    assert ended.code == 2
    assert "is a playlist" in ended.err


@pytest.mark.parametrize(
    ("args", "why"),
    [
        pytest.param(["convert"], "missing", id="nothing given"),
        pytest.param(["convert", "x"], "--output", id="no output"),
        pytest.param(["convert", "x", "-o", "y", "--format", "avi"], "'mp4'", id="unknown format"),
        pytest.param(["convert", "x", "-o", "y", "--jobs", "0"], "x>=1", id="no jobs"),
        pytest.param(
            ["convert", "x", "-o", "y", "--encode-jobs", "0"], "x>=1", id="no encode jobs"
        ),
        pytest.param(["check", "x", "--max-length", "0h"], "more than 0", id="no length"),
        pytest.param(["check", "x", "--jsn"], "--json", id="a slip"),
        pytest.param(["chekc"], "no such command", id="no such command"),
    ],
)
def test_wrong_usage_is_one_line(recpipe, args, why):
    ended = recpipe(*args)
    assert (ended.code, ended.out) == (2, "")
    assert why in ended.err
    assert ended.err.count("\n") == 1


def test_a_password_in_a_source_is_not_repeated(recpipe):
    ended = recpipe("check", "s3://AKIAKEY:hunter2/x@bucket/prefix", "--json")
    assert ended.code == 2
    assert "hunter2" not in ended.out + ended.err
    ended = recpipe("check", "https://host/x.m3u8?X-Amz-Signature=hunter2", "--json")
    assert ended.code == 2
    assert "hunter2" not in ended.out + ended.err


def test_without_ffmpeg_it_says_what_to_do(recpipe, composite, tmp_path):
    ended = recpipe("convert", composite, "-o", tmp_path / "out", "--ffmpeg", tmp_path / "nowhere")
    assert ended.code == 2
    assert "apt install ffmpeg" in ended.err
    assert not (tmp_path / "out").exists()


def test_debug_shows_where_an_error_comes_from(recpipe, tmp_path):
    assert "Traceback" not in recpipe("check", tmp_path / "nowhere").err
    assert "Traceback" in recpipe("check", tmp_path / "nowhere", "--debug").err


def test_what_was_made_now_and_what_was_there_are_told_apart(recpipe, samples, tmp_path):
    out = tmp_path / "out"
    one = samples / "composite"
    assert [line["made"] for line in recpipe("convert", one, "-o", out, "--json").lines] == [True]
    told = recpipe("convert", samples, "-o", out)
    assert told.err.splitlines()[-1] == "3 recordings: 3 ok, 1 done before"
    lines = recpipe("convert", samples, "-o", out, "--json").lines
    assert [line["made"] for line in lines] == [False] * 3
    assert [line["made"] for line in recpipe("check", samples, "--json").lines] == [False] * 3
