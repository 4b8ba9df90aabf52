"""Erases recordings, or one user's part of them, for good and everywhere; a hold wins.

The rules are those of "Erase" in ``docs/cleanup.md``.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import RecpipeError
from pipeline.jobs.agora.sessions import Sessions
from pipeline.jobs.locks import locked_at_once
from pipeline.ledger import erasing
from pipeline.ledger.erasing import ErasableRecording
from pipeline.ledger.ledger import Ledger
from pipeline.retention import document, record, trash
from pipeline.retention.apply import Done, refuse_a_plan_out_of_time
from pipeline.retention.audit import Audit
from pipeline.retention.erasure import traces
from pipeline.retention.erasure.document import Erasure
from pipeline.retention.erasure.subject import Subject, sid_of, without
from pipeline.retention.erasure.traces import Trace, Traces
from pipeline.retention.plan import GuardError
from pipeline.storage import Storage
from pipeline.storage.names import TRASH, printable
from pipeline.storage.oserrors import os_errors
from pipeline.storage.spool import put_bytes

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
        for one in found.objects:
            if one.store == store and one.sid not in reasons:
                why = traces.protection(storage, versions, one)
                if why is not None:
                    reasons[one.sid] = f"{one.key.rpartition('/')[2]}: {why}"
    for entry in entries(places.ledger, subject, whole=True):
        sid = sid_of(entry.name)
        if entry.held and sid is not None:
            reasons[sid] = "held"
    return reasons | found.held


def entries(
    ledger: Ledger | None, subject: Subject, *, whole: bool = False
) -> list[ErasableRecording]:
    """The ledger's recordings of the subject; ``whole``: also those the user may be part of."""

    def chosen(entry: ErasableRecording) -> bool:
        told = (entry.name, entry.source, entry.place)
        return any(subject.owner(one) or (whole and subject.session(one)) for one in told)

    return erasing.entries(ledger, chosen) if ledger else []


def erase(plan: Erasure, places: Places, audit: Audit, now: Callable[[], float]) -> Iterator[Done]:
    """Delete for good what a plan names.  Run again after a crash, it finishes.

    ``now`` gives seconds since the epoch.  Raises ``GuardError`` if the plan is too old, a clock is
    wrong, or its ledger is gone; problems of one recording are values.
    """
    refuse_a_plan_out_of_time(plan.made, audit, now)
    if plan.ledger and places.ledger is None:
        raise GuardError("planned with a ledger that is not there any more; name it, or plan again")
    now_there = traces.look(places.stores, plan.subject)
    reasons = held(places, plan.subject, replace(now_there, objects=list(plan.objects)))
    audit.tell("erase", plan.run, reason=plan.reason, objects=len(plan.objects))
    stays = set(reasons)
    for sid in plan.sids:
        done = _objects(sid, plan, places, reasons.get(sid))
        stays |= set() if done.problem is None else {sid}
        yield done
    gone = [one for one in plan.objects if one.sid not in stays]
    subject = replace(plan.subject, but=frozenset(stays))
    yield from _attempted(lambda: _spool(spooled(subject, places, gone), places))
    left = traces.look(places.stores, subject)
    yield from _attempted(lambda: _lists(left, subject, places))
    yield from _attempted(lambda: _remembered(subject, places, audit))
    yield from _left(left)
    if set(plan.sids) - stays or not plan.sids:  # what was not deleted is not recorded
        files = [one for one in gone if not one.marker]
        record.erased(places.results, plan, files, spool=places.spool, now=now())
    audit.tell("erased", plan.run, reason=plan.reason, objects=len(gone))


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
    names = {_spool_name(url) for url in _addresses(subject, places, found)}
    homes = [path for path in (places.spool, places.spool / "ingest") if path.is_dir()]
    with os_errors(f"read {places.spool}"):
        inside = [path for home in homes for path in sorted(home.iterdir())]
        return [
            path
            for path in inside
            if _OURS.fullmatch(path.stem)
            and (path.stem in names or any(_mentions(one, subject) for one in _notes_in(path)))
        ]


def _addresses(subject: Subject, places: Places, found: Iterable[Trace]) -> Iterator[str]:
    """The URLs of playlists, where they were before they went into the trash, and of bags."""
    for one in found:
        storage = places.stores[one.store]
        yield storage.url(_IN_TRASH.sub("", one.key))
        top = one.key.partition("/")[0]
        yield from (storage.url(top), storage.url(f"{top.removesuffix('.tar')}.tar"))
    for entry in entries(places.ledger, subject):
        yield f"{entry.source.rpartition('/')[0]}/{entry.name}.m3u8"


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


def _lists(left: Traces, subject: Subject, places: Places) -> None:
    """Rewrite our own lists: plans in the trash, checks of bags, users of sessions."""
    for store, key in traces.lists(left, places.stores, subject):
        storage = places.stores[store]
        told = _without(b"".join(storage.open(key)), subject, key)
        if told is None:
            storage.delete(key)
            storage.prune(trash.home_of(key.split("/")[1]))
        else:
            content = "application/json"
            put_bytes(storage, key, told, places.spool, content_type=content)
        _forget_earlier(storage, key, kept=told is not None)


def _without(text: bytes, subject: Subject, key: str) -> bytes | None:
    """A list without the subject; None if nothing is left of it."""
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise GuardError(f"{key}: no JSON; it names what was erased: look at it yourself") from None
    if not key.startswith(TRASH):
        return json.dumps(without(told, subject), indent=1, ensure_ascii=False).encode() + b"\n"
    kept = without(told["recordings"], subject)
    return document.sealed({**told, "recordings": kept}) if kept else None


def _forget_earlier(storage: Storage, key: str, *, kept: bool) -> None:
    versions = traces.versions_of(storage)
    for one in versions.of(key) if versions is not None else ():
        if versions is not None and not (kept and one.latest):
            versions.remove(key, one.id)


def _remembered(subject: Subject, places: Places, audit: Audit) -> None:
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
        erasing.erase(places.ledger, ids, lambda text: subject.mentioned(text.encode()))
