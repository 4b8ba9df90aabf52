"""A remote store that answers as it is told."""

import hashlib
from dataclasses import dataclass, field

from pipeline.errors import NotFoundError
from pipeline.model import StoredObject
from tests import ts

DATA = {f"in/{n}.ts": ts.segment(start=ts.START + n * 90_000) for n in range(3)}
KEYS = list(DATA)
SPOILT = bytes((DATA[KEYS[1]][0], *b"\xff" * 900)) + DATA[KEYS[1]][901:]
WHOLE = object()  # an answer with nothing wrong


@dataclass
class Shelf:
    """A remote store.  What a key's first answers are may be said in advance: what was got of the
    bytes, or an error.
    """

    objects: dict[str, bytes] = field(default_factory=lambda: dict(DATA))
    answers: dict[str, list[object]] = field(default_factory=dict)
    opened: list[tuple[str, str | None]] = field(default_factory=list)

    def open(self, key, *, etag=None):
        self.opened.append((key, etag))
        answers = self.answers.get(key)
        answer = answers.pop(0) if answers else WHOLE
        if key not in self.objects:
            raise NotFoundError(f"{self.url(key)}: no such object")
        data = self.objects[key] if answer is WHOLE or isinstance(answer, Exception) else answer
        half = len(data) // 2
        yield data[:half]
        if isinstance(answer, Exception):
            raise answer
        yield data[half:]

    def url(self, key=""):
        return f"shelf://{key}"

    def path(self, key):
        return None


def listing(etag=None, keys=KEYS):
    """What a store said of them; ``etag`` makes one of the bytes."""
    return [StoredObject(k, len(DATA[k]), etag and etag(DATA[k]), 1.0) for k in keys]


def md5(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def wrong(data):
    return f'"{hashlib.md5(data + b"x").hexdigest()}"'


def no_digest(data):
    return f'"{hashlib.md5(data).hexdigest()}-2"'


def severities(one):
    return [(f.id, f.severity) for f in (*one.findings, *one.scan.findings)]
