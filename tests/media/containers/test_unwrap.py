"""From a file to a transport stream: taken as it is, decrypted, or rewritten."""

import numpy as np
import pytest

from pipeline.media.containers.unwrap import Wrapping, opened
from pipeline.media.ts.scan import scan
from tests import ts
from tests.media.containers.test_aes128 import IV, KEY, encrypted

PLAIN = ts.segment()
OTHER = bytes(16)


def bytes_of(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def take(data: bytes, **how):
    return opened("a.ts", bytes_of(data), Wrapping(0, len(data), len(data), **how))


def test_a_transport_stream_is_taken_as_it_is():
    found = take(PLAIN)
    assert found.data.tobytes() == PLAIN
    assert (found.findings, found.cut, found.file, found.key) == ((), False, b"", None)


@pytest.mark.parametrize(("keys", "which"), [((KEY,), 0), ((OTHER, KEY), 1)])
def test_the_key_that_fits_is_taken(keys, which):
    found = take(encrypted(PLAIN), encrypted=True, keys=keys, iv=IV)
    assert found.data.tobytes() == PLAIN
    assert (found.findings, found.cut, found.key) == ((), False, which)


@pytest.mark.parametrize("keys", [(), (OTHER,)], ids=["none", "another"])
def test_without_the_key_it_stays_what_it_is(keys):
    """Then nothing of it is a transport stream, and that is found."""
    made = encrypted(PLAIN)
    found = take(made, encrypted=True, keys=keys, iv=IV)
    assert found.data.tobytes() == made
    assert found.key is None
    assert [f.id for f in scan("a.ts", found.data).findings] == ["NOT_TS"]


@pytest.mark.parametrize("cut", [1, 16, 500])
def test_an_end_that_is_missing_is_told(cut):
    found = take(encrypted(PLAIN)[:-cut], encrypted=True, keys=(KEY,), iv=IV)
    assert [(f.id, f.segment) for f in found.findings] == [("SEG_PARTIAL", "a.ts")]
    assert found.cut
    assert PLAIN.startswith(found.data.tobytes()[: len(PLAIN) - cut - 16])


def test_what_is_listed_as_encrypted_and_is_not():
    found = take(PLAIN, encrypted=True, keys=(KEY,), iv=IV)
    assert found.data.tobytes() == PLAIN
    assert [(f.id, f.repair) for f in found.findings] == [("PL_KEY", "read as it is")]


def test_the_same_bytes_always_come_out_the_same():
    made = encrypted(PLAIN)
    how = {"encrypted": True, "keys": (OTHER, KEY), "iv": IV}
    assert take(made, **how).data.tobytes() == take(made, **how).data.tobytes()


def test_a_broken_container_is_a_finding():
    made = b"\0\0\0\x18ftypiso5" + bytes(12) + b"\0\0\0\x10moof" + bytes(8)
    found = take(made)
    assert [(f.id, f.segment) for f in found.findings] == [("NOT_TS", "a.ts")]
    assert len(found.data) == 0


def test_no_key_in_what_is_printed():
    assert KEY.hex() not in repr(Wrapping(0, 1, 1, keys=(KEY,)))
    assert repr(KEY) not in repr(Wrapping(0, 1, 1, keys=(KEY,)))
