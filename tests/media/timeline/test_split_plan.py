"""One plan as several: every segment in exactly one, on a time line of its own."""

import pytest
from msgspec.structs import replace

from pipeline.choices import OnLoss
from pipeline.media.clock import BASE, HZ
from pipeline.media.timeline import plan as timeline
from pipeline.media.timeline.failover.covered import Join
from pipeline.media.timeline.split_plan import divide, runs
from pipeline.model import Severity
from tests import ts
from tests.media.slots.test_format_changes import MONO, STEREO, slots

BOTH = ("video", "audio")


def divided(pattern, *, kinds=BOTH, on_loss=OnLoss.HOLD, gap=0):
    made = slots(pattern, gap=gap)
    whole = timeline.plan(made, on_loss, one_format=False)
    assert not whole.rejected, whole.findings
    return whole, list(divide(whole, kinds, runs(whole, kinds)))


@pytest.mark.parametrize(
    ("pattern", "runs"),
    [
        pytest.param("mmm", ["mmm"], id="no change"),
        pytest.param("mms", ["mm", "s"], id="once"),
        pytest.param("msm", ["m", "s", "m"], id="there and back"),
        pytest.param("ssmm", ["ss", "mm"], id="from the other"),
        pytest.param("mm-ss", ["mm", "ss"], id="one is missing at the border"),
    ],
)
def test_every_segment_is_in_exactly_one(pattern, runs):
    whole, pieces = divided(pattern, gap=15 * ts.PICTURE)
    names = [placed.slot.name for placed in whole.placed]
    assert [placed.slot.name for one in pieces for placed in one.plan.placed] == names
    assert [len(one.plan.placed) for one in pieces] == list(map(len, runs))
    for one, run in zip(pieces, runs, strict=True):
        assert one.plan.findings == ()
        configs = {lane.codec.kind: lane.config for lane in one.plan.lanes}
        assert configs == {"video": ts.SPS, "audio": STEREO if "s" in run else MONO}
        first = min(p.presented(pid)[0] for p in one.plan.placed for pid in p.stamps)
        assert first == BASE


def test_the_whole_stays_as_it_is():
    whole = timeline.plan(slots("mss"), one_format=False)
    before = [(p.first(ts.VIDEO), p.torn, p.joined, p.whole) for p in whole.placed]
    pieces = list(divide(whole, BOTH, runs(whole, BOTH)))
    after = [(p.first(ts.VIDEO), p.torn, p.joined, p.whole) for p in whole.placed]
    assert after == before
    assert pieces[1].plan.placed[0].first(ts.VIDEO) < whole.placed[1].first(ts.VIDEO)


def test_nothing_of_a_segment_can_be_changed_once_it_is_planned():
    segment = timeline.plan(slots("mm")).placed[1]
    with pytest.raises(AttributeError):
        segment.position = 7
    for stamps in segment.stamps[ts.VIDEO]:
        with pytest.raises(ValueError, match="read-only"):
            stamps[0] = 7


def test_where_each_begins():
    _, pieces = divided("msm")
    assert [one.begin for one in pieces] == pytest.approx([0, 1, 2], abs=0.1)
    assert [one.turned != () for one in pieces] == [False, True, True]
    (said,) = pieces[1].turned
    assert (said.id, said.severity, said.segment) == ("AAC_CHANGE", Severity.WARNING, "1.ts")
    assert said.detail == "aac 48000 Hz, 2 channels, was aac 48000 Hz, 1 channels"
    assert said.repair


def test_only_what_is_asked_for_divides():
    _, pieces = divided("msm", kinds=("video",))
    assert len(pieces) == 1
    assert [lane.codec.kind for lane in pieces[0].plan.lanes] == ["video"]
    assert not pieces[0].plan.rejected


def test_nothing_goes_on_behind_a_border():
    """The last unit of a piece must be whole."""
    _, pieces = divided("mmss")
    last = pieces[0].plan.placed[-1]
    assert last.whole == {ts.VIDEO, ts.AUDIO}
    assert last.joined == set()


@pytest.mark.parametrize("on_loss", [OnLoss.HOLD, OnLoss.CLOSE])
def test_what_is_missing_between_two_counts_where_the_later_begins(on_loss):
    whole, pieces = divided("mm-ss", on_loss=on_loss)
    promised = pieces[1].plan.promised
    for pid in (ts.VIDEO, ts.AUDIO):
        first = pieces[1].plan.placed[0].first(pid)
        assert promised[pid].within == (0, 1)
        closed = sum(hole.ticks for hole in promised[pid].closed)
        lost = closed + (first - promised[pid].begin if promised[pid].late else 0)
        assert lost / HZ == pytest.approx(1, abs=0.1)
        assert not pieces[0].plan.promised[pid].closed
        assert not pieces[0].plan.promised[pid].late
    assert not whole.rejected


def test_a_plan_that_is_rejected_stays_one():
    whole = timeline.plan([], one_format=False)
    (one,) = list(divide(whole, BOTH, runs(whole, BOTH)))
    assert one.plan is whole


def test_what_was_not_sent_at_the_beginning_goes_to_the_first_piece():
    whole = timeline.plan(slots("mmss"), one_format=False)
    promised = {ts.AUDIO: replace(whole.promised[ts.AUDIO], unsent=4000.0)}
    whole = replace(whole, promised={**whole.promised, **promised})
    pieces = divide(whole, BOTH, runs(whole, BOTH))
    assert [piece.plan.promised[ts.AUDIO].unsent for piece in pieces] == [4000.0, 0.0]


