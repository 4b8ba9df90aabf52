"""When a stream is sent, and why it is not."""

import pytest

from pipeline.simulator.recorder.values import HZ
from pipeline.simulator.session.cast import crew, parse_act
from pipeline.simulator.session.presence import intervals, views
from tests.simulator.session.conftest import LOOK


def told(acts, stream="audio", uid="1001"):
    done = tuple(map(parse_act, acts))
    (member,) = (m for m in crew(2, LOOK, 0, acts=done) if m.uid == uid)
    made = intervals(member, done, stream, 60 * HZ)
    return [(one.begin / HZ, one.end / HZ, one.cause) for one in made]


@pytest.mark.parametrize(
    ("acts", "audio", "video"),
    [
        pytest.param((), [(0, 60, None)], [(0, 60, None)], id="there all the time"),
        pytest.param(
            ("1001:join@9.5",), [(0, 9.5, "not_joined"), (9.5, 60, None)], None, id="comes late"
        ),
        pytest.param(
            ("1001:leave@10", "1001:join@30"),
            [(0, 10, None), (10, 30, "left"), (30, 60, None)],
            None,
            id="leaves and returns",
        ),
        pytest.param(
            ("1001:mute@10", "1001:unmute@12.25"),
            [(0, 10, None), (10, 12.25, "muted"), (12.25, 60, None)],
            [(0, 60, None)],
            id="mutes",
        ),
        pytest.param(
            ("1001:camera_off@10",),
            [(0, 60, None)],
            [(0, 10, None), (10, 60, "camera_off")],
            id="turns the camera off",
        ),
        pytest.param(
            ("1001:mute@5", "1001:leave@10", "1001:join@20", "1001:unmute@30"),
            [(0, 5, None), (5, 10, "muted"), (10, 20, "left"), (20, 30, "muted"), (30, 60, None)],
            [(0, 10, None), (10, 20, "left"), (20, 60, None)],
            id="leaves muted, and is muted still",
        ),
        pytest.param(("1002:leave@10",), [(0, 60, None)], [(0, 60, None)], id="another one leaves"),
    ],
)
def test_every_moment_is_sent_or_has_its_cause(acts, audio, video):
    assert told(acts) == audio
    assert told(acts, "video") == (audio if video is None else video)


def test_a_screen_is_there_while_it_is_shared_and_goes_with_its_user():
    acts = ("1002:share@10", "1002:unshare@20", "1002:share@30", "1002:leave@40")
    assert told(acts, "video", "10002") == [
        (0, 10, "not_joined"),
        (10, 20, None),
        (20, 30, "left"),
        (30, 40, None),
        (40, 60, "left"),
    ]


def test_pictures_change_when_the_phone_is_turned_or_the_size_is_another():
    acts = tuple(map(parse_act, ("1001:rotate@10:270", "1001:resize@20:320x180")))
    member, _ = crew(2, LOOK, 0)
    assert [(v.begin, v.look.turned, v.look.size) for v in views(member, acts)] == [
        (0, 0, (160, 96)),
        (10 * HZ, 270, (160, 96)),
        (20 * HZ, 270, (320, 180)),
    ]
