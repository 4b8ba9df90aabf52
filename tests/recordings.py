"""Recordings made by ffmpeg in the way of Agora Cloud Recording, and every way to damage one.

Shares no code with the package but the grammar of the names.  What a recording holds is read by
:func:`units`, what an MP4 holds by ffprobe: the truth the package is measured against.
"""

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from pipeline.agora import names
from pipeline.jobs import one
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.model import Finding, Report, Severity
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.discover import discover
from pipeline.storage.local import LocalStorage
from pipeline.storage.locations import open_storage
from tests import ts

PACKET = 188
HZ = 90_000
MODULO = 1 << 33
NULL = 0x1FFF
SID = "3f0c6a52d9e84b17a6c15d20e7b94f83"
CNAME = "team_room"
EPOCH = 1_772_442_002.12  # 2026-03-02 09:00:02.120 UTC
LISTED = re.compile(r"(#EXTINF:([0-9.]+),?\n)(\S.*)\n")

HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body></body></html>\n"
XML = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>'
    b"<Message>Access Denied</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"
)
JSON = b'{"code": 404, "message": "no such object"}\n'


# --- made by ffmpeg ----------------------------------------------------------------------------


class Kind(Struct, frozen=True):
    """What to record."""

    video: bool = True
    audio: bool = True
    b_frames: int = 0
    open_gop: bool = False  # of H.265: pictures shown before a key picture refer to those before
    rate: int = 48000
    seconds: float = 20
    slice: float = 4
    fps: int = 15
    size: str = "320x180"
    bitrate: str = "450k"
    picture_filter: str = "noise=alls=24:all_seed=5"
    vfr: bool = False
    codec: str = "libx264"
    sound: str = "aac"
    channels: int = 1
    parameters: str = ""  # of the encoder of the pictures
    continuous: bool = True  # continuity counters go on from slice to slice


AV = Kind()
AV_B = Kind(b_frames=2)
AUDIO = Kind(video=False, seconds=19.5)
VIDEO = Kind(audio=False, b_frames=2)
AV_44 = Kind(rate=44100, b_frames=2)
RESTARTING = Kind(continuous=False)
# pictures at irregular times, some of them a second or two apart
VFR = Kind(
    vfr=True,
    picture_filter="noise=alls=24:all_seed=5,"
    r"select='not(mod(n\,60))+lt(mod(n\,97)\,9)+not(mod(n\,23))'",
)
MANY = Kind(seconds=120, slice=0.2, fps=5, size="96x64", bitrate="40k", picture_filter="null")


@dataclass(frozen=True)
class Recording:
    """A folder with a playlist and the slices it lists."""

    folder: Path

    @property
    def playlist(self) -> Path:
        """The only playlist."""
        (found,) = self.folder.glob("*.m3u8")
        return found

    @property
    def entries(self) -> list[tuple[str, float]]:
        """Names and EXTINF as listed."""
        return [(m[3], float(m[2])) for m in LISTED.finditer(self.text)]

    @property
    def names(self) -> list[str]:
        """Names as listed."""
        return [name for name, _ in self.entries]

    @property
    def text(self) -> str:
        """The playlist."""
        return self.playlist.read_bytes().decode("utf-8-sig")

    def path(self, number: int) -> Path:
        """The file of the n-th listed slice."""
        return self.folder / self.names[number]

    def data(self, number: int) -> bytes:
        """The bytes of the n-th listed slice."""
        return self.path(number).read_bytes()

    def contents(self) -> list[bytes]:
        """The bytes of all slices in order."""
        return [(self.folder / name).read_bytes() for name in self.names]

    def copy(self, folder: Path) -> "Recording":
        """One to damage."""
        shutil.copytree(self.folder, folder)
        return Recording(folder)

    def write(self, number: int, data: bytes) -> None:
        """Replace the bytes of the n-th slice."""
        self.path(number).write_bytes(data)

    def edit(self, change: Callable[[str], str]) -> None:
        """Rewrite the playlist."""
        self.playlist.write_bytes(change(self.text).encode())