def test_silence_goes_to_the_piece_that_it_lies_in():
    whole = timeline.plan(slots("mmss"), one_format=False)
    one, other = whole.placed[1].first(ts.AUDIO), whole.placed[3].first(ts.AUDIO)
    spans = ((one - 4000, one), (other - 4000, other))
    promised = {ts.AUDIO: replace(whole.promised[ts.AUDIO], silent=spans)}
    whole = replace(whole, promised={**whole.promised, **promised})
    pieces = list(divide(whole, BOTH, runs(whole, BOTH)))
    for piece in pieces:
        first = piece.plan.placed[1].first(ts.AUDIO)
        assert piece.plan.promised[ts.AUDIO].silent == ((first - 4000, first),)
        assert piece.plan.slots == whole.slots


def cut(pattern, seconds, *, by_format=False):
    """The names in each file of at most so many seconds; segments last one."""
    whole = timeline.plan(slots(pattern), one_format=not by_format)
    return [
        "".join(placed.slot.name.removesuffix(".ts") for placed in run.placed)
        for run in runs(whole, BOTH, by_format=by_format, longest=seconds)
    ]


@pytest.mark.parametrize(
    ("pattern", "seconds", "files"),
    [
        pytest.param("mmmmm", 5, ["01234"], id="short enough"),
        pytest.param("mmmmm", 2, ["01", "23", "4"], id="in full files"),
        pytest.param("mmmmm", 2.5, ["01", "23", "4"], id="not in the middle of a segment"),
        pytest.param("mmm", 0.3, ["0", "1", "2"], id="a segment is never cut"),
    ],
)
def test_files_are_as_long_as_they_may_be(pattern, seconds, files):
    assert cut(pattern, seconds) == files


def test_formats_and_lengths_divide_alike():
    assert cut("mmmsss", 2, by_format=True) == ["01", "2", "34", "5"]


def changed(whole, numbers, **chosen):
    """The plan with other pictures in some segments."""
    placed = []
    for segment in whole.placed:
        scan = segment.slot.scan
        if segment.number in numbers:
            stream = replace(scan.streams[ts.VIDEO], **chosen)
            scan = replace(scan, streams={**scan.streams, ts.VIDEO: stream})
        placed.append(replace(segment, slot=replace(segment.slot, scan=scan)))
    return replace(whole, placed=tuple(placed))


@pytest.mark.parametrize(
    ("numbers", "chosen", "files"),
    [
        pytest.param({2}, {"key_start": False}, [1, 2, 2], id="the last place in time"),
        pytest.param({1, 2}, {"key_start": False}, [3, 2], id="later where there is none in time"),
        pytest.param({1, 2, 3, 4}, {"key_start": False}, [5], id="not at all"),
        pytest.param({2}, {"head": 7}, [1, 2, 2], id="not inside a unit"),
    ],
)
def test_a_file_begins_with_a_key_picture_and_whole_units(numbers, chosen, files):
    whole = changed(timeline.plan(slots("mmmmm")), numbers, **chosen)
    found = runs(whole, BOTH, by_format=False, longest=2)
    assert [len(run.placed) for run in found] == files


def test_a_cut_where_pictures_are_is_better_than_a_later_one_without():
    whole = timeline.plan(slots("mmmmm"))
    bare = whole.placed[2]
    bare = replace(bare, stamps={ts.AUDIO: bare.stamps[ts.AUDIO]})
    whole = replace(whole, placed=(*whole.placed[:2], bare, *whole.placed[3:]))
    found = runs(whole, BOTH, by_format=False, longest=2)
    assert [len(run.placed) for run in found] == [1, 2, 2]


def test_each_file_has_its_own_time_line_and_nothing_is_lost_at_a_cut():
    whole = timeline.plan(slots("mmmmm"))
    found = list(divide(whole, BOTH, runs(whole, BOTH, by_format=False, longest=2)))
    assert [one.begin for one in found] == pytest.approx([0, 2, 4], abs=0.1)
    for one in found:
        assert (one.turned, one.plan.findings) == ((), ())
        assert min(p.presented(pid)[0] for p in one.plan.placed for pid in p.stamps) == BASE
        assert not any(promise.late for promise in one.plan.promised.values())
        assert not any(placed.torn for placed in one.plan.placed)


def test_a_plan_that_needs_no_cut_stays_as_it_is():
    whole = timeline.plan(slots("mmm"))
    (one,) = divide(whole, BOTH, runs(whole, BOTH, by_format=False), by_format=False)
    assert one.plan is whole


def test_a_join_is_in_the_file_that_holds_it():
    whole = timeline.plan(slots("mmmm"))
    joins = Join(0.9, "bak0", "another server"), Join(3.2, "bak1", "another server")
    whole = replace(whole, joins=joins)
    found = list(divide(whole, BOTH, runs(whole, BOTH, by_format=False, longest=2)))
    assert [one.plan.joins for one in found] == [
        joins[:1],
        (Join(round(3.2 - found[1].begin, 6), "bak1", "another server"),),
    ]


def test_a_file_longer_than_one_clock_can_count_is_refused():
    whole = timeline.plan(slots("mm"))
    far = whole.placed[1].moved(27 * 3600 * HZ)
    whole = changed(replace(whole, placed=(whole.placed[0], far)), {1}, key_start=False)
    (one,) = divide(whole, BOTH, runs(whole, BOTH, by_format=False), by_format=False)
    (said,) = one.plan.findings
    assert (said.id, said.severity) == ("PL_LIMIT", Severity.FATAL)
    assert said.detail.startswith("27.0 hours without a segment that begins with a key picture")
