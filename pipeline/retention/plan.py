"""What may be deleted and what has to stay: rules over values.  No clock, no disk, no network."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from pipeline.agora import names
from pipeline.choices import Format
from pipeline.errors import StorageError, UsageError
from pipeline.model import SourceFile, StoredObject, Verdict
from pipeline.receipts.read import Published

SKEW = 600.0  # seconds that clocks may differ
ALLOWED = (Verdict.OK, Verdict.REPAIRED)


class GuardError(UsageError):
    """Something about the run as a whole looks wrong: nothing is planned, nothing is deleted."""


class Rules(Struct, frozen=True):
    """What the user wants to keep, and the limits of one plan."""

    older_than: float = 30 * 86400.0  # seconds since it was converted and its last slice stored
    keep_last: int = 0  # recordings of each channel
    keep_tags: tuple[str, ...] = ()
    include_degraded: bool = False
    max_delete: int = 100_000  # objects, which are some 400 hours of slices of 15 s
    max_bytes: float = float("inf")
    max_fraction: float = 0.5  # 0 to 1: of all objects, and of all bytes, below the prefix


class Claim(Struct, frozen=True):
    """What a sweep over a listing has to remember of a published recording."""

    receipt_key: str
    first: str  # lowest and highest key of its inputs, in the source
    last: str
    channel: str
    begin: float  # seconds since the epoch
    held: bool = False
    tags: frozenset[str] = frozenset()


class Match(Struct, frozen=True, eq=False):
    """A published recording, and which of its inputs are in the listing."""

    claim: Claim
    published: Published
    inputs: Mapping[str, SourceFile]  # by key in the source
    found: dict[str, StoredObject] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)  # keys that another receipt names as well


class SweepCounts(Struct):
    """What a sweep counted."""

    objects: int = 0
    size: int = 0  # bytes of them
    unknown: int = 0  # objects that no receipt names
    trash: int = 0  # objects in the trash, not counted otherwise
    newest: float = 0.0  # seconds since the epoch
    unread: set[tuple[str, str]] = field(default_factory=set)  # folder, sid of unknown slices
    playlists: list[str] = field(default_factory=list)  # keys


Load = Callable[[Claim], tuple[Published, Mapping[str, SourceFile]]]


def sweep(
    listing: Iterable[StoredObject],
    claims: Sequence[Claim],
    load: Load,
    seen: SweepCounts,
    *,
    unknown: Callable[[StoredObject], None] = lambda found: None,
) -> Iterator[Match]:
    """Join receipts with a listing in one pass, both in the order of the keys.

    Only recordings whose keys are just being passed are in memory.  ``unknown`` is called for each
    object that no receipt names.  Raises ``StorageError`` if the listing is not in order.
    """
    waiting = sorted(claims, key=lambda claim: in_order(claim.first), reverse=True)
    passing, before = _Passing(load), b""
    for found in listing:
        at = in_order(found.key)
        if at <= before:
            raise StorageError(f"the listing is not in order at {found.key!r}; nothing is planned")
        before = at
        while waiting and in_order(waiting[-1].first) <= at:
            passing.begin(waiting.pop())
        yield from passing.before(at)
        _count(found, seen, unknown, claimed=passing.meet(found))
    yield from passing.rest()
    while waiting:
        passing.begin(waiting.pop())
        yield from passing.rest()


def in_order(key: str) -> bytes:
    """The bytes by which keys are sorted, in buckets and in folders, also if they are not UTF-8."""
    return key.encode("utf-8", "surrogateescape")


class _Passing:
    """Recordings whose keys are just being passed."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._active: dict[str, Match] = {}  # by receipt
        self._owners: dict[str, list[str]] = defaultdict(list)  # receipts that claim a key

    def begin(self, claim: Claim) -> None:
        """The first key of a recording is reached."""
        published, inputs = self._load(claim)
        self._active[claim.receipt_key] = Match(claim, published, inputs)
        for key in inputs:
            self._owners[key].append(claim.receipt_key)

    def meet(self, found: StoredObject) -> bool:
        """Whether any of them claims an object."""
        claimants = self._owners.get(found.key, ())
        for key in claimants:
            self._active[key].found[found.key] = found
            if len(claimants) > 1:
                self._active[key].shared.add(found.key)
        return bool(claimants)

    def before(self, at: bytes) -> Iterator[Match]:
        """Those whose last key has been passed."""
        for key in [k for k, match in self._active.items() if in_order(match.claim.last) < at]:
            yield self._end(key)

    def rest(self) -> Iterator[Match]:
        """All that are left."""
        for key in list(self._active):
            yield self._end(key)

    def _end(self, key: str) -> Match:
        match = self._active.pop(key)
        for name in match.inputs:
            self._owners[name].remove(key)
            if not self._owners[name]:
                del self._owners[name]
        return match


