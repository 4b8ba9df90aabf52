"""Players and decoders nobody here wrote: what they show and let hear of a file, and when.

Chromium plays it from a server of this machine; ffmpeg, PyAV, GStreamer and VLC decode its sound
into samples that they play frame behind frame.
"""

import base64
import functools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator.recorder.measure import BRIGHT, RATE, Mark, Samples, in_a_row
from pipeline.simulator.recorder.scene import CELLS

CHROMIUM = "/usr/bin/chromium"
NOBODY = 65534
ROWS = 5  # of the upper quarter of a picture, as it is looked at: the last one has its number
BLOCK = 1024  # samples that are handed out at a time
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]

PAGE = b"""<!doctype html><video id=v src=/media></video><script>
const v = document.getElementById('v'), seen = [], clock = [], chunks = [];
let since = 0;  // when the last seek ended: of what was shown before nothing is told
let told = null;
const canvas = new OffscreenCanvas(8, 5), pen = canvas.getContext('2d', {willReadFrequently: true});
function look(now, frame) {
  v.requestVideoFrameCallback(look);
  if (frame.presentationTime < since) return;
  pen.drawImage(v, 0, 0, v.videoWidth, v.videoHeight / 4, 0, 0, 8, 5);
  const p = pen.getImageData(0, 0, 8, 5).data, row = [];
  for (let i = 0; i < 40; i++) row.push(p[4 * i]);
  seen.push([frame.mediaTime, v.currentTime, row]);
}
async function open() {
  const context = new AudioContext({sampleRate: 48000});
  const tap = context.createScriptProcessor(1024, 1, 1);
  tap.onaudioprocess = e => {
    if (v.paused || v.seeking) return;
    clock.push([e.playbackTime, v.currentTime]);
    chunks.push(Int16Array.from(e.inputBuffer.getChannelData(0), x => Math.round(x * 32767)));
  };
  context.createMediaElementSource(v).connect(tap);
  tap.connect(context.destination);
  v.requestVideoFrameCallback?.(look);
  if (v.readyState < 4) await new Promise(done => { v.oncanplaythrough = done; });
  await context.resume();
}
async function play(from, seconds) {
  seen.length = clock.length = chunks.length = 0;
  if (from !== null) {
    const there = new Promise(done => { v.onseeked = done; });
    v.currentTime = from;
    await there;
    since = performance.now();
    seen.length = clock.length = chunks.length = 0;
  }
  await v.play();
  const end = Math.min(v.duration - 0.02, (from ?? 0) + seconds);
  await new Promise(done => {
    const timer = setInterval(() => {
      if (v.ended || v.currentTime >= end) { clearInterval(timer); done(); }
    }, 20);
  });
  v.pause();
  return {seen: [...seen], clock: [...clock], sound: chunks.map(text), duration: v.duration};
}
function text(samples) {  // a number at a time costs more than the playing
  return btoa(String.fromCharCode(...new Uint8Array(samples.buffer)));
}
async function playAll(begins, seconds) {
  const played = [];
  for (const [n, begin] of begins.entries()) played.push(await play(begin, seconds[n]));
  return played;
}
function start(begins, seconds) { told = playAll(begins, seconds).then(JSON.stringify); }
</script>"""


