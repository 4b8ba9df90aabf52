"""The files of one recording go to their places, and the receipt last; two runs publish once."""

from collections.abc import Sequence

from pipeline.errors import ExistsError, NotFoundError
from pipeline.jobs.make_file import Job, Made
from pipeline.model import Report, SourceFile
from pipeline.receipts.earlier import Earlier, earlier, lost
from pipeline.receipts.write import receipt
from pipeline.stages import publish
from pipeline.stages.publish import Result


def result_keys(key: str, count: int) -> list[str]:
    """The key of the only file, or of each of several."""
    if count == 1:
        return [key]
    return [publish.piece_key(key, number) for number in range(1, count + 1)]


def publish_all(
    job: Job,
    report: Report,
    made: Sequence[Made],
    inputs: Sequence[SourceFile],
    placed: Sequence[str],
) -> bool:
    """False if another run was quicker."""
    storage, key = job.target.storage, job.target.key
    before = earlier(storage, key)
    results = [_result(one, where) for one, where in zip(made, placed, strict=True)]
    explained = before.files if before is not None and before.receipt is not None else ()
    if not job.options.force:
        _refuse_what_nothing_explains(job, results, explained, before)
    note = receipt(report, inputs, settings=job.options.settings, muxer=_muxer(job, made))
    if job.target.name:
        note["name"] = job.target.name
    note["output"]["file"] = placed[0].rpartition("/")[2]
    try:
        publish.publish(
            results[0].temporary,
            storage,
            key,
            note,
            format=job.options.format,
            sha256=results[0].sha256,
            placed=placed[0],
            more=results[1:],
            replacing=before is not None or (job.options.force and len(results) > 1),
            guard=lambda: job.options.guard(placed[0]),
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


def _result(made: Made, placed: str) -> Result:
    assert made.report.size is not None
    assert made.report.sha256 is not None
    return Result(made.temporary, placed, made.report.size, made.report.sha256)


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


def _muxer(job: Job, made: Sequence[Made]) -> dict[str, object]:
    """What ffmpeg was asked and what it said; of several files, of the first."""
    first = made[0]
    command = first.converted.command
    return {
        "version": job.ffmpeg.version,
        "command": [part if part != str(first.temporary) else "OUTPUT" for part in command],
        "messages": first.converted.messages.splitlines()[-20:],
    }
