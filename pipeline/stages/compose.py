"""The files of users become one: their sound is mixed, and their pictures are put together scene by
scene.  Everything is encoded.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from pipeline.choices import Format
from pipeline.media.captions.text_track import TextTrack, as_mp4
from pipeline.media.compose.heard import FINE
from pipeline.media.compose.layout import Canvas
from pipeline.media.compose.scenes import Scene
from pipeline.media.speech import Levels, Voice, levels
from pipeline.muxing import composing, file_commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import Muxer, read_output, run

SLOW = 24 * 3600.0  # seconds that the sound of all may take to be mixed

Progress = Callable[[str, int], None]


class Member(Struct, frozen=True):
    """One user as they go into the file of all."""

    uid: str
    file: Path  # an MP4 whose times begin at 0
    begin: float  # where it begins: seconds from the beginning of the session
    duration: float  # seconds
    kinds: tuple[str, ...] = ()  # "video", "audio"
    channels: int = 1  # of the sound

    @property
    def end(self) -> float:
        """Where the file ends: seconds from the beginning of the session."""
        return self.begin + self.duration


class Made(Struct, frozen=True):
    """The last command of ffmpeg, and what it said."""

    command: tuple[str, ...]
    messages: str


def listened(members: Sequence[Member], ffmpeg: Ffmpeg) -> tuple[Voice, ...]:
    """How loud each user with sound is, for each ``FINE``; the sound is decoded."""
    return tuple(
        Voice(one.uid, one.begin, loudness(one.file, ffmpeg))
        for one in members
        if "audio" in one.kinds
    )


def loudness(file: Path, ffmpeg: Ffmpeg) -> Levels:
    """How loud an MP4 is, for each ``FINE`` from 0 on."""
    argv = file_commands.listen(ffmpeg.ffmpeg, file, Format.MP4)
    block = round(60 * file_commands.LISTENING)  # samples: a minute, whole steps
    found, rest = [], b""
    for data in read_output(argv, env=ffmpeg.env):
        rest += data
        whole = len(rest) // (2 * block) * 2 * block
        found.append(levels(np.frombuffer(rest[:whole], "<i2"), file_commands.LISTENING, FINE))
        rest = rest[whole:]
    left = np.frombuffer(rest[: len(rest) // 2 * 2], "<i2")
    return np.concatenate([*found, levels(left, file_commands.LISTENING, FINE)])


def mix(members: Sequence[Member], ffmpeg: Ffmpeg, output: Path, *, seconds: float) -> Made:
    """The sound of all who have any, as AAC in an MP4 of so many seconds.  RefusedError if ffmpeg
    cannot read one of them.
    """
    sounding = [one for one in members if "audio" in one.kinds]
    argv = composing.mixed(
        ffmpeg.ffmpeg,
        output,
        [composing.Sound(one.file, one.begin) for one in sounding],
        channels=min(max(one.channels for one in sounding), 2),
        seconds=seconds,
    )
    with ffmpeg.turn():
        return Made(tuple(argv), run(argv, env=ffmpeg.env, timeout=SLOW))


class Film(Struct, frozen=True):
    """The pictures of the file of all."""

    canvas: Canvas
    scenes: tuple[Scene, ...]
    names: Mapping[str, str] = {}  # by uid: what is written into a tile, as far as it is known


def join(
    members: Sequence[Member],
    film: Film,
    ffmpeg: Ffmpeg,
    output: Path,
    *,
    sound: Path | None,
    created: str | None,
    progress: Progress,
    texts: Sequence[tuple[Path, TextTrack]] = (),
) -> Made:
    """Every scene in its turn, with the ``sound`` of all if there is any; ``progress`` gets bytes.
    ``texts`` are its captions, each with a place for a file of them.  RefusedError if ffmpeg cannot
    read one of the users.
    """
    rate = film.canvas.rate
    for path, text in texts:
        path.write_bytes(as_mp4(text))
    said = [(path, text.language) for path, text in texts]
    argv = composing.joined(ffmpeg.ffmpeg, output, rate, sound=sound, created=created, texts=said)
    with ffmpeg.turn(), Muxer(argv, env=ffmpeg.env) as muxer:
        for scene in film.scenes:
            muxer.write(_pictures(members, film, scene, ffmpeg, progress=progress))
        return Made(tuple(argv), muxer.finish())


def _pictures(
    members: Sequence[Member], film: Film, scene: Scene, ffmpeg: Ffmpeg, *, progress: Progress
) -> Iterator[bytes]:
    own = {one.uid: one for one in members if "video" in one.kinds}
    shots = [
        composing.Shot(own[uid].file, own[uid].begin, tile, film.names.get(uid, ""))
        for uid, tile in scene.tiles
        if uid in own
    ]
    shown = {"begin": scene.begin, "count": scene.count}
    argv = composing.scene(ffmpeg.ffmpeg, film.canvas, shots, **shown)
    for data in read_output(argv, env=ffmpeg.env):
        progress("convert", len(data))
        yield data
