"""Makes a plan: sweeps the source, asks the stores, and writes down exactly what would go."""

import json
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from pipeline.errors import RecpipeError
from pipeline.model import SourceFile, StoredObject
from pipeline.receipts.read import Published, Unreadable, find, read
from pipeline.retention import document, namings, plan, versions
from pipeline.retention.document import Leftover
from pipeline.retention.interlocks import HOLD, TAGS, Checks, protected
from pipeline.retention.namings import Namings
from pipeline.retention.plan import Claim, GuardError, Match, Room, Rules, Seen
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage
from pipeline.storage.names import TRASH, printable

Keep = Callable[[str, str], None]  # recording, why


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording that stays, and why."""

    recording: str
    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """A recording that may go as far as the rules tell, for which this plan has no room."""

    recording: str
    reason: str
    objects: int
    size: int


Tell = Callable[[Kept | Later | document.Candidate], None]


@dataclass(slots=True)
class Survey:
    """What a plan came to."""

    room: Room
    run: str = ""
    kept: Counter[str] = field(default_factory=Counter)
    gone: int = 0  # recordings of which nothing is left in the source
    later: list[Later] = field(default_factory=list)
    leftovers: int = 0

    @property
    def seen(self) -> Seen:
        """What was counted on the way."""
        return self.room.seen

    @property
    def recordings(self) -> int:
        """How many may go."""
        return self.room.recordings

    @property
    def objects(self) -> int:
        """Of all of them."""
        return self.room.objects

    @property
    def size(self) -> int:
        """Of all of them."""
        return self.room.size


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
    tell: Tell = lambda one: None,
    unknown: Callable[[StoredObject], None] = lambda found: None,
) -> Survey:
    """Write a plan to a file; GuardError, and no file, if anything about the whole looks wrong.

    Oldest first, and no more than the limits allow: what is left is for the next one.
    """
    refuse_a_whole_store(checks.source)
    if where.trash == document.VERSIONS:
        versions.of(checks.source)
    made = Survey(Room(rules, Seen()))

    def keep(recording: str, why: str) -> None:
        made.kept[_kind(why)] += 1
        tell(Kept(recording, why))

    claims, receipts = _claims(checks, keep)
    newest = plan.latest(claims, rules.keep_last) if rules.keep_last else set()

    def load(claim: Claim) -> tuple[Published, Mapping[str, SourceFile]]:
        published = read(checks.results, claim.receipt_key)
        return published, inputs_in(published, checks.source) or {}

    with tempfile.TemporaryFile() as file:
        candidates = _Candidates(file)
        listing = _besides_trash(checks.source, made.seen)
        for match in plan.sweep(listing, claims, load, made.seen, unknown):
            why = plan.kept_because(match, rules, newest, now)
            if not match.found:
                made.gone += 1
            elif why is not None:
                keep(match.published.id, why)
            else:
                candidates.add(_told(match), plan.settled(match, now))
        plan.refuse_the_whole(made.seen, receipts, len(claims), now)
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
            _write_the_rest(writer, made, leftovers)
            made.run = document.run_name(now, writer.seal(_totals(made)))
    return made


class _Candidates:
    """What the rules let go, on the disk: of a million objects only places are in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._at, self._settled = file, array("Q"), array("d")

    def add(self, told: Mapping[str, Any], settled: float) -> None:
        """Keep one, with the moment from which it has an age."""
        self._at.append(self._file.tell())
        self._settled.append(settled)
        self._file.write(json.dumps(told).encode() + b"\n")

    def oldest_first(self) -> Iterator[dict[str, Any]]:
        """Each of them; those of one moment as they came."""
        for number in sorted(range(len(self._at)), key=self._settled.__getitem__):
            self._file.seek(self._at[number])
            told: dict[str, Any] = json.loads(self._file.readline())
            yield told

    def keys(self) -> Iterator[str]:
        """All their objects."""
        return (one["key"] for told in self.oldest_first() for one in told["objects"])


def _besides_trash(source: Storage, seen: Seen) -> Iterator[StoredObject]:
    for found in source.list():
        if found.key.startswith(TRASH):
            seen.trash += 1
        else:
            if namings.is_playlist(found.key):
                seen.playlists.append(found.key)
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
    candidates: _Candidates,
    checks: Checks,
    made: Survey,
    keep: Keep,
    tell: Tell,
) -> None:
    """The recordings that pass every interlock, as long as there is room; the others are kept."""
    named = Namings(checks.source, candidates.keys(), made.seen.playlists)
    writer.section("recordings")
    for told in candidates.oldest_first():
        size = sum(one["size"] for one in told["objects"])
        count, id = len(told["objects"]), told["recording"]
        never, full = made.room.never(count, size), made.room.full(count, size)
        if never is not None:
            keep(id, f"{count} objects, {size} bytes: more than {never} in one recording")
        elif full is not None:
            made.later.append(Later(id, f"{full} is reached", count, size))
            tell(made.later[-1])
        elif (why := _objection(told, checks, named, made.seen)) is not None:
            keep(id, why)
        else:
            writer.entry(told)
            made.room.take(count, size)
            objects = tuple(document.Doomed(**one) for one in told["objects"])
            tell(document.Candidate(**{**told, "objects": objects}))
    writer.end_section()


def _objection(told: dict[str, Any], checks: Checks, named: Namings, seen: Seen) -> str | None:
    """Why a recording may not go, of all that takes a look at more than its receipt."""
    keys = [one["key"] for one in told["objects"]]
    try:
        return (
            _unread_beside(keys, seen)
            or named.objection(keys)
            or checks.refusal(told["receipt_key"], keys, receipt_sha256=told["receipt_sha256"])
            or protected(checks.source, keys)
        )
    except RecpipeError as error:
        return printable(error)


def _unread_beside(keys: list[str], seen: Seen) -> str | None:
    """A slice beside a recording that its receipt does not know: not all of it was converted."""
    from pipeline.agora import names

    places = [key.rpartition("/") for key in keys]
    folders = {folder + slash for folder, slash, _ in places}
    for part in filter(None, (names.parse_playlist_name(name) for _, _, name in places)):
        if any((folder, part.sid) in seen.unread for folder in folders):
            return "slices beside it that its receipt does not know"
    return None


def _write_the_rest(writer: document.Writer, made: Survey, leftovers: Iterable[Leftover]) -> None:
    writer.section("leftovers")
    for one in leftovers:
        writer.entry(asdict(one))
        made.leftovers += 1
    writer.end_section()


def _totals(made: Survey) -> dict[str, Any]:
    seen = made.seen
    return {
        "recordings": made.recordings,
        "objects": made.objects,
        "bytes": made.size,
        "listed": {"objects": seen.objects, "bytes": seen.size},
        "kept": dict(made.kept),
        "gone": made.gone,
        "unknown": {"objects": seen.unknown},
        "later": {
            "recordings": len(made.later),
            "objects": sum(one.objects for one in made.later),
            "bytes": sum(one.size for one in made.later),
        },
    }
