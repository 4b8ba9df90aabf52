"""Encoded pictures and sound for recordings: a short block, repeated as often as needed."""

import random
import re
import tempfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.muxing import studio
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import Muxer
from pipeline.simulator.recorder import scene
from pipeline.simulator.recorder.values import HZ, Unit

LONGEST_BLOCK = 64  # seconds; the clock in the picture restarts after them
WHOLE = 8  # seconds: so long are 375 frames of 48 kHz, and no shorter full second is whole frames
FRAME = 1024  # samples of an AAC frame
BLOCKS = 64  # that are kept of each stream
SPARSE = 5  # pictures left out of every second where the rate varies

_DELIMITERS = {"h264": b"\0\0\0\1\x09", "hevc": b"\0\0\0\1\x46\1"}


class Look(Struct, frozen=True):
    """What the pictures look like and the sound sounds like."""

    width: int = 640  # pixels
    height: int = 360
    fps: int = 15  # pictures a second
    seed: int = 0
    codec: str = "h264"
    rate: int = 48000  # Hz
    channels: int = 1
    black: bool = False
    frozen: bool = False
    silent: bool = False
    sparse: bool = False  # pictures come at irregular times
    chroma: tuple[int, int] = scene.CHROMA  # U and V of all of a picture
    tone: int = 0  # Hz of a tone that never stops; 0: there is none
    turned: int = 0  # degrees anticlockwise, as a phone sends what it holds sideways

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    def frames(self, seconds: int) -> list[int]:
        """The numbers of the pictures in so many seconds."""
        chance = random.Random(self.seed)
        kept: list[int] = []
        for second in range(seconds):
            left_out = chance.sample(range(2, self.fps), SPARSE) if self.sparse else []
            kept += [second * self.fps + n for n in range(self.fps) if n not in left_out]
        return kept

    def picture(self, frame: int) -> bytes:
        """One raw picture, as of ``scene.picture``."""
        shown = self.fps // 2 if self.frozen else frame  # between two flashes
        return scene.picture(
            *(shown, self.width, self.height),
            fps=self.fps,
            seed=self.seed,
            black=self.black,
            chroma=self.chroma,
            turned=self.turned,
        )

    def sound(self, seconds: int, first: int = 0) -> bytes:
        """Raw samples of so many seconds from second ``first`` on, as of ``scene.sound``."""
        shape = self.rate, self.channels, self.seed
        return scene.sound(seconds, *shape, silent=self.silent, first=first, tone=self.tone)


