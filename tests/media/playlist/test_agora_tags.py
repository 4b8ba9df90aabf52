"""What Agora's own tags tell of a segment."""

import pytest

from pipeline.media.playlist.agora_tags import MOST, Events, moment
from pipeline.model import Rotation, TrackEvent

EVENT, ROTATE = "#EXT-X-AGORA-TRACK-EVENT", "#EXT-X-AGORA-ROTATE"
STAMP, SECONDS = "20240415090002120", 1713171602.12


def read(*tags):
    events = Events()
    for tag, value in tags:
        events.read(tag, value)
    return events.take()


@pytest.mark.parametrize(
    ("value", "event"),
    [
        (f"EVENT=START,TRACK_TYPE=AUDIO,TIME={STAMP}", TrackEvent("audio", SECONDS)),
        ("EVENT=START,TRACK_TYPE=VIDEO,TIME=1713171602120", TrackEvent("video", SECONDS)),
        (f' EVENT="START", TRACK_TYPE=VIDEO ,TIME={STAMP}', TrackEvent("video", SECONDS)),
        ("EVENT=START,TRACK_TYPE=VIDEO,TIME=1", TrackEvent("video", None)),
        ("EVENT=START,TRACK_TYPE=VIDEO", TrackEvent("video", None)),
    ],
)
def test_a_stream_begins(value, event):
    assert read((EVENT, value)) == ((event,), ())


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (EVENT, ""),
        (EVENT, f"EVENT=STOP,TRACK_TYPE=AUDIO,TIME={STAMP}"),
        (EVENT, f"EVENT=START,TRACK_TYPE=TEXT,TIME={STAMP}"),
        (EVENT, f"EVENT=START,TIME={STAMP}"),
        (ROTATE, f"WIDTH=640,HEIGHT=360,ROTATE=45,TIME={STAMP}"),
        (ROTATE, "WIDTH=-1,HEIGHT=360,ROTATE=90"),
        (ROTATE, "WIDTH=640,ROTATE=90"),
        ("#EXT-X-AGORA-FUTURE", f"EVENT=START,TRACK_TYPE=AUDIO,TIME={STAMP}"),
    ],
)
def test_what_agora_does_not_document_is_passed_over(tag, value):
    assert read((tag, value)) == ((), ())


def test_several_stand_in_front_of_one_segment_in_their_order():
    turns = [(ROTATE, f"WIDTH=640,HEIGHT=360,ROTATE={n},TIME={STAMP}") for n in (270, 0)]
    starts = [(EVENT, f"EVENT=START,TRACK_TYPE={kind}") for kind in ("VIDEO", "AUDIO")]
    assert read(turns[0], starts[0], starts[1], turns[1]) == (
        (TrackEvent("video", None), TrackEvent("audio", None)),
        (Rotation(640, 360, 270, SECONDS), Rotation(640, 360, 0, SECONDS)),
    )


def test_each_tells_of_the_next_segment_alone():
    events = Events()
    events.read(EVENT, "EVENT=START,TRACK_TYPE=VIDEO")
    assert events.take()[0]
    assert events.take() == ((), ())


def test_a_flood_of_them_is_cut_off():
    (events, rotations) = read(
        *[(EVENT, "EVENT=START,TRACK_TYPE=VIDEO"), (ROTATE, "WIDTH=1,HEIGHT=1,ROTATE=0")] * 1000
    )
    assert (len(events), len(rotations)) == (MOST, MOST)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (STAMP, SECONDS),
        ("1713171602120", SECONDS),
        ("20241315090002120", None),
        ("00000000000000000", None),
        ("171317160212", None),
        ("\u0661713171602120", None),
        ("", None),
    ],
)
def test_moments(text, seconds):
    assert moment(text) == seconds
