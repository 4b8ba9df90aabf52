"""AES-128-CBC with PKCS7 padding, against a known answer and openssl's own inverse."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pipeline.media.containers.aes128 import decrypted, keys_of

KEY, IV = bytes(range(16)), bytes(range(16, 32))


def encrypted(data: bytes, key: bytes = KEY, iv: bytes = IV) -> bytes:
    """What a recorder writes."""
    padding = 16 - len(data) % 16
    context = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return context.update(data + bytes([padding]) * padding)


def clear(data: bytes, key: bytes = KEY, iv: bytes = IV) -> tuple[bytes, bool]:
    result = decrypted(np.frombuffer(data, np.uint8), key, iv)
    return result.data.tobytes(), result.whole


def test_a_known_answer():
    """NIST SP 800-38A, F.2.2, first block."""
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    text = bytes.fromhex("7649abac8119b246cee98e9b12e9197d")
    found, whole = clear(text, key, bytes(range(16)))
    assert found.hex() == "6bc1bee22e409f96e93d7e117393172a"
    assert not whole


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 188, 4096])
def test_there_and_back(length):
    data = bytes(n % 251 for n in range(length))
    assert clear(encrypted(data)) == (data, True)


def test_with_another_key_it_is_not_whole():
    assert clear(encrypted(bytes(188)), bytes(16))[1] is False


@pytest.mark.parametrize("length", [1, 15, 16, 17])
def test_what_is_cut_off_is_not_whole(length):
    data = bytes(n % 251 for n in range(188))
    found, whole = clear(encrypted(data)[:-length])
    assert not whole
    assert found == data[: len(found)]


def test_nothing_is_nothing():
    assert clear(b"") == (b"", False)


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        pytest.param(KEY, (KEY,), id="bytes"),
        pytest.param(KEY.hex().encode() + b"\n", (KEY,), id="hexadecimal"),
        pytest.param(f"0x{KEY.hex()}\r\n{IV.hex().upper()}\n".encode(), (KEY, IV), id="two"),
        pytest.param(b"", (), id="nothing"),
        pytest.param(KEY + b"\n", (), id="a byte more"),
        pytest.param(KEY.hex().encode()[:-1], (), id="half a byte less"),
        pytest.param(b"<html>404</html>", (b"<html>404</html>",), id="16 bytes are a key"),
        pytest.param(b"<html>not found</html>", (), id="an error page"),
        pytest.param(b"\xff" * 17, (), id="binary"),
    ],
)
def test_what_a_key_file_holds(data, keys):
    assert keys_of(data) == keys
