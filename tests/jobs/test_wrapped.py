"""Recordings whose segments are encrypted or parts of a file: the MP4 is that of the plain one."""

import hashlib
from pathlib import Path

import pytest

from pipeline.model import Severity, Verdict
from tests import recordings as r
from tests.media.containers.test_aes128 import encrypted

KEYS = [hashlib.sha256(bytes([n])).digest()[:16] for n in range(3)]


@pytest.fixture
def recording(library, tmp_path):
    """One to wrap."""
    return library[r.AV_B].copy(tmp_path / "recording")


@pytest.fixture
def convert(library, tmp_path):
    """What becomes of it, and the SHA-256 of the plain one's MP4."""

    def run(folder, **chosen):
        return r.convert(folder, tmp_path / "out", library.ffmpeg, **chosen)

    return run


@pytest.fixture
def plain_report(library, tmp_path):
    return r.convert(library[r.AV_B].folder, tmp_path / "plain", library.ffmpeg)


@pytest.fixture
def plain(plain_report):
    return plain_report.sha256


def held(report, library):
    """All samples; when it was recorded only the names of slices tell."""
    return r.samples(Path(report.output), library.ffmpeg)


def encrypt(made, *, ivs=None, keys=None, first=0):
    """Encrypt every slice; keys by number, None for those left alone."""
    keys = keys or [KEYS[0]] * len(made.names)
    last = None
    for number, key in enumerate(keys):
        iv = ivs[number] if ivs else (first + number).to_bytes(16, "big")
        if key is not None:
            made.write(number, encrypted(made.data(number), key, iv))
        if key != last or ivs:
            name = f"{KEYS.index(key)}.key" if key else ""
            said = f",IV=0x{iv.hex()}" if ivs and key else ""
            tag = f'#EXT-X-KEY:METHOD=AES-128,URI="{name}"{said}'
            r.tagged(made, number, tag if key else "#EXT-X-KEY:METHOD=NONE")
            if key:
                (made.folder / name).write_bytes(key)
        last = key


def ids(report):
    return {(f.id, f.severity) for f in r.loud(report)}


# --- encrypted ---------------------------------------------------------------------------------


def test_a_key_beside_the_playlist(recording, convert, plain):
    encrypt(recording)
    before = {path.name: path.read_bytes() for path in recording.folder.iterdir()}
    report = convert(recording.folder)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.proof.holds
    assert report.sha256 == plain
    assert [(f.id, f.count) for f in report.findings] == [("PL_KEY", 5)] + [
        (f.id, f.count) for f in report.findings if f.id != "PL_KEY"
    ]
    assert {path.name: path.read_bytes() for path in recording.folder.iterdir()} == before
    assert r.check(recording.folder).verdict is Verdict.OK


def test_keys_change_and_end(recording, convert, plain):
    keys = [KEYS[0], KEYS[0], KEYS[1], None, KEYS[2]]
    encrypt(recording, keys=keys, ivs=[bytes([9, n] * 8) for n in range(5)])
    report = convert(recording.folder)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.sha256 == plain


def test_the_initialisation_vector_is_the_number(recording, convert, plain):
    encrypt(recording, first=41)
    recording.edit(lambda text: text.replace("MEDIA-SEQUENCE:0", "MEDIA-SEQUENCE:41"))
    report = convert(recording.folder)
    assert report.sha256 == plain
    assert ids(report) == {("PL_MEDIA_SEQUENCE", Severity.WARNING)}


def test_a_key_that_is_given(recording, convert, plain):
    """The playlist names a URL: nothing is fetched, the key that fits is taken."""
    encrypt(recording)
    (recording.folder / "0.key").unlink()
    recording.edit(lambda text: text.replace("0.key", "https://keys.example.com/0"))
    report = convert(recording.folder)
    assert report.verdict is Verdict.REJECTED
    assert ("PL_KEY", Severity.FATAL) in ids(report)
    report = convert(recording.folder, keys=(KEYS[1], KEYS[0]))
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.sha256 == plain


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(KEYS[1], "no key at hand decrypts them", id="another key"),
        pytest.param(KEYS[0][:-1], "is no key: 15 bytes, expected 16", id="a byte short"),
        pytest.param(r.HTML, "is no key", id="an error page"),
        pytest.param(bytes(1 << 20), "is no key", id="far too long"),
    ],
)
def test_a_wrong_key_is_told_and_makes_nothing(recording, convert, tmp_path, content, expected):
    encrypt(recording)
    (recording.folder / "0.key").write_bytes(content)
    report = convert(recording.folder)
    assert report.verdict is Verdict.REJECTED
    fatal = [f for f in report.findings if f.severity is Severity.FATAL]
    assert {f.id for f in fatal} == {"PL_KEY"}
    assert any(expected in f.detail for f in fatal), r.said(report)
    assert not list((tmp_path / "out").glob("*.mp4"))


