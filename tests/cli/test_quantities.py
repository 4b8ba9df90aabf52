"""Quantities as people write them, and as the tools they know do."""

import click
import pytest

from pipeline.cli.quantities import DURATION, SHARE, SIZE


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (SIZE, "500MB", 500e6),
        (SIZE, "2GiB", 2 * 1024**3),
        (SIZE, "10M", 10 * 1024**2),
        (SIZE, "1.5K", 1536),
        (SIZE, "7", 7),
        (DURATION, "36h", 36 * 3600),
        (DURATION, "2w", 14 * 86400),
        (SHARE, "20%", 0.2),
        (SHARE, "0.2", 0.2),
    ],
)
def test_what_is_written_is_what_is_meant(kind, text, value):
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [(SIZE, "1m"), (SIZE, "M"), (SIZE, "-1M"), (DURATION, "30"), (SHARE, "0%"), (SHARE, "101%")],
)
def test_what_may_be_meant_otherwise_is_refused(kind, text):
    with pytest.raises(click.BadParameter, match="write "):
        kind.convert(text, None, None)
