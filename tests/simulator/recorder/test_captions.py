"""Captions of simulated recordings."""

from pipeline.agora import names
from pipeline.media.captions.listing import lists_captions
from pipeline.media.captions.webvtt import parse
from pipeline.simulator.recorder.captions import captions

EPOCH = 1_772_442_002.12


def test_every_cue_is_in_the_file_of_its_minute_at_its_time_of_day():
    made = captions("room", EPOCH, 70.0, 0)
    *files, playlist = made.files
    assert lists_captions(made.files[playlist])
    stamps = [names.utc(name.removesuffix(".vtt")[-17:]) for name in files]
    assert stamps == [EPOCH, EPOCH + 60]
    cues = [cue for name in files for cue in parse(made.files[name]).cues]
    assert [(round(c.begin - EPOCH, 3), round(c.end - EPOCH, 3), c.text) for c in cues] == [
        (one.begin, one.end, one.text) for one in made.said
    ]
    assert [one.begin for one in made.said] == [float(at) for at in range(1, 68, 5)]


def test_the_same_seed_the_same_names():
    assert captions("room", EPOCH, 10.0, 3) == captions("room", EPOCH, 10.0, 3)
    assert (
        captions("room", EPOCH, 10.0, 3)
        .files.keys()
        .isdisjoint(captions("room", EPOCH, 10.0, 4).files)
    )
