"""The proof: what was written, read back from the file with our own readers.  Long: each format
is proven in its own way.

A faulty result is a fatal finding and a proof that does not hold; OSError leaves where the file
cannot be read.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.media.captions.text_track import TextTrack
from pipeline.media.clock import HZ
from pipeline.media.es import adts
from pipeline.media.es.access_units import audio, told_apart
from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.loss.chapters import Marks
from pipeline.media.loss.holes import Stretch, line
from pipeline.media.malformed import Malformed
from pipeline.media.proof.compare import CAPTIONS, captions, chapters, compare, paired, prove
from pipeline.media.proof.pieces import Piece, digest_block, pieces
from pipeline.media.proof.transport_stream import TABLES, StreamProof
from pipeline.media.track import Lane
from pipeline.model import Finding, Proof, Severity, TrackInfo
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.tracks import read_tracks
from pipeline.stages.segments import read_full

BLOCK = 1 << 20  # bytes that are read at a time
HASHED = 8 << 20  # bytes that are hashed at a time: whoever plans meanwhile has Python's lock
NO_MARKS = Marks()
LENGTH_TOLERANCE = 0.1  # seconds by which an encoder may add or drop silence
Progress = Callable[[str, int], None]


class Verified(Struct, frozen=True, eq=False):
    """What a result really is."""

    size: int  # bytes
    sha256: str = ""  # hexadecimal
    duration: float = 0.0  # seconds
    tracks: tuple[TrackInfo, ...] = ()
    proof: Proof | None = None
    findings: tuple[Finding, ...] = ()


def verify_mp4(
    path: Path,
    lanes: Sequence[Lane],
    expected: Sequence[Sequence[Stretch]],
    progress: Progress,
    marks: Marks = NO_MARKS,
    *,
    texts: Sequence[TextTrack] = (),
) -> Verified:
    """Read an MP4: its tables, and every sample compared with the segments; meanwhile its digest.
    ``expected`` are the units of each lane, one stretch for each segment; ``progress`` gets bytes;
    ``texts`` are its captions.
    """
    with ThreadPoolExecutor(1) as other:
        sha256 = other.submit(_digest, path)
        found = _compared(path, lanes, expected, progress, marks=marks, texts=texts)
        return replace(found, sha256=sha256.result())


def _compared(
    path: Path,
    lanes: Sequence[Lane],
    expected: Sequence[Sequence[Stretch]],
    progress: Progress,
    *,
    marks: Marks,
    texts: Sequence[TextTrack],
) -> Verified:
    """All but the digest."""
    with path.open("rb", buffering=0) as file:
        size = path.stat().st_size

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        try:
            layout = mp4.moov_span(read, size)
            moov = layout.moov
            movie = mp4.parse_moov(read(moov.offset, moov.size))
            pairs = paired(movie, lanes, expected)
        except Malformed as error:
            broken = Finding("M_PARSE", Severity.FATAL, detail=str(error))
            return Verified(size, findings=(broken,), proof=Proof())
        if pairs is None:
            have = ", ".join(f"{t.handler} {t.codec}" for t in movie.tracks) or "none"
            want = ", ".join(lane.codec.name for lane in lanes)
            wrong = Finding("M_TRACKS", Severity.FATAL, detail=f"{have}, expected {want}")
            return Verified(size, findings=(wrong,), proof=Proof())
        digests = [0] * sum(map(len, expected))
        where = pieces([pair.track for pair in pairs], expected, BLOCK)
        _walk(path, where, digests, progress)
        proof, findings = prove(movie, layout, pairs, digests)
        findings += chapters(movie, read, marks)
        findings += captions(movie, read, texts)
        infos = tuple(_info(pair.track, pair.lane) for pair in pairs)
    duration = round(movie.duration / movie.timescale, 6) if movie.timescale else 0.0
    return Verified(size, duration=duration, tracks=infos, proof=proof, findings=tuple(findings))


def _walk(path: Path, wanted: Sequence[Piece], digests: list[int], progress: Progress) -> None:
    """The samples, in one pass over the file."""
    buffer = np.empty(BLOCK, np.uint8).data  # not zeroed: that takes as long as to read
    start = 0
    with path.open("rb", buffering=0) as file:
        while size := read_full(file, buffer):
            digest_block(buffer[:size], start, wanted, digests)
            start += size
            progress("verify", size)


def _digest(path: Path) -> str:
    sha256 = hashlib.sha256()
    buffer = np.empty(HASHED, np.uint8).data
    with path.open("rb", buffering=0) as file:
        while size := read_full(file, buffer):
            sha256.update(buffer[:size])
    return sha256.hexdigest()


def _info(track: mp4.Track, lane: Lane) -> TrackInfo:
    video = lane.codec.kind == "video"
    return TrackInfo(
        type=lane.codec.kind,
        codec=lane.codec.name,
        samples=len(track.sizes),
        duration=round(track.duration / track.timescale, 6),
        width=track.width if video else None,
        height=track.height if video else None,
        sample_rate=None if video else track.sample_rate,
        channels=None if video else track.channels,
        rotation=track.rotation if video else None,
    )


def verify_stream(
    path: Path,
    lanes: Sequence[Lane],
    expected: Sequence[Sequence[Stretch]],
    lengths: Sequence[int],
) -> Verified:
    """Read a transport stream back, segment by segment; ``lengths`` are the bytes of each without
    its tables.
    """
    reading = StreamProof(lanes, expected)
    with path.open("rb") as file:
        for length in lengths:
            reading.add(np.frombuffer(file.read(TABLES + length), np.uint8))
        proof, findings = reading.result(file.read(1))
    infos = tuple(_of_units(x, e) for x, e in zip(lanes, expected, strict=True))
    return Verified(
        path.stat().st_size, _digest(path), _longest(infos), infos, proof, tuple(findings)
    )


def verify_adts(path: Path, lane: Lane, stretches: Sequence[Stretch]) -> Verified:
    """Compare every frame of an ADTS file with the source; it has no time stamps to compare."""
    again = []
    with path.open("rb") as file:
        for stretch in stretches:
            apart = stretch.units.sets
            size = int(stretch.units.sizes.sum()) + adts.HEADER * len(stretch.units.sizes)
            size += sum(map(len, apart))
            es = np.frombuffer(file.read(size), np.uint8)
            found = adts.frames(es, es[:4].tobytes() if len(es) >= adts.HEADER else bytes(4))
            units = audio(es, found, np.empty(0, np.intp), np.empty(0, np.int64))
            units = told_apart(units) if apart and len(units.sizes) else units
            times = stretch.units.pts
            again.append(Stretch(stretch.segment, replace(units, pts=times, dts=times)))
        left = bool(file.read(1))
    proof, findings = compare([lane], [stretches], [again])
    proof = replace(proof, timestamps=None)
    if left:
        detail = "more frames in the file than in the segments"
        findings.append(Finding("M_COUNT", Severity.FATAL, pid=lane.pid, detail=detail))
        proof = replace(proof, counts=False)
    info = _of_units(lane, stretches)
    return Verified(
        path.stat().st_size, _digest(path), info.duration, (info,), proof, tuple(findings)
    )


def verify_encoded(
    path: Path, format: Format, lane: Lane, stretches: Sequence[Stretch], ffmpeg: Ffmpeg
) -> Verified:
    """Compare the length of a re-encoded file with the sound it was made of, to
    ``LENGTH_TOLERANCE``: more cannot be proven.  MuxingError if ffprobe cannot read it.
    """
    wanted = _of_units(lane, stretches)
    tracks = read_tracks(ffmpeg, path, format)
    real = tracks[0].end - tracks[0].first if len(tracks) == 1 else 0.0
    codec = tracks[0].codec if tracks else "none"
    info = replace(wanted, codec=codec, duration=round(real, 6))
    findings = [
        Finding("M_ENCODED", Severity.INFO, detail=f"encoded to {codec}: proven by its length only")
    ]
    if abs(real - wanted.duration) > LENGTH_TOLERANCE:
        detail = f"{real:.3f} s of sound, {wanted.duration:.3f} s in the segments"
        findings.append(Finding("M_TIME", Severity.FATAL, detail=detail))
    return Verified(
        path.stat().st_size, _digest(path), info.duration, (info,), None, tuple(findings)
    )


class Composed(Struct, frozen=True):
    """What a file that was made of all users has to be."""

    seconds: float  # of sound
    sounds: bool = True
    pictures: int = 0  # 0: none are wanted
    rate: int = 25  # pictures a second
    size: tuple[int, int] = (0, 0)  # pixels
    begins: tuple[int, ...] = ()  # numbers of the pictures with which a scene begins
    texts: tuple[TextTrack, ...] = ()  # captions


def verify_composed(path: Path, wanted: Composed) -> Verified:
    """Compare an encoded MP4 with its schedule: every picture is there, at its time, each scene
    begins with a key picture of its own, and the sound is as long.
    """
    size = path.stat().st_size
    with path.open("rb", buffering=0) as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        try:
            moov = mp4.moov_span(read, size).moov
            movie = mp4.parse_moov(read(moov.offset, moov.size))
            said = captions(movie, read, wanted.texts)
        except Malformed as error:
            broken = Finding("M_PARSE", Severity.FATAL, detail=str(error))
            return Verified(size, _digest(path), findings=(broken,))
    tracks = [track for track in movie.tracks if track.handler != CAPTIONS]
    infos = tuple(_of_track(movie, track) for track in tracks)
    findings = (*_tracks(infos, wanted), *_schedule(tracks, infos, wanted), *said)
    return Verified(size, _digest(path), _longest(infos), infos, None, findings)


def _of_track(movie: mp4.Movie, track: mp4.Track) -> TrackInfo:
    """A track as it says itself; what its edit list hides takes no time."""
    edits = sum(edit.segment_duration for edit in track.edits) / movie.timescale
    length = round(edits or track.duration / track.timescale, 6)
    if track.handler == "vide":
        codec, shape = {"avc1": "h264"}.get(track.codec, track.codec), (track.width, track.height)
        return TrackInfo("video", codec, len(track.sizes), length, *shape)
    codec, sound = (
        {"mp4a": "aac"}.get(track.codec, track.codec),
        (track.sample_rate, track.channels),
    )
    return TrackInfo("audio", codec, len(track.sizes), length, None, None, *sound)


def _tracks(infos: Sequence[TrackInfo], wanted: Composed) -> Iterator[Finding]:
    kinds = ["video"] * bool(wanted.pictures) + ["audio"] * wanted.sounds
    if [one.type for one in infos] != kinds:
        have = ", ".join(f"{one.type} {one.codec}" for one in infos) or "none"
        detail = f"{have}, expected {', '.join(kinds)}"
        yield Finding("M_TRACKS", Severity.FATAL, detail=detail)


def _schedule(
    tracks: Sequence[mp4.Track], infos: Sequence[TrackInfo], wanted: Composed
) -> Iterator[Finding]:
    for track, info in zip(tracks, infos, strict=True):
        if info.type == "audio":
            if abs(info.duration - wanted.seconds) > LENGTH_TOLERANCE:
                detail = f"{info.duration:.3f} s of sound, expected {wanted.seconds:.3f} s"
                yield Finding("M_TIME", Severity.FATAL, detail=detail)
        elif (info.samples, info.width, info.height) != (wanted.pictures, *wanted.size):
            have = f"{info.samples} pictures of {info.width}x{info.height}"
            detail = f"{have}, expected {wanted.pictures} of {wanted.size[0]}x{wanted.size[1]}"
            yield Finding("M_COUNT", Severity.FATAL, detail=detail)
        else:
            yield from _in_time(track, wanted)


def _in_time(track: mp4.Track, wanted: Composed) -> Iterator[Finding]:
    """Picture n is shown at n / rate, to a tick; a scene whose key picture is elsewhere moved."""
    shown = mp4.shown_at(track)
    due = np.arange(wanted.pictures) * (track.timescale / wanted.rate)
    skipped = track.edits[0].media_time if track.edits else 0
    if len(track.edits) > 1 or skipped or (abs(shown - due) > 1).any():
        detail = f"pictures not {wanted.rate} a second from 0 on, without a gap"
        yield Finding("M_TIME", Severity.FATAL, detail=detail)
    keys = {*(track.sync.tolist() if track.sync is not None else ())}
    if moved := [
        begin for begin in wanted.begins if track.sync is not None and begin + 1 not in keys
    ]:
        detail = f"no scene begins with picture {moved[0]}, expected a key picture there"
        yield Finding("M_TIME", Severity.FATAL, None, None, len(moved), detail)


def _of_units(lane: Lane, stretches: Sequence[Stretch]) -> TrackInfo:
    """A track as its units describe it, from the first to the end of the last."""
    on = line(stretches, lane)
    count = sum(len(s.units.sizes) for s in stretches)
    behind = count - int(np.flatnonzero(np.concatenate([s.units.pts for s in stretches]) >= 0)[-1])
    ticks = float(on.begin.max() - on.begin.min()) + behind * lane.unit
    return TrackInfo(lane.codec.kind, lane.codec.name, count, round(ticks / HZ, 6))


def _longest(infos: Sequence[TrackInfo]) -> float:
    return max(info.duration for info in infos)
