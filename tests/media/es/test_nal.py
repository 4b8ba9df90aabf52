"""NAL units: where they begin and end, in a byte stream and behind their lengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.es.nal import length_prefixed, nal_units, nals, start_codes
from pipeline.media.malformed import Malformed
from tests import ts


@pytest.mark.parametrize(
    ("es", "expected"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(ts.noise(50), [], id="no start code"),
        pytest.param(b"xyz\0\0\1ab", [b"ab"], id="bytes in front"),
        pytest.param(b"\0\0\1ab\0\0\1cd", [b"ab", b"cd"], id="3-byte codes"),
        pytest.param(b"\0\0\0\1ab\0\0\0\1cd", [b"ab", b"cd"], id="4-byte codes"),
        pytest.param(b"\0\0\1ab\0\0\0\0\0\1cd\0\0", [b"ab", b"cd"], id="trailing zero bytes"),
        pytest.param(b"\0\0\1\0\0\1", [b"", b""], id="nothing between"),
    ],
)
def test_nal_units(es, expected):
    assert nal_units(es) == expected


@pytest.mark.parametrize("codes", [(3,), (4,), (4, 3)])
def test_nal_units_of_a_picture(codes):
    assert nal_units(ts.access_unit(codes=codes)) == ts.picture_nals()


PIECES = [b"\0", b"\1", b"\0\0\1", b"\x65\x88", b"\0\0\0\1\x67"]


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_the_columns_of_a_stream_are_the_units_of_its_bytes(pieces):
    es = b"".join(pieces) + b"\0\0\1\x41"
    found = nals(np.frombuffer(es, np.uint8))
    spans = zip(found.begin.tolist(), found.end.tolist(), strict=True)
    assert [es[a:b].rstrip(b"\0") for a, b in spans] == nal_units(es)


@given(st.lists(st.sampled_from([0, 1, 2]), max_size=40), st.integers(0, 1))
def test_start_codes_are_found_at_even_and_odd_places(pieces, begin):
    data = bytes(pieces)[begin:]
    places = [at for at in range(len(data)) if data.startswith(b"\0\0\1", at)]
    es = np.frombuffer(bytes(pieces), np.uint8)[begin:]
    assert start_codes(es).tolist() == places


def test_units_before_a_place():
    es = ts.annex_b([ts.AUD, ts.IDR, ts.AUD, ts.nal(1)])
    found = nals(np.frombuffer(es, np.uint8))
    cut = len(ts.annex_b([ts.AUD, ts.IDR, ts.AUD])) + 9
    left = found.until(cut)
    assert left.begin.tolist() == found.begin.tolist()
    assert left.end.tolist() == [*found.end[:3].tolist(), cut]
    assert [n.tolist() for n in found.until(9).pictures] == [[], []]


def test_nal_units_of_a_sample():
    sample = b"\0\0\0\2ab\0\0\0\1c"
    assert [sample[a:b] for a, b in length_prefixed(sample)] == [b"ab", b"c"]
    for wrong in (sample[:-1], sample + b"\0", b"\0\0\0\0"):
        with pytest.raises(Malformed):
            list(length_prefixed(wrong))
