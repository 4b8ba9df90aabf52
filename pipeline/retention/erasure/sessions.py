"""A published session without one of its users: everything that was said of all is said again of
those who are left.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from pipeline.jobs.sessions import document, people
from pipeline.jobs.sessions.report import of_session
from pipeline.media import speech
from pipeline.model import Recording, Report, SourceFile
from pipeline.receipts.read import Output, Published, ReceiptError, parsed
from pipeline.receipts.report import report_of
from pipeline.receipts.write import receipt
from pipeline.retention.erasure.subject import Subject
from pipeline.stages.publish import SESSION, SPEAKERS, is_user_file, receipt_bytes

KEPT = ("software", "converted")  # what a receipt says of the run that made it


Read = Callable[[Output], bytes]  # what a document of a session holds


class Left(Struct, frozen=True):
    """What is left of a session: its receipt, and the documents about it that were written."""

    published: Published
    documents: Mapping[Output, bytes]  # by what is said of each in the receipt as it was


def is_of(published: Published, subject: Subject) -> bool:
    """Whether the user has a part in a session that can be taken out: a file of each user, or one
    file of nobody else.
    """
    if subject.uid is None or subject.uid not in _uids(published):
        return False
    return is_alone(published, subject) or not _is_of_all(published)


def _is_of_all(published: Published) -> bool:
    """Whether one file holds all users, or in its captions what all of them said."""
    files = (one.key.rpartition("/")[2] for one in published.files)
    told = any(track["cues"] for track in published.receipt.get("captions", ()))
    return told or not all(is_user_file(published.plain, file) for file in files)


def is_alone(published: Published, subject: Subject) -> bool:
    """Whether nobody else was in the session."""
    return set(_uids(published)) == {subject.uid}


def can_stand(published: Published, subject: Subject) -> bool:
    """Whether something that was made is left without the user."""
    return any(not subject.file(one.key) for one in published.pieces)


def _uids(published: Published) -> list[str]:
    users = published.receipt.get("users")
    return [str(user["uid"]) for user in users] if isinstance(users, list) else []


def without_user(published: Published, subject: Subject, read: Read) -> Left:
    """The session as if the user had never been in it; itself if that is so already.

    Raises ``ReceiptError`` for a receipt, or a document ``read``, that is not as this tool writes
    it.
    """
    try:
        report = _report(published.receipt, subject)
        made = receipt(
            report,
            _inputs(published.receipt, subject),
            settings=_settings(published.receipt["settings"], subject),
            muxer=_muxer(published, subject),
        )
        made |= {name: published.receipt[name] for name in KEPT if name in published.receipt}
        made["output"]["file"] = made["pieces"][0]["file"]
        talk = _talk(published, subject, read)
        told = {one: _document(one, report, talk) for one in published.besides}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{published.receipt_key}: not as this tool writes it; erase it with --sid"
        raise ReceiptError(said) from error
    made |= _more(published, told)
    key, written = published.receipt_key, published.converted
    return Left(parsed(receipt_bytes(made), key, where=key, written=written), told)


def _talk(published: Published, subject: Subject, read: Read) -> speech.Talk | None:
    """Who spoke when, but for the user; None where nobody wrote that."""
    of_it = (one for one in published.besides if one.name.endswith(SPEAKERS[0]))
    found = next(of_it, None)
    return speech.of_json(read(found)).without(subject.uid or "") if found else None


def _document(one: Output, report: Report, talk: speech.Talk | None) -> bytes:
    """One of the documents about a session, as it is without the user."""
    if one.name.endswith(SESSION):
        return document.written(report)
    if talk is None:
        raise ValueError(one.name)
    return speech.as_json(talk) if one.name.endswith(SPEAKERS[0]) else speech.as_vtt(talk)


def _more(published: Published, told: Mapping[Output, bytes]) -> dict[str, Any]:
    """What publishing adds to a receipt."""
    more: dict[str, Any] = {}
    if told:
        more["besides"] = [
            {
                "file": one.key.rpartition("/")[2],
                "size": len(text),
                "sha256": hashlib.sha256(text).hexdigest(),
            }
            for one, text in told.items()
        ]
    return more | {k: v for k, v in published.receipt.items() if k == "name"}


def _report(made: Mapping[str, Any], subject: Subject) -> Report:
    """That of the run, about the users who are left."""
    outputs = [piece["output"] for piece in made["pieces"]]
    beside = made["recording"]
    whole = report_of(made, source=made["source"], outputs=outputs, beside=beside)
    users = [user for user in whole.users if user.uid != subject.uid]
    return of_session(Recording(whole.recording, whole.source, ()), users)


def _settings(told: Mapping[str, str], subject: Subject) -> dict[str, str]:
    """What was chosen; the user may have been asked for by name."""
    left = dict(told)
    if "uids" in told:
        left["uids"] = ",".join(uid for uid in told["uids"].split(",") if uid != subject.uid)
    if "names" in told:
        left["names"] = people.without(told["names"], subject.uid)
    return left


def _inputs(made: Mapping[str, Any], subject: Subject) -> list[SourceFile]:
    return [SourceFile(**one) for one in made["inputs"] if not subject.owner(one["key"])]


def _muxer(published: Published, subject: Subject) -> Mapping[str, Any]:
    """What ffmpeg was asked and said, if that was about the file of somebody else."""
    told: Mapping[str, Any] = published.receipt["muxer"]
    own = subject.file(published.key) or subject.named(json.dumps(told).encode())
    return {**told, "command": [], "messages": []} if own else told
