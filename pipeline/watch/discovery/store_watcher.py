"""One store, listed in cycles where it can have changed.  Long: one class, its state."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import ChangedError, NotFoundError, RecpipeError
from pipeline.jobs.one import inputs
from pipeline.jobs.selection import EVERYTHING, Selection
from pipeline.ledger import discovery, states
from pipeline.ledger.discovery import KnownRecording, Sighting
from pipeline.ledger.ledger import Ledger, Move, in_chunks
from pipeline.ledger.states import OPEN, State
from pipeline.model import Playlist, Recording, StoredObject
from pipeline.receipts.inputs import identities
from pipeline.stages.discover import grouped, with_parts
from pipeline.stages.inspect import reached, read_playlist
from pipeline.storage import Storage
from pipeline.watch.discovery import listing_scopes, observation, unreadable
from pipeline.watch.discovery.listing_scopes import Scope
from pipeline.watch.discovery.observation import Folders, Observation
from pipeline.watch.discovery.readiness import Judged, Patience, judge

READERS = 16  # playlists at once
MOST_READ = 1000  # playlists that are remembered
GONE = "nothing of its source is there any more"


class Look(Struct, frozen=True):
    """The result of one cycle."""

    moves: tuple[Move, ...]
    running: tuple[Observation, ...]  # recordings that are waited for
    listed: int  # objects
    unread: tuple[Observation, ...] = ()  # whose playlists cannot be read, unless known before
    blind: RecpipeError | None = None  # why not one playlist could be read


class StoreWatcher:
    """Looks at one store; remembers playlists, so that none is read twice while it is unchanged."""

    def __init__(
        self,
        storage: Storage,
        destination: str,
        patience: Patience,
        meant: Selection = EVERYTHING,
    ) -> None:
        self.storage = storage
        self.url = storage.url()
        self._to = destination
        self._patience = patience
        self._meant = meant
        self._read: dict[tuple[str, int, str | None, float], Playlist] = {}

    def cycle(self, ledger: Ledger, named: Collection[str] | None, *, sweep: float) -> Look:
        """List, compare with the ledger, and write what is new.  Raises the errors of both.

        ``named`` are places in notifications, None without any; ``sweep`` as of ``scopes``.
        """
        now = ledger.time()
        memory = discovery.memory(ledger, self.url, self._to)
        waiting = {k.source: k for k in discovery.open_ones(ledger, self.url, self._to)}
        places = [k.place for k in waiting.values() if not unreadable.refused(k.place)]
        wanted, swept = listing_scopes.scopes(memory, places, named, sweep=sweep, now=now)
        found = {o.key: o for scope in wanted for o in self._list(scope)}
        recordings = self._complete(grouped(self.storage, found.values()))
        until = ledger.time()
        moves: list[Move] = []
        running: list[Observation] = []
        untold: list[Observation] = []
        errors: list[RecpipeError | None] = []
        folders = Folders()
        for some in in_chunks(recordings):
            known = discovery.known(ledger, self._to, [observation.source(r) for r in some])
            meant = [r for r in some if observation.source(r) in known or self._meant.takes(r, now)]
            looks = self._looks(meant, known, folders)
            looks, noted = self._judged(ledger, looks, known, now=now, until=until)
            moves += discovery.note(ledger, self._to, noted)
            running += _waited_for(looks, known, noted)
            untold += unreadable.to_be_told(looks, noted)
            errors += [look.error for look in looks]
        there = {observation.source(recording) for recording in recordings}
        gone = [_gone(k, until) for source, k in waiting.items() if source not in there]
        moves += discovery.note(ledger, self._to, gone)
        horizon = now - self._patience.late_deadline
        keys = [p.playlist.key for r in recordings for p in r.parts if p.playlist]
        keys = [key for key in keys if not unreadable.refused(key)]
        floor = listing_scopes.floor(keys, memory.floor, horizon=horizon, swept=swept)
        blind = unreadable.blind(errors)
        if blind is None:
            discovery.remember(ledger, self.url, self._to, swept=swept, floor=floor, at=now)
        self._forget(running)
        return Look(tuple(moves), tuple(running), len(found), tuple(untold), blind)

    def _forget(self, running: Sequence[Observation]) -> None:
        """Playlists of recordings that are not waited for any more."""
        needed = {p.key for look in running for p in _playlists(look.recording)}
        self._read = {at: read for at, read in self._read.items() if at[0] in needed}

    def one(self, place: str) -> Observation:
        """A fresh look at one recording.  Raises ``NotFoundError`` if nothing of it is there."""
        scopes = listing_scopes.of_recording(place)
        found = {o.key: o for scope in scopes for o in self._list(scope)}
        for recording in self._complete(grouped(self.storage, found.values())):
            if observation.place(recording) == place:
                return self._look(recording, Folders())
        raise NotFoundError(f"{self.storage.url(place)}: {GONE}")

    def _list(self, scope: Scope) -> Iterable[StoredObject]:
        return self.storage.list(scope.prefix, after=scope.after)

    def _complete(self, recordings: list[Recording]) -> list[Recording]:
        return [recording for recording in recordings if recording.parts[0].playlist]

    def _looks(
        self, recordings: Sequence[Recording], known: Mapping[str, KnownRecording], folders: Folders
    ) -> list[Observation]:
        """Recordings that need one: new ones, open ones, and those whose listing has changed."""
        wanted = []
        for recording in recordings:
            before = known.get(observation.source(recording))
            if before is not None and before.state not in OPEN:
                now = observation.fingerprint(observation.own_objects(recording, folders))
                if now == before.done_fingerprint:
                    continue
            wanted.append(recording)
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda recording: self._attempt(recording, folders), wanted))

    def _attempt(self, recording: Recording, folders: Folders) -> Observation:
        """Look at one recording; an error of its playlists does not stop the others."""
        try:
            if refused := unreadable.refused(observation.place(recording)):
                raise refused
            return self._look(recording, folders)
        except RecpipeError as error:
            return observation.unread(recording, observation.own_objects(recording, folders), error)

    def _look(self, recording: Recording, folders: Folders) -> Observation:
        recording, read = self._read_all(recording)
        look = observation.look(recording, read, observation.own_objects(recording, folders))
        if all(names.parse_slice_name(name) for name in look.missing):
            return look
        # segments of other names, which a listing by sid leaves out, or below another playlist
        found = grouped(self.storage, self._list(Scope(recording.parts[0].folder)))
        place = observation.place(recording)
        whole = next((r for r in found if observation.place(r) == place), recording)
        parts = tuple(reached(part, look.missing, self.storage) for part in whole.parts)
        whole, read = self._read_all(with_parts(whole, parts))
        return observation.look(whole, read, observation.own_objects(whole, Folders()))

    def _read_all(self, recording: Recording) -> tuple[Recording, dict[str, Playlist]]:
        """A recording with its playlists as they were read, and what these say."""
        found = {p.key: self._playlist(p) for p in _playlists(recording)}
        recording = _as_read(recording, {key: now for key, (now, _) in found.items()})
        return recording, {key: playlist for key, (_, playlist) in found.items()}

    def _playlist(self, found: StoredObject) -> tuple[StoredObject, Playlist]:
        """A playlist as it is now; one that is rewritten meanwhile is read a second time."""
        try:
            return found, self._read_once(found)
        except ChangedError:
            found = self.storage.head(found.key)
            return found, self._read_once(found)

    def _read_once(self, found: StoredObject) -> Playlist:
        version = (found.key, found.size, found.etag, found.modified)
        if version not in self._read:
            read = read_playlist(self.storage, found)
            if len(self._read) >= MOST_READ:
                return read
            self._read[version] = read
        return self._read[version]

    def _judged(
        self,
        ledger: Ledger,
        looks: Sequence[Observation],
        known: Mapping[str, KnownRecording],
        *,
        now: float,
        until: float,
    ) -> tuple[list[Observation], list[Sighting]]:
        """The looks, and those that differ from the ledger."""
        told = discovery.hints(ledger, {s.recording.sid for s in looks if s.recording.sid})
        taken, noted = [], []
        for look in looks:
            before = known.get(observation.source(look.recording))
            said = told.get(look.recording.sid or "", set())
            look, done = self._compared(ledger, look, before)
            if look.error is not None:
                sighting = unreadable.sighting(look, before, store=self.url, until=until)
            else:
                judged = judge(look, before, said, self._patience, now=now, until=until)
                sighting = self._sighting(look, before, judged, still_done=done)
            taken.append(look)
            noted += [sighting] if sighting and _is_news(sighting) else []
        return taken, noted

    def _compared(
        self, ledger: Ledger, look: Observation, before: KnownRecording | None
    ) -> tuple[Observation, bool]:
        """Whether the source now is what was converted; an error goes into the look."""
        if look.error is not None or before is None:
            return look, False
        try:
            return look, self._still_done(ledger, look, before)
        except RecpipeError as error:
            return replace(look, error=error), False

    def _sighting(
        self, look: Observation, before: KnownRecording | None, judged: Judged, *, still_done: bool
    ) -> Sighting:
        state = judged.state
        if before is not None:
            same = before.fingerprint == look.fingerprint
            state = states.observed(
                before.state,
                judged.state,
                version=before.version,
                same_as_done=still_done,
                same=same,
            )
        return Sighting(
            source=observation.source(look.recording),
            store=self.url,
            place=observation.place(look.recording),
            name=look.recording.id,
            sid=look.recording.sid,
            before=before,
            state=state,
            why=judged.why if not still_done else "",
            as_is=judged.as_is,
            fingerprint=look.fingerprint,
            unchanged_since=judged.unchanged_since,
            ended_at=judged.ended_at,
            done_fingerprint=look.fingerprint if still_done else None,
            parts=look.parts,
        )

    def _still_done(self, ledger: Ledger, look: Observation, before: KnownRecording) -> bool:
        """Whether all that is there now went into the last version; objects that are gone since
        are no change.
        """
        if before.state in OPEN:
            return False
        if before.done_fingerprint == look.fingerprint:
            return True
        if before.state is not State.PUBLISHED:
            return False
        made = discovery.converted(ledger, before.id, before.version)
        return inputs(look.recording, self.storage) <= identities(made)


def _playlists(recording: Recording) -> list[StoredObject]:
    return [p for part in recording.parts for p in (part.playlist, *part.copies) if p is not None]


def _as_read(recording: Recording, read: Mapping[str, StoredObject]) -> Recording:
    """The recording with its playlists as they were when they were read."""
    parts = tuple(
        replace(
            part,
            playlist=part.playlist and read[part.playlist.key],
            copies=tuple(read[copy.key] for copy in part.copies),
        )
        for part in recording.parts
    )
    return with_parts(recording, parts)


def _is_news(look: Sighting) -> bool:
    before = look.before
    if before is None:
        return True
    if before.state is State.WORKING:
        return False
    same = ("state", "fingerprint", "as_is", "store", "place", "why")
    changed = any(getattr(look, name) != getattr(before, name) for name in same)
    verdict = look.done_fingerprint not in (None, before.done_fingerprint)
    return changed or verdict or look.ended_at != before.ended_at


def _waited_for(
    looks: Sequence[Observation], known: Mapping[str, KnownRecording], noted: Sequence[Sighting]
) -> list[Observation]:
    state = {source: k.state for source, k in known.items()}
    state |= {sighting.source: sighting.state for sighting in noted}
    return [look for look in looks if state[observation.source(look.recording)] in states.WAITING]


def _gone(before: KnownRecording, until: float) -> Sighting:
    return Sighting(
        **{name: getattr(before, name) for name in ("source", "store", "place", "name", "sid")},
        before=before,
        state=before.state if before.state is State.WORKING else State.FAILED,
        why=GONE,
        as_is=False,
        fingerprint="",
        unchanged_since=until,
        ended_at=None,
    )
