"""What speaks of a user without being the user's own: sessions and bags that the user can be taken
out of, and what has to stay as it is.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from pipeline.archive.bagit.places import STATE, TAR, BagLocation, Form
from pipeline.errors import RecpipeError
from pipeline.receipts.read import Published, ReceiptError, read
from pipeline.report.published import PAGE
from pipeline.retention.erasure import bags, sessions, traces
from pipeline.retention.erasure.subject import Subject, sid_of
from pipeline.retention.erasure.traces import ARCHIVE, RECORD, Listed, Trace, Traces
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage

DELETED = re.compile(r"\.[^/]+\.premis\.xml")  # a record of deleted sources, behind the stem
Place = tuple[str, str]  # store and key


def find(stores: Mapping[str, Storage], subject: Subject) -> Traces:
    """Everything of a subject, and by reading texts, who else is in the recordings and what
    mentions them.  Raises the errors of a store.
    """
    found = traces.look(stores, subject)
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
    found.objects = [*dict.fromkeys(found.objects)]  # all of a session, files of users too
    gone = {(one.store, one.key) for one in found.objects}
    for place in (one for one in others if one not in gone):
        _note_other(found, stores, place)


def _note_session(
    found: Traces, stores: Mapping[str, Storage], subject: Subject, place: Place
) -> None:
    store, key = place
    made = _read(stores[store], key)
    stem = key.removesuffix(RECEIPT)
    if made is None or not sessions.is_of(made, subject):
        found.mixed.add(stem)
    elif sessions.is_alone(made, subject):
        found.objects += _below(stores[store], store, f"{stem}.")
    elif sessions.can_stand(made, subject):
        found.sessions.append(_trace(stores[store], store, key))
    else:
        found.mixed.add(stem)


def _read(storage: Storage, key: str) -> Published | None:
    with suppress(ReceiptError):
        return read(storage, key)
    return None


def _below(storage: Storage, store: str, prefix: str) -> Iterator[Trace]:
    """All of a recording that nobody but the subject was in, with its versions."""
    for one in traces.listing(storage, prefix):
        sid = sid_of(one.key)
        if sid is not None:
            yield traces.trace_of(store, one, sid)


def _trace(storage: Storage, store: str, key: str) -> Trace:
    entry = storage.head(key)
    told = Listed(key, entry.size, entry.modified)
    return traces.trace_of(store, told, sid_of(key) or "")


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
    if made is None or not sessions.is_of(made, subject):
        found.mixed.add(place.name)
    elif sessions.is_alone(made, subject):
        found.objects += _below(storage, store, place.key)
        found.objects += _below(storage, store, f"{STATE}tars/{place.name}.json")
    elif sessions.can_stand(made, subject):
        tar = place.form is Form.TAR
        key = place.key if tar else place.key + bags.receipt_path(place.name)
        found.bags.append(_trace(storage, store, key))
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
    """Beside the receipt of a session its page goes, and the records of what was deleted are
    written anew; what somebody else wrote stays.
    """
    store, key = place
    stems = [one.key.removesuffix(RECEIPT) for one in found.sessions if one.store == store]
    stem = next((one for one in stems if key.startswith(f"{one}.")), None)
    if stem is not None and key == stem + PAGE:
        found.objects.append(_trace(stores[store], store, key))
    elif stem is not None and DELETED.fullmatch(key, len(stem)):
        found.rewritten.append(place)
    else:
        found.named.add(stores[store].url(key))
