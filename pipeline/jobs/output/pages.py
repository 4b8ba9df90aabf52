"""The page beside a result, written behind its receipt; what is rejected has one too."""

from msgspec.structs import replace

from pipeline.errors import NotFoundError
from pipeline.jobs.output.make_file import Job
from pipeline.model import Report, Verdict
from pipeline.receipts.earlier import earlier
from pipeline.report.facts import facts
from pipeline.report.page import page
from pipeline.report.published import facts_of, page_key, put


def with_page(job: Job, report: Report) -> Report:
    """The report, with the place of its page if one was asked for.  Safe to repeat.

    The page of a result that an earlier run made is left as it is.
    """
    if not job.options.report or report.verdict is Verdict.PENDING:
        return report
    storage, key = job.target.storage, page_key(job.target.key)
    before = earlier(storage, job.target.key)
    published = before.published if before else None
    if report.output is None:
        if before is not None:  # of an older source: its page stays
            return report
        text = page(facts(report))
    elif published is None or (not report.made and _there(job, key)):
        return replace(report, page=storage.url(key)) if published else report
    else:
        text = page(facts_of(published, storage, ffmpeg=job.ffmpeg, spool=job.options.spool))
    return replace(report, page=put(text, storage, key, job.options.spool))


def _there(job: Job, key: str) -> bool:
    try:
        job.target.storage.head(key)
    except NotFoundError:
        return False
    return True
