"""Sessions that are drawn."""

from pipeline.simulator.session.chance import drawn
from tests.simulator.session.conftest import LOOK


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
