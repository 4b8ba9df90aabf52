"""The truth, compared with what independent readers say was lost."""

import pytest
from msgspec.structs import replace

from pipeline.simulator.faults.catalogue import verdicts
from pipeline.simulator.truth import losses
from tests import recordings as r

DAMAGES = [
    *("trunc_odd", "trunc_188_midpes", "zero_filled_64k", "bitflip_header", "scrambled_bits"),
    *("lost_16_video_packets", "bitflip_video_payload", "missing_file", "html_as_ts"),
    *("trunc_at_pes", "sound_garbage"),
    *("trunc_odd:0", "zero_filled_64k:4", "bitflip_header:-1"),
]


def gone(clean, faulty):
    """The packets of each slice that are not what they were."""
    found = {}
    for number, (old, new) in enumerate(zip(clean, faulty, strict=True)):
        before, after = r.packets(old.data), r.packets(new.data if new.stored else b"")
        if len(after) < len(before) and after != before[: len(after)]:
            # left out in the middle
            after = [*after[: _same(before, after)], *[b""] * (len(before) - len(after))]
            after += r.packets(new.data)[_same(before, r.packets(new.data)) :]
        after += [b""] * (len(before) - len(after))
        which = {k for k, packet in enumerate(before) if packet != after[k]}
        if which:
            found[number] = which
    return found


def _same(before, after):
    return next(k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)


@pytest.mark.parametrize("fault", DAMAGES)
def test_the_loss_is_what_an_independent_reader_counts(simulated, fault):
    clean = simulated("leading_garbage").parts[0].segments  # changes no packet
    made = simulated(fault)
    held = r.units([b"".join(p.data for p in s.packets) for s in clean])
    damaged = gone([replace(s, prefix=b"") for s in clean], made.parts[0].segments)
    _, lost = r.survivors(held, damaged)
    assert lost
    for stream, seconds in r.seconds(lost, held).items():
        assert made.truth.lost_seconds[stream] == pytest.approx(seconds, abs=0.002)
    for stream in ("video", "audio"):
        count = sum(u.kind == stream for u in held) - sum(u.kind == stream for u in lost)
        assert made.truth.samples[stream] == count


def test_a_clean_recording_lost_nothing(simulated):
    made = simulated()
    assert made.truth.losses == ()
    assert made.truth.lost_seconds == {"video": 0, "audio": 0}
    assert made.truth.samples == {"video": 300, "audio": 938}
    assert made.truth.duration == pytest.approx(20.021, abs=0.001)
    assert len(made.truth.flashes) == len(made.truth.beeps) == 20
    assert made.verdicts == ("ok", "repaired")


def test_every_loss_says_where(simulated):
    made = simulated("missing_file:1")
    name = made.parts[0].segments[1].name
    assert [(x.stream, x.segment) for x in made.truth.losses] == [("video", name), ("audio", name)]
    assert made.truth.losses[0].start == 4
    assert made.truth.losses[0].seconds == 4
    assert made.verdicts == ("degraded",)


def test_a_flash_that_is_lost_is_not_promised(simulated):
    seconds = [round(at - 0.021) for at in simulated("missing_file:1").truth.flashes]
    assert seconds == [0, 1, 2, 3, *range(8, 20)]


def test_what_is_missing_at_the_beginning_is_not_in_the_result(simulated):
    told = simulated("missing_file:0").truth
    assert told.duration == pytest.approx(16.01, abs=0.02)
    assert told.flashes[0] == pytest.approx(0.011, abs=0.011)


def test_two_faults_lose_their_union(simulated):
    both = simulated("missing_file:1", "zero_byte:3").truth.lost_seconds
    assert both == {"video": 8, "audio": pytest.approx(8, abs=0.03)}
    same = simulated("audio_missing_one_seg:1", "missing_also_in_playlist:1").truth.lost_seconds
    assert same == simulated("missing_file:1").truth.lost_seconds


def test_parts_that_overlap_count_once(simulated):
    assert simulated("bak_overlap:2", bak=2).truth.samples == {"video": 300, "audio": 938}
    assert simulated("bak_overlap:2", bak=2).truth.losses == ()


def test_parts_that_lie_apart_lost_the_time_between(simulated):
    told = simulated("bak_gap:2", bak=2).truth
    assert told.lost_seconds == {"video": 4, "audio": 4}
    assert told.duration == pytest.approx(20.02, abs=0.01)
    assert told.samples["video"] == 300 - 2 * 2 * 15


def test_the_worst_verdict_wins(simulated):
    wanted = simulated("missing_file", "no_endlist").order.faults
    assert verdicts(wanted, lost=True) == ("pending",)
    wanted = simulated("unsafe_uri", "no_endlist").order.faults
    assert verdicts(wanted, lost=False) == ("rejected",)


def test_frames_that_no_stamp_reaches_are_lost(simulated):
    """The last PES of sound lost its first packet: the frames behind it are whole, but when?"""
    part = simulated("leading_garbage:0").parts[0]
    last = part.segments[-1]
    first = max(k for k, p in enumerate(last.packets) if p.starts and p.pid == 0x101)
    carried = {n for p in last.packets[first:] if p.pid == 0x101 for n in p.units}
    packets = tuple(p for k, p in enumerate(last.packets) if k != first)
    whole = [n for n in carried if sum(n in p.units for p in packets) == last.needs[n]]
    assert whole
    damaged = part.with_segment(4, replace(last, packets=packets))
    told = losses.tell([damaged])
    assert told.samples == {"video": 300, "audio": 938 - len(carried)}


@pytest.mark.parametrize(
    ("fault", "unseen"),
    [
        ("missing_also_in_playlist:2", False),
        ("missing_also_in_playlist:0", True),
        ("missing_also_in_playlist:-1", True),
        ("missing_file:-1", False),
        ("duplicate_segment:2", False),
        ("duplicate_segment:-1", True),
        ("audio_missing_one_seg:2", False),
        ("audio_missing_one_seg:0", True),
        ("audio_missing_one_seg:-1", True),
        ("html_as_ts:-1", False),
        ("trunc_odd:-1", False),
        ("lost_16_video_packets", True),
        ("audio_ends_early", False),
        ("orphan_segment:-1", False),
        ("fmp4", False),
        ("copied_over:-1", False),
        ("foreign_slice", False),
        ("trunc_at_pes:-1", False),
        ("counters_anew", False),
        ("bak_gap", False),
    ],
)
def test_some_losses_leave_no_trace(simulated, fault, unseen):
    assert simulated(fault).unseen is unseen


def test_of_nothing_nothing_can_be_made(simulated):
    one = {"duration": 4, "slice": 4}
    assert simulated("missing_file:0", **one).verdicts == ("rejected",)
    assert simulated("missing_file:0", "no_endlist", **one).verdicts == ("pending",)
