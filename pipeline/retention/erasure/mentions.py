"""What speaks of a user without being the user's own: sessions and bags that the user can be taken
out of, and what has to stay as it is.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from pipeline.archive.bagit.places import STATE, TAR, BagLocation, Form
from pipeline.choices import Format
from pipeline.errors import RecpipeError
from pipeline.receipts.read import Published, ReceiptError, read
from pipeline.report.published import PAGE
from pipeline.retention.erasure import bags, sessions, traces
from pipeline.retention.erasure.subject import Subject, sid_of
from pipeline.retention.erasure.traces import ARCHIVE, RECORD, SESSION, Listed, Trace, Traces
from pipeline.retention.interlocks import TAGS
from pipeline.stages.publish import RECEIPT, USER
from pipeline.storage import Storage

# behind the stem: a record of deleted sources, or anything that is written beside a result
DELETED = re.compile(r"\.[^/.]+\.premis\.xml")
_BESIDE = re.compile(
    rf"{DELETED.pattern}|{re.escape(PAGE)}|{re.escape(TAGS)}|(\.[0-9a-f]{{16}})?\.({'|'.join(Format)})"
)
Place = tuple[str, str]  # store and key


def find(
    stores: Mapping[str, Storage], subject: Subject, seen: Callable[[], None] = traces.unheard
) -> Traces:
    """Everything of a subject, and by reading texts, who else is in the recordings and what
    mentions them.  ``seen`` is called for each object of the stores.  Raises the errors of a store.
    """
    found = traces.look(stores, subject, seen)
    for store, key in found.receipts if subject.uid is not None else ():
        found.spans.add_receipt(stores[store], key)
    _note_mentions(found, stores, subject)
    _note_tars(found, stores, subject)
    found.mixed |= found.spans.mixed()
    return found


def _note_mentions(found: Traces, stores: Mapping[str, Storage], subject: Subject) -> None:
    others: list[Place] = []
    in_bags: set[Place] = set()
    for store, key in found.texts:
        text = traces.text_of(stores[store], key)
        if traces.is_list_of(store, key, text, subject):
            found.rewritten += [(store, key)] if traces.is_list(found, store, key) else []
        elif not subject.mentioned(text) or RECORD.fullmatch(key):
            continue
        elif store.startswith(ARCHIVE):
            in_bags.add((store, key.partition("/")[0]))
        elif key.endswith(RECEIPT):
            _note_session(found, stores, subject, (store, key))
        else:
            others.append((store, key))
    for store, name in sorted(in_bags):
        _note_bag(found, stores, subject, BagLocation(name), store=store)
    live, sids = {*found.texts}, {one.sid for one in found.objects}
    found.objects += [
        one for one in found.bygone if (one.store, one.key) not in live and one.sid in sids
    ]
    found.objects = [*dict.fromkeys(found.objects)]  # all of a session, files of users too
    gone = {(one.store, one.key) for one in found.objects}
    for place in (one for one in others if one not in gone):
        _note_other(found, stores, place)


def _note_session(
    found: Traces, stores: Mapping[str, Storage], subject: Subject, place: Place
) -> None:
    store, key = place
    storage, made = stores[store], _read(stores[store], key)
    stem = key.removesuffix(RECEIPT)
    sid = _sid(made, key)
    if made is None or sid is None:
        found.mixed.add(stem)
    elif subject.owner(made.id) or sessions.is_alone(made, subject):
        found.objects += _result(storage, store, made, sid)
    elif sessions.is_of(made, subject) and sessions.can_stand(made, subject):
        found.sessions.append(_trace(storage, store, key, sid))
        own = {one.key for one in made.pieces if subject.file(one.key)}
        found.objects += _below(
            storage, store, f"{stem}{USER}{subject.uid}", sid, wanted=own.__contains__
        )
    else:
        found.mixed.add(stem)


def _sid(made: Published | None, key: str) -> str | None:
    """Which recording a receipt tells of; None if what it lies beside is called after another."""
    sid = sid_of(made.id) if made is not None else None
    return sid if sid_of(key) in (None, sid) else None


def _read(storage: Storage, key: str) -> Published | None:
    with suppress(ReceiptError):
        return read(storage, key)
    return None


def _result(storage: Storage, store: str, made: Published, sid: str) -> Iterator[Trace]:
    """All that lies beside the receipt of a recording, whatever that is called."""
    files = {made.receipt_key, *(one.key for one in made.outputs)}

    def is_its(key: str) -> bool:
        # a name that tells the sid is no other's
        return (
            key in files or sid in made.name or _BESIDE.fullmatch(key, len(made.stem)) is not None
        )

    yield from _below(storage, store, f"{made.stem}.", sid, wanted=is_its)
    yield from _below(storage, store, f"{made.stem}{USER}", sid, wanted=files.__contains__)


def _below(
    storage: Storage,
    store: str,
    prefix: str,
    sid: str,
    *,
    wanted: Callable[[str], bool] = lambda key: True,
) -> Iterator[Trace]:
    """What of a recording is wanted, with its versions."""
    for one in traces.listing(storage, prefix):
        if wanted(one.key):
            yield traces.trace_of(store, one, sid)


def _trace(storage: Storage, store: str, key: str, sid: str) -> Trace:
    entry = storage.head(key)
    return traces.trace_of(store, Listed(key, entry.size, entry.modified), sid)


def _note_bag(
    found: Traces,
    stores: Mapping[str, Storage],
    subject: Subject,
    place: BagLocation,
    *,
    store: str,
) -> None:
    """A bag goes whole, loses the user, or stays."""
    storage = stores[store]
    made = bags.published(storage, place)
    sid = _sid(made, place.name)
    if made is None or sid is None:
        found.mixed.add(place.name)
    elif subject.owner(made.id) or sessions.is_alone(made, subject):
        found.objects += _below(storage, store, place.key, sid)
        found.objects += _below(storage, store, f"{STATE}tars/{place.name}.json", sid)
    elif sessions.is_of(made, subject) and sessions.can_stand(made, subject):
        tar = place.form is Form.TAR
        key = place.key if tar else place.key + bags.receipt_path(place.name)
        found.bags.append(_trace(storage, store, key, sid))
        inside = (one for one in found.inside if one.key.startswith(f"{place.name}/"))
        found.objects += [one for one in inside if one.store == store]
    else:
        found.mixed.add(place.name)


def _note_tars(found: Traces, stores: Mapping[str, Storage], subject: Subject) -> None:
    """Of each tar its manifest tells; one that cannot be read is named."""
    for store, key in found.tars:
        place = BagLocation(key.removesuffix(TAR), Form.TAR)
        try:
            if bags.mentions(stores[store], place, subject):
                _note_bag(found, stores, subject, place, store=store)
        except RecpipeError:
            found.named.add(f"{stores[store].url(key)} (cannot be read)")


def _note_other(found: Traces, stores: Mapping[str, Storage], place: Place) -> None:
    """Beside the receipt of a session its page goes, what else is of it is rewritten; what
    somebody else wrote stays.
    """
    store, key = place
    sids = {one.key.removesuffix(RECEIPT): one.sid for one in found.sessions if one.store == store}
    stem = next((one for one in sids if key.startswith(f"{one}.")), None)
    if stem is not None and key == stem + PAGE:
        found.objects += _below(stores[store], store, key, sids[stem], wanted=key.__eq__)
    elif stem is not None and DELETED.fullmatch(key, len(stem)):
        found.rewritten.append(place)
    elif stem is None or key != stem + SESSION:
        found.named.add(stores[store].url(key))