class Library:
    """Recordings made once per test run."""

    def __init__(self, home: Path, ffmpeg: Ffmpeg) -> None:
        self.ffmpeg = ffmpeg
        self._home = home
        self._made: dict[Kind, Recording] = {}
        self._held: dict[Kind, list[Unit]] = {}

    def __getitem__(self, kind: Kind) -> Recording:
        if kind not in self._made:
            folder = self._home / str(len(self._made))
            self._made[kind] = record(kind, folder, self.ffmpeg)
        return self._made[kind]

    def held(self, kind: Kind) -> list["Unit"]:
        """Every unit of a recording before it is damaged."""
        if kind not in self._held:
            self._held[kind] = units(self[kind].contents())
        return self._held[kind]


def record(kind: Kind, folder: Path, ffmpeg: Ffmpeg) -> Recording:
    """Encode slices of one continuous stream, and publish them as Agora does."""
    raw = folder / "raw"
    raw.mkdir(parents=True)
    subprocess.run(_encoder(kind, str(ffmpeg.ffmpeg)), cwd=raw, env=ffmpeg.env or None, check=True)
    made = re.findall(r"#EXTINF:([0-9.]+),\n(\S+)", (raw / "index.m3u8").read_text())
    slices = [(float(extinf), (raw / name).read_bytes()) for extinf, name in made]
    shutil.rmtree(raw)
    return publish(slices, folder / "recording", kinds=(kind.audio, kind.video))


def _encoder(kind: Kind, ffmpeg: str) -> list[str]:
    argv = [ffmpeg, "-v", "error", "-nostdin", "-y"]
    if kind.video:
        argv += ["-f", "lavfi", "-i", f"testsrc2=size={kind.size}:rate={kind.fps}"]
    if kind.audio:
        noise = f"anoisesrc=color=pink:seed=7:amplitude=0.4:sample_rate={kind.rate}"
        argv += ["-f", "lavfi", "-i", noise]
    if kind.video:
        argv += ["-vf", kind.picture_filter, "-pix_fmt", "yuv420p", "-c:v", kind.codec]
        argv += ["-preset", "veryfast", "-b:v", kind.bitrate, "-bf", str(kind.b_frames)]
        argv += ["-sc_threshold", "0", "-threads:v", "1", "-fps_mode"]
        argv += ["vfr" if kind.vfr else "cfr"]
        argv += _key_pictures(kind)
    if kind.audio:
        argv += ["-c:a", kind.sound, "-b:a", "64k", "-ac", str(kind.channels)]
        argv += ["-ar", str(kind.rate)]
    argv += ["-t", str(kind.seconds), "-fflags", "+bitexact"]
    if kind.continuous:
        argv += ["-f", "hls", "-hls_time", str(kind.slice), "-hls_list_size", "0"]
        return [*argv, "-hls_segment_filename", "%05d.ts", "index.m3u8"]
    argv += ["-f", "segment", "-segment_format", "mpegts", "-segment_time", str(kind.slice)]
    return [*argv, "-segment_list", "index.m3u8", "%05d.ts"]


def _key_pictures(kind: Kind) -> list[str]:
    """One at the beginning of each slice.  A forced one of H.265 may be open: that is up to the
    version of the encoder, so it is told.
    """
    each = round(kind.slice * kind.fps)
    if kind.open_gop:
        params = f"log-level=error:open-gop=1:scenecut=0:keyint={each}:min-keyint={each}"
        return ["-x265-params", params]
    forced = ["-g", "250", "-force_key_frames", f"expr:gte(t,n_forced*{kind.slice})"]
    params = "log-level=error:open-gop=0" if kind.codec == "libx265" else ""
    params = ":".join(filter(None, (params, kind.parameters)))
    return [*forced, f"-{kind.codec.removeprefix('lib')}-params", params] if params else forced


