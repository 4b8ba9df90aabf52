"""A store in memory."""

import hashlib
from dataclasses import dataclass, field

from pipeline.errors import ExistsError, NotFoundError, StorageError
from pipeline.model import StoredObject
from pipeline.storage import allowed
from pipeline.storage.sending import unseen
from pipeline.storage.temporaries import temporary


@dataclass
class Shelf:
    """A remote store that writes down what it was asked to do."""

    objects: dict[str, bytes] = field(default_factory=dict)
    log: list[tuple[str, ...]] = field(default_factory=list)
    lost: int = 0  # bytes of every file that do not arrive
    refuses: str = ""  # a key that cannot be written
    creates_once: bool | None = True
    shared: bool = True

    def temporary(self, key, spool):
        return temporary(spool)

    def flush(self, temporary):
        pass

    def path(self, key):
        return None

    def adopt(self, source, key, *, sha256, content_type, sent=unseen):
        return self.put(source, key, sha256=sha256, content_type=content_type, sent=sent)

    def create(self, source, key, *, sha256, content_type, guard=allowed, sent=unseen):
        guard()
        if self.creates_once and key in self.objects:
            raise ExistsError(key)
        return self.put(source, key, sha256=sha256, content_type=content_type, sent=sent)

    def put(self, source, key, *, sha256, content_type, sent=unseen):
        self.log.append(("put", key, content_type))
        if key == self.refuses:
            raise StorageError(f"put {key}: no answer")
        data = source.read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256
        self.objects[key] = data[: len(data) - self.lost]
        sent(len(data))
        return self.head(key)

    def delete(self, key):
        self.log.append(("delete", key))
        self.objects.pop(key, None)

    def head(self, key):
        if key not in self.objects:
            raise NotFoundError(key)
        return StoredObject(key, len(self.objects[key]), None, 0.0)

    def open(self, key, *, etag=None):
        self.head(key)
        yield self.objects[key][:7]
        yield self.objects[key][7:]

    def url(self, key=""):
        return f"shelf://{key}"
