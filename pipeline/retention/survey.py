"""Makes a plan: sweeps the source, asks the stores, and writes down exactly what may go."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field, to_builtins

from pipeline.errors import RecpipeError
from pipeline.model import SourceFile, StoredObject
from pipeline.receipts.read import Published, read
from pipeline.retention import document, namings, plan, versions
from pipeline.retention.candidates import Candidates
from pipeline.retention.claims import claims_of, inputs_in, refuse_a_whole_store
from pipeline.retention.document import Leftover
from pipeline.retention.interlocks import Checks, protected
from pipeline.retention.namings import Namings
from pipeline.retention.plan import Claim, Match, Room, Rules, SweepCounts
from pipeline.storage import Storage
from pipeline.storage.names import TRASH, printable


class Kept(Struct, frozen=True):
    """A recording that stays, and why."""

    recording: str
    reason: str


class Later(Struct, frozen=True):
    """A recording that the rules let go, but for which this plan has no room."""

    recording: str
    reason: str
    objects: int
    size: int  # bytes


Tell = Callable[[Kept | Later | document.Candidate], None]


class Survey(Struct):
    """The result of planning."""

    room: Room
    run: str = ""
    kept: Counter[str] = field(default_factory=Counter)
    gone: int = 0  # recordings of which nothing is left in the source
    later: list[Later] = field(default_factory=list)
    leftovers: int = 0

    @property
    def seen(self) -> SweepCounts:
        """What was counted on the way."""
        return self.room.seen

    @property
    def recordings(self) -> int:
        """How many recordings may go."""
        return self.room.recordings

    @property
    def objects(self) -> int:
        """How many objects these recordings have."""
        return self.room.objects

    @property
    def size(self) -> int:
        """How many bytes these objects have."""
        return self.room.size


class Where(Struct, frozen=True):
    """The stores of a plan, as the user named them, and the kind of trash."""

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
    """Write a plan to a file, oldest recordings first, up to the limits.

    Raises ``GuardError``, without a file, if anything about the whole looks wrong.  ``tell`` is
    called for each recording, ``unknown`` for each object that no receipt names; ``now`` is in
    seconds since the epoch.
    """
    refuse_a_whole_store(checks.source)
    if where.trash == document.VERSIONS:
        versions.of(checks.source)
    making = _Making(Survey(Room(rules, SweepCounts())), checks, tell)
    with tempfile.TemporaryFile() as file:
        candidates = Candidates(file)
        _sift(making, candidates, unknown, now)
        with document.writing(to, _header(where, checks, rules, now)) as writer:
            _write(writer, candidates, making)
            _write_the_rest(writer, making.survey, leftovers)
            making.survey.run = document.run_name(now, writer.seal(_totals(making.survey)))
    return making.survey


class _Making(Struct, frozen=True):
    """A plan while it is made."""

    survey: Survey
    checks: Checks
    tell: Tell

    def keep(self, recording: str, why: str) -> None:
        """Note that a recording stays."""
        self.survey.kept[_kind(why)] += 1
        self.tell(Kept(recording, why))

    def postpone(self, one: Later) -> None:
        """Note that there is no room for a recording."""
        self.survey.later.append(one)
        self.tell(one)


def _sift(
    making: _Making,
    candidates: Candidates,
    unknown: Callable[[StoredObject], None],
    now: float,
) -> None:
    """Make candidates of what the rules let go; GuardError if the whole looks wrong."""
    made, checks = making.survey, making.checks
    rules = made.room.rules
    claims, receipts = claims_of(checks, making.keep)
    newest = plan.latest(claims, rules.keep_last) if rules.keep_last else set()

    def load(claim: Claim) -> tuple[Published, Mapping[str, SourceFile]]:
        published = read(checks.results, claim.receipt_key)
        return published, inputs_in(published, checks.source) or {}

    listing = _besides_trash(checks.source, made.seen)
    for match in plan.sweep(listing, claims, load, made.seen, unknown=unknown):
        why = plan.kept_because(match, rules, newest, now)
        if not match.found:
            made.gone += 1
        elif why is not None:
            making.keep(match.published.id, why)
        else:
            candidates.add(_told(match), plan.settled(match, now))
    plan.refuse_the_whole(made.seen, receipts, len(claims), now)


def _header(where: Where, checks: Checks, rules: Rules, now: float) -> dict[str, Any]:
    return {
        "schema": document.SCHEMA,
        "made": now,
        "source": where.source,
        "results": where.results,
        "archive": where.archive,
        "ledger": checks.ledger is not None,
        "trash": where.trash,
        "verify": checks.verify,
        "include_degraded": checks.include_degraded,
        "rules": {k: v for k, v in to_builtins(rules).items() if v != float("inf")},
    }


def _besides_trash(source: Storage, seen: SweepCounts) -> Iterator[StoredObject]:
    for found in source.list():
        if found.key.startswith(TRASH):
            seen.trash += 1
        else:
            if namings.is_playlist(found.key):
                seen.playlists.append(found.key)
            yield found


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


def _write(writer: document.Writer, candidates: Candidates, making: _Making) -> None:
    """Write the recordings that pass every interlock while there is room; the others are kept."""
    made, checks = making.survey, making.checks
    named = Namings(checks.source, candidates.keys(), made.seen.playlists)
    writer.section("recordings")
    for told in candidates.oldest_first():
        size = sum(one["size"] for one in told["objects"])
        count, id = len(told["objects"]), told["recording"]
        never, full = made.room.never(count, size), made.room.full(count, size)
        if never is not None:
            making.keep(id, f"{count} objects, {size} bytes: more than {never} in one recording")
        elif full is not None:
            making.postpone(Later(id, f"{full} is reached", count, size))
        elif (why := _objection(told, checks, named, made.seen)) is not None:
            making.keep(id, why)
        else:
            writer.entry(told)
            made.room.take(count, size)
            objects = tuple(document.Doomed(**one) for one in told["objects"])
            making.tell(document.Candidate(**{**told, "objects": objects}))
    writer.end_section()


def _objection(
    told: dict[str, Any], checks: Checks, named: Namings, seen: SweepCounts
) -> str | None:
    """Why a recording may not go, by all that needs more than its receipt."""
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


def _unread_beside(keys: list[str], seen: SweepCounts) -> str | None:
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
        writer.entry(to_builtins(one))
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
