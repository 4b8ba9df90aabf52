"""Makes a plan: sweeps the source, asks the stores, and writes down exactly what would go."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from pipeline.errors import RecpipeError
from pipeline.jobs.published import Published, Unreadable, find, read
from pipeline.model import SourceFile, StoredObject
from pipeline.retention import document, plan, versions
from pipeline.retention.document import Leftover
from pipeline.retention.interlocks import HOLD, TAGS, Checks, protected
from pipeline.retention.plan import Claim, GuardError, Match, Rules, Seen
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage
from pipeline.storage.names import TRASH, printable

Keep = Callable[[str, str], None]  # recording, why


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording that stays, and why."""

    recording: str
    reason: str


@dataclass(slots=True)
class Survey:
    """What a plan came to."""

    run: str = ""
    recordings: int = 0
    objects: int = 0
    size: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    seen: Seen = field(default_factory=Seen)
    leftovers: int = 0


@dataclass(frozen=True, slots=True)
class Where:
    """The stores of a plan, as the user named them; what kind of trash there is to be."""

    source: str | None
    results: str | None
    archive: str | None = None
    trash: str = document.COPY


def survey(
    where: Where,
    checks: Checks,
    rules: Rules,
    to: Path,
    *,
    now: float,
    leftovers: Iterable[Leftover] = (),
    tell: Callable[[Kept | document.Candidate], None] = lambda one: None,
    unknown: Callable[[StoredObject], None] = lambda found: None,
) -> Survey:
    """Write a plan to a file; GuardError, and no file, if anything about the whole looks wrong."""
    refuse_a_whole_store(checks.source)
    if where.trash == document.VERSIONS:
        versions.of(checks.source)
    made = Survey()

    def keep(recording: str, why: str) -> None:
        made.kept[_kind(why)] += 1
        tell(Kept(recording, why))

    claims, receipts = _claims(checks, keep)
    newest = plan.latest(claims, rules.keep_last) if rules.keep_last else set()

    def load(claim: Claim) -> tuple[Published, Mapping[str, SourceFile]]:
        published = read(checks.results, claim.receipt_key)
        return published, inputs_in(published, checks.source) or {}

    with tempfile.TemporaryFile("w+", encoding="utf-8") as candidates:
        listing = _besides_trash(checks.source, made.seen)
        for match in plan.sweep(listing, claims, load, made.seen, unknown):
            why = plan.kept_because(match, rules, newest, now)
            if why is not None:
                keep(match.published.id, why)
            else:
                candidates.write(json.dumps(_told(match)) + "\n")
        plan.refuse_the_whole(made.seen, receipts, len(claims), now)
        candidates.seek(0)
        header = {
            "schema": document.SCHEMA,
            "made": now,
            "source": where.source,
            "results": where.results,
            "archive": where.archive,
            "ledger": checks.ledger is not None,
            "trash": where.trash,
            "verify": checks.verify,
            "include_degraded": checks.include_degraded,
            "rules": {k: v for k, v in asdict(rules).items() if v != float("inf")},
        }
        with document.writing(to, header) as writer:
            _write(writer, candidates, checks, made, keep, tell)
            plan.guard(rules, made.objects, made.size, made.seen)
            _write_the_rest(writer, made, leftovers)
            made.run = document.run_name(now, writer.seal(_totals(made)))
    return made


def _besides_trash(source: Storage, seen: Seen) -> Iterator[StoredObject]:
    for found in source.list():
        if found.key.startswith(TRASH):
            seen.trash += 1
        else:
            yield found


def refuse_a_whole_store(source: Storage) -> None:
    """A bucket without a prefix, or the root of a file system, is more than anybody means."""
    path = source.path("")
    empty = path == path.parent if path is not None else source.url().count("/") < 4
    if f"/{TRASH}" in f"{source.url().rstrip('/')}/":
        raise GuardError(f"{source.url()}: is trash; recpipe clean purge empties it")
    if empty:
        raise GuardError(f"{source.url()}: a whole store; name the prefix the recordings are in")


