"""The files of one recording go to their places, and the receipt last; two runs publish once."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import ExistsError, NotFoundError, StorageError
from pipeline.jobs.output.captions import as_before, with_unused
from pipeline.jobs.output.make_file import Job, MadeFile
from pipeline.model import Inventory, Report, SourceFile, StoredObject, Verdict
from pipeline.receipts.earlier import Earlier, earlier, lost
from pipeline.receipts.inputs import only_more_inputs, same_inputs
from pipeline.receipts.report import report_of
from pipeline.receipts.write import receipt
from pipeline.stages import publish
from pipeline.stages.fetch.fetch import digests
from pipeline.stages.fetch.in_folder import in_place
from pipeline.stages.publish import Result
from pipeline.stages.segments import LocalSegment, objects_of
from pipeline.storage.temporaries import is_temporary


def result_keys(key: str, count: int) -> list[str]:
    """The key of the only file, or of each of several."""
    if count == 1:
        return [key]
    return [publish.piece_key(key, number) for number in range(1, count + 1)]


def done_before(job: Job, inventory: Inventory) -> Report | None:
    """The report of an earlier run on the same source; None when there is work to do."""
    with job.clock.stage("publish"):
        before = earlier(job.target.storage, job.target.key)
    if before is None or before.receipt is None or job.options.force:
        return None
    now = objects_read(inventory)
    same = before.receipt["settings"] == job.options.settings
    if same and same_inputs(before.receipt, now) and as_before(before.receipt, job.captions):
        storage = job.target.storage
        return report_of(
            before.receipt,
            source=job.recording.source,
            outputs=[storage.url(key) for key in before.files],
            beside=storage.url(publish.receipt_key(job.target.key)),
        )
    if same and not only_more_inputs(before.receipt, now):
        detail = "was made from segments that are no longer there or have changed"
        raise ExistsError(f"{job.target.url}: {detail}; keep it, or replace it with --force")
    _refuse_to_drop_users(job, before.receipt)
    return None


def _refuse_to_drop_users(job: Job, receipt: Mapping[str, Any]) -> None:
    """Files of users that were not asked for would go with the result that is replaced."""
    told = {str(user["uid"]) for user in receipt.get("users", ())}
    if job.options.uids and told - {*job.options.uids}:
        others = ", ".join(sorted(told - {*job.options.uids}))
        detail = f"holds other users as well ({others})"
        raise ExistsError(f"{job.target.url}: {detail}; name another folder, or give --force")


def objects_read(inventory: Inventory) -> list[StoredObject]:
    """Everything a result is made of: segments, and what is read besides them."""
    found = {s.object.key: s.object for s in inventory.segments if s.object}
    return [*_read_besides(inventory), *found.values()]


def _read_besides(inventory: Inventory) -> list[StoredObject]:
    """What is read besides segments: playlists and initialisation sections.  Keys are secret."""
    inits = {s.init.key: s.init for s in inventory.segments if s.init}
    return [*inventory.playlists, *inits.values()]


class Origin(Struct, frozen=True, eq=False):
    """What was read of a recording: the objects of its segments, and what receipts say of them."""

    objects: Sequence[StoredObject] = ()
    inputs: Sequence[SourceFile] = ()


def origin(fetched: Sequence[LocalSegment]) -> Origin:
    """That of segments as they were found."""
    return Origin(objects_of(fetched), digests(fetched))


class Publication(Struct, frozen=True, eq=False):
    """All that goes to its place together."""

    made: Sequence[MadeFile]
    keys: Sequence[str]  # of each of these
    origin: Origin
    told: Callable[[Sequence[Report]], Report]  # the reports of the files as one
    besides: Mapping[str, Callable[[Report], bytes]] = {}  # by key: what else is written


def publish_all(job: Job, inventory: Inventory, all_of: Publication) -> Report:
    """Every file is there and proven: now they go to their places, and the receipt last."""
    made = all_of.made
    report = all_of.told([one.report for one in made])
    if report.verdict is Verdict.REJECTED and not report.users:
        return report
    _refuse_changed(job, all_of.origin.objects)
    quicker = done_before(job, inventory)
    if quicker is not None:  # another machine, meanwhile
        return quicker
    with job.clock.stage("publish"), ExitStack() as temporaries:
        storage, key = job.target.storage, job.target.key
        placed = [publish.place(storage, one) for one in all_of.keys]
        done = [
            replace(one.report, output=storage.url(where))
            for one, where in zip(made, placed, strict=True)
        ]
        report = replace(all_of.told(done), receipt=storage.url(publish.receipt_key(key)))
        report = replace(report, captions=with_unused(report.captions, job.captions))
        besides = [
            _written(job, publish.place(storage, name), write(report), temporaries)
            for name, write in all_of.besides.items()
        ]
        inputs = [*_digests(job, _read_besides(inventory)), *all_of.origin.inputs]
        note = receipt(report, inputs, settings=job.options.settings, muxer=_muxer(job, made))
        if besides:
            note["besides"] = [_note(one) for one in besides]
        results = [_result(one, where) for one, where in zip(made, placed, strict=True)]
        published = _publish(job, note, [*results, *besides])
    return _by_this_run(report) if published else _of_the_quicker_one(job, inventory)


def _by_this_run(report: Report) -> Report:
    users = (replace(user, made=True, receipt=report.receipt) for user in report.users)
    return replace(report, made=True, users=tuple(users))


def _written(job: Job, key: str, data: bytes, temporaries: ExitStack) -> Result:
    """A small file on its way to its key."""
    temporary = job.target.storage.temporary(key, job.options.spool)
    temporaries.callback(temporary.unlink, missing_ok=True)
    temporary.write_bytes(data)
    kind = "text/vtt" if key.endswith(".vtt") else "application/json"
    return Result(temporary, key, len(data), hashlib.sha256(data).hexdigest(), kind)


def _note(one: Result) -> dict[str, Any]:
    return {"file": one.key.rpartition("/")[2], "size": one.size, "sha256": one.sha256}


def _of_the_quicker_one(job: Job, inventory: Inventory) -> Report:
    """Another machine did the same work and was done first."""
    report = done_before(job, inventory)
    if report is None:
        raise StorageError(f"{job.target.url}: another run is publishing it; run again")
    return report


def _refuse_changed(job: Job, found: Sequence[StoredObject]) -> None:
    """Files that are read in place may change under our hands."""
    if in_place(found, job.source):
        for before in found:
            if job.source.head(before.key) != before:
                where = job.source.url(before.key)
                raise StorageError(f"{where}: changed while it was converted; run again")


def _digests(job: Job, small: list[StoredObject]) -> list[SourceFile]:
    datas = [b"".join(job.source.open(one.key)) for one in small]
    sha256 = [hashlib.sha256(data).hexdigest() for data in datas]
    return [SourceFile(o.key, o.size, o.etag, s) for o, s in zip(small, sha256, strict=True)]


def _publish(job: Job, note: dict[str, Any], results: Sequence[Result]) -> bool:
    """False if another run was quicker; ``note`` is the receipt, and gets its last lines here."""
    storage, key = job.target.storage, job.target.key
    placed = [one.key for one in results]
    before = earlier(storage, key)
    explained = before.files if before is not None and before.receipt is not None else ()
    if not job.options.force:
        _refuse_what_nothing_explains(job, results, explained, before)
    if job.target.name:
        note["name"] = job.target.name
    note["output"]["file"] = placed[0].rpartition("/")[2]
    try:
        publish.publish(
            results[0].temporary,
            storage,
            key,
            note,
            format=publish.format_of(results[0].key),
            sha256=results[0].sha256,
            placed=placed[0],
            more=results[1:],
            replacing=before is not None or (job.options.force and len(results) > 1),
            guard=lambda: job.options.guard(placed[0]),
            sent=partial(job.options.progress, "publish"),
        )
    except ExistsError:
        if before is not None or not storage.shared:
            raise
        return False
    if lost(storage, key, *placed):
        return False
    for old in explained:
        if old not in placed:
            storage.delete(old)  # the receipt speaks of ours now
    return True


def _result(made: MadeFile, placed: str) -> Result:
    assert made.report.size is not None
    assert made.report.sha256 is not None
    kind = publish.CONTENT_TYPES[publish.format_of(placed)]
    return Result(made.temporary, placed, made.report.size, made.report.sha256, kind)


def _refuse_what_nothing_explains(
    job: Job, results: Sequence[Result], explained: Sequence[str], before: Earlier | None
) -> None:
    """A file that stands where one of ours goes, and is not the very same."""
    storage = job.target.storage
    if before is not None and not explained:
        publish.refuse_other(storage, before.key, results[0].sha256)
    for one in results if len(results) > 1 else ():
        if one.key in explained:
            continue
        try:
            publish.refuse_other(storage, one.key, one.sha256)
        except NotFoundError:
            continue


def _shown(part: str) -> str:
    """A word of a command; of a file that was there for it alone, what it held."""
    return "CAPTIONS" if is_temporary(Path(part)) else part


def _muxer(job: Job, made: Sequence[MadeFile]) -> dict[str, object]:
    """What ffmpeg was asked and what it said; of several files, of the first."""
    first = made[0]
    known = str(first.temporary)
    return {
        "version": job.ffmpeg.version,
        "command": ["OUTPUT" if part == known else _shown(part) for part in first.command],
        "messages": first.messages.splitlines()[-20:],
    }
