"""Erases recordings, or one user's part of them, for good and everywhere; a hold wins.

The rules are those of "Erase" in ``docs/cleanup.md``.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import NotFoundError, RecpipeError
from pipeline.jobs.agora.sessions import Sessions
from pipeline.jobs.explain.cause import cause
from pipeline.jobs.limits.locks import locked_at_once
from pipeline.ledger import erasing
from pipeline.ledger.erasing import ErasableRecording
from pipeline.ledger.ledger import Ledger
from pipeline.receipts.read import read
from pipeline.receipts.report import reported
from pipeline.retention import record
from pipeline.retention.apply import Done, refuse_a_plan_out_of_time
from pipeline.retention.audit import Audit
from pipeline.retention.erasure import rewriting, traces, unfinished
from pipeline.retention.erasure.document import Erasure
from pipeline.retention.erasure.rewriting import Rewrite
from pipeline.retention.erasure.subject import Subject, sid_of
from pipeline.retention.erasure.traces import Trace, Traces
from pipeline.retention.plan import GuardError
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage
from pipeline.storage.names import TRASH, printable
from pipeline.storage.oserrors import os_errors
from pipeline.watch.rebuild_ledger import restored

_OURS = re.compile(r"[0-9a-f]{32}")  # a folder of the spool
_IN_TRASH = re.compile(rf"{re.escape(TRASH)}[^/]+/objects/")
_SMALL = 16 << 20  # bytes of a file of notes beside segments


class Places(Struct, frozen=True):
    """Where anything of a recording may be."""

    stores: Mapping[str, Storage]  # results, "source 1", "archive 1" ...
    spool: Path
    state: Path
    ledger: Ledger | None = None

    @property
    def results(self) -> Storage:
        """Where the record of the deletion goes."""
        return self.stores["results"]


def held(places: Places, subject: Subject, found: Traces) -> dict[str, str]:
    """The sids of recordings on hold, with the reason: beside a result, in the ledger, or by the
    store itself.
    """
    reasons = {}
    for store, storage in places.stores.items():
        versions = traces.versions_of(storage)
        for one in (*found.objects, *found.sessions, *found.bags):
            if one.store == store and one.sid not in reasons:
                why = traces.protection(storage, versions, one)
                if why is not None:
                    reasons[one.sid] = f"{one.key.rpartition('/')[2]}: {why}"
    for entry in entries(places.ledger, subject, whole=True):
        sid = sid_of(entry.name)
        if entry.held and sid is not None:
            reasons[sid] = "held"
    for one in (*found.objects, *found.sessions):
        stem = one.key.removesuffix(RECEIPT)
        reasons |= {one.sid: "held"} if (one.store, stem) in found.holds else {}
    return reasons | found.held


def entries(
    ledger: Ledger | None, subject: Subject, *, whole: bool = False
) -> list[ErasableRecording]:
    """The ledger's recordings of the subject; ``whole``: also those the user may be part of."""

    def chosen(entry: ErasableRecording) -> bool:
        told = (entry.name, entry.source, entry.place)
        return any(subject.owner(one) or (whole and subject.session(one)) for one in told)

    return erasing.entries(ledger, chosen) if ledger else []


def sharing(ledger: Ledger | None, subject: Subject) -> list[ErasableRecording]:
    """The ledger's recordings of others that the user is in as well."""
    if ledger is None or subject.uid is None:
        return []
    return erasing.sharing(ledger, lambda text: subject.mentioned(text.encode()))


def erase(plan: Erasure, places: Places, audit: Audit, now: Callable[[], float]) -> Iterator[Done]:
    """Delete for good what a plan names.  Run again after a crash, it finishes.

    ``now`` gives seconds since the epoch.  Raises ``GuardError`` if the plan is too old, a clock is
    wrong, or its ledger is gone; problems of one recording are values.
    """
    refuse_a_plan_out_of_time(plan.made, audit, now)
    if plan.ledger and places.ledger is None:
        raise GuardError("planned with a ledger that is not there any more; name it, or plan again")
    now_there = traces.look(places.stores, plan.subject)
    planned = {name: [*getattr(plan, name)] for name in ("objects", "sessions", "bags")}
    reasons = held(places, plan.subject, replace(now_there, **planned))
    audit.tell("erase", plan.run, reason=plan.reason, objects=len(plan.objects))
    stays = set(reasons)
    for sid in plan.sids:
        done = _objects(sid, plan, places, reasons.get(sid))
        stays |= set() if done.problem is None else {sid}
        yield done
    gone = [one for one in plan.objects if one.sid not in stays]
    subject = replace(plan.subject, but=frozenset(stays))
    yield from _attempted(lambda: _spool(spooled(subject, places, gone), places))
    for path in unfinished.find(places.stores, places.spool):
        yield from _attempted(partial(unfinished.remove, path, now()))
    left = traces.look(places.stores, subject)
    rewrite = Rewrite(places.stores, subject, places.spool)
    yield from _shared(plan, rewrite, now())
    yield from _attempted(lambda: rewriting.lists(left, rewrite))
    yield from _attempted(lambda: _remembered(subject, places, audit, plan.sessions))
    yield from _left(left)
    if set(plan.sids) - stays or not plan.sids:  # what was not deleted is not recorded
        files = [one for one in gone if not one.marker]
        record.erased(places.results, plan, files, spool=places.spool, now=now())
    audit.tell("erased", plan.run, reason=plan.reason, objects=len(gone))