def _claims(checks: Checks, keep: Keep) -> tuple[list[Claim], int]:
    """All receipts that tell of this source; and how many receipts there are at all."""
    marks: dict[str, set[str]] = {HOLD: set(), TAGS: set()}
    receipts = 0
    for found in checks.results.list():
        for suffix, stems in marks.items():
            if found.key.endswith(suffix):
                stems.add(found.key.removesuffix(suffix))
    claims = []
    for one in find(checks.results):
        receipts += 1
        if isinstance(one, Unreadable):
            keep(one.receipt_key.removesuffix(RECEIPT), printable(one.error))
            continue
        inputs = inputs_in(one, checks.source)
        if not inputs:
            continue  # of another source
        tags = _tags(checks.results, one) if one.stem in marks[TAGS] else frozenset()
        channel = one.agora.cname if one.agora else one.root
        begin = one.begin if one.begin is not None else one.converted
        first, last = min(inputs, key=plan.in_order), max(inputs, key=plan.in_order)
        keys = (one.receipt_key, first, last)
        claims.append(Claim(*keys, channel, begin, one.stem in marks[HOLD], tags))
    return claims, receipts


def _tags(results: Storage, published: Published) -> frozenset[str]:
    words = b"".join(results.open(published.stem + TAGS)).decode("utf-8", "replace")
    return frozenset(words.split())


def inputs_in(published: Published, source: Storage) -> dict[str, SourceFile] | None:
    """The inputs by their keys in this source; None if any of them lies elsewhere."""
    base = source.url().rstrip("/") + "/"
    missing = (SourceFile(key, 0, None, None) for key in published.missing)
    found = {}
    for one in (*published.inputs, *missing):
        full = published.root + one.key
        if not full.startswith(base):
            return None
        found[full[len(base) :]] = one
    return found


def _kind(reason: str) -> str:
    """Reasons without the names in them, to be counted."""
    return reason.rpartition(": ")[2]


def _told(match: Match) -> dict[str, Any]:
    published = match.published
    objects = [
        {"key": key, "size": found.size, "etag": found.etag, "sha256": match.inputs[key].sha256}
        for key, found in sorted(match.found.items())
    ]
    return {
        "recording": published.id,
        "receipt_key": published.receipt_key,
        "receipt_sha256": published.receipt_sha256,
        "key": published.key,
        "size": published.size,
        "sha256": published.sha256,
        "reason": f"{published.verdict.value}, {len(objects)} objects as they were converted",
        "objects": objects,
    }


def _write(
    writer: document.Writer,
    candidates: IO[str],
    checks: Checks,
    made: Survey,
    keep: Keep,
    tell: Callable[[Kept | document.Candidate], None],
) -> None:
    """The recordings that pass every interlock; those that do not are kept."""
    writer.section("recordings")
    for told in _unread_aside(candidates, made):
        keys = [one["key"] for one in told["objects"]]
        why = told.get("why") or checks.refusal(
            told["receipt_key"], keys, receipt_sha256=told["receipt_sha256"]
        )
        if why is None:
            try:
                why = protected(checks.source, keys)
            except RecpipeError as error:
                why = printable(error)
        if why is not None:
            keep(told["recording"], why)
            continue
        writer.entry(told)
        made.recordings += 1
        made.objects += len(keys)
        made.size += sum(one["size"] for one in told["objects"])
        objects = tuple(document.Doomed(**one) for one in told["objects"])
        tell(document.Candidate(**{**told, "objects": objects}))
    writer.end_section()


def _unread_aside(candidates: IO[str], made: Survey) -> Iterator[dict[str, Any]]:
    """A slice beside a recording that its receipt does not know: not all of it was converted."""
    from pipeline.agora import names

    for line in candidates:
        told: dict[str, Any] = json.loads(line)
        places = [one["key"].rpartition("/") for one in told["objects"]]
        folders = {folder + slash for folder, slash, _ in places}
        for part in filter(None, (names.parse_playlist_name(name) for _, _, name in places)):
            if any((folder, part.sid) in made.seen.unread for folder in folders):
                told["why"] = "slices beside it that its receipt does not know"
        yield told


def _write_the_rest(writer: document.Writer, made: Survey, leftovers: Iterable[Leftover]) -> None:
    writer.section("leftovers")
    for one in leftovers:
        writer.entry(asdict(one))
        made.leftovers += 1
    writer.end_section()


def _totals(made: Survey) -> dict[str, Any]:
    seen = made.seen
    unknown = {"objects": seen.unknown, "first": seen.sample}
    return {
        "recordings": made.recordings,
        "objects": made.objects,
        "bytes": made.size,
        "listed": {"objects": seen.objects, "bytes": seen.size},
        "kept": dict(made.kept),
        "unknown": unknown,
    }
