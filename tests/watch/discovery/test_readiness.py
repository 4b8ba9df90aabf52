"""When a recording may be converted, and what it is called while it may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.ledger.discovery import KnownRecording, PartSeen
from pipeline.ledger.states import WAITING, State
from pipeline.model import Recording
from pipeline.watch.discovery.observation import Observation
from pipeline.watch.discovery.readiness import USUALLY, Patience, judge

PATIENCE = Patience(settle=600.0, late_deadline=48 * 3600.0)
HOUR = 3600.0
T = 1.8e9  # now


def seen(*, ended=True, missing=(), copies=False, newest=T - 60, fingerprint="f", later=None):
    parts = [PartSeen("a.m3u8", None, ended, 9, tuple(missing))]
    parts += [PartSeen("bak0_a.m3u8", 0, later, 9, ())] if later is not None else []
    recording = Recording("a", "a.m3u8", ())
    return Observation(recording, fingerprint, newest, tuple(parts), copies)


def before(*, fingerprint="f", since=T - 3600, as_is=False, ended_at=T - 3600):
    return KnownRecording(
        id=1,
        source="a",
        store="s",
        place="a",
        name="a",
        sid=None,
        state=State.SETTLING,
        since=since,
        fingerprint=fingerprint,
        unchanged_since=since,
        ended_at=ended_at,
        done_fingerprint=None,
        version=0,
        as_is=as_is,
        why="",
    )


def state(look, known=None, told=(), patience=PATIENCE, now=T):
    return judge(look, known, told, patience, now=now, until=now).state


@pytest.mark.parametrize(
    ("look", "known", "told", "expected"),
    [
        pytest.param(seen(), None, (), State.SETTLING, id="complete, seen for the first time"),
        pytest.param(seen(), before(), (), State.READY, id="complete, seen equal an hour ago"),
        pytest.param(seen(), before(since=T - 599), (), State.SETTLING, id="equal too shortly"),
        pytest.param(seen(), before(since=T - 600), (), State.READY, id="equal just long enough"),
        pytest.param(seen(), before(fingerprint="g"), (), State.SETTLING, id="another listing"),
        pytest.param(seen(ended=False), before(), (), State.RECORDING, id="no end"),
        pytest.param(seen(ended=False), before(), ("uploaded",), State.READY, id="Agora says so"),
        pytest.param(
            seen(missing=["x"]),
            before(since=T - 60),
            ("uploaded",),
            State.UPLOADING,
            id="Agora says, store not",
        ),
        pytest.param(seen(ended=False, later=True), before(), (), State.READY, id="a bak ends it"),
        pytest.param(seen(later=False), before(), (), State.RECORDING, id="a bak goes on"),
        pytest.param(seen(missing=["x"]), None, (), State.UPLOADING, id="missing, fresh"),
        pytest.param(
            seen(missing=["x"], newest=T - USUALLY),
            before(since=T - USUALLY),
            (),
            State.LATE,
            id="missing for longer than usual",
        ),
        pytest.param(
            seen(missing=["x"], copies=True), before(), (), State.BACKUPED, id="forwarded playlists"
        ),
        pytest.param(seen(missing=["x"]), before(), ("backuped",), State.BACKUPED, id="Agora says"),
        pytest.param(
            seen(missing=["x"], newest=T - 48 * HOUR),
            before(since=T - 48 * HOUR),
            (),
            State.LOST,
            id="given up",
        ),
        pytest.param(
            seen(missing=["x"], newest=T - 999 * HOUR), None, (), State.LATE, id="old, first look"
        ),
        pytest.param(
            seen(missing=["x"], newest=T - 999 * HOUR),
            before(since=T - 60),
            (),
            State.LOST,
            id="old, second look",
        ),
        pytest.param(
            seen(ended=False, newest=T - 48 * HOUR),
            before(since=T - 48 * HOUR),
            (),
            State.LOST,
            id="an end that never came",
        ),
        pytest.param(
            seen(missing=["x"]), before(as_is=True), (), State.LOST, id="a person said so"
        ),
        pytest.param(seen(), before(as_is=True), (), State.READY, id="came after all"),
    ],
)
def test_where_a_recording_stands(look, known, told, expected):
    assert state(look, known, told) is expected


def test_a_clock_of_a_store_that_is_ahead_does_not_make_it_wait_for_ever():
    look = seen(missing=["x"], newest=T + 1e6)
    assert state(look, before(since=T - 48 * HOUR)) is State.LOST


def test_it_says_what_is_missing():
    judged = judge(seen(missing=["a", "b", "c", "d"]), None, (), PATIENCE, now=T, until=T)
    assert judged.why == "4 of 9 segments missing: a, b, c, ..."


def test_without_a_settle_time_one_look_is_enough():
    assert state(seen(), None, patience=replace(PATIENCE, settle=0.0)) is State.READY


looks = st.builds(
    seen,
    ended=st.booleans(),
    missing=st.lists(st.sampled_from("xyz"), unique=True, max_size=3),
    copies=st.booleans(),
    newest=st.floats(0, 2e9),
    fingerprint=st.sampled_from("fg"),
    later=st.sampled_from([None, True, False]),
)
knowns = st.none() | st.builds(
    before, fingerprint=st.sampled_from("fg"), since=st.floats(0, T), as_is=st.booleans()
)
tolds = st.frozensets(st.sampled_from(["uploaded", "backuped", "anything"]))


@given(looks, knowns, tolds)
def test_never_ready_while_a_listed_segment_is_missing_or_no_end_is_in_sight(look, known, told):
    if state(look, known, told) is State.READY:
        assert not look.missing
        assert look.ended or "uploaded" in told


@given(looks, knowns, tolds)
def test_never_ready_without_two_equal_listings_a_settle_time_apart(look, known, told):
    if state(look, known, told) is State.READY:
        assert known is not None
        assert known.fingerprint == look.fingerprint
        assert T - known.unchanged_since >= PATIENCE.settle


@given(looks, knowns, tolds)
def test_nothing_is_given_up_before_the_deadline_unless_a_person_says_so(look, known, told):
    if state(look, known, told) is State.LOST:
        assert known is not None
        assert known.as_is or T - min(look.newest or T, known.unchanged_since) >= 48 * HOUR


@given(looks, knowns, tolds)
def test_everything_comes_to_an_end_when_nothing_changes_any_more(look, known, told):
    first = judge(look, known, told, PATIENCE, now=T, until=T)
    then = before(fingerprint=look.fingerprint, since=first.unchanged_since, as_is=first.as_is)
    later = T + PATIENCE.late_deadline + PATIENCE.settle
    assert state(look, then, told, now=later) not in WAITING
