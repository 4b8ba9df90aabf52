"""Numbers and names as people read them."""

import pytest

from pipeline.report import words


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.066, "0.07 s"),
        (0.999, "1.0 s"),
        (9.984, "10.0 s"),
        (59.96, "1 min"),
        (125.0, "2 min 5 s"),
        (3600.0, "1 h 0 min"),
        (7501.0, "2 h 5 min"),
    ],
)
def test_lengths_of_time(seconds, told):
    assert words.lasting(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, "0:00:00.0"), (59.96, "0:01:00.0"), (3723.46, "1:02:03.5"), (-1, "0:00:00.0")],
)
def test_places_in_a_file(seconds, told):
    assert words.position(seconds) == told


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (words.exact(1234.5), "1,234.500 s"),
        (words.exact(0.0), "–"),
        (words.number(1234567), "1,234,567"),
        (words.in_bytes(999), "999 bytes"),
        (words.in_bytes(2_500_000), "2.5 MB"),
        (words.bit_rate(1_500_000), "1.50 Mbit/s"),
        (words.bit_rate(64_000), "64 kbit/s"),
        (words.decibels(0.5), "-6 dB"),
        (words.decibels(0.0), "silent"),
        (words.clock("2026-03-02T09:00:02.115Z"), "2026-03-02 09:00:02"),
        (words.clock(None), ""),
        (words.plural(1, "segment"), "1 segment"),
        (words.plural(2, "thing was", "things were"), "2 things were"),
        (words.listed(["a"]), "a"),
        (words.listed(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_what_people_read(made, told):
    assert made == told


def test_names_are_one_line_without_what_turns_the_direction_of_text():
    assert words.name("a\nb\u202ec\x00") == "a\\nb\\u202ec\\x00"


def test_the_middle_of_a_long_name_is_left_out():
    shown = words.name("a" * 5000 + "z" * 5000)
    assert (len(shown), shown[0], shown[-1], "…" in shown) == (159, "a", "z", True)
