"""A published session without one of its users: everything that was said of all is said again of
those who are left.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pipeline.jobs.sessions import document, people
from pipeline.jobs.sessions.report import of_session
from pipeline.model import Recording, Report, SourceFile
from pipeline.receipts.read import Published, ReceiptError, parsed
from pipeline.receipts.report import report_of
from pipeline.receipts.write import receipt
from pipeline.retention.erasure.subject import Subject
from pipeline.stages.publish import receipt_bytes

KEPT = ("software", "converted")  # what a receipt says of the run that made it


class Left(Struct, frozen=True):
    """What is left of a session: its receipt, and the document about it; None where none was
    written.
    """

    published: Published
    document: bytes | None


def is_of(published: Published, subject: Subject) -> bool:
    """Whether the user has a part in a session that can be taken out: a file of each user."""
    return subject.uid is not None and subject.uid in _uids(published)


def is_alone(published: Published, subject: Subject) -> bool:
    """Whether nobody else was in the session."""
    return set(_uids(published)) == {subject.uid}


def can_stand(published: Published, subject: Subject) -> bool:
    """Whether something that was made is left without the user."""
    return any(not subject.file(one.key) for one in published.pieces)


def _uids(published: Published) -> list[str]:
    users = published.receipt.get("users")
    return [str(user["uid"]) for user in users] if isinstance(users, list) else []


def without_user(published: Published, subject: Subject) -> Left:
    """The session as if the user had never been in it; itself if that is so already.

    Raises ``ReceiptError`` for a receipt that is not as this tool writes it.
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
        told = document.written(report) if published.besides else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{published.receipt_key}: not as this tool writes it; erase it with --sid"
        raise ReceiptError(said) from error
    made |= _more(published, told)
    key, written = published.receipt_key, published.converted
    return Left(parsed(receipt_bytes(made), key, where=key, written=written), told)


def _more(published: Published, told: bytes | None) -> dict[str, Any]:
    """What publishing adds to a receipt."""
    more: dict[str, Any] = {}
    if told is not None:
        file, sha256 = published.besides[0].key.rpartition("/")[2], hashlib.sha256(told).hexdigest()
        more["besides"] = [{"file": file, "size": len(told), "sha256": sha256}]
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
