"""AES-128 of whole segments (RFC 8216 section 4.3.2.4): CBC with PKCS7 padding (RFC 5652 section
6.3).

The only module that imports cryptography.
"""

import numpy as np
from msgspec import Struct

from pipeline.media.clock import Bytes

BLOCK = 16  # bytes
MAX_KEY = 4096  # bytes of a file that holds keys


class Clear(Struct, frozen=True, eq=False):
    """A decrypted segment."""

    data: Bytes  # uint8[bytes], without padding
    whole: bool  # its padding is right: False if its end is missing, or the key is another one


def decrypted(data: Bytes, key: bytes, iv: bytes) -> Clear:
    """The segment in the clear, without its padding; a block that is not whole is left out.  Key
    and IV have 16 bytes each, or ValueError.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    length = len(data) // BLOCK * BLOCK
    context = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    clear = np.frombuffer(bytearray(context.update(data[:length].data)), np.uint8)
    padding = _padding(clear) if length == len(data) else 0
    return Clear(clear[: len(clear) - padding], padding > 0)


def _padding(clear: Bytes) -> int:
    """Bytes of PKCS7 padding (RFC 5652 section 6.3), 0 where there is none."""
    count = int(clear[-1]) if len(clear) else 0
    good = 1 <= count <= BLOCK and bool((clear[-count:] == count).all())
    return count if good else 0


def keys_of(data: bytes) -> tuple[bytes, ...]:
    """The keys a file holds: 16 bytes as they are, or words of 32 hexadecimal digits; empty for
    anything else.
    """
    if len(data) == BLOCK:
        return (data,)
    try:
        keys = tuple(bytes.fromhex(line.removeprefix("0x")) for line in data.decode().split())
    except ValueError:
        return ()
    return keys if all(len(key) == BLOCK for key in keys) else ()
