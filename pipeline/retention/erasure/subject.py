"""Whose media is to be erased, and which names belong to it.  Pure.

Every name that Agora gives, and every one made of it (results, receipts, bags, tags), begins with
the sid; in individual mode ``__uid_s_<uid>`` follows.  Of a result that was given another name its
receipt tells.
"""

import re

from msgspec import Struct

_NAME = re.compile(r"(?:bak[0-9]{1,2}_)?(?P<sid>[0-9a-f]{32})(?![0-9a-f])(?P<rest>.*)", re.DOTALL)
# names may follow each other in one line, with anything between them; none is that long
_IN_TEXT = re.compile(
    rb'(?<![0-9a-f])(?P<sid>[0-9a-f]{32})(?![0-9a-f])(?=(?P<rest>[^"/<>\r\n]{0,300}))'
)
_NEXT = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_UID = re.compile(r"__uid_s_([1-9][0-9]{0,9})(?![0-9])")
_SID = re.compile(r"[0-9a-f]{32}")
_USER = re.compile(r"[1-9][0-9]{0,9}")


def is_sid(text: str) -> bool:
    """Whether a text is a sid: 32 lower-case hexadecimal digits."""
    return _SID.fullmatch(text) is not None


def is_uid(text: str) -> bool:
    """Whether a text is the uid of a user: a decimal number of at most ten digits, not 0."""
    return _USER.fullmatch(text) is not None


class Subject(Struct, frozen=True):
    """All of some recordings, or one user's part of them."""

    sids: frozenset[str] | None = None  # None: of any recording
    uid: str | None = None  # None: of everybody in it
    but: frozenset[str] = frozenset()  # sids of what stays all the same

    def owner(self, key: str) -> str | None:
        """The sid in the name of an object or of a folder above it; None if it is not of this
        subject.
        """
        return next((sid for part in key.split("/") if (sid := self._sid(part))), None)

    def session(self, key: str) -> str | None:
        """The sid in the name of something of a whole recording that the subject may be part of."""
        name = _NAME.match(key.rpartition("/")[2])
        if name is None or _UID.search(name["rest"]) or not self._may(name["sid"]):
            return None
        return name["sid"]

    def file(self, key: str) -> bool:
        """Whether a file of a session, whatever that is called, is the user's."""
        return self.uid is not None and _UID.findall(key.rpartition("/")[2])[-1:] == [self.uid]

    def mentioned(self, text: bytes) -> bool:
        """Whether a text holds a name of the subject."""
        for found in _IN_TEXT.finditer(text):
            sid, rest = found["sid"].decode(), found["rest"].decode("utf-8", "replace")
            if self._is(sid, rest) or self._is(sid, _NEXT.split(rest, maxsplit=1)[0]):
                return True
        return False

    def named(self, text: bytes) -> bool:
        """Whether a text about a session of the user names the user, whatever its files are
        called.
        """
        uids = _UID.findall(text.decode("utf-8", "replace")) if self.uid is not None else []
        return self.uid in uids or self.mentioned(text)

    def _sid(self, part: str) -> str | None:
        name = _NAME.match(part)
        return name["sid"] if name and self._is(name["sid"], name["rest"]) else None

    def _is(self, sid: str, rest: str) -> bool:
        # a cname may hold anything: what stands last is Agora's
        return self._may(sid) and (self.uid is None or _UID.findall(rest)[-1:] == [self.uid])

    def _may(self, sid: str) -> bool:
        return (self.sids is None or sid in self.sids) and sid not in self.but


def sid_of(key: str) -> str | None:
    """The sid in the name of an object or of a folder above it; None without one."""
    return Subject().owner(key)


def without(value: object, subject: Subject) -> object:
    """A JSON value without the entries that name the subject, or whose ``uid`` is its user."""
    if isinstance(value, dict):
        return {
            key: without(one, subject) for key, one in value.items() if not _told(key, one, subject)
        }
    if isinstance(value, list):
        return [without(one, subject) for one in value if not _told("", one, subject)]
    return value


def _told(key: str, value: object, subject: Subject) -> bool:
    """Whether an entry is of the subject: by its key, its text, or a text right inside it."""
    texts = [key, *(value.values() if isinstance(value, dict) else (value,))]
    if any(isinstance(one, str) and subject.mentioned(one.encode()) for one in texts):
        return True
    own = isinstance(value, dict) and "uid" in value and subject.uid is not None
    return own and str(value["uid"]) == subject.uid  # type: ignore[index]
