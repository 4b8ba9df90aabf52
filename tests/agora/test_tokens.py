"""When a token ends, as it says itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agora.tokens import ends
from tests.agora.tokens import version_6, version_7


@pytest.mark.parametrize(
    ("token", "when"),
    [
        pytest.param(version_7(1_000_000, 3600), 1_003_600, id="the token ends"),
        pytest.param(version_7(1_000_000, 3600, join=60), 1_000_060, id="the privilege ends first"),
        pytest.param(version_7(1_000_000, 60, join=3600), 1_000_060, id="the token ends first"),
        pytest.param(version_7(1_000_000, 60, join=5, service=2), 1_000_060, id="another service"),
        pytest.param(version_7(1_000_000, 0), None, id="never"),
        pytest.param(version_6(1_003_600), 1_003_600, id="version 6"),
        pytest.param(version_6(0), None, id="version 6, never"),
        pytest.param("", None, id="nothing"),
        pytest.param("007", None, id="a version alone"),
        pytest.param("006" + "a" * 32, None, id="no content"),
        pytest.param("008" + version_6(5)[3:], None, id="a later version"),
        pytest.param(version_7(1, 1)[:-20], None, id="cut off"),
        pytest.param("007" + "ä" * 9, None, id="no base64"),
    ],
)
def test_when_it_ends(token, when):
    assert ends(token) == when


@given(st.sampled_from(["006" + "a" * 32, "007", ""]), st.text() | st.binary().map(bytes.hex))
def test_whatever_is_no_token_is_not_known(version, rest):
    assert ends(version + rest) is None or isinstance(ends(version + rest), int)