def _shared(plan: Erasure, rewrite: Rewrite, now: float) -> Iterator[Done]:
    """Sessions and bags that hold others as well."""
    stays = rewrite.subject.but
    for one in (one for one in plan.sessions if one.sid not in stays):
        yield from _attempted(partial(rewriting.session, one, rewrite))
    for one in (one for one in plan.bags if one.sid not in stays):
        yield from _attempted(partial(rewriting.in_bag, one, rewrite, run=plan.run, now=now))


def _attempted(act: Callable[[], None]) -> Iterator[Done]:
    try:
        act()
    except RecpipeError as error:
        yield Done("", "erased", 0, 0, printable(error))


def _objects(sid: str, plan: Erasure, places: Places, why: str | None) -> Done:
    mine = [one for one in plan.objects if one.sid == sid]
    if why is not None:
        return Done(sid, "erased", 0, 0, why)
    try:
        for store, storage in places.stores.items():
            versions = traces.versions_of(storage)
            here = [one for one in mine if one.store == store]
            for one in here:
                traces.remove(storage, versions, one)
            traces.prune(storage, here)
            for upload in plan.uploads:
                if (upload.store, upload.sid) == (store, sid):
                    storage.abort(upload.key, upload.id)
    except RecpipeError as error:
        return Done(sid, "erased", 0, 0, printable(error))
    return Done(sid, "erased", len(mine), sum(one.size for one in mine))


def _left(left: Traces) -> Iterator[Done]:
    """Objects that came since it was planned: a recording still ran, or was converted again."""
    for sid in left.sids:
        count = sum(one.sid == sid for one in left.objects)
        yield Done(sid, "erased", 0, 0, f"{count} objects came since it was planned; plan again")


def spooled(subject: Subject, places: Places, found: Iterable[Trace]) -> list[Path]:
    """Folders and journals of the spool that hold something of the subject.

    Their names are digests of the URL of a playlist or bag; notes in them hold names in clear.
    """
    folders = {_spool_name(url) for url in _addresses(subject, places, found)}
    every = (places.spool, places.spool / "ingest", places.spool / "finished")
    homes = [path for path in every if path.is_dir()]
    with os_errors(f"read {places.spool}"):
        inside = [path for home in homes for path in sorted(home.iterdir())]
        return [
            path
            for path in inside
            if _OURS.fullmatch(path.stem)
            and (path.stem in folders or any(_mentions(one, subject) for one in _notes_in(path)))
        ]


def _addresses(subject: Subject, places: Places, found: Iterable[Trace]) -> Iterator[str]:
    """The URLs of playlists, where they were before they went into the trash, and of bags."""
    for one in found:
        storage = places.stores[one.store]
        yield storage.url(_IN_TRASH.sub("", one.key))
        yield from map(storage.url, _session_of(one.key))
        top = one.key.partition("/")[0]
        yield from (storage.url(top), storage.url(f"{top.removesuffix('.tar')}.tar"))
    for entry in entries(places.ledger, subject):
        yield f"{entry.source.rpartition('/')[0]}/{entry.name}.m3u8"


def _session_of(key: str) -> Iterator[str]:
    """What the session of a user's playlist is called, where it lay."""
    folder, slash, name = _IN_TRASH.sub("", key).rpartition("/")
    listed = names.parse_playlist_name(name)
    stream = names.parse_stream(listed.cname) if listed else None
    if listed and stream:
        yield f"{folder}{slash}{names.stem(listed.sid, stream.cname)}"


def _spool_name(url: str) -> str:
    return sha256(url.encode()).hexdigest()[:32]


def _notes_in(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for one in path.rglob("*"):
        if one.is_file() and one.suffix != ".segment":
            yield one


def _mentions(path: Path, subject: Subject) -> bool:
    if subject.mentioned(os.fsencode(path.name)):
        return True
    with suppress(OSError):
        return path.stat().st_size <= _SMALL and subject.mentioned(path.read_bytes())
    return False


def _spool(paths: list[Path], places: Places) -> None:
    for path in paths:
        with (
            locked_at_once(places.spool, str(path)) as ours,
            os_errors(f"remove {path}"),
            suppress(FileNotFoundError),
        ):
            if not ours:
                raise GuardError(f"{path}: in use; run again when it is done")
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _remembered(subject: Subject, places: Places, audit: Audit, shared: Sequence[Trace]) -> None:
    """Forget the subject in the ledger, in the sessions that were started, and in the audit
    trail.
    """
    if subject.uid is not None:
        audit.unname(subject.uid)
    sessions = Sessions(places.state)
    for known in sessions.all():
        if subject.uid is None and known.sid is not None and subject.owner(known.sid):
            sessions.forget(known)
        elif any(subject.owner(file) for file in known.files):
            left = tuple(file for file in known.files if not subject.owner(file))
            sessions.write(replace(known, files=left))
    if places.ledger is not None:
        ids = [entry.id for entry in entries(places.ledger, subject)]
        made = [*_published(shared, places, subject)]
        erasing.erase(places.ledger, ids, lambda text: subject.mentioned(text.encode()), made)


def _published(
    shared: Sequence[Trace], places: Places, subject: Subject
) -> Iterator[erasing.LeftVersion]:
    """What the ledger keeps of sessions that lost the user."""
    for one in (one for one in shared if one.sid not in subject.but):
        storage = places.stores[one.store]
        with suppress(NotFoundError):
            made = read(storage, one.key)
            found = restored(made, storage)
            if found is not None:
                yield erasing.LeftVersion(found.made, cause(reported(made)))
