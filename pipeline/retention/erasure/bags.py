"""The bag of a session without one of its users: valid, as if it had been made of the rest, with
an event that says that something was erased.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress

from pipeline.archive import history, metadata, premis
from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.amend import Change, Held
from pipeline.archive.bagit.places import BagLocation
from pipeline.archive.bagit.staging import digest
from pipeline.archive.order import ACCESS, METADATA
from pipeline.archive.premis import Agent, Event
from pipeline.archive.present import made_from
from pipeline.errors import NotFoundError, StorageError
from pipeline.receipts.inputs import inputs_of
from pipeline.receipts.read import Published, ReceiptError, parsed
from pipeline.receipts.write import software
from pipeline.retention.erasure.sessions import Left, without_user
from pipeline.retention.erasure.subject import Subject
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage

_PROBE, _INFO = f"{METADATA}ffprobe", f"{METADATA}mediainfo"
_AGAIN = ("capture", "validation", "normalization")  # events that are said of all users at once


def receipt_path(name: str) -> str:
    """The path of the receipt in the bag of this name."""
    return f"{METADATA}{name}{RECEIPT}"


def published(storage: Storage, place: BagLocation) -> Published | None:
    """What the receipt in a bag says; None without one that can be read."""
    path = receipt_path(place.name)
    try:
        text = places.read(storage, place, path)
        return _parsed(text, place.name)
    except (NotFoundError, ReceiptError):
        return None


def mentions(storage: Storage, place: BagLocation, subject: Subject) -> bool:
    """Whether a tar holds a file of the subject, by its manifest, which lies in front."""
    try:
        return subject.mentioned(places.read(storage, place, bag.manifest_name("sha256")))
    except NotFoundError:
        return False


def _parsed(text: bytes, name: str) -> Published:
    return parsed(text, f"{name}{RECEIPT}", where=receipt_path(name), written=0.0)


def change(held: Held, name: str, subject: Subject, *, run: str, now: float) -> Change:
    """What erasing a user does to the bag of this name.  ``run`` names the erasure, ``now`` is in
    seconds since the epoch.

    Raises ``ReceiptError`` or ``StorageError`` for a bag that is not as this tool makes it.
    """
    whole = _parsed(held.read(receipt_path(name)), name)
    left = without_user(whole, subject, lambda one: held.read(ACCESS + one.name))
    made = left.published
    written = {receipt_path(name): made.text, f"{METADATA}ffmpeg.log": metadata.log(made)}
    written |= {ACCESS + one.name: text for one, text in left.documents.items()}
    try:
        beside = json.loads(held.read(f"{METADATA}recording.json"))["agora_mp4"]
        kept = [key for key in beside if not subject.owner(key)]
        written[f"{METADATA}recording.json"] = metadata.recording(made, kept)
        described = held.read(f"{METADATA}premis.xml")
        written[f"{METADATA}premis.xml"] = _events(
            described, left, written, subject, run=run, now=now
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{name}: its metadata is not as this tool writes it") from error
    return Change(
        [*_gone(held, subject)],
        written,
        {"Recording-Verdict": made.verdict.value},
        {
            "receipt": made.receipt_sha256,
            "origin": made_from(inputs_of(made.receipt), made.receipt["settings"]),
        },
    )


def _gone(held: Held, subject: Subject) -> Iterator[str]:
    """Files of the user, and what was read in them: what names them goes last."""
    yield from (path for path in held.paths if _is_own(path, subject))
    for path in (path for path in held.paths if path.startswith(_PROBE)):
        with suppress(NotFoundError):
            if subject.named(held.read(path)):
                yield f"{_INFO}{path.removeprefix(_PROBE).removesuffix('.json')}.xml"
                yield path


def _is_own(path: str, subject: Subject) -> bool:
    """Results in a bag are called as they were published."""
    return bool(subject.owner(path)) or (path.startswith(ACCESS) and subject.file(path))


def _events(
    text: bytes,
    left: Left,
    written: Mapping[str, bytes],
    subject: Subject,
    *,
    run: str,
    now: float,
) -> bytes:
    made = left.published
    again = history.events_of(made, (), [], probe="", mediainfo=None, now=now)
    name, _, version = software().partition(" ")
    deletion = Event(
        "deletion",
        now,
        "success",
        (Agent(name, version or None),),
        detail=f"run {run}: one user of the session was erased for good, with all files of that"
        " user and all that was said of them",
    )
    return premis.without(
        text,
        lambda said: subject.named(said.encode()),
        digests={path: digest([data]) for path, data in written.items()},
        events=[event for event in again if event.type in _AGAIN],
        deletion=deletion,
    )
