"""Sessions that are drawn."""

import pytest
from msgspec.structs import replace

from pipeline.simulator.recorder.identify import listen_to, look_at
from pipeline.simulator.recorder.measure import measure
from pipeline.simulator.recorder.publish import Shelf, publish
from pipeline.simulator.recorder.values import HZ, START
from pipeline.simulator.session.chance import drawn
from pipeline.simulator.session.session import simulate_session
from pipeline.simulator.session.tracks import Dialect
from pipeline.storage.local import LocalStorage
from tests.simulator.session.conftest import LOOK, joined, stream


def some(seed, count=4):
    return drawn(seed, count, LOOK, duration=60.0, slice=15)


def test_the_same_seed_draws_the_same_and_another_one_another():
    assert some(3) == some(3)
    assert some(3).acts != some(4).acts


def test_everything_comes_now_and_then():
    orders = [some(seed) for seed in range(60)]
    acts = {act.what for order in orders for act in order.acts}
    assert acts == {
        *("join", "leave", "mute", "unmute", "camera_off", "camera_on"),
        *("rotate", "share", "unshare"),
    }
    members = [member for order in orders for member in order.members]
    assert {member.web for member in members} == {None, "vp8", "vp9"}
    assert any(member.screen_of for member in members)
    assert {order.standard for order in orders} == {True, False}
    assert len({order.dialect for order in orders}) == 8


def test_absences_are_shorter_and_longer_than_an_interruption():
    lengths = []
    for order in (some(seed) for seed in range(60)):
        for uid in {act.uid for act in order.acts}:
            own = {act.what: act.at for act in order.acts if act.uid == uid}
            if {"mute", "unmute"} <= own.keys():
                lengths.append(own["unmute"] - own["mute"])
    assert min(lengths) < 15 < max(lengths)
    assert not [length for length in lengths if 14 < length < 16]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_drawn_is_stored_as_it_is_told(ffmpeg, tmp_path, seed):
    """On files of which others read the times, and whom they show and play."""
    order = drawn(seed, 2, LOOK, duration=60.0, slice=10)
    steady = replace(order.dialect, restarts=False)  # one clock for all of a stream
    made = simulate_session(replace(order, dialect=steady), ffmpeg)
    publish(Shelf(LocalStorage(tmp_path)), made.parts)
    for one in made.tracks:
        if one.member.web:
            continue
        told = stream(made, one.member.uid, one.stream)
        begin = told["sent"][0]["begin"] - START / HZ
        path = joined(made, tmp_path, one.member.uid, one.stream)
        at = told["sent"][-1]["end"] - begin - 0.6
        if one.stream == "audio":
            found = [begin + x for x in measure(path, ffmpeg, ("audio",)).beeps]
            assert found == pytest.approx(
                told["beeps"], abs=0.02
            )  # the first frame comes out early
            assert set(listen_to(path, ffmpeg).at(at)) == {one.member.number}
        else:
            seen = look_at(path, ffmpeg)
            assert seen.at(at).number == one.member.number
            turned = [
                seen.turned_at(x - begin + 0.02)
                for x in told["flashes"]
                if x < told["sent"][-1]["end"] - 0.15
            ]
            turns = told["rotations"]
            wanted = [
                [t["rotate"] for t in turns if t["at"] <= x + 0.001][-1] for x in told["flashes"]
            ]
            assert turned == wanted[: len(turned)]


def test_recorders_differ_in_their_dialect():
    assert Dialect() in {some(seed).dialect for seed in range(20)}
