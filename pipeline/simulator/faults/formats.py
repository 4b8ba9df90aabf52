"""Other codecs, formats, containers and layouts than the recorder's usual ones."""

from pathlib import PurePath

from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.simulator.faults.fault_context import Case, with_units
from pipeline.simulator.faults.timing import delayed
from pipeline.simulator.recorder import material
from pipeline.simulator.recorder.material import Material
from pipeline.simulator.recorder.values import HZ, STREAMS, RecordedPart, Segment

HEVC = 0x24  # stream_type
FORCED = 5  # pictures by which a slice is cut too early


def resolution_change(part: RecordedPart, case: Case) -> RecordedPart:
    """One slice has pictures of another size."""
    width, height = case.look.size
    other = case.other(width=width * 2, height=height * 2)
    return _spliced(part, case, "video", other)


def resolution_change_inside(part: RecordedPart, case: Case) -> RecordedPart:
    """In the middle of one slice pictures of another size begin, up to its end."""
    width, height = case.look.size
    other = case.other(width=width * 2, height=height * 2)
    return _spliced(part, case, "video", other, inside=True)


def channels_change_inside(part: RecordedPart, case: Case) -> RecordedPart:
    """In the middle of one slice stereo sound begins, up to its end."""
    return _spliced(part, case, "audio", case.other(channels=2), inside=True)


def codec_change_hevc(part: RecordedPart, case: Case) -> RecordedPart:
    """One slice has HEVC in place of H.264."""
    return _spliced(part, case, "video", case.other(codec="hevc"), stream_type=HEVC)


def samplerate_change(part: RecordedPart, case: Case) -> RecordedPart:
    """One slice has sound of 44.1 kHz."""
    return _spliced(part, case, "audio", case.other(rate=44100))


def channels_change(part: RecordedPart, case: Case) -> RecordedPart:
    """One slice has stereo sound."""
    return _spliced(part, case, "audio", case.other(channels=2))


def pids_changed(part: RecordedPart, case: Case) -> RecordedPart:
    """Later slices have their streams on other PIDs."""
    pids = {"video": 0x200, "audio": 0x201}
    return _laid_out(part, case, pids=pids)


def pmt_pid_changed(part: RecordedPart, case: Case) -> RecordedPart:
    """In later slices the PMT is on another PID; the streams stay where they were."""
    return _laid_out(part, case, pmt=0x1100)


def vfr(part: RecordedPart, case: Case) -> RecordedPart:
    """Pictures come at irregular times, as from real-time encoders."""
    return _content(part, case, "video", case.other(sparse=True))


def black(part: RecordedPart, case: Case) -> RecordedPart:
    """Black pictures: a web user without a camera."""
    return _content(part, case, "video", case.other(black=True))


def frozen(part: RecordedPart, case: Case) -> RecordedPart:
    """The same picture all the time."""
    return _content(part, case, "video", case.other(frozen=True))


def silent(part: RecordedPart, case: Case) -> RecordedPart:
    """Silence."""
    return _content(part, case, "audio", case.other(silent=True))


