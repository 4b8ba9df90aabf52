"""What was chosen, as stages take it."""

from pipeline.jobs.options import Options


def test_a_key_is_never_shown():
    said = repr(Options(keys=(b"0123456789abcdef",), deep=True))
    assert "deep=True" in said
    assert "0123456789abcdef" not in said