def publish(
    slices: Sequence[tuple[float, bytes]],
    folder: Path,
    *,
    kinds: tuple[bool, bool] = (True, True),
    cname: str = CNAME,
) -> Recording:
    """Slices with their EXTINF, in Agora's names and playlist dialect."""
    folder.mkdir(parents=True)
    longest = max(-(-extinf // 1) for extinf, _ in slices)
    begin = names.stamp(EPOCH)
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-ALLOW-CACHE:YES"]
    lines += [f"#EXT-X-TARGETDURATION:{longest:.0f}", "#EXT-X-DISCONTINUITY"]
    for kind, there in zip(("AUDIO", "VIDEO"), kinds, strict=True):
        if there:
            lines += [f"#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE={kind},TIME={begin}"]
    elapsed = 0.0
    for extinf, data in slices:
        name = names.slice_name(SID, cname, EPOCH + elapsed)
        (folder / name).write_bytes(data)
        lines += [f"#EXTINF:{extinf:.6f}", name]
        elapsed += extinf
    text = "\n".join([*lines, "#EXT-X-ENDLIST", ""])
    (folder / names.playlist_name(SID, cname)).write_text(text)
    return Recording(folder)


# --- what a recording holds --------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """One access unit of the source."""

    kind: str
    pts: float  # ticks, unwrapped
    digest: str  # MD5 as an MP4 stores it
    where: frozenset[tuple[int, int]]  # (slice, packet) it lies in
    first: bool  # the first one of its PES


def packets(data: bytes) -> list[bytes]:
    """Packets of 188 bytes; what is left over at the end is left out."""
    return [data[at : at + PACKET] for at in range(0, len(data) - PACKET + 1, PACKET)]


def pid_of(packet: bytes) -> int:
    """The 13 bits of the header."""
    return (packet[1] & 0x1F) << 8 | packet[2]


def payload_at(packet: bytes) -> int:
    """Where the payload begins; 188 without one."""
    if not packet[3] & 0x10:
        return PACKET
    return 5 + packet[4] if packet[3] & 0x20 else 4


def is_pes(packet: bytes) -> bool:
    """A PES of audio or video begins in it."""
    at = payload_at(packet)
    if not packet[1] & 0x40 or packet[at : at + 3] != b"\0\0\1":
        return False
    return 0xC0 <= packet[at + 3] <= 0xEF


@dataclass
class _Pes:
    kind: str
    pts: int | None
    data: bytearray = field(default_factory=bytearray)
    marks: list[tuple[int, tuple[int, int]]] = field(default_factory=list)  # offset, packet

    def places(self, begin: int, end: int) -> frozenset[tuple[int, int]]:
        offsets = [offset for offset, _ in self.marks]
        low, high = bisect_right(offsets, begin) - 1, bisect_right(offsets, end - 1)
        return frozenset(place for _, place in self.marks[low:high])


def units(contents: Sequence[bytes]) -> list[Unit]:
    """Every access unit of intact slices on one clock, which may wrap."""
    found: list[Unit] = []
    last: dict[str, float] = {}
    for pes in _pes(contents):
        made = _pictures(pes) if pes.kind == "video" else _frames(pes)
        for unit in made:
            before = last.get(unit.kind, last.get("video", last.get("audio", unit.pts)))
            step = (unit.pts - before + MODULO / 2) % MODULO - MODULO / 2
            last[unit.kind] = before + step
            found.append(Unit(unit.kind, before + step, unit.digest, unit.where, unit.first))
    return found


def _pes(contents: Sequence[bytes]) -> Iterator[_Pes]:
    opened: dict[int, _Pes] = {}
    for number, data in enumerate(contents):
        for place, packet in enumerate(packets(data)):
            pid, at = pid_of(packet), payload_at(packet)
            if is_pes(packet):
                if pid in opened:
                    yield opened[pid]
                kind = "video" if packet[at + 3] & 0xF0 == 0xE0 else "audio"
                pts = read_stamp(packet[at + 9 : at + 14]) if packet[at + 7] & 0x80 else None
                opened[pid] = _Pes(kind, pts)
                at += 9 + packet[at + 8]
            if pid in opened and at < PACKET:
                opened[pid].marks.append((len(opened[pid].data), (number, place)))
                opened[pid].data += packet[at:]
    yield from opened.values()


def _pictures(pes: _Pes) -> Iterator[Unit]:
    """ffmpeg writes one picture into each PES."""
    nals = [nal.rstrip(b"\0") for nal in bytes(pes.data).split(b"\0\0\1")[1:]]
    stored = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)
    where = frozenset(place for _, place in pes.marks)
    assert pes.pts is not None
    yield Unit("video", pes.pts, hashlib.md5(stored).hexdigest(), where, first=True)


def _frames(pes: _Pes) -> Iterator[Unit]:
    rates = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
    at, data, pts = 0, bytes(pes.data), pes.pts
    assert pts is not None
    while at + 7 <= len(data):
        length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        raw = data[at + 7 : at + length]
        unit = 1024 * HZ / rates[data[at + 2] >> 2 & 15]
        where = pes.places(at, at + length)
        yield Unit("audio", pts, hashlib.md5(raw).hexdigest(), where, first=at == 0)
        pts, at = pts + unit, at + length


def survivors(
    held: Sequence[Unit], gone: Mapping[int, Collection[int] | None]
) -> tuple[list[Unit], list[Unit]]:
    """What is left and what is lost when these packets of these slices are gone; None: all of it.

    A frame of sound is left when it is whole and a time stamp reaches it over whole frames.
    """
    alive = [
        not any(n in gone and (gone[n] is None or p in gone[n]) for n, p in u.where) for u in held
    ]
    sound = [k for k, unit in enumerate(held) if unit.kind == "audio"]
    reached: set[int] = set()
    run: list[int] = []
    for k in [*sound, -1]:
        if k >= 0 and alive[k]:
            run.append(k)
            continue
        reached |= set(run) if any(held[r].first for r in run) else set()
        run = []
    left, lost = [], []
    for k, unit in enumerate(held):
        stays = alive[k] if unit.kind == "video" else k in reached
        (left if stays else lost).append(unit)
    return left, lost


def seconds(held: Iterable[Unit], of: Sequence[Unit]) -> dict[str, float]:
    """How long these units last, by kind; ``of`` is everything there was."""
    spent = {"video": 0.0, "audio": 0.0}
    chosen = {id(unit) for unit in held}
    for kind in spent:
        times = sorted((u.pts, id(u) in chosen) for u in of if u.kind == kind)
        steps = sorted(b[0] - a[0] for a, b in pairwise(times))
        end = times[-1][0] + steps[len(steps) // 2] if steps else 0.0
        spent[kind] = sum(b[0] - a[0] for a, b in pairwise([*times, (end, False)]) if a[1])
    return {kind: ticks / HZ for kind, ticks in spent.items()}


@dataclass(frozen=True)
class Sample:
    """One sample of an MP4."""

    kind: str
    pts: float  # ticks
    digest: str


def samples(path: Path, ffmpeg: Ffmpeg) -> list[Sample]:
    """What ffprobe finds in an MP4, edit lists applied."""
    entries = "packet=codec_type,pts_time,data_hash"
    argv = [str(ffmpeg.ffprobe), "-v", "error", "-show_packets", "-show_data_hash", "md5"]
    argv += ["-show_entries", entries, "-of", "json", str(path)]
    done = subprocess.run(argv, env=ffmpeg.env or None, capture_output=True, check=True)
    return [
        Sample(p["codec_type"], float(p["pts_time"]) * HZ, p["data_hash"].removeprefix("MD5:"))
        for p in json.loads(done.stdout)["packets"]
    ]


# Frames without a sound, as they are put where a recording pauses: AAC (ISO/IEC 14496-3) and Opus
# (RFC 6716), mono and stereo.
SILENT = {
    hashlib.md5(bytes.fromhex(one)).hexdigest()
    for one in ("00000007", "21000000001c", "f8fffe", "fcfffe")
}


def recorded(found: Iterable[Sample]) -> list[Sample]:
    """Without what was put in: silence, and one picture where pictures begin late."""
    own = [one for one in found if one.digest not in SILENT]
    shown = sorted((one for one in own if one.kind == "video"), key=lambda one: one.pts)[:2]
    late = len(shown) == 2 and shown[0].pts < 1.5 and shown[1].pts > HZ / 2
    return [one for one in own if not late or one is not shown[0]]


def own(report: Report) -> dict[str, int]:
    """Samples of each track without those that were put in: silence."""
    filled = sum(f.count for f in report.findings if f.id == "AUDIO_FILLED")
    return {t.type: t.samples - (filled if t.type == "audio" else 0) for t in report.tracks}


def offsets(held: Iterable[Unit], found: Iterable[Sample]) -> dict[str, list[float]]:
    """Ticks from source to MP4 of every unit that is in both, by kind, in the source's order."""
    where = {(s.kind, s.digest): s.pts for s in found}
    both: dict[str, list[float]] = {"video": [], "audio": []}
    for unit in held:
        if (unit.kind, unit.digest) in where:
            both[unit.kind].append(where[unit.kind, unit.digest] - unit.pts)
    return both


# --- running the package -----------------------------------------------------------------------


def convert(source: Path, out: Path, ffmpeg: Ffmpeg, **chosen: object) -> Report:
    """What ``recpipe convert`` does."""
    storage, key = open_storage(source)
    (found,) = discover(storage, key)
    options = Options(**{"spool": out / "spool", **chosen})  # type: ignore[arg-type]
    name = f"{found.id}.{options.format.value}"
    return one.process(found, storage, Target(LocalStorage(out), name), ffmpeg, options)


def check(source: Path, **chosen: object) -> Report:
    """What ``recpipe check`` does."""
    storage, key = open_storage(source)
    (found,) = discover(storage, key)
    with tempfile.TemporaryDirectory() as spool:
        options = Options(**{"spool": Path(spool), **chosen})  # type: ignore[arg-type]
        return one.check(found, storage, options)


def loud(report: Report) -> list[Finding]:
    """Findings above info."""
    return [f for f in report.findings if f.severity is not Severity.INFO]


def said(report: Report) -> str:
    """Verdict and findings, for the message of an assertion."""
    lines = [
        f"{f.severity.value} {f.id} {(f.segment or '')[-24:]} {f.pid} x{f.count} {f.detail}"
        for f in report.findings
    ]
    lost = dict(report.lost_seconds)
    return "\n".join([f"{report.verdict.value}, lost {lost}, {report.proof}", *lines])


# --- damage to files ---------------------------------------------------------------------------
# Each returns the packets that are gone by slice (None: all), for :func:`survivors`.

Gone = dict[int, set[int] | None]


def missing(made: Recording, number: int) -> Gone:
    """Delete a slice."""
    made.path(number).unlink()
    return {number: None}


def replaced(made: Recording, number: int, data: bytes) -> Gone:
    """Put something else in its place."""
    made.write(number, data)
    return {number: None}


def cut(made: Recording, number: int, at: int) -> Gone:
    """Keep the first ``at`` bytes; a negative number leaves out that many at the end."""
    data = made.data(number)
    kept = data[:at]
    made.write(number, kept)
    return {number: set(range(len(kept) // PACKET, len(data) // PACKET))}


def zeroed(made: Recording, number: int, begin: int, length: int = 64 << 10) -> Gone:
    """A block of zeros, as a sparse upload leaves it."""
    data = bytearray(made.data(number))
    end = min(begin + length, len(data))
    data[begin:end] = bytes(end - begin)
    made.write(number, bytes(data))
    return {number: set(range(begin // PACKET, -(-end // PACKET)))}


def flipped(made: Recording, number: int, packet: int, mask: int) -> Gone:
    """Flip bits of the four header bytes of a packet."""
    data = bytearray(made.data(number))
    at = packet * PACKET
    header = int.from_bytes(data[at : at + 4], "big") ^ mask
    data[at : at + 4] = header.to_bytes(4, "big")
    made.write(number, bytes(data))
    return {number: {packet}}


def dropped(made: Recording, number: int, which: Iterable[int]) -> Gone:
    """Leave out packets."""
    out = set(which)
    data = packets(made.data(number))
    made.write(number, b"".join(p for k, p in enumerate(data) if k not in out))
    return {number: out}


def without_pid(made: Recording, number: int, pid: int) -> Gone:
    """Leave out all packets of a stream in one slice; counters of the others stay as they are."""
    data = packets(made.data(number))
    return dropped(made, number, [k for k, p in enumerate(data) if pid_of(p) == pid])


def stream_pids(data: bytes) -> dict[str, int]:
    """PID by kind, told by the PES."""
    found = {}
    for packet in packets(data):
        if is_pes(packet):
            kind = "video" if packet[payload_at(packet) + 3] & 0xF0 == 0xE0 else "audio"
            found.setdefault(kind, pid_of(packet))
    return found


# --- harmless or repairable changes ------------------------------------------------------------


def read_stamp(field: bytes) -> int:
    """A PTS or DTS (ISO/IEC 13818-1 clause 2.4.3.7)."""
    bits = int.from_bytes(field, "big")
    return (bits >> 33 & 7) << 30 | (bits >> 17 & 0x7FFF) << 15 | bits >> 1 & 0x7FFF


def write_stamp(value: int, prefix: int) -> bytes:
    """The inverse; the prefix is 2, 3 or 1."""
    bits = prefix << 36 | (value >> 30 & 7) << 33 | (value >> 15 & 0x7FFF) << 17
    return (bits | (value & 0x7FFF) << 1 | 1 << 32 | 1 << 16 | 1).to_bytes(5, "big")


def shifted(data: bytes, ticks: int, *, pids: Collection[int] | None = None) -> bytes:
    """Add to every PTS, DTS and PCR, modulo 2^33."""
    out = bytearray(data)
    for base in range(0, len(data) - PACKET + 1, PACKET):
        packet = data[base : base + PACKET]
        if pids is not None and pid_of(packet) not in pids:
            continue
        if packet[3] & 0x20 and packet[4] >= 7 and packet[5] & 0x10:
            clock = int.from_bytes(packet[6:10], "big") << 1 | packet[10] >> 7
            clock = (clock + ticks) % MODULO
            out[base + 6 : base + 10] = (clock >> 1).to_bytes(4, "big")
            out[base + 10] = (clock & 1) << 7 | packet[10] & 0x7F
        if is_pes(packet):
            at = payload_at(packet)
            for place, present in ((9, packet[at + 7] & 0x80), (14, packet[at + 7] & 0x40)):
                if present and (place == 9 or packet[at + 7] >> 6 == 3):
                    begin = base + at + place
                    value = (read_stamp(out[begin : begin + 5]) + ticks) % MODULO
                    out[begin : begin + 5] = write_stamp(value, out[begin] >> 4)
    return bytes(out)


def shift(made: Recording, ticks: int, *, since: int = 0, kinds: str | None = None) -> None:
    """Move the clock of all slices from one on, of one stream or of all."""
    for number in range(since, len(made.names)):
        data = made.data(number)
        pids = None if kinds is None else {stream_pids(data)[kinds]}
        made.write(number, shifted(data, ticks, pids=pids))


def first_pts(data: bytes) -> int:
    """The lowest PTS of a slice."""
    return min(
        read_stamp(p[payload_at(p) + 9 : payload_at(p) + 14]) for p in packets(data) if is_pes(p)
    )


def with_nulls(data: bytes, every: int = 7) -> bytes:
    """Null packets in between; their counters mean nothing."""
    null = b"\x47\x1f\xff\x10".ljust(PACKET, b"\xff")
    found = packets(data)
    return b"".join(p + null * (k % every == 0) for k, p in enumerate(found))


def repeated(data: bytes, which: Collection[int], times: int = 2) -> bytes:
    """Send packets more than once; twice is legal, with another PCR (clause 2.4.3.3)."""
    out = []
    for k, packet in enumerate(packets(data)):
        copies = [packet] * (times if k in which else 1)
        if len(copies) > 1 and packet[3] & 0x20 and packet[4] >= 7 and packet[5] & 0x10:
            clock = int.from_bytes(packet[6:10], "big") + 10
            copies[1] = packet[:6] + clock.to_bytes(4, "big") + packet[10:]
        out += copies
    return b"".join(out)


def without_tables(data: bytes) -> bytes:
    """Neither PAT nor PMT nor SDT."""
    media = set(stream_pids(data).values())
    return b"".join(p for p in packets(data) if pid_of(p) in media)


def renamed(made: Recording, rename: Callable[[str], str]) -> Recording:
    """Other names for the playlist and everything it lists."""
    text = made.text
    playlist = made.playlist
    for name in made.names:
        (made.folder / name).rename(made.folder / rename(name))
        text = text.replace(name, rename(name))
    playlist.write_bytes(text.encode())
    playlist.rename(made.folder / rename(playlist.name))
    return made


def relisted(made: Recording, order: Sequence[int]) -> None:
    """List the slices in another order, more than once or not at all."""
    entries = [f"{m[1]}{m[3]}\n" for m in LISTED.finditer(made.text)]
    head = made.text[: LISTED.search(made.text).start()]  # type: ignore[union-attr]
    made.playlist.write_text(head + "".join(entries[k] for k in order) + "#EXT-X-ENDLIST\n")


def tagged(made: Recording, number: int, tag: str) -> None:
    """Put a tag in front of a slice."""
    match = list(LISTED.finditer(made.text))[number]
    made.edit(lambda text: f"{text[: match.start()]}{tag}\n{text[match.start() :]}")


def renumbered(data: bytes, pids: Mapping[int, int], *, pmt_pid: int = 0x1000) -> bytes:
    """Streams under other PIDs, with tables that say so; tables keep their places."""
    kinds = {pid: 0x1B if kind == "video" else 0x0F for kind, pid in stream_pids(data).items()}
    streams = {pids.get(pid, pid): kind for pid, kind in sorted(kinds.items())}
    tables = {
        0: b"".join(ts.table_packets(0, ts.pat({1: pmt_pid}))),
        0x1000: b"".join(ts.table_packets(pmt_pid, ts.pmt(streams, pcr_pid=next(iter(streams))))),
    }
    out = []
    for packet in packets(data):
        pid = pid_of(packet)
        if pid in tables:
            out.append(tables[pid][:3] + packet[3:4] + tables[pid][4:])
        else:
            out.append(with_pid(packet, pids.get(pid, pid)))
    return b"".join(out)


def with_pid(packet: bytes, pid: int) -> bytes:
    """The packet under another PID."""
    return packet[:1] + bytes((packet[1] & 0xE0 | pid >> 8, pid & 0xFF)) + packet[3:]


def renumbered_inside(data: bytes, pids: Mapping[int, int], share: float = 0.5) -> bytes:
    """Each stream moves with its first PES behind a share of the slice; a new PMT stands there."""
    whole = renumbered(data, pids)
    found, after = packets(data), packets(whole)
    at = int(len(found) * share)
    out = found[:at] + [p for p in after if pid_of(p) in (0, 0x1000)][:2]
    moved: set[int] = set()
    for packet, new in zip(found[at:], after[at:], strict=True):
        pid = pid_of(packet)
        if is_pes(packet):
            moved.add(pid)
        out.append(new if pid in moved or pid in (0, 0x1000) else packet)
    return b"".join(out)


def announcing(data: bytes, kinds: Collection[str]) -> bytes:
    """Tables that list only these of the streams a slice may have."""
    every = {"video": (0x100, 0x1B), "audio": (0x101, 0x0F)}
    return listing(data, dict(every[kind] for kind in ("video", "audio") if kind in kinds))


def listing(
    data: bytes, streams: Mapping[int, int], descriptors: Mapping[int, bytes] | None = None
) -> bytes:
    """Tables that list these stream types by PID."""
    pmt = ts.pmt(streams, pcr_pid=next(iter(streams), NULL), descriptors=descriptors)
    table = ts.table_packets(0x1000, pmt)[0]
    return b"".join(
        table[:3] + p[3:4] + table[4:] if pid_of(p) == 0x1000 else p for p in packets(data)
    )


def only_from(data: bytes, kind: str, share: float) -> bytes:
    """A stream that begins with the first key picture, or sound, behind a share of the slice."""
    pid = stream_pids(data)[kind]
    found = packets(data)
    begin = next(
        k
        for k, p in enumerate(found)
        if k >= len(found) * share
        and pid_of(p) == pid
        and is_pes(p)
        and (kind == "audio" or key(p))
    )
    return b"".join(p for k, p in enumerate(found) if k >= begin or pid_of(p) != pid)


def only_until(data: bytes, kind: str, share: float) -> bytes:
    """A stream that ends with a whole PES behind a share of the slice."""
    pid = stream_pids(data)[kind]
    found = packets(data)
    end = next(
        k for k, p in enumerate(found) if k >= len(found) * share and pid_of(p) == pid and is_pes(p)
    )
    return b"".join(p for k, p in enumerate(found) if k < end or pid_of(p) != pid)


def recounted(data: bytes) -> bytes:
    """Continuity counters without a break, as of one writer."""
    counters: dict[int, int] = {}
    out = []
    for packet in packets(data):
        pid, carries = pid_of(packet), packet[3] >> 4 & 1
        counters[pid] = counters.get(pid, -1) + carries & 15
        out.append(packet[:3] + bytes([packet[3] & 0xF0 | counters[pid]]) + packet[4:])
    return b"".join(out)


Pes = tuple[list[bytes], bytes]  # NAL units, and a header behind its length: flags, size, stamps
BARE = bytes(2)  # without a stamp


def in_other_pes(made: Recording, form: Callable[[list[Pes], int], list[Pes]]) -> None:
    """The pictures of all slices in other PES: ``form`` gives those in the place of picture n."""
    counter = 0
    for number in range(len(made.names)):
        data = made.data(number)
        pid, found = stream_pids(data)["video"], packets(data)
        pictures = [
            (at, *_picture(found, pid, at)) for at, p in enumerate(found) if _begins(p, pid)
        ]
        new = {at: form([(n, h) for _, n, h in pictures], k) for k, (at, *_) in enumerate(pictures)}
        out: list[bytes] = []
        for at, packet in enumerate(found):
            out += [packet] if pid_of(packet) != pid else []
            for nals, header in new.get(at, ()):
                es = b"".join(b"\0\0\0\1" + nal for nal in nals)
                own = ts.packets(pid, b"\0\0\1\xe0\0\0\x80" + header + es, counter)
                counter += len(own)
                out += own
        made.write(number, b"".join(out))


def _begins(packet: bytes, pid: int) -> bool:
    return pid_of(packet) == pid and is_pes(packet)


def _picture(found: list[bytes], pid: int, at: int) -> Pes:
    """NAL units and header of the PES that begins in a packet."""
    following = (k for k in range(at + 1, len(found)) if _begins(found[k], pid))
    own = [p for p in found[at : next(following, len(found))] if pid_of(p) == pid]
    pes = b"".join(p[payload_at(p) :] for p in own)
    nals = [nal.rstrip(b"\0") for nal in pes[9 + pes[8] :].split(b"\0\0\1")[1:]]
    return nals, pes[7 : 9 + pes[8]]


def key(packet: bytes) -> bool:
    """random_access_indicator (clause 2.4.3.5)."""
    return bool(packet[3] & 0x20 and packet[4] and packet[5] & 0x40)