def test_no_key_is_told_before_anything_is_read(recording, convert):
    encrypt(recording)
    (recording.folder / "0.key").unlink()
    report = convert(recording.folder)
    assert report.verdict is Verdict.REJECTED
    (finding,) = [f for f in report.findings if f.severity is Severity.FATAL]
    assert finding.detail == (
        "encrypted with AES-128, and its key 0.key is not beside the playlist: give it with --key"
    )


@pytest.mark.parametrize("length", [1, 16, 20_000, 20_000 // 16 * 16])
@pytest.mark.parametrize("number", [1, 4])
def test_an_encrypted_slice_cut_off(library, recording, convert, number, length):
    """Its padding is gone as well, so not even a cut between two packets passes."""
    encrypt(recording)
    data = recording.data(number)
    recording.write(number, data[:-length])
    report = convert(recording.folder)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert ("SEG_PARTIAL", Severity.ERROR) in ids(report)
    left = (len(data) - length) // 16 * 16 // r.PACKET
    gone = {number: set(range(left, len(data) // r.PACKET + 1))}
    held = library.held(r.AV_B)
    truth = r.seconds(r.survivors(held, gone)[1], held)
    for kind, seconds in truth.items():
        assert report.lost_seconds[kind] == pytest.approx(seconds, abs=0.1), r.said(report)


def test_an_error_page_among_encrypted_slices(recording, convert):
    encrypt(recording)
    recording.write(2, r.HTML)
    report = convert(recording.folder)
    assert report.verdict is Verdict.DEGRADED
    assert ("NOT_TS", Severity.ERROR) in ids(report)


def test_a_slice_of_another_key_among_encrypted_ones(recording, convert):
    data = recording.data(2)
    encrypt(recording)
    recording.write(2, encrypted(data, KEYS[2], bytes(16)))
    report = convert(recording.folder)
    assert report.verdict is Verdict.DEGRADED
    assert ("NOT_TS", Severity.ERROR) in ids(report)


def test_a_slice_that_is_not_encrypted_although_listed_so(recording, convert, plain):
    data = recording.data(2)
    encrypt(recording)
    recording.write(2, data)
    report = convert(recording.folder)
    assert report.verdict is Verdict.REPAIRED
    assert report.sha256 == plain


def test_no_key_in_anything_that_is_written(recording, convert, tmp_path):
    """Promise 6."""
    encrypt(recording, ivs=[bytes(16)] * 5)
    report = convert(recording.folder, keys=tuple(KEYS))
    texts = [repr(report), Path(report.receipt).read_text()]
    for key in KEYS:
        assert all(key.hex() not in text and repr(key)[2:-1] not in text for text in texts)


# --- parts of a file ---------------------------------------------------------------------------


def pack(made, *, behind=0):
    """All slices in one file, listed by their ranges."""
    whole = b"".join(made.contents())
    at = 0
    for number, name in enumerate(made.names):
        size = len(made.data(number))
        (made.folder / name).unlink()
        r.tagged(made, number, f"#EXT-X-BYTERANGE:{size}@{at}")
        made.edit(lambda text, name=name: text.replace(f"\n{name}\n", "\nall.ts\n"))
        at += size
    (made.folder / "all.ts").write_bytes(whole[: len(whole) - behind])
    return whole


def test_parts_of_one_file(recording, convert, library, plain_report):
    before = library[r.AV_B].contents()
    assert pack(recording) == b"".join(before)
    report = convert(recording.folder)
    assert report.verdict is Verdict.OK, r.said(report)
    assert held(report, library) == held(plain_report, library)


def test_encrypted_parts_of_one_file(recording, convert, library, plain_report):
    encrypt(recording)
    pack(recording)
    report = convert(recording.folder)
    assert report.verdict is Verdict.OK, r.said(report)
    assert held(report, library) == held(plain_report, library)


@pytest.mark.parametrize("missing", [1, 188 * 40, 200_000])
def test_a_file_of_parts_that_is_cut_off(recording, convert, missing):
    pack(recording, behind=missing)
    report = convert(recording.folder)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert ("PL_BYTERANGE", Severity.ERROR) in ids(report)


@pytest.mark.parametrize("extra", [0, 8], ids=["whole blocks", "a part of a block"])
def test_the_range_of_an_encrypted_slice_may_leave_out_its_padding(recording, convert, extra):
    """ffmpeg writes the length of what it encrypted."""
    size = len(recording.data(0)) // 16 * 16 - extra
    recording.write(0, recording.data(0)[:size] if extra else recording.data(0))
    size = len(recording.data(0))
    encrypt(recording, keys=[KEYS[0], *[None] * 4])
    r.tagged(recording, 0, f"#EXT-X-BYTERANGE:{size}@0")
    report = convert(recording.folder)
    assert not any("encrypted" in f.detail for f in r.loud(report)), r.said(report)
