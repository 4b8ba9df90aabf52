"""Silence where sound pauses: which frames, and how many of them."""

import subprocess

import numpy as np
import pytest

from pipeline.media.clock import BASE, HZ
from pipeline.media.es.codecs import AAC, OPUS
from pipeline.media.stitch.silence import EARLY, LATE, Quiet

FRAME = 1024 * HZ / 48000
UNITS = 100


def config(channels, rate_index=3):
    """The fixed part of an ADTS header."""
    return bytes((0xFF, 0xF1, 1 << 6 | rate_index << 2 | channels >> 2, (channels & 3) << 6))


def quiet(**state):
    lasting = {"unit": b"hush", "lasts": FRAME, "real": FRAME}
    return Quiet(**{**lasting, "ended": float(BASE), **state})


def stamps(begin, count=UNITS):
    """Units that follow each other from a tick on."""
    return np.floor(begin + np.arange(count) * FRAME).astype(np.int64)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7])
def test_a_silent_frame_of_aac_is_decoded_as_silence(ffmpeg, channels):
    frame, _ = AAC.silence(config(channels), FRAME)
    size = len(frame) + 7
    fixed = config(channels)
    header = fixed[:3] + bytes(
        (fixed[3] | size >> 11, size >> 3 & 0xFF, (size & 7) << 5 | 0x1F, 0xFC)
    )
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-xerror", "-err_detect", "explode"]
    argv += ["-f", "aac", "-i", "pipe:0", "-f", "s16le", "pipe:1"]
    done = subprocess.run(argv, input=(header + frame) * 20, env=ffmpeg.env, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    heard = np.frombuffer(done.stdout, np.int16)
    assert len(heard) == 20 * 1024 * {7: 8}.get(channels, channels)
    assert not heard.any()


def test_channels_that_only_the_stream_tells_have_no_silence():
    assert AAC.silence(config(0), FRAME) is None


@pytest.mark.parametrize(("lasts", "made"), [(1800, 1800), (900, 900), (225, 225), (5400, 1800)])
def test_silence_of_opus_lasts_as_long_as_its_packets_where_such_silence_exists(lasts, made):
    packet, ticks = OPUS.silence(b"\0\0\0\2", lasts)
    assert ticks == made
    assert packet[0] & 4  # two channels
    assert packet[1:] == b"\xff\xfe"


def test_sound_without_a_pause_gets_no_silence():
    state = quiet()
    assert state.pauses(stamps(BASE)) == []
    assert state.pauses(stamps(BASE + UNITS * FRAME)) == []
    assert abs(state.ahead) < 2  # ticks


def test_stamps_that_shake_are_no_pause():
    shaking = stamps(BASE) + np.where(np.arange(UNITS) % 2, 300, 0)
    assert quiet().pauses(shaking) == []


def test_a_pause_is_filled_on_the_grid_of_the_frames():
    state = quiet()
    behind = stamps(BASE + UNITS * FRAME + 4 * HZ)
    state.pauses(stamps(BASE))
    (pause,) = state.pauses(behind)
    assert pause.before == 0
    assert len(pause.pts) == 188  # 187.5 frames
    assert (np.diff(pause.pts) > 0).all()
    assert pause.pts[-1] < behind[0]
    assert state.ahead == pytest.approx(-FRAME / 2, abs=2)


def test_what_is_left_of_a_frame_is_carried_to_the_next_pause():
    """However many pauses there are, playing frame behind frame stays within half a frame."""
    state = quiet()
    at, played = float(BASE), float(BASE)
    for _ in range(200):
        state_before = played
        pauses = state.pauses(stamps(at))
        played += sum(len(pause.pts) for pause in pauses) * FRAME
        assert abs(at - played) <= FRAME / 2 + 2, state_before
        played += UNITS * FRAME
        at += UNITS * FRAME + 0.7 * FRAME
    assert state.ahead == pytest.approx(at - 0.7 * FRAME - played, abs=300)


def test_a_pause_inside_a_segment():
    pts = np.append(stamps(BASE, 40), stamps(BASE + 40 * FRAME + HZ, 60))
    (pause,) = quiet().pauses(pts)
    assert pause.before == 40
    assert len(pause.pts) == 47


def test_a_pause_between_frames_without_stamps_of_their_own():
    pts = np.append(stamps(BASE, 40), stamps(BASE + 40 * FRAME + HZ, 60))
    pts[np.arange(100) % 4 != 0] = -1
    (pause,) = quiet().pauses(pts)
    assert (pause.before, len(pause.pts)) == (40, 47)


@pytest.mark.parametrize(("late", "frames"), [(LATE, 0), (LATE + 1, 2), (HZ, 47)])
def test_sound_that_begins_late_begins_with_silence(late, frames):
    found = quiet().pauses(stamps(BASE + late))
    assert sum(len(pause.pts) for pause in found) == frames
    assert all(pause.pts[0] == BASE for pause in found)


def test_no_silence_in_front_of_a_frame_whose_beginning_is_written_already():
    state = quiet()
    state.pauses(stamps(BASE))
    assert state.pauses(stamps(BASE + UNITS * FRAME + HZ), begun=True) == []
    (pause,) = state.pauses(stamps(BASE + 2 * UNITS * FRAME + 2 * HZ))
    assert len(pause.pts) == 94  # what was owed as well


def test_a_long_pause_is_filled_while_it_lasts():
    state = quiet()
    state.pauses(stamps(BASE))
    bit = state.until(BASE + UNITS * FRAME + 10 * HZ)
    assert bit[0] == BASE + UNITS * FRAME
    assert bit[-1] <= BASE + UNITS * FRAME + 9 * HZ
    (pause,) = state.pauses(stamps(BASE + UNITS * FRAME + 10 * HZ))
    assert len(bit) + len(pause.pts) == 469  # 468.75


def test_a_short_pause_waits_for_the_unit_that_ends_it():
    state = quiet()
    state.pauses(stamps(BASE))
    assert not len(state.until(BASE + UNITS * FRAME + 2 * HZ))


@pytest.mark.parametrize(("early", "frames"), [(EARLY, 0), (EARLY + 100, 5), (HZ, 47)])
def test_sound_that_ends_early_ends_with_silence(early, frames):
    state, end = quiet(), BASE + UNITS * FRAME + early
    state.pauses(stamps(BASE))
    assert len(state.rest(end)) == frames