class _Handler(BaseHTTPRequestHandler):
    """One page and one file, in ranges."""

    protocol_version = "HTTP/1.1"

    def __init__(self, path: Path, *args: object) -> None:
        self._path = path
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, *args: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        if self.path != "/media":
            self._answer(200, PAGE, "text/html")
            return
        data = self._path.read_bytes()
        wanted = self.headers.get("Range", "")
        if not wanted.startswith("bytes="):
            self._answer(200, data, "video/mp4")
            return
        first, _, last = wanted[6:].partition("-")
        begin, end = int(first), int(last) + 1 if last else len(data)
        told = f"bytes {begin}-{min(end, len(data)) - 1}/{len(data)}"
        self._answer(206, data[begin:end], "video/mp4", told)

    def _answer(self, code: int, body: bytes, kind: str, told: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        if told:
            self.send_header("Content-Range", told)
        self.end_headers()
        with suppress(OSError):  # it has seen enough
            self.wfile.write(body)


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address of a page that plays a file."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, path))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Played:
    """What was heard and shown of a stretch, on the clock of the player."""

    heard: tuple[Mark, ...]
    flashes: tuple[Mark, ...]
    pictures: tuple[Mark, ...]  # every one that was seen
    duration: float


Stretch = tuple[float | None, float]  # where to play from, and how long; None: as it is opened


def chromium(path: Path, stretches: Sequence[Stretch]) -> list[Played]:
    """These stretches of a file played in a browser, one behind the other."""
    (played,) = chromium_together([path], stretches)
    return played


def chromium_together(paths: Sequence[Path], stretches: Sequence[Stretch]) -> list[list[Played]]:
    """The same stretches of several files, each file in a window of its own, all at once."""
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright here")
    begins, seconds = (list(some) for some in zip(*stretches, strict=True))
    with ExitStack() as stack:
        urls = [stack.enter_context(served(path)) for path in paths]
        driver = stack.enter_context(playwright.sync_playwright())
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        stack.callback(browser.close)
        pages = [browser.new_context().new_page() for _ in paths]
        for page, url in zip(pages, urls, strict=True):
            page.goto(url)
            page.evaluate("open()")
        for page in pages:
            page.evaluate("([begins, seconds]) => start(begins, seconds)", [begins, seconds])
        told = [json.loads(page.evaluate("told")) for page in pages]
    return [[_played(one) for one in stretches] for stretches in told]


def _played(told: dict) -> Played:
    clock = np.array(told["clock"])
    samples = np.frombuffer(b"".join(map(base64.b64decode, told["sound"])), np.int16)
    heard = []
    for at, second in in_a_row(samples) if len(samples) else ():
        chunk, into = divmod(round(at * RATE), BLOCK)
        heard.append(Mark(float(clock[chunk, 1]) + into / RATE, second))
    rows = np.array([row for *_, row in told["seen"]], np.int64).reshape(-1, ROWS, CELLS)
    pictures, flashes = _shown([shown for shown, *_ in told["seen"]], rows)
    return Played(tuple(heard), flashes, pictures, told["duration"])


def _shown(times: Sequence[float], rows: np.ndarray) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    """Pictures with their numbers, and those with which a flash begins, by the brightness of the
    upper quarter of each.
    """
    numbers = (rows[:, -1, 1:-1] > BRIGHT) @ (1 << np.arange(CELLS - 2)[::-1])
    pictures = tuple(Mark(at, int(n)) for at, n in zip(times, numbers, strict=True))
    bright = rows[:, :-1].mean(axis=(1, 2)) > BRIGHT
    return pictures, tuple(pictures[n] for n in np.flatnonzero(bright[1:] & ~bright[:-1]) + 1)


def by_ffmpeg(path: Path, ffmpeg: Ffmpeg) -> Samples:
    """``ffmpeg -i x.mp4 x.wav``."""
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-i", str(path), "-f", "wav"]
    done = subprocess.run(
        [*argv, "-ar", str(RATE), "-ac", "1", "-"], env=ffmpeg.env, capture_output=True, check=True
    )
    return _of_wav(done.stdout)


def by_pyav(path: Path) -> Samples:
    """Decoded frames, one behind the other, as what makes captions of sound reads them."""
    av = pytest.importorskip("av", reason="no PyAV here")
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(path)) as file:
        found = [
            made.to_ndarray().reshape(-1)
            for frame in file.decode(audio=0)
            for made in resampler.resample(frame)
        ]
    return np.concatenate(found)


def seen_by_pyav(path: Path) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    """Every decoded picture at the time it has, and the flashes among them."""
    av = pytest.importorskip("av", reason="no PyAV here")
    times, rows = [], []
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            upper = frame.to_ndarray(format="gray")[: frame.height // 4]
            times.append(frame.time)
            rows.append(upper.reshape(ROWS, -1, CELLS, frame.width // CELLS).mean(axis=(1, 3)))
    return _shown(times, np.array(rows))


def by_gstreamer(path: Path) -> Samples:
    """What ``qtdemux`` hands out, decoded."""
    if not shutil.which("gst-launch-1.0"):
        pytest.skip("no GStreamer here: apt-get install gstreamer1.0-tools")
    out = path.with_suffix(".gstreamer.wav")
    form = f"audio/x-raw,format=S16LE,channels=1,rate={RATE}"
    chain = ["filesrc", f"location={path}", "!", "qtdemux", "name=file", "file.audio_0", "!"]
    chain += ["queue", "!", "decodebin", "!", "audioconvert", "!", "audioresample", "!", form, "!"]
    argv = ["gst-launch-1.0", "-q", *chain, "wavenc", "!", "filesink", f"location={out}"]
    subprocess.run(argv, capture_output=True, check=True, timeout=120)
    return _of_wav(out.read_bytes())


def by_vlc(path: Path) -> Samples:
    """Decoded by VLC, which refuses to work for root."""
    if not shutil.which("cvlc"):
        pytest.skip("platform: no VLC here")
    form = f"acodec=s16l,channels=1,samplerate={RATE}"
    sink = f"#transcode{{{form}}}:std{{access=file,mux=wav,dst=-}}"
    argv = ["cvlc", "-I", "dummy", "--no-video", "--sout", sink, "-", "vlc://quit"]
    with path.open("rb") as file:
        done = subprocess.run(
            argv,
            stdin=file,
            capture_output=True,
            check=False,
            timeout=120,
            env={"HOME": "/tmp", "PATH": "/usr/bin:/bin"},
            user=_other(),
        )
    if done.returncode or len(done.stdout) < 100:
        pytest.skip("platform: this VLC cannot open files")
    return _of_wav(done.stdout)


def _other() -> int | None:
    """Somebody who is not root."""
    return NOBODY if os.geteuid() == 0 else None


def _of_wav(data: bytes) -> Samples:
    """Samples of a file whose length may not be known when its header is written."""
    at = data.index(b"data") + 8
    return np.frombuffer(data[at : len(data) - (len(data) - at) % 2], "<i2")