def forced_slice(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice cut by force (5.5 min or 50 MB) begins without a key picture; nothing is missing."""
    n = case.pick(part, inner=True)
    older, newer = part.segments[n - 1], part.segments[n]
    if not any(u.stream == "video" for u in older.units):
        raise UsageError(f"{case.fault}: there are no pictures")
    cut = newer.begin - FORCED * HZ // case.look.fps
    moved = tuple(u for u in older.units if u.time >= cut)
    length = newer.length + newer.begin - cut
    kept = tuple(u for u in older.units if u.time < cut)
    made = {n - 1: replace(older, units=kept, length=cut - older.begin)}
    units = sorted((*moved, *newer.units), key=lambda u: (u.stream == "audio", u.time))
    name = delayed(newer.name, cut - newer.begin)
    made[n] = replace(newer, name=name, units=tuple(units), begin=cut, length=length)
    part = replace(part.with_segments(made), touched=part.touched)
    extinf = {s.name: s.length / HZ for s in part.segments}
    entries = [replace(e, extinf=extinf[e.uri]) for e in part.playlist.entries]
    return part.with_entries(*entries)


def webm(part: RecordedPart, case: Case) -> RecordedPart:
    """WebM slices of a web user: VP8 or VP9, with Opus."""
    codec, before = case.word("vp8", "vp9"), part.touched
    look = replace(case.look, codec=codec)
    if any(segment.length % HZ for segment in part.segments):
        raise UsageError(f"{case.fault}: only slices of full seconds")
    if case.setup.streams != STREAMS:
        raise UsageError(f"{case.fault}: only of sound and pictures")
    if not all(_shows(segment, stream) for segment in part.segments for stream in STREAMS):
        raise UsageError(f"{case.fault}: only of the usual sound and pictures, all the time")
    made = {}
    for n, segment in enumerate(part.segments):
        seconds = -(-segment.length // HZ)
        data = material.webm(look, segment.begin // HZ, seconds, case.ffmpeg)
        name = PurePath(segment.name).with_suffix(".webm").name
        made[n] = replace(segment, name=name, content=data)
    part = part.with_segments(made)
    return replace(part, encoded=frozenset({"video", "audio"}), touched=before)


def _shows(segment: Segment, stream: str) -> bool:
    """There is a flash, or a beep."""
    return any(unit.mark is not None for unit in segment.units if unit.stream == stream)


def packed_audio(part: RecordedPart, case: Case) -> RecordedPart:
    """Sound alone, in slices without a transport stream: packed audio (RFC 8216 section 3.4)."""
    changed, before = {}, part.touched
    for n, segment in enumerate(part.segments):
        frames = [unit for unit in segment.units if unit.stream == "audio"]
        if not frames:
            raise UsageError(f"{case.fault}: needs sound in every slice")
        tag = _id3(segment.clock + frames[0].time + frames[0].off)
        name = PurePath(segment.name).with_suffix(".aac").name
        data = tag + b"".join(unit.data for unit in frames)
        changed[n] = replace(segment, name=name, units=tuple(frames), content=data)
    part = part.with_segments(changed)
    entries = [
        replace(e, tags=tuple(t for t in e.tags if not _of_pictures(t)))
        for e in part.playlist.entries
    ]
    part = part.with_entries(*entries)
    return replace(part, touched=before, over=part.over | {"video"})


def _of_pictures(tag: str) -> bool:
    return "VIDEO" in tag or "ROTATE" in tag


def _id3(stamp: int) -> bytes:
    """The stamp of the first frame, as an ID3 tag tells it (ID3v2.4, a PRIV frame)."""
    owner = b"com.apple.streaming.transportStreamTimestamp\0"
    private = owner + (stamp % (1 << 33)).to_bytes(8, "big")
    frame = b"PRIV" + _synchsafe(len(private)) + bytes(2) + private
    return b"ID3\4\0\0" + _synchsafe(len(frame)) + frame


def _synchsafe(size: int) -> bytes:
    """Four bytes of seven bits."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def fmp4(part: RecordedPart, case: Case) -> RecordedPart:
    """Slices of fragmented MP4 (fMP4) behind EXT-X-MAP."""
    if part.touched or any(segment.content is not None for segment in part.segments):
        raise UsageError(f"{case.fault}: only of intact slices; leave other faults of them away")
    if {u.stream for u in part.segments[0].units} != set(part.segments[0].layout.streams):
        raise UsageError(f"{case.fault}: needs every stream from the first slice on")
    if part.pauses or len({segment.clock for segment in part.segments}) > 1:
        detail = "only of slices on one clock, without a pause; ffmpeg would mend it"
        raise UsageError(f"{case.fault}: {detail}")
    firsts = [next((u for u in s.units if u.stream == "video"), None) for s in part.segments]
    if not all(unit is None or unit.key for unit in firsts):
        raise UsageError(f"{case.fault}: only of slices that begin with a key picture")
    stream = b"".join(segment.data for segment in part.segments)
    init, made = material.fragmented(stream, case.setup.slice, case.ffmpeg)
    if len(made) != len(part.segments):
        raise UsageError(f"{case.fault}: {len(made)} slices of {len(part.segments)} came out")
    name = f"{part.stem}_init.mp4"
    changed = {}
    for n, (segment, data) in enumerate(zip(part.segments, made, strict=True)):
        new = PurePath(segment.name).with_suffix(".m4s").name
        changed[n] = replace(segment, name=new, content=data)
    part = part.with_segments(changed)
    header = [line.replace("VERSION:3", "VERSION:7") for line in part.playlist.header]
    playlist = replace(part.playlist, header=(*header, f'#EXT-X-MAP:URI="{name}"'))
    return replace(part, playlist=playlist, files={**part.files, name: init})


def aes_128(part: RecordedPart, case: Case) -> RecordedPart:
    """Slices encrypted as RFC 8216 says, the key beside them; the IV is given or the number."""
    given = case.word("iv", "sequence") == "iv"
    key, common = case.dice.randbytes(16), case.dice.randbytes(16)
    changed = {}
    for n, segment in enumerate(part.segments):
        iv = common if given else n.to_bytes(16, "big")
        data = material.encrypted(segment.data, key, iv, case.ffmpeg)
        changed[n] = replace(segment, content=data)
    name = f"{part.stem}.key"
    tag = f'#EXT-X-KEY:METHOD=AES-128,URI="{name}"' + (f",IV=0x{common.hex()}" if given else "")
    part = part.with_segments(changed)
    playlist = replace(part.playlist, header=(*part.playlist.header, tag))
    return replace(part, playlist=playlist, files={**part.files, name: key})


def _spliced(
    part: RecordedPart,
    case: Case,
    stream: str,
    other: Material,
    *,
    stream_type: int | None = None,
    inside: bool = False,
) -> RecordedPart:
    """One segment with a stream of other material, or ``inside`` of it the second half."""
    n = case.pick(part, inner=True)
    whole = part.segments[n]
    segment = _filled(whole, case, stream, other)
    if inside:
        middle = _middle(whole)
        old = [u for u in whole.units if u.stream == stream and u.time < middle]
        new = [u for u in segment.units if u.stream == stream and u.time >= middle]
        segment = with_units(whole, stream, (*old, *new))
    if stream_type is not None:
        types = {**segment.layout.types, stream: stream_type}
        segment = replace(segment, layout=replace(segment.layout, types=types))
    made = part.with_segment(n, segment)
    return replace(made, encoded=made.encoded | {stream})


def _middle(segment: Segment) -> int:
    """The last key picture of its first half; of sound alone a full second."""
    half = segment.begin + segment.length // 2
    keys = [u.time for u in segment.units if u.stream == "video" and u.key and u.time <= half]
    return max(keys, default=segment.begin + segment.length // 2 // HZ * HZ)


def _filled(segment: Segment, case: Case, stream: str, other: Material) -> Segment:
    if not any(u.stream == stream for u in segment.units):
        raise UsageError(f"{case.fault}: there is no {stream}")
    units = other.units(stream, segment.begin, segment.begin + segment.length)
    return with_units(segment, stream, units)


def _content(part: RecordedPart, case: Case, stream: str, other: Material) -> RecordedPart:
    """Other material from the slice named on, or throughout."""
    since = case.pick(part) if case.argument is not None else 0
    changed = {
        n: _filled(part.segments[n], case, stream, other) for n in range(since, len(part.segments))
    }
    return replace(part.with_segments(changed), touched=part.touched)


def _laid_out(part: RecordedPart, case: Case, **changed: object) -> RecordedPart:
    since = case.pick(part, inner=True)
    made = {}
    for n in range(since, len(part.segments)):
        segment = part.segments[n]
        layout = replace(segment.layout, **changed)
        made[n] = replace(segment, layout=layout)
    return replace(part.with_segments(made), touched=part.touched)