def _count(
    found: StoredObject,
    seen: SweepCounts,
    unknown: Callable[[StoredObject], None],
    *,
    claimed: bool,
) -> None:
    seen.objects += 1
    seen.size += found.size
    seen.newest = max(seen.newest, found.modified)
    if claimed:
        return
    seen.unknown += 1
    unknown(found)
    part = names.parse_slice_name(found.name) or names.parse_playlist_name(found.name)
    if part is not None:
        seen.unread.add((found.key[: -len(found.name)], part.sid))


def latest(claims: Iterable[Claim], count: int) -> set[str]:
    """Keys of the receipts of the newest ``count`` recordings of each channel."""
    channels: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        channels[claim.channel].append(claim)
    return {
        claim.receipt_key
        for group in channels.values()
        for claim in sorted(group, key=lambda c: (c.begin, c.receipt_key), reverse=True)[:count]
    }


def kept_because(match: Match, rules: Rules, newest: set[str], now: float) -> str | None:
    """Why a recording stays, by listing and receipt alone; None if it may go.

    ``newest`` is from ``latest``; ``now`` is in seconds since the epoch.
    """
    claim, published = match.claim, match.published
    if claim.held:
        return "held"
    tags = sorted(claim.tags & set(rules.keep_tags))
    if tags:
        return f"tagged {tags[0]}"
    unfit = not_good_enough(published, include_degraded=rules.include_degraded)
    if unfit:
        return unfit
    if claim.receipt_key in newest:
        return "one of the newest of its channel"
    changed = unlike(match.inputs, match.found)
    if changed:
        return changed
    if match.shared:
        return f"{min(match.shared)}: another receipt names it as well"
    if now - settled(match, now) < rules.older_than:
        return "too young"
    return None


def settled(match: Match, now: float) -> float:
    """When a recording was stored and converted, seconds since the epoch: its age counts from
    then.
    """
    stored = max((found.modified for found in match.found.values()), default=now)
    return max(stored, match.published.converted)


def not_good_enough(published: Published, *, include_degraded: bool) -> str | None:
    """Why a result cannot replace its sources: it lost media, or never held all of it."""
    degraded = include_degraded and published.verdict is Verdict.DEGRADED
    if published.verdict not in ALLOWED and not degraded:
        return f"verdict {published.verdict.value}"
    format = published.receipt["settings"]["format"]
    if format not in (Format.MP4, Format.TS):
        return f"{format} does not hold everything"
    proof = published.receipt.get("proof") or {}
    if not all(proof.get(part) is True for part in ("counts", "timestamps", "bytes")):
        return "not proven"
    return None


def unlike(inputs: Mapping[str, SourceFile], found: Mapping[str, StoredObject]) -> str | None:
    """How the objects that are there differ from those that were converted; None if they do not."""
    for key, source in inputs.items():
        there = found.get(key)
        if source.sha256 is None:
            if there is not None:
                return f"{there.name}: came after it was converted"
        elif there is None:
            return f"{key.rpartition('/')[2]}: gone"
        elif (there.size, there.etag) != (source.size, source.etag) or there.etag is None:
            return f"{there.name}: changed since it was converted"
    return None


def refuse_the_whole(seen: SweepCounts, receipts: int, mine: int, now: float) -> None:
    """Raise ``GuardError`` for what looks like a wrong prefix, lost credentials or a wrong clock.

    ``receipts`` is how many there are in all, ``mine`` how many of this source.
    """
    if not seen.objects and not seen.trash:
        raise GuardError("the source lists nothing at all; check prefix and credentials")
    if not receipts:
        raise GuardError("no receipt in the destination: nothing is known to be safe elsewhere")
    if not mine:
        raise GuardError("no receipt tells of anything below this source; check the prefix")
    if seen.newest > now + SKEW:
        raise GuardError("objects are from the future: the clock of this machine is behind; set it")


class Room(Struct):
    """How much fits into a plan: it is filled up to its limits; the rest is for the next one."""

    rules: Rules
    seen: SweepCounts
    recordings: int = 0
    objects: int = 0
    size: int = 0

    def full(self, objects: int, size: int) -> str | None:
        """The limit that a recording (objects, bytes) would exceed now; None if it fits."""
        return self._over(self.objects + objects, self.size + size, first=not self.recordings)

    def never(self, objects: int, size: int) -> str | None:
        """The limit that a recording (objects, bytes) exceeds even in an empty plan; else None."""
        return self._over(objects, size, first=True)

    def take(self, objects: int, size: int) -> None:
        """Count a recording in."""
        self.recordings += 1
        self.objects += objects
        self.size += size

    def _over(self, objects: int, size: int, *, first: bool) -> str | None:
        rules = self.rules
        if objects > rules.max_delete:
            return f"--max-delete {rules.max_delete}"
        if size > rules.max_bytes:
            return f"--max-bytes {rules.max_bytes:.0f}"
        share = max(objects / max(self.seen.objects, 1), size / max(self.seen.size, 1))
        # one recording goes in any case, or a store of a few would never be cleaned
        if share > rules.max_fraction and not first:
            return f"--max-fraction {rules.max_fraction:.0%}"
        return None