class Material(Struct, frozen=True):
    """One block of pictures and of AAC frames, whose end fits its beginning.

    There is a key picture at each full second, or ``phase`` ticks before it.
    """

    look: Look
    seconds: int
    pictures: tuple[tuple[int, bytes], ...]  # number and access unit
    frames: tuple[bytes, ...]  # with ADTS headers
    phase: int = 0

    def units(self, stream: str, begin: int, end: int) -> tuple[Unit, ...]:
        """The units of one stream that begin between two times, in ticks; sound begins one frame
        early.
        """
        make = self._pictures if stream == "video" else self._frames
        made = make(begin + self.phase, end + self.phase)
        if not self.phase:
            return tuple(made)
        return tuple(replace(unit, time=unit.time - self.phase) for unit in made)

    def _pictures(self, begin: int, end: int) -> Iterator[Unit]:
        fps = self.look.fps
        per_block = self.seconds * fps
        shows = not self.look.black and not self.look.frozen
        number = -(-begin * fps // HZ)
        last = -(-end * fps // HZ)
        for block in range(number // per_block, -(-last // per_block)):
            for n, (frame, data) in enumerate(self.pictures):
                at = block * per_block + frame
                if number <= at < last:
                    following = self.pictures[(n + 1) % len(self.pictures)][0] or per_block
                    time = at * HZ // fps
                    length = (block * per_block + following) * HZ // fps - time
                    key = frame % fps == 0
                    mark = 0 if key and shows else None
                    yield Unit("video", time, length, data, key, mark=mark)

    def _frames(self, begin: int, end: int) -> Iterator[Unit]:
        rate = self.look.rate
        number = -(-begin * rate // (FRAME * HZ))
        for n in range(number, -(-end * rate // (FRAME * HZ))):
            time, after = (k * FRAME * HZ // rate for k in (n - 1, n))
            into = -time % HZ
            mark = into if into < after - time and not self.look.silent else None
            place = n * FRAME % (self.seconds * rate) // FRAME  # at 44.1 kHz a block is no multiple
            data = self.frames[min(place, len(self.frames) - 1)]
            yield Unit("audio", time, after - time, data, mark=mark)


def block_seconds(duration: float) -> int:
    """How many seconds have to be encoded for a recording of so many seconds."""
    return min(LONGEST_BLOCK, max(WHOLE, -int(-duration // WHOLE) * WHOLE))


def encode(look: Look, seconds: int, ffmpeg: Ffmpeg) -> Material:
    """A block of so many seconds.  Raises ``MuxingError`` if this ffmpeg lacks an encoder."""
    seen = replace(look, rate=48000, channels=1, silent=False, tone=0)
    heard = Look(
        seed=look.seed,
        rate=look.rate,
        channels=look.channels,
        silent=look.silent,
        tone=look.tone,
    )
    return Material(
        look, seconds, _pictures(seen, seconds, ffmpeg), _frames(heard, seconds, ffmpeg)
    )


def webm(look: Look, begin: int, seconds: int, ffmpeg: Ffmpeg) -> bytes:
    """A whole WebM file, as Agora stores slices of a web user; ``begin`` is a full second."""
    with tempfile.TemporaryDirectory(prefix="recpipe-") as folder:
        output, samples = Path(folder) / "slice.webm", Path(folder) / "samples"
        samples.write_bytes(look.sound(seconds, begin))
        argv = studio.encode_webm(ffmpeg.ffmpeg, output, _form(look), samples)
        first = begin * look.fps
        _feed(argv, ffmpeg, map(look.picture, range(first, first + seconds * look.fps)))
        return output.read_bytes()


def webm_stream(look: Look, span: tuple[int, int], stream: str, ffmpeg: Ffmpeg) -> bytes:
    """A WebM file of one stream between two times (ticks); pictures begin at a key picture."""
    begin, end = span
    with tempfile.TemporaryDirectory(prefix="recpipe-") as folder:
        output = Path(folder) / "slice.webm"
        if stream == "audio":
            argv = studio.encode_opus(ffmpeg.ffmpeg, output)
            _feed(argv, ffmpeg, [_cut(look, begin, end)])
        else:
            argv = studio.encode_webm(ffmpeg.ffmpeg, output, _form(look))
            numbers = range(-(-begin * look.fps // HZ), -(-end * look.fps // HZ))
            _feed(argv, ffmpeg, map(look.picture, numbers))
        return output.read_bytes()


def _cut(look: Look, begin: int, end: int) -> bytes:
    """Samples of 48 kHz between two times."""
    first = begin // HZ
    samples = look.sound(-(-end // HZ) - first, first)
    one, other = (2 * round((time - first * HZ) * look.rate / HZ) for time in (begin, end))
    return samples[max(one, 0) : other]


def fragmented(stream: bytes, seconds: int, ffmpeg: Ffmpeg) -> tuple[bytes, list[bytes]]:
    """A transport stream as fMP4: the initialization section, and segments of so many seconds."""
    with tempfile.TemporaryDirectory(prefix="recpipe-") as folder:
        home = Path(folder)
        _feed(studio.fragment(ffmpeg.ffmpeg, home, seconds), ffmpeg, [stream])
        made = [path.read_bytes() for path in sorted(home.glob("*.m4s"))]
        return (home / "init.mp4").read_bytes(), made


def encrypted(data: bytes, key: bytes, iv: bytes, ffmpeg: Ffmpeg) -> bytes:
    """A segment under AES-128 (RFC 8216 section 4.3.2.4); ``key`` and ``iv`` have 16 bytes."""
    with tempfile.TemporaryDirectory(prefix="recpipe-") as folder:
        output = Path(folder) / "segment"
        _feed(studio.encrypt(ffmpeg.ffmpeg, output, key, iv), ffmpeg, [data])
        return output.read_bytes()


def _form(look: Look) -> studio.Pictures:
    return studio.Pictures(look.codec, look.size, look.fps)


@lru_cache(maxsize=BLOCKS)
def _pictures(look: Look, seconds: int, ffmpeg: Ffmpeg) -> tuple[tuple[int, bytes], ...]:
    numbers = look.frames(seconds)
    group = look.fps - SPARSE * look.sparse
    with tempfile.TemporaryDirectory(prefix="recpipe-") as folder:
        output = Path(folder) / "pictures"
        argv = studio.encode_pictures(ffmpeg.ffmpeg, output, _form(look), group)
        _feed(argv, ffmpeg, map(look.picture, numbers))
        data = output.read_bytes()
    starts = [found.start() for found in re.finditer(re.escape(_DELIMITERS[look.codec]), data)]
    units = [data[begin:end] for begin, end in pairwise([*starts, len(data)])]
    return tuple(zip(numbers, units, strict=True))


@lru_cache(maxsize=BLOCKS)
def _frames(look: Look, seconds: int, ffmpeg: Ffmpeg) -> tuple[bytes, ...]:
    """The AAC frames of the second of two blocks, so that the end of it fits its beginning."""
    once = look.sound(seconds)
    with tempfile.TemporaryDirectory(prefix="recpipe-") as folder:
        output = Path(folder) / "frames"
        _feed(
            studio.encode_sound(ffmpeg.ffmpeg, output, look.rate, look.channels), ffmpeg, [once] * 2
        )
        data = output.read_bytes()
    frames, at = [], 0
    while at < len(data):  # ISO/IEC 14496-3: frame_length stands in the ADTS header
        length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames.append(data[at : at + length])
        at += length
    count = seconds * look.rate // FRAME
    return tuple(frames[count : 2 * count])


def _feed(argv: list[str], ffmpeg: Ffmpeg, chunks: Iterable[bytes]) -> None:
    with Muxer(argv, env=ffmpeg.env) as process:
        process.write(chunks)
        process.finish()
