"""``--key``: read from a file, never shown."""

import pytest

from tests.cli.conftest import segments
from tests.media.containers.test_aes128 import encrypted

KEY = bytes(range(100, 116))


@pytest.fixture
def locked(composite):
    """Encrypted with a key that is elsewhere."""
    for number, path in enumerate(segments(composite)):
        path.write_bytes(encrypted(path.read_bytes(), KEY, number.to_bytes(16, "big")))
    (playlist,) = composite.glob("*.m3u8")
    tag = '#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example.com/1"\n#EXTINF'
    playlist.write_text(playlist.read_text().replace("#EXTINF", tag, 1))
    return composite


@pytest.mark.parametrize("data", [KEY, KEY.hex().encode()], ids=["bytes", "hexadecimal"])
def test_a_key_file(recpipe, locked, tmp_path, data):
    (tmp_path / "secret").write_bytes(data)
    assert recpipe("check", locked).code == 4
    assert recpipe("check", locked, "--key", tmp_path / "secret").code == 0
    ended = recpipe("check", locked, "--json", env={"RECPIPE_KEY": str(tmp_path / "secret")})
    assert ended.line["verdict"] == "ok"
    assert KEY.hex() not in ended.out + ended.err


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(None, "secret: no such file", id="not there"),
        pytest.param(b"my secret key", "no key, expected 16 bytes or lines of 32", id="no key"),
    ],
)
def test_a_file_that_is_none(recpipe, locked, tmp_path, data, why):
    if data:
        (tmp_path / "secret").write_bytes(data)
    ended = recpipe("check", locked, "--key", tmp_path / "secret")
    assert ended.code == 2
    assert why in ended.err
    assert "my secret" not in ended.err
