"""``recpipe clean erase``: a plan to leave nothing of a recording or a user, and its execution."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import cleaned, options, output
from pipeline.cli.archive import folder, opener, spool_of, state_of
from pipeline.cli.ledger import if_any
from pipeline.cli.ping import pinging
from pipeline.cli.quantities import DURATION
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.ledger.erasing import ErasableRecording
    from pipeline.retention.erasure.apply import Places
    from pipeline.retention.erasure.document import Erasure
    from pipeline.retention.erasure.subject import Subject
    from pipeline.retention.erasure.traces import Trace, Traces
    from pipeline.storage import Storage

SOME_FAILED = 5


@click.command(short_help="Plan to delete all of a recording or of a user, for good.")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--to", metavar="DEST", required=True, help="Where MP4s and receipts are.")
@click.option("--archive", "archives", metavar="STORE", multiple=True, help="Where bags are.")
@click.option("--sid", "of_sid", metavar="SID", help="All of this recording.")
@click.option("--uid", "of_uid", metavar="UID", help="All of this user, in individual mode.")
@click.option(
    "--older-than", "of_age", type=DURATION, metavar="TIME", help="All recordings older than this."
)
@click.option("--everywhere", is_flag=True, help="Confirm that you mean all of these places.")
@click.option("-o", "--output", metavar="FILE", default="erase.json", show_default=True)
@options.audit
@options.progress
@options.unattended
def erase(sources: tuple[str, ...], **chosen: Any) -> int:
    """Write down everything there is of a recording or a user: in SOURCE and its trash, in DEST, in
    the archives, the spool and the ledger, versions of deleted objects included.

    Nothing is deleted until recpipe clean apply is given the plan; that deletes for good.  What is
    held stays.  Of a session the other users stay, and nothing says any more that the user was in
    it.  Recordings of several users in one file that hold the user are listed, and stay.

    \b
    Examples:
      recpipe clean erase s3://calls/ --to s3://mp4/ --archive s3://vault/ --uid 527841 --everywhere
      recpipe clean erase recordings/ --to out/ --older-than 365d --everywhere
    """
    from pipeline.cli.progress import counting
    from pipeline.retention.erasure.document import ErasureRequest, write
    from pipeline.retention.erasure.mentions import find

    if not chosen["everywhere"]:
        said = "erase looks in all places at once, trash, spool and ledger included"
        raise UsageError(f"{said}; add --everywhere, and name every archive with --archive")
    with pinging(chosen["ping"]) as ended, if_any(chosen["ledger"]) as ledger:
        now = time.time()
        asked = ErasureRequest(_reason(chosen), _stores(sources, chosen), ledger is not None)
        places = _places(asked.stores, ledger, chosen)
        subject = _subject(chosen, places, now)
        with counting(None, "objects", chosen) as meter:
            found = find(places.stores, subject, meter.counted)
        _look_further(found, subject, places)
        write(Path(chosen["output"]), asked, subject, found, now=now)
        _say_found(found, subject, places, chosen)
        ended.code = 0
    return ended.code


def apply_erasure(path: Path, chosen: dict[str, Any]) -> int:
    """Delete for good what a plan names, and the plan too, as it is full of names; returns the exit
    code.  BusyError if another cleanup works on one of its places.
    """
    from pipeline.cli.progress import counting
    from pipeline.retention.audit import Audit
    from pipeline.retention.erasure import document as erasure
    from pipeline.retention.erasure.apply import erase as execute

    plan = erasure.read(path)
    with if_any(chosen["ledger"]) as ledger:
        places = _places(plan.stores, ledger, chosen)
        with _alone(plan, places):
            audit = Audit(places.state, time.time)
            problems, waiting = 0, set(plan.sids)
            with counting(len(waiting), "recordings", chosen) as meter:
                for one in execute(plan, places, audit, time.time):
                    problems += cleaned.done(one, plan.run, chosen)
                    if one.recording in waiting:  # the rest is about lists, and what came since
                        waiting.remove(one.recording)
                        meter.counted()
    if problems:
        return SOME_FAILED
    path.unlink()
    return 0


@contextmanager
def _alone(plan: "Erasure", places: "Places") -> Iterator[None]:
    """Lock every place, so that no cleanup of it runs meanwhile."""
    from pipeline.jobs.limits.locks import locked

    with ExitStack() as stack:
        for name in sorted(places.stores):
            url = places.stores[name].url()
            stack.enter_context(locked(places.state, url, wait=False))
        yield


def _stores(sources: tuple[str, ...], chosen: dict[str, Any]) -> dict[str, str]:
    """The location of every place by name; results are last, as the record goes there."""
    from pipeline.storage.locations import absolute

    found = {f"source {n}": absolute(one) for n, one in enumerate(sources, 1)}
    found |= {f"archive {n}": absolute(one) for n, one in enumerate(chosen["archives"], 1)}
    return found | {"results": absolute(chosen["to"])}


def _places(stores: Any, ledger: Any, chosen: dict[str, Any]) -> "Places":
    from pipeline.retention.claims import refuse_trash_and_root
    from pipeline.retention.erasure.apply import Places

    opened = opener(chosen)
    found = {name: folder(opened, location) for name, location in stores.items()}
    for name, storage in found.items():
        refuse_trash_and_root(storage)  # of a bucket, all may be meant: only what has a name goes
        _refuse_an_archive_inside(name, storage, found)
    return Places(found, spool_of(chosen), state_of(chosen), ledger)


def _refuse_an_archive_inside(
    name: str, storage: "Storage", stores: "Mapping[str, Storage]"
) -> None:
    """UsageError for an archive inside another place: a bag is deleted as a whole or not at all,
    which holds only for places named as archives.
    """
    url = storage.url().rstrip("/") + "/"
    for other, around in stores.items():
        inside = url.startswith(around.url().rstrip("/") + "/")
        if inside and name.startswith("archive") and not other.startswith("archive"):
            raise UsageError(f"{storage.url()}: an archive inside of {around.url()}; move it")


def _reason(chosen: dict[str, Any]) -> str:
    """The options that asked for it, without the names given: those are not kept."""
    asked = [name for name in ("of_sid", "of_uid", "of_age") if chosen[name] is not None]
    if not asked or (len(asked) > 1 and "of_age" in asked):
        raise UsageError("give --sid, --uid, both, or --older-than alone")
    words = {"of_sid": "--sid", "of_uid": "--uid"}
    return " ".join(words.get(name) or f"--older-than {chosen[name]:.0f}s" for name in asked)


def _subject(chosen: dict[str, Any], places: "Places", now: float) -> "Subject":
    from pipeline.retention.erasure.ages import older_than
    from pipeline.retention.erasure.subject import Subject, is_sid, is_uid

    sid, uid, age = chosen["of_sid"], chosen["of_uid"], chosen["of_age"]
    if age is not None:
        return older_than(places.stores, now - age)
    if sid is not None and not is_sid(sid):
        raise UsageError(f"--sid: {sid!r} is none; it has 32 hexadecimal digits")
    if uid is not None and not is_uid(uid):
        raise UsageError(f"--uid: {uid!r} is none; it is a number, as in the names of slices")
    return Subject(None if sid is None else frozenset([sid]), uid)


def _look_further(found: "Traces", subject: "Subject", places: "Places") -> None:
    """Add holds that are not files, and stores that only the ledger knows."""
    from pipeline.retention.erasure import apply as acts

    found.held |= acts.held(places, subject, found)
    urls = [storage.url().rstrip("/") + "/" for storage in places.stores.values()]
    for entry in _known(subject, places):
        for url in (entry.store, entry.destination):
            if not any(f"{url.rstrip('/')}/".startswith(one) for one in urls):
                found.elsewhere.add(url)


def _known(subject: "Subject", places: "Places") -> "list[ErasableRecording]":
    """What the ledger knows of the subject, also in sessions of others."""
    from pipeline.retention.erasure import apply as acts

    return [*acts.entries(places.ledger, subject), *acts.sharing(places.ledger, subject)]


def _say_found(
    found: "Traces", subject: "Subject", places: "Places", chosen: dict[str, Any]
) -> None:
    free = [one for one in found.objects if one.sid not in found.held]
    urls = [places.stores[one.store].url(one.key) for one in free]
    shared = [places.stores[one.store].url(one.key) for one in _shared(found)]
    if chosen["json"]:
        named = {"erase": urls, "rewrite": shared, "mixed": found.mixed, "named": found.named}
        for action, names in named.items():
            for name in sorted(names):
                output.say_json({"action": action, "where": name})
        for sid, why in sorted(found.held.items()):
            output.say_json({"action": "keep", "recording": sid, "reason": why})
    elif not chosen["quiet"]:
        from pipeline.retention.erasure import apply as acts
        from pipeline.retention.erasure import unfinished
        from pipeline.storage.names import printable

        for url in urls:
            output.say_listing(printable(f"erase  {url}"))
        known = len(_known(subject, places))
        lines = [*_summary(found, free, known, len(acts.spooled(subject, places, free)))]
        left = len(unfinished.find(places.stores, places.spool))
        lines += [f"  {left} unfinished files of killed runs, whose ever they are"] if left else []
        lines += [f"  the user is taken out of {url}" for url in shared]
        lines += [*_stays(found), *_advice(found, known, chosen)]
        output.say("\n".join(map(printable, lines)))


def _shared(found: "Traces") -> "list[Trace]":
    """Sessions and bags that stay without the user."""
    return [one for one in (*found.sessions, *found.bags) if one.sid not in found.held]


def _summary(found: "Traces", free: "list[Trace]", known: int, spool: int) -> "Iterator[str]":
    from pipeline.report.words import in_bytes

    sids, size = {one.sid for one in free}, in_bytes(sum(one.size for one in free))
    yield f"{len(sids)} recordings, {len(free)} objects, {size} are to be erased"
    yield f"  {known} entries of the ledger, {spool} folders of the spool"


def _stays(found: "Traces") -> "Iterator[str]":
    for sid, why in sorted(found.held.items()):
        yield f"  held, and stays: {sid} ({why})"
    for name in sorted(found.mixed):
        yield f"  holds the user among others, and stays: {name}"
    for name in sorted(found.named):
        yield f"  speaks of it, and stays: {name}"


def _advice(found: "Traces", known: int, chosen: dict[str, Any]) -> "Iterator[str]":
    for url in sorted(found.elsewhere):
        yield f"  the ledger knows of it in {url} too: name that place as well"
    if found.sids or found.rewritten or known:
        yield f"  nothing was deleted; recpipe clean apply {chosen['output']} does, for good"
