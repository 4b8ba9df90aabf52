"""What is listed, and what is not."""

from datetime import UTC, datetime

import pytest

from pipeline.ledger.discovery import StoreMemory
from pipeline.watch.discovery.listing_scopes import Scope, floor, of_recording, place_of, scopes

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
DAY = 86400.0
SID = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e"
SWEPT = StoreMemory(swept=NOW - 60, listed=NOW - 60)
FLOOR = StoreMemory(swept=NOW - 60, listed=NOW - 60, floor="2026/11/19/")


def chosen(memory, places=(), named=None, sweep=DAY):
    return scopes(memory, places, named, sweep=sweep, now=NOW)


def test_at_first_everything():
    assert chosen(StoreMemory()) == ((Scope(),), True)


def test_without_days_in_the_keys_everything_every_time():
    assert chosen(SWEPT) == ((Scope(),), True)


def test_with_days_only_what_comes_behind_the_floor():
    assert chosen(FLOOR) == ((Scope(after="2026/11/19/"),), False)


def test_what_is_still_open_below_the_floor_is_looked_at_by_itself():
    listed, swept = chosen(FLOOR, [f"2026/01/02/{SID}", f"2026/11/20/{SID}"])
    assert not swept
    assert listed == (Scope(after="2026/11/19/"), *of_recording(f"2026/01/02/{SID}"))


def test_now_and_then_everything():
    assert chosen(FLOOR, sweep=60) == ((Scope(),), True)


def test_with_notifications_only_what_they_name_and_what_is_open():
    listed, swept = chosen(SWEPT, [f"a/{SID}"], {f"b/{SID}"})
    assert not swept
    assert listed == (*of_recording(f"a/{SID}"), *of_recording(f"b/{SID}"))
    assert chosen(SWEPT, [], set()) == ((), False)


def test_a_recording_is_its_playlist_segments_and_failover_parts():
    prefixes = [scope.prefix for scope in of_recording(f"a/{SID}")]
    assert prefixes == [f"a/{part}{SID}_" for part in ("", "bak0_", "bak1_", "bak2_")]
    assert of_recording("a/talk.m3u8") == (Scope("a/"),)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (f"a/{SID}_room.m3u8", f"a/{SID}"),
        (f"a/bak1_{SID}_room.m3u8", f"a/{SID}"),
        (f"{SID}_room_20260302090002120.ts", SID),
        ("a/talk.m3u8", "a/talk.m3u8"),
        ("a/notes.txt", None),
    ],
)
def test_the_recording_of_a_key(key, place):
    assert place_of(key) == place


def at(keys, before="", *, swept=True, horizon=NOW - 2 * DAY):
    return floor(keys, before, horizon=horizon, swept=swept)


@pytest.mark.parametrize("form", ["{}/{}/{}/", "{}{}{}/", "{}-{}-{}/", "dt={}-{}-{}/"])
def test_the_floor_is_the_first_day_in_which_something_may_still_come(form):
    days = [form.format("2026", "11", f"{day:02}") for day in range(1, 23)]
    assert at([f"{day}x.m3u8" for day in days]) == form.format("2026", "11", "19")


def test_days_below_one_folder():
    keys = [f"calls/2026/11/{day:02}/x.m3u8" for day in (2, 21)]
    assert at(keys) == "calls/2026/11/21/"


def test_days_below_many_folders_are_no_limit():
    assert at(["a/2026/11/21/x.m3u8", "b/2026/11/21/x.m3u8"]) == ""


@pytest.mark.parametrize("odd", ["x.m3u8", "room/x.m3u8", "2026/13/40/x.m3u8"])
def test_one_key_without_a_day_and_nothing_is_sure(odd):
    assert at(["2026/11/21/x.m3u8", odd]) == ""


def test_where_nothing_is_new_the_last_day_is_the_floor():
    assert at(["2020/01/01/x.m3u8", "2020/01/02/x.m3u8"]) == "2020/01/02/"


def test_between_sweeps_the_floor_only_rises():
    assert at(["2026/11/22/x.m3u8"], "2026/11/19/", swept=False) == "2026/11/22/"
    assert at(["2020/01/01/x.m3u8"], "2026/11/19/", swept=False) == "2026/11/19/"
    assert at([], "2026/11/19/", swept=False) == "2026/11/19/"
    assert at(["odd.m3u8"], "2026/11/19/", swept=False) == "2026/11/19/"
