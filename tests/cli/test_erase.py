"""``recpipe clean erase``: a plan first; then nothing is left of whom it names."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.agora import names
from tests.cli.conftest import COMPOSITE, snapshot
from tests.settings import write as write_settings

SID = COMPOSITE[:32]
UID = "527841"


def individual(composite: Path, to: Path) -> None:
    """A session of two users."""
    to.mkdir()
    for uid in (UID, "99"):
        user = names.stream_cname("weekly_meeting", uid, "video")
        for path in composite.iterdir():
            text = path.read_bytes().replace(COMPOSITE.encode(), f"{SID}_{user}".encode())
            (to / path.name.replace(COMPOSITE, f"{SID}_{user}")).write_bytes(text)


@pytest.fixture
def users(recpipe, composite, clean):
    """One session of individual mode: two users, converted, archived, in the ledger; and in the
    same channel at the same time a recording of both together.
    """
    source, out, vault = clean / "rec", clean / "out", clean / "vault"
    individual(composite, source)
    other = "f" * 32
    for path in composite.iterdir():
        text = path.read_bytes().replace(SID.encode(), other.encode())
        (source / path.name.replace(SID, other)).write_bytes(text)
    ledger = f"sqlite:///{clean}/ledger.db"
    watch = ("watch", source, "--to", out, "--once", "--settle", "0s", "--ledger", ledger)
    assert recpipe(*watch).code == 0
    assert recpipe("archive", "ingest", out, "--to", vault, "--ledger", ledger).code == 0
    places = (source, "--to", out, "--archive", vault, "--ledger", ledger)
    return places, clean


def here(clean, token: str = f"__uid_s_{UID}") -> list[str]:
    """Where the user is named, in names of files and in their bytes."""
    return [
        str(path)
        for path in (*clean.rglob("*"), *clean.parent.joinpath("state").rglob("*"))
        if token in path.name or (path.is_file() and token.encode() in path.read_bytes())
    ]


def test_a_user_is_erased_everywhere(recpipe, users):
    places, clean = users
    session = f"{SID}_weekly_meeting"
    before = snapshot(clean)
    planned = recpipe("clean", "erase", *places, "--uid", UID, "--everywhere")
    assert planned.code == 0, planned.err
    assert snapshot(clean).items() >= before.items()  # nothing was done
    assert f"erase  {clean}/rec/{session}__uid_s_{UID}__uid_e_video.m3u8" in planned.out
    assert "1 recordings, " in planned.err
    assert "  1 entries of the ledger, " in planned.err
    assert f"  the user is taken out of {clean}/out/{session}.receipt.json" in planned.err
    bag = f"{clean}/vault/{session}/data/metadata/{session}.receipt.json"
    assert f"  the user is taken out of {bag}" in planned.err
    mixed = f"holds the user among others, and stays: {'f' * 32}_weekly_meeting"
    assert mixed in planned.err
    assert "recpipe clean apply erase.json does, for good" in planned.err
    said = ("--json", "--progress", "json", *places[-2:])
    done = recpipe("clean", "apply", "erase.json", *said)
    assert (done.code, done.line["action"], done.line["problem"]) == (0, "erased", None)
    (last,) = map(json.loads, done.err.splitlines())
    assert (last["finished"], last["total"], last["unit"]) == (1, 1, "recordings")
    assert here(clean) == here(clean, UID) == []
    assert not (clean / "erase.json").exists()
    after = snapshot(clean)
    kept = {k: v for k, v in before.items() if UID not in k and session not in k}
    kept |= {k: v for k, v in before.items() if "__uid_s_99" in k}
    assert {k: after[k] for k in kept if "ledger.db" not in k} == {
        k: v for k, v in kept.items() if "ledger.db" not in k
    }
    assert recpipe("archive", "verify", places[4], *places[-2:]).code == 0
    again = recpipe("clean", "erase", *places, "--uid", UID, "--everywhere")
    assert "0 recordings, 0 objects" in again.err
    assert "clean apply" not in again.err


def test_what_is_left_is_converted_archived_and_may_be_cleaned_up(recpipe, users):
    """As if the user had never been in it."""
    places, clean = users
    assert recpipe("clean", "erase", *places, "--uid", UID, "--everywhere").code == 0
    assert recpipe("clean", "apply", "erase.json", *places[-2:]).code == 0
    source, out, vault, ledger = clean / "rec", clean / "out", clean / "vault", places[-2:]
    lines = recpipe("convert", source, "-o", out, "--users", "merge", "--json").lines
    (one,) = [line for line in lines if line["recording"].startswith(SID)]
    assert (one["uid"], one["made"]) == ("99", False)
    watched = ("watch", source, "--to", out, "--once", "--settle", "0s", "--json")
    assert recpipe(*watched, *ledger).out == ""
    ingested = recpipe("archive", "ingest", out, "--to", vault, "--json", *ledger).lines
    assert {one["state"] for one in ingested} == {"present"}
    rules = ("--older-than", "0s", "--require-archive", vault, "--max-fraction", "1")
    planned = recpipe("clean", "plan", source, "--to", out, "-o", "plan.json", *rules, *ledger)
    assert planned.code == 0, planned.err
    objects = [
        o for r in json.loads((clean / "plan.json").read_text())["recordings"] for o in r["objects"]
    ]
    assert {o["key"] for o in objects} == {path.name for path in source.iterdir()}


@pytest.mark.parametrize("then", ["restore", "purge"])
def test_what_is_in_the_trash_of_the_others_stays_of_use(recpipe, users, then):
    places, clean = users
    source, out, ledger = places[0], places[2], places[-2:]
    slices = {path.name for path in source.iterdir() if "__uid_s_99" in path.name}
    limits = ("--older-than", "0s", "--max-fraction", "1")
    assert recpipe("clean", "plan", source, "--to", out, *limits, *ledger).code == 0
    assert recpipe("clean", "apply", "plan.json", *ledger).code == 0
    Path("plan.json").unlink()
    (run,) = (path.name for path in (source / ".trash").iterdir())
    assert recpipe("clean", "erase", *places, "--uid", UID, "--everywhere").code == 0
    assert recpipe("clean", "apply", "erase.json", *ledger).code == 0
    assert here(clean) == here(clean, UID) == []
    if then == "restore":
        assert recpipe("clean", "restore", source, run).code == 0
        assert slices <= {path.name for path in source.iterdir()}
        return
    purging = ("clean", "purge", source, "--trash-days", "0", *ledger)
    assert recpipe(*purging).code == 0
    assert not (source / ".trash" / run).exists()
    record = next(out.glob(f"{SID}*.premis.xml"))
    assert record.read_bytes().count(b"__uid_s_99") >= len(slices)
    erased = recpipe("clean", "erase", *places, "--uid", "99", "--everywhere")
    assert "speaks of it" not in erased.err
    assert recpipe("clean", "apply", "erase.json", *ledger).code == 0
    assert here(clean, "__uid_s_99") == []


def test_a_record_of_deleted_sources_forgets_the_user(recpipe, users):
    places, clean = users
    source, out, ledger = places[0], places[2], places[-2:]
    limits = ("--older-than", "0s", "--max-fraction", "1")
    recpipe("clean", "plan", source, "--to", out, *limits, *ledger)
    recpipe("clean", "apply", "plan.json", *ledger)
    assert recpipe("clean", "purge", source, "--trash-days", "0", *ledger).code == 0
    Path("plan.json").unlink()
    record = next(out.glob(f"{SID}*.premis.xml"))
    assert UID.encode() in record.read_bytes()
    assert recpipe("clean", "erase", *places, "--uid", UID, "--everywhere").code == 0
    assert recpipe("clean", "apply", "erase.json", *ledger).code == 0
    assert here(clean) == here(clean, UID) == []
    assert b"__uid_s_99" in record.read_bytes()


def test_what_is_held_stays(recpipe, users):
    places, clean = users
    (clean / "out" / f"{SID}_weekly_meeting.hold").touch()
    command = ("clean", "erase", *places, "--uid", UID, "--everywhere")
    assert f"held, and stays: {SID} (held)" in recpipe(*command).err
    told = recpipe(*command, "--json").lines
    assert {"action": "keep", "recording": SID, "reason": "held"} in told
    assert "erase" not in {line["action"] for line in told}


def test_what_was_not_erased_is_not_on_record(recpipe, users):
    places, clean = users
    assert recpipe("clean", "erase", *places, "--uid", UID, "--everywhere").code == 0
    (clean / "out" / f"{SID}_weekly_meeting.hold").touch()
    before = snapshot(clean / "out")
    ended = recpipe("clean", "apply", "erase.json", *places[-2:])
    assert (ended.code, ended.err) == (5, f"left alone {SID}: held\n")
    assert snapshot(clean / "out") == before


def test_stores_that_only_the_ledger_knows_are_named(recpipe, users):
    places, clean = users
    shutil.copytree(clean / "rec", clean / "moved")
    elsewhere = (clean / "moved", *places[1:])
    ended = recpipe("clean", "erase", *elsewhere, "--uid", UID, "--everywhere")
    assert f"the ledger knows of it in {clean}/rec" in ended.err


NAMES = {
    "by a template": ("--name", "{date}/{cname}_{sid}", "-o", "out"),
    "": ("-o", "out/call.mp4"),
}


@pytest.fixture(params=NAMES)
def renamed(request, recpipe, composite, clean):
    """The session under names that do not begin with its sid, or do not tell it, with an archive in
    either form; returns the places.
    """
    individual(composite, clean / "rec")
    (clean / "out").mkdir()
    assert recpipe("convert", "rec", *NAMES[request.param], "--report").code == 0
    for form in ("objects", "tar"):
        assert recpipe("archive", "ingest", "out", "--to", form, "--as", form).code == 0
    return "rec", "--to", "out", "--archive", "objects", "--archive", "tar", "--everywhere"


def test_what_is_called_otherwise_is_known_by_its_receipt(recpipe, renamed, clean):
    planned = recpipe("clean", "erase", *renamed, "--uid", UID)
    assert (planned.code, "stays" in planned.err) == (0, False), planned.err
    assert recpipe("clean", "apply", "erase.json").code == 0
    assert here(clean) == here(clean, UID) == []
    assert len([*clean.glob("**/*99*.mp4")]) == 2  # the result, and in the bag of objects
    for form in ("objects", "tar"):
        assert recpipe("archive", "verify", form).code == 0
    last = recpipe("clean", "erase", *renamed, "--sid", SID)
    assert (last.code, "stays" in last.err) == (0, False), last.err
    assert recpipe("clean", "apply", "erase.json").code == 0
    assert {path.suffix for path in clean.rglob("*") if path.is_file()} == {".xml", ".json"}
    assert [path.name for path in clean.rglob("*.json")] == ["fixity.json"] * 2
    assert all("/erased." in path for path in here(clean, SID))


def test_of_a_result_of_any_name_what_lies_beside_goes_and_others_stay(recpipe, renamed, clean):
    """Their names begin alike."""
    (receipt,) = (clean / "out").rglob("*.receipt.json")
    stem = receipt.name.removesuffix(".receipt.json")
    for name in (".tags", ".html", "2.mp4", ".2.20260302T031500Z-0f3a9c1b77aa.premis.xml"):
        receipt.with_name(stem + name).touch()
    recpipe("clean", "erase", *renamed, "--sid", SID)
    assert recpipe("clean", "apply", "erase.json").code == 0
    left = {path.name for path in receipt.parent.iterdir() if not path.name.startswith("erased.")}
    assert f"{stem}2.mp4" in left
    assert left - {f"{stem}2.mp4", f"{stem}.2.20260302T031500Z-0f3a9c1b77aa.premis.xml"} == set()


@pytest.mark.parametrize("when", ["before it is planned", "before it is applied"])
def test_a_hold_beside_a_result_of_any_name_wins(recpipe, renamed, clean, when):
    (receipt,) = (clean / "out").rglob("*.receipt.json")
    hold = receipt.with_name(receipt.name.replace(".receipt.json", ".hold"))
    for whom in (("--uid", UID), ("--sid", SID)):
        if when == "before it is planned":
            hold.touch()
        planned = recpipe("clean", "erase", *renamed, *whom)
        assert (f"held, and stays: {SID} (held)" in planned.err) == hold.exists()
        hold.touch()
        before = snapshot(clean)
        ended = recpipe("clean", "apply", "erase.json")
        if when == "before it is applied":
            assert (ended.code, ended.err) == (5, f"left alone {SID}: held\n")
        after = snapshot(clean)
        kept = {name for name in before if name.split("/")[0] in ("rec", "out", "objects", "tar")}
        assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}
        hold.unlink()


def test_the_age_of_a_result_is_that_of_its_receipt_once_its_slices_are_gone(
    recpipe, renamed, clean
):
    shutil.rmtree(clean / "rec")
    (clean / "rec").mkdir()
    shutil.rmtree(clean / "objects")
    (clean / "objects").mkdir()
    assert "0 recordings" in recpipe("clean", "erase", *renamed, "--older-than", "36500d").err
    assert "1 recordings" in recpipe("clean", "erase", *renamed, "--older-than", "1d").err


def test_a_whole_bucket_may_be_meant(recpipe, composite, clean, weed):
    """Agora writes to the root of a bucket unless it is told a prefix; what has no sid stays."""
    calls, mp4 = weed.new_bucket(), weed.new_bucket()
    for key in (*(path.name for path in composite.iterdir()), "notes.txt"):
        weed.client.put_object(Bucket=calls, Key=key, Body=b"")
    command = ("clean", "erase", f"s3://{calls}/", "--to", f"s3://{mp4}/", "--everywhere")
    planned = recpipe(*command, "--sid", SID, env=weed.environment)
    assert (planned.code, "1 recordings, 5 objects" in planned.err) == (0, True), planned.err
    assert recpipe("clean", "apply", "erase.json", env=weed.environment).code == 0
    left = weed.client.list_objects_v2(Bucket=calls)["Contents"]
    assert [one["Key"] for one in left] == ["notes.txt"]


@pytest.mark.parametrize("source", ["/", "rec/.trash/1"])
def test_a_file_system_and_a_trash_are_refused(recpipe, clean, source):
    Path("rec/.trash/1").mkdir(parents=True)
    Path("out").mkdir()
    ended = recpipe("clean", "erase", source, "--to", "out", "--everywhere", "--uid", UID)
    assert (ended.code, "a whole file system" in ended.err or "is trash" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        pytest.param(("--uid", UID), "add --everywhere", id="without saying so"),
        pytest.param(("--everywhere",), "give --sid, --uid", id="nobody"),
        pytest.param(
            ("--everywhere", "--uid", UID, "--older-than", "1d"), "--older-than alone", id="both"
        ),
        pytest.param(("--everywhere", "--uid", "joe"), "'joe' is none", id="no uid"),
        pytest.param(("--everywhere", "--sid", "0a93"), "32 hexadecimal digits", id="no sid"),
    ],
)
def test_whom_is_said_exactly(recpipe, clean, chosen, why):
    for name in ("rec", "out"):
        (clean / name).mkdir()
    ended = recpipe("clean", "erase", "rec", "--to", "out", *chosen)
    assert (ended.code, why in ended.err) == (2, True)
    assert not (clean / "erase.json").exists()


def test_no_setting_says_whom(recpipe, clean, composite):
    """``uid`` is that of the recorder elsewhere, ``older-than`` what cleanup keeps."""
    (clean / "out").mkdir()
    write_settings(f'uid = "{UID}"\nolder-than = "1s"\nsid = "{SID}"\n')
    ended = recpipe(
        *("clean", "erase", composite, "--to", "out", "--everywhere"), env={"RECPIPE_UID": UID}
    )
    assert (ended.code, "give --sid, --uid" in ended.err) == (2, True)


def test_what_is_old_is_erased(recpipe, clean, composite):
    assert recpipe("convert", composite, "-o", "out").code == 0
    command = ("clean", "erase", composite, "--to", "out", "--everywhere", "--older-than")
    assert "0 recordings" in recpipe(*command, "36500d").err
    assert "1 recordings" in recpipe(*command, "1d").err
    assert json.loads((clean / "erase.json").read_text())["reason"] == "--older-than 86400s"
    assert recpipe("clean", "apply", "erase.json").code == 0
    assert list(composite.iterdir()) == []
    assert [path.suffix for path in (clean / "out").iterdir()] == [".xml"]
