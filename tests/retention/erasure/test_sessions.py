"""A session without one of its users: what is left is as if the user had never been in it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from pipeline.archive import bulk
from pipeline.archive.bagit import places as archives
from pipeline.archive.bagit.fixity import check
from pipeline.archive.bagit.staging import Archive, Form
from pipeline.archive.order import Bagging, Order
from pipeline.choices import Users
from pipeline.jobs.options import Options
from pipeline.ledger.database.tables import metadata
from pipeline.ledger.ledger import Ledger
from pipeline.media.compose.layout import Arrangement, Canvas
from pipeline.receipts.read import read
from pipeline.retention.audit import Audit
from pipeline.retention.erasure import document as erasure
from pipeline.retention.erasure import rewriting, traces
from pipeline.retention.erasure.apply import Places, erase, held
from pipeline.retention.erasure.document import ErasureRequest
from pipeline.retention.erasure.mentions import find
from pipeline.retention.erasure.sessions import is_alone, is_of, without_user
from pipeline.retention.erasure.subject import Subject
from pipeline.simulator.session.cast import crew
from pipeline.simulator.session.session import SessionOrder
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from pipeline.watch.rebuild_ledger import rebuild
from tests.archive.test_premis import validate
from tests.jobs.sessions import played

FORMS = (Form.OBJECTS, Form.TAR)
UIDS = ("4242424242", "3131313131")  # no digest holds them by chance
GONE, STAYS = UIDS


def T() -> float:
    """The same moment for everything."""
    return 2e9


def renamed(folder: Path) -> None:
    """The users of a simulated session under longer uids."""
    for path in folder.iterdir():
        name, data = path.name, path.read_bytes()
        for number, uid in enumerate(UIDS, 1001):
            old, new = f"__uid_s_{number}__", f"__uid_s_{uid}__"
            name = name.replace(old, new)
            if path.suffix == ".m3u8":
                data = data.replace(old.encode(), new.encode())
        path.unlink()
        path.with_name(name).write_bytes(data)


@pytest.fixture(scope="module")
def made(ffmpeg, tmp_path_factory) -> Path:
    """A session of two users: source, results, and a bag in either form."""
    home = tmp_path_factory.mktemp("session")
    played.put(SessionOrder(crew(2, played.LOOK, 0), duration=4.0, slice=2), home / "src", ffmpeg)
    renamed(home / "src")
    asked = Options(speakers=True, spool=home / "out" / "spool")
    played.convert(home / "src", home / "out", ffmpeg, asked)
    shutil.rmtree(home / "out" / "spool", ignore_errors=True)
    for form in FORMS:
        storage = LocalStorage(home / form.value)
        bagging = Bagging(Archive(storage, storage, form), Order(spool=home / "spool"), ffmpeg)
        found = bulk.published_in([str(home / "out")], lambda at: (LocalStorage(Path(at)), ""))
        (one,) = bulk.ingest_all(found, lambda at: LocalStorage(Path(at)), bagging, now=lambda: 1e9)
        assert one.state == "ingested"
    return home


@pytest.fixture
def home(made, tmp_path) -> Path:
    """A copy, to erase from."""
    shutil.copytree(made, tmp_path / "home")
    return tmp_path / "home"


def published(home: Path, folder: str = "out"):
    (receipt,) = (path.name for path in (home / folder).glob("*.receipt.json"))
    return read(LocalStorage(home / folder), receipt)


def documents(home: Path):
    """What a document beside the results holds."""
    return lambda one: (home / "out" / one.key).read_bytes()


def stores(home: Path) -> dict[str, LocalStorage]:
    names = {"source 1": "src", "archive 1": "objects", "archive 2": "tar", "results": "out"}
    return {name: LocalStorage(home / folder) for name, folder in names.items()}


def plan(home: Path, *uids: str) -> None:
    subject = Subject(uid=uids[0])
    found = find(stores(home), subject)
    assert (found.mixed, found.named, found.held) == (set(), set(), {})
    asked = ErasureRequest("--uid", {}, ledger=False)
    erasure.write(home / "erase.json", asked, subject, found, now=2e9)


def apply(home: Path) -> list[str]:
    spool, state = home / "spool", home / "state"
    audit = Audit(state, lambda: 2e9)
    told = erasure.read(home / "erase.json")
    done = erase(told, Places(stores(home), spool, state), audit, lambda: 2e9)
    return [one.problem for one in done if one.problem]


def grep(home: Path, token: str) -> list[str]:
    return [
        str(path)
        for path in home.rglob("*")
        if path.name != "erase.json"
        and (token in path.name or (path.is_file() and token.encode() in path.read_bytes()))
    ]


def test_without_nobody_it_is_as_it_was(made):
    """All that receipt and document say is derived again."""
    found = published(made)
    left = without_user(found, Subject(uid="1"), documents(made))
    now, before = json.loads(left.published.text), json.loads(found.text)
    assert [one.name.rpartition(".s")[2] for one in left.documents] == [
        *("ession.json", "peakers.json", "peakers.vtt"),
    ]
    for one, text in left.documents.items():
        assert text == (made / "out" / one.key).read_bytes()
    assert [*now] == [*before]
    assert {**now, "besides": []} == {**before, "besides": []}


def test_whose_it_is(made):
    found = published(made)
    assert [is_of(found, Subject(uid=uid)) for uid in (*UIDS, "42")] == [True, True, False]
    assert not is_alone(found, Subject(uid=GONE))


def test_a_user_cannot_be_taken_out_of_one_file_of_all(made, tmp_path, ffmpeg):
    small = Arrangement(canvas=Canvas(64, 36))
    for users, alone in (((), False), ((GONE,), True)):
        chosen = {"users": Users.ALL, "arrangement": small, "uids": users}
        out = tmp_path / str(alone)
        played.convert(made / "src", out, ffmpeg, Options(**chosen, spool=out / "spool"))
        found = published(out.parent, out.name)
        assert is_of(found, Subject(uid=GONE)) is alone
        assert is_alone(found, Subject(uid=GONE)) is alone


@pytest.mark.parametrize(("cues", "can"), [(3, False), (0, True)])
def test_a_user_cannot_be_taken_out_of_captions_of_all(made, cues, can):
    found = published(made)
    told = replace(found, receipt={**found.receipt, "captions": [{"cues": cues}]})
    assert is_of(told, Subject(uid=GONE)) is can


def test_a_receipt_and_a_document_of_those_who_are_left(made):
    left = without_user(published(made), Subject(uid=GONE), documents(made))
    told = json.loads(left.published.text)
    assert GONE.encode() not in b"".join([left.published.text, *left.documents.values()])
    spoken = next(text for one, text in left.documents.items() if one.name.endswith(".vtt"))
    assert f"<v {STAYS}>".encode() in spoken

    def again(one):
        return next(text for other, text in left.documents.items() if other.key == one.key)

    assert [user["uid"] for user in told["users"]] == [STAYS]
    assert left.published.key.endswith(f"__uid_s_{STAYS}.mp4")
    assert told["output"]["sha256"] == told["pieces"][0]["sha256"]
    assert (
        without_user(left.published, Subject(uid=GONE), again).published.text == left.published.text
    )


def test_a_user_who_was_asked_for_by_name(made):
    found = published(made)
    names = json.dumps({GONE: ["Anna", "host"], STAYS: ["Ben", ""]})
    asked = {**found.receipt["settings"], "uids": f"{STAYS},{GONE}", "names": names}
    named = replace(found, receipt={**found.receipt, "settings": asked})
    left = without_user(named, Subject(uid=GONE), documents(made))
    assert left.published.receipt["settings"]["uids"] == STAYS
    assert left.published.receipt["settings"]["names"] == json.dumps({STAYS: ["Ben", ""]})


@pytest.mark.parametrize("form", FORMS)
def test_bags_are_valid_and_name_nobody_who_was_erased(home, form):
    plan(home, GONE)
    assert apply(home) == []
    assert grep(home, GONE) == []
    archive = LocalStorage(home / form.value)
    (place,) = archives.places(archive)
    assert check(archive, place, fast=False).problems == ()
    made = published(home)
    assert archives.read(archive, place, f"data/metadata/{made.receipt_key}") == made.text
    root = validate(archives.read(archive, place, "data/metadata/premis.xml"))
    types = [one.text for one in root.iter("{http://www.loc.gov/premis/v3}eventType")]
    assert types[-1] == "deletion"
    media = [path for path in grep(home, STAYS) if path.endswith(".mp4")]
    assert len(media) == 2  # the result, and in the bag of objects


@dataclass(frozen=True)
class Bucket:
    """The same places in a bucket that keeps versions, and a ledger on a server."""

    home: Path
    name: str
    client: Any
    ledger: Ledger

    @property
    def stores(self) -> dict[str, S3Storage]:
        places = ("source 1", "src"), ("archive 1", "objects"), ("archive 2", "tar")
        named = [*places, ("results", "out")]
        return {name: S3Storage(self.name, prefix, self.client) for name, prefix in named}

    @property
    def places(self) -> Places:
        return Places(self.stores, self.home / "spool", self.home / "state", self.ledger)

    def rows(self) -> dict[str, list[str]]:
        """All that the ledger holds, without ids and times."""
        own = {"id", "rec_id", "at", "since", "first_seen"}
        with self.ledger.reading() as connection:
            return {
                table.name: sorted(
                    repr({k: v for k, v in row._mapping.items() if k not in own})
                    for row in connection.execute(sa.select(table))
                )
                for table in metadata.sorted_tables
            }

    def grep(self, token: str) -> list[str]:
        """Where a text is: in any version of any object, in a row, in the spool or state."""
        rows = [row for rows in self.rows().values() for row in rows if token in row]
        files = grep(self.home / "spool", token) + grep(self.home / "state", token)
        told = self.client.list_object_versions(Bucket=self.name)
        marks = [one["Key"] for one in told.get("DeleteMarkers", ()) if token in one["Key"]]
        return [*rows, *files, *marks, *(one for one in self._versions(told, token))]

    def _versions(self, told: Any, token: str) -> Iterator[str]:
        for one in told["Versions"]:
            place = {"Bucket": self.name, "Key": one["Key"], "VersionId": one["VersionId"]}
            data = self.client.get_object(**place)["Body"].read()
            if token in one["Key"] or token.encode() in data:
                yield f"{one['Key']} {one['VersionId']}"


@pytest.fixture
def bucket(weed, made, tmp_path, shared) -> Iterator[Bucket]:
    """Everything stored twice, and every slice deleted in between; a report, and one deleted."""
    name, client = weed.new_bucket(), weed.client
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    folders = (made / name for name in ("src", "objects", "tar", "out"))
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    for again in (False, True):
        for path in files:
            key = path.relative_to(made).as_posix()
            client.put_object(Bucket=name, Key=key, Body=path.read_bytes())
            if not again and path.suffix == ".ts":
                client.delete_object(Bucket=name, Key=key)
    stem = published(made).stem
    told = f"{stem}__uid_s_{GONE}.mp4 {stem}__uid_s_{STAYS}.mp4".encode()
    for key in (f"out/{stem}.html", f"out/{stem}.v2.html"):
        for _ in range(2):
            client.put_object(Bucket=name, Key=key, Body=told)
    client.delete_object(Bucket=name, Key=key)  # as cleanup does with old reports
    with Ledger(shared) as ledger:
        rebuild(ledger, S3Storage(name, "out", client))
        yield Bucket(tmp_path, name, client, ledger)
        with ledger.writing() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))


def erased(bucket: Bucket, uid: str) -> None:
    """What ``recpipe clean erase`` and ``recpipe clean apply`` do."""
    subject, path, audit = Subject(uid=uid), bucket.home / "e.json", Audit(bucket.home / "state", T)
    found = find(bucket.stores, subject)
    assert (found.mixed, found.named, held(bucket.places, subject, found)) == (set(), set(), {})
    erasure.write(path, ErasureRequest("--uid", {}, ledger=True), subject, found, now=T())
    done = [*erase(erasure.read(path), bucket.places, audit, T)]
    assert [one.problem for one in done if one.problem] == []


def test_in_a_bucket_with_versions_and_a_ledger_on_a_server(bucket):
    """One user after the other; in between all is as if the first had never been there."""
    assert len(bucket.grep(GONE)) > 30
    before = bucket.grep(f"{STAYS}__uid_e")
    erased(bucket, GONE)
    assert bucket.grep(GONE) == []
    media = [name for name in before if ".ts " in name]
    assert set(media) <= set(bucket.grep(f"{STAYS}__uid_e"))
    for name in ("archive 1", "archive 2"):
        (place,) = archives.places(bucket.stores[name])
        assert check(bucket.stores[name], place, fast=False).problems == ()
    kept = bucket.rows()
    with bucket.ledger.writing() as connection:
        connection.execute(sa.delete(metadata.tables["recordings"]))
    rebuild(bucket.ledger, bucket.stores["results"])
    again = bucket.rows()
    assert [kept[name] for name in ("artifacts", "sources")] == [
        again[name] for name in ("artifacts", "sources")
    ]
    erased(bucket, STAYS)
    told = bucket.client.list_object_versions(Bucket=bucket.name)
    left = [*told.get("DeleteMarkers", ()), *told["Versions"]]
    assert {one["Key"].split(".")[0] for one in left} == {"out/erased"}
    assert bucket.rows()["recordings"] == []


def test_nothing_is_left_of_the_last_user(home, monkeypatch):
    """Of a session of one user each place is listed once, and of that session alone again."""
    plan(home, GONE)
    assert apply(home) == []
    listed = []
    real = traces.listing
    monkeypatch.setattr(traces, "listing", lambda s, p="": listed.append(p) or real(s, p))
    plan(home, STAYS)
    (stem,) = {path.name.split("__")[0] for path in (home / "src").iterdir()}
    assert listed.count("") == len(stores(home))
    assert {prefix for prefix in listed if stem not in prefix} == {""}
    assert apply(home) == []
    for folder in ("src", "objects", "tar"):
        files = [p for p in (home / folder).rglob("*") if p.is_file()]
        assert files == [], folder
    assert {path.suffix for path in (home / "out").iterdir()} == {".xml"}


class KilledError(BaseException):
    """Nothing that is done after it is done, as after SIGKILL."""


def test_killed_at_any_write_it_is_finished_by_running_again(home, monkeypatch):
    """Each run is ended one write or deletion later than the one before."""
    plan(home, GONE)
    left = 0

    def dying(real):
        def act(*args, **kwargs):
            nonlocal left
            left -= 1
            if left < 0:
                raise KilledError
            return real(*args, **kwargs)

        return act

    monkeypatch.setattr(LocalStorage, "put", dying(LocalStorage.put))
    monkeypatch.setattr(LocalStorage, "delete", dying(LocalStorage.delete))
    killed = 0
    for allowed in (0, 1, 3, 9, 2, 12, 5, 7, 15, 3, 20, 8, 25, 30, 40):
        left = allowed
        try:
            apply(home)
        except KilledError:
            killed += 1
    assert killed > 8
    monkeypatch.undo()
    assert apply(home) == []
    assert grep(home, GONE) == []
    for form in FORMS:
        archive = LocalStorage(home / form.value)
        (place,) = archives.places(archive)
        assert check(archive, place, fast=False).problems == ()


def test_damage_of_others_stays_visible(home):
    (slice, *_) = sorted((home / "objects").rglob(f"*{STAYS}*video*.ts"))
    slice.write_bytes(b"damaged")
    plan(home, GONE)
    apply(home)
    archive = LocalStorage(home / "objects")
    (place,) = archives.places(archive)
    (problem, *_) = check(archive, place, fast=False).problems
    assert (problem.kind, problem.path.endswith(slice.name)) == ("changed", True)


def test_the_trash_names_the_receipt_as_it_is_now(home):
    """What is left of a session in the trash can still be restored and purged."""
    first = published(home)
    objects = [{"key": one.key, "size": 1} for one in first.inputs]
    told = {"recording": first.id, "receipt_key": first.receipt_key, "objects": objects}
    told |= {"receipt_sha256": first.receipt_sha256, "key": first.key, "size": 1, "sha256": ""}
    plan(home, GONE)
    apply(home)
    now = published(home)
    rewrite = rewriting.Rewrite(stores(home), Subject(uid=GONE), home / "spool")
    left = rewriting._candidate(told, rewrite)
    assert (left["receipt_sha256"], left["key"]) == (now.receipt_sha256, now.key)
    assert [one["key"] for one in left["objects"]] == [one.key for one in now.inputs]
    assert rewriting._candidate(left, rewrite) == left


def test_what_ffmpeg_said_of_the_user_goes_and_what_it_said_of_others_stays(made):
    before = published(made)
    first, second = sorted(UIDS, key=lambda uid: uid not in before.key)
    for named, kept in ((first, True), (second, False)):
        messages = [f"{before.id}__uid_s_{named}__uid_e_video.ts: damaged"]
        muxer = {**before.receipt["muxer"], "command": ["ffmpeg"], "messages": messages}
        told = replace(before, receipt={**before.receipt, "muxer": muxer})
        said = without_user(told, Subject(uid=second), documents(made)).published.receipt["muxer"]
        assert said["messages"] == (messages if kept else [])
        assert said["command"] == (["ffmpeg"] if kept else [])
