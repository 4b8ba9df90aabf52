"""How much memory is left, by what Linux says."""

from math import inf

import pytest

from pipeline.jobs.limits.memory import free_bytes


@pytest.fixture
def told(tmp_path):
    def tell(available=None, most=None, current="0"):
        if available is not None:
            said = f"MemTotal: 9000 kB\nMemAvailable:   {available} kB\n"
            (tmp_path / "meminfo").write_text(said)
        if most is not None:
            (tmp_path / "memory.max").write_text(f"{most}\n")
            (tmp_path / "memory.current").write_text(f"{current}\n")
        return free_bytes(tmp_path / "meminfo", tmp_path)

    return tell


def test_what_the_machine_has_left(told):
    assert told(2000) == 2000 * 1024


def test_the_limit_of_a_container_counts_where_it_is_less(told):
    assert told(2000, "1000000", "400000") == 600000
    assert told(200, "1000000", "400000") == 200 * 1024
    assert told(2000, "max") == 2000 * 1024


def test_where_nobody_says_there_is_no_limit(told):
    assert told() == inf
