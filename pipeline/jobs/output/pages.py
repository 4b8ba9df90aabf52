"""The page beside a result, written behind its receipt; what is rejected has one too."""

from msgspec.structs import replace

from pipeline.jobs.output.make_file import Job
from pipeline.model import Report, Verdict
from pipeline.receipts.earlier import earlier
from pipeline.report.facts import facts
from pipeline.report.page import page
from pipeline.report.published import facts_of, is_page, page_key, put


def with_page(job: Job, report: Report) -> Report:
    """The report, with the place of its page.  Safe to repeat.

    The page of a result that an earlier run made is left as it is.
    """
    if report.verdict is Verdict.PENDING:
        return report
    storage, key = job.target.storage, page_key(job.target.key)
    before = earlier(storage, job.target.key)
    if report.output is None and before is None:
        text = page(facts(report))
    elif report.output is None or before is None or before.published is None:
        return report  # what stands there was made of an older source, and its page stays
    elif not report.made and is_page(storage, key):
        return replace(report, page=storage.url(key))
    else:
        found, spool = before.published, job.options.spool
        text = page(facts_of(found, storage, ffmpeg=job.ffmpeg, spool=spool))
    return replace(report, page=put(text, storage, key, job.options.spool))
