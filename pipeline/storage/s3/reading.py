"""Objects read with obstore, where that is installed: it takes less CPU than boto3, and hardly any
of it under Python's lock.

boto3 remains the one that is believed: it reads one object as well, to compare, and whatever
obstore cannot read it is asked for again, as it can tell why.
"""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import obstore
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import BaseError
from obstore.store import S3Store

from pipeline.errors import StorageError
from pipeline.storage import CHUNK
from pipeline.storage.names import is_endpoint, is_etag

# Keys that every library writes into a URL as they are.
_PLAIN = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", re.ASCII)
_RENEWED = timedelta(minutes=5)  # how often boto3 is asked for keys, which it renews in time
_LIMITS: Any = {
    "connect_timeout": timedelta(seconds=10),
    "read_timeout": timedelta(seconds=60),
    "timeout": timedelta(hours=1),  # of a whole request, however large
}
_ONCE: Any = {"max_retries": 0}  # boto3 tries again


class Reader:
    """The objects of one bucket.  May be shared by threads."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._same: bool | None = None  # None: nothing was compared yet
        self._comparing = threading.Lock()

    def read(self, full: str, etag: str, boto: Iterator[bytes], *, where: str) -> Iterator[bytes]:
        """The bytes of the object with this ETag, in chunks; ``boto`` would read the same.

        Raises what ``boto`` raises, and ``StorageError`` if an answer is not whole; ``where`` says
        what was tried.  In the main thread boto3 reads: obstore could not be interrupted there.
        """
        main = threading.current_thread() is threading.main_thread()
        if main or self._same is False or not (_PLAIN.fullmatch(full) and is_etag(etag)):
            yield from boto
        elif self._same is None:
            yield from self._compared(full, etag, boto)
        elif (answer := self._asked(full, etag)) is None:
            yield from boto
        else:
            yield from self._believed(answer, where)

    def _compared(self, full: str, etag: str, boto: Iterator[bytes]) -> Iterator[bytes]:
        """What boto3 reads; of several at once, one is then read with obstore as well."""
        if not self._comparing.acquire(blocking=False):
            yield from boto
            return
        try:
            digest = hashlib.sha256()
            for chunk in boto:
                digest.update(chunk)
                yield chunk
            self._same = digest.digest() == self._digest(full, etag)
        finally:
            self._comparing.release()

    def _digest(self, full: str, etag: str) -> bytes | None:
        answer = self._asked(full, etag)
        if answer is None:
            return None
        digest = hashlib.sha256()
        with suppress(BaseError):
            for chunk in _chunks(answer):
                digest.update(chunk)
        return digest.digest()

    def _asked(self, full: str, etag: str) -> Any:
        """The answer with this very object, its body still to be read; None without one."""
        quoted = f'"{etag}"'
        try:
            answer = obstore.get(self._store, full, options={"if_match": quoted})
        except (BaseError, OSError, ValueError):
            return None
        return answer if answer.meta["e_tag"] == quoted else None

    def _believed(self, answer: Any, where: str) -> Iterator[bytes]:
        """Its body; if it breaks off, boto3 reads from now on."""
        try:
            yield from _chunks(answer)
        except BaseError as error:
            self._same = False
            what = f"no whole answer ({type(error).__name__})"
            raise StorageError(f"{where}: {what}; run again later") from error


def reader_of(bucket: str, client: Any, session: Any) -> Reader | None:
    """A reader with the endpoint of boto3's client and the keys of its session (of botocore).

    None where there are no such keys, or they are used in a way that obstore does not know.
    """
    endpoint = client.meta.endpoint_url
    if not is_endpoint(endpoint) or bucket.endswith("--x-s3"):  # such have keys of their own
        return None
    style = (client.meta.config.s3 or {}).get("addressing_style")
    scheme, _, rest = endpoint.partition("://")
    config: Any = {  # the name that comes before all others, which it would take of the environment
        "aws_endpoint_url_s3": f"{scheme}://{bucket}.{rest}" if style == "virtual" else endpoint,
        "region": client.meta.region_name,
        "virtual_hosted_style_request": style == "virtual",
    }
    options: Any = {**_LIMITS, "allow_http": scheme == "http"}
    try:
        store = S3Store(
            bucket,
            config=config,
            client_options=options,
            retry_config=_ONCE,
            credential_provider=Boto3CredentialProvider(session, ttl=_RENEWED),
        )
    except (BaseError, ValueError):
        return None
    return Reader(store)


def _chunks(answer: Any) -> Iterator[bytes]:
    """Its body, all of it: obstore raises if the answer ends early."""
    for piece in answer.stream(min_chunk_size=CHUNK // 2):
        for at in range(0, len(piece), CHUNK):
            yield piece[at : at + CHUNK]
