"""Why media is missing, as notifications tell."""

import pytest

from pipeline.agora.causes import Cause, causes, of_files, of_span, said, story
from pipeline.agora.webhook import in_order, parse
from tests.web.sender import T0, notice


def told(*bodies):
    return in_order(parse(body) for body in bodies)


def ms(seconds):
    return round((T0 + seconds) * 1000)


def stopped(kind, uid, at, sequence, *, state=1):
    return notice(kind, {"streamUid": uid, "state": state, "UtcMs": ms(at)}, sequence=sequence)


def test_a_slice_after_an_interruption_is_a_span():
    first = notice(42, {"startUtcMs": ms(0), "discontinueUtcMs": ms(0)}, sequence=0)
    again = {"startUtcMs": ms(40), "discontinueUtcMs": ms(27.5), "trackType": "video"}
    (cause,) = causes(told(first, notice(42, again, sequence=1)))
    assert cause == Cause(
        42, "the recorder was interrupted for 12.5 s", T0 + 27.5, T0 + 40, "video"
    )


def test_a_stream_that_comes_no_more_and_again_is_a_span_of_its_user():
    found = causes(
        told(
            stopped(43, 7, 10, 1),
            stopped(43, 8, 11, 2),
            stopped(43, 7, 20, 3, state=0),
            stopped(44, 7, 30, 4),
        )
    )
    assert found == (
        Cause(43, "no sound of user 7 came", T0 + 10, T0 + 20, "audio", "7"),
        Cause(43, "no sound of user 8 came", T0 + 11, None, "audio", "8"),
        Cause(44, "no pictures of user 7 came", T0 + 30, None, "video", "7"),
    )


def test_a_recorder_that_left_explains_what_comes_after():
    (cause,) = causes(told(notice(41, {"leaveCode": 4}, at=T0 + 60)))
    assert cause == Cause(41, "the recorder left: no users", T0 + 60)
    assert of_span([cause], T0 + 61, 5.0, "audio") == (cause,)
    assert of_span([cause], T0 + 10, 5.0, "audio") == ()


@pytest.mark.parametrize(
    ("bodies", "text"),
    [
        pytest.param(
            [
                notice(33, {"progress": 5000}, sequence=1),
                notice(33, {"progress": 9000}, sequence=2),
            ],
            "90.0% of what there was so far had been uploaded",
            id="the last progress",
        ),
        pytest.param(
            [notice(33, {"progress": 10000}, sequence=1), notice(32, {}, sequence=2)],
            "some files were only in Agora's backup cloud",
            id="backup",
        ),
        pytest.param(
            [notice(32, {}, sequence=1), notice(31, {}, sequence=2)],
            "all files were in the bucket",
            id="uploaded in the end",
        ),
    ],
)
def test_of_files_the_last_word_counts(bodies, text):
    assert [cause.said for cause in of_files(causes(told(*bodies)))] == [text]


def test_a_span_is_explained_by_what_overlaps_it_and_is_of_its_track():
    sound = Cause(43, "sound", T0 + 10, T0 + 20, "audio")
    both = Cause(42, "both", T0 + 30, T0 + 40)
    file = Cause(31, "file")
    found = (sound, both, file)
    assert of_span(found, T0 + 12, 3, "audio") == (sound,)
    assert of_span(found, T0 + 12, 3, "video") == ()
    assert of_span(found, T0 + 21.5, 1, "audio") == (sound,)  # clocks differ
    assert of_span(found, T0 + 23, 3, "audio") == ()
    assert of_span(found, T0 + 39, 30, "video") == (both,)
    assert of_span(found, None, 3, "audio") == ()


def test_of_the_progress_only_the_last_is_told():
    notices = told(*(notice(33, {"progress": 100 * n}, sequence=n) for n in range(5)))
    assert [said(one) for one in story(notices)] == [
        "4.0% of what there was so far had been uploaded"
    ]


@pytest.mark.parametrize(
    ("kind", "details", "text"),
    [
        (1, {"errorCode": 47, "errorLevel": 5, "errorMsg": "no"}, "error 47 of level 5: no"),
        (11, {"exitStatus": 1}, "the service ended, not as it should"),
        (12, {"newUid": 9}, "another server goes on, with uid 9"),
        (41, {"leaveCode": 2}, "the recorder left: signal"),
        (43, {"streamUid": 7, "state": 0, "UtcMs": ms(0)}, "sound of user 7 came"),
        (77, {"msgName": "something_new"}, "something_new"),
    ],
)
def test_each_is_said_in_words(kind, details, text):
    assert said(parse(notice(kind, details))) == text
