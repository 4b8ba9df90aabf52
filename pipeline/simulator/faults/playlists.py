"""Faults of the playlist and of the files beside it, some of them Agora's own."""

from collections.abc import Callable

from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.simulator.faults.fault_context import Case
from pipeline.simulator.recorder.values import HZ, ListedSegment, RecordedPart

ODD = "Ümlaut & 100% room"
HUGE = 250_000  # entries
FORMS: dict[str, Callable[[str], str]] = {
    "query": "{}?token=a%2Fb".format,
    "dot": "./{}".format,
    "encoded": lambda name: "".join(f"%{byte:02X}" for byte in name.encode()),
}
UNSAFE = {
    "parent": "../{}",
    "encoded": "..%2f{}",
    "absolute": "/etc/passwd",
    "file": "file:///etc/passwd",
    "http": "http://127.0.0.1:9/{}",
    "concat": "concat:{}|/etc/passwd",
    "subfile": "subfile,,start,0,end,9,,:/etc/passwd",
    "data": "data:text/plain,x",
    "backslash": "..\\{}",
}


def duplicate_segment(part: RecordedPart, case: Case) -> RecordedPart:
    """The playlist shows a slice twice, in place of the next one, which is gone."""
    n = case.pick(part, inner=True)
    gone, before = part.segments[n], part.segments[n - 1]
    part = part.with_segment(n, replace(gone, stored=False))
    return _relisted(part, lambda e: [replace(e, uri=before.name)] if e.uri == gone.name else [e])


def duplicate_extra(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice is listed twice in a row."""
    name = part.segments[case.pick(part)].name
    return _relisted(part, lambda e: [e, replace(e, tags=())] if e.uri == name else [e])


def out_of_order(part: RecordedPart, case: Case) -> RecordedPart:
    """Two slices are listed the wrong way round."""
    n = case.pick(part, inner=True)
    entries = list(part.playlist.entries)
    if n >= len(entries):
        raise UsageError(f"{case.fault}: the playlist lacks that slice already")
    entries[n - 1], entries[n] = (
        replace(entries[n], tags=entries[n - 1].tags),
        replace(entries[n - 1], tags=entries[n].tags),
    )
    return part.with_entries(*entries)


def no_endlist(part: RecordedPart, case: Case) -> RecordedPart:
    """The playlist does not say that it is complete."""
    _refuse_copies(part, case)
    return _playlist(part, ended=False)


def playlist_truncated(part: RecordedPart, case: Case) -> RecordedPart:
    """The playlist ends inside the last EXTINF."""
    _refuse_copies(part, case)
    text = part.playlist.data.decode()
    at = text.rindex("#EXTINF:") + len("#EXTINF:1")
    return _playlist(part, cut=len(text) - at)


def extinf_wrong(part: RecordedPart, case: Case) -> RecordedPart:
    """One duration is half of what it should be."""
    name = part.segments[case.pick(part)].name
    return _relisted(part, lambda e: [replace(e, extinf=e.extinf / 2)] if e.uri == name else [e])


def target_too_small(part: RecordedPart, case: Case) -> RecordedPart:
    """EXT-X-TARGETDURATION is one second."""
    lines = [x for x in part.playlist.header if "TARGETDURATION" not in x]
    return _playlist(part, header=(*lines, "#EXT-X-TARGETDURATION:1"))


def bom(part: RecordedPart, case: Case) -> RecordedPart:
    """The playlist begins with a byte order mark."""
    return _playlist(part, bom=True)


def crlf(part: RecordedPart, case: Case) -> RecordedPart:
    """Its lines end as on Windows."""
    return _playlist(part, newline="\r\n")


def odd_names(part: RecordedPart, case: Case) -> RecordedPart:
    """The channel's name has spaces, a percent sign and letters beyond ASCII."""
    old = case.setup.cname
    stem = part.stem.replace(f"_{old}", f"_{ODD}")
    renamed = {
        n: replace(s, name=s.name.replace(part.stem, stem)) for n, s in enumerate(part.segments)
    }
    made = replace(part.with_segments(renamed), stem=stem, touched=part.touched)
    return _playlist(made, name=made.playlist.name.replace(part.stem, stem))


def sub_folder(part: RecordedPart, case: Case) -> RecordedPart:
    """The slices lie in a folder below that of the playlist."""
    moved = {n: replace(s, name=f"slices/{s.name}") for n, s in enumerate(part.segments)}
    return replace(part.with_segments(moved), touched=part.touched)


def uri_form(part: RecordedPart, case: Case) -> RecordedPart:
    """The slices are listed with a query, with ./ in front, or percent-encoded."""
    kind = case.word(*FORMS)

    def other(entry: ListedSegment) -> ListedSegment:
        return replace(entry, uri=FORMS[kind](entry.uri))

    entries, after = (tuple(map(other, e)) for e in (part.playlist.entries, part.playlist.after))
    return _playlist(part, entries=entries, after=after)


def playlist_renamed(part: RecordedPart, case: Case) -> RecordedPart:
    """The playlist is called index.m3u8."""
    _refuse_copies(part, case)
    return _playlist(part, name="index.m3u8")


def gap_tag(part: RecordedPart, case: Case) -> RecordedPart:
    """The playlist says of a slice that it does not exist (EXT-X-GAP)."""
    n = case.pick(part)
    gone = part.segments[n]
    part = part.with_segment(n, replace(gone, stored=False))
    return _relisted(
        part,
        lambda e: [replace(e, tags=(*e.tags, "#EXT-X-GAP"))] if e.uri == gone.name else [e],
    )


def unsafe_uri(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice is listed at a place outside the folder."""
    _refuse_copies(part, case)
    form = UNSAFE[case.word(*UNSAFE)]
    name = part.segments[replace(case, argument=None).pick(part)].name
    if all(entry.uri != name for entry in part.playlist.entries):
        raise UsageError(f"{case.fault}: the playlist lacks that slice already")
    return _relisted(part, lambda e: [replace(e, uri=form.format(name))] if e.uri == name else [e])


def huge_playlist(part: RecordedPart, case: Case) -> RecordedPart:
    """Many more slices are listed than any recording has."""
    count = HUGE if case.argument is None else case.whole(case.argument)
    if not 0 < count <= 10_000_000:
        raise case.wrong("a number of entries up to 10000000")
    last = part.segments[-1]
    more = [ListedSegment(f"{part.stem}_{n:017}.ts", last.length / HZ) for n in range(count)]
    return part.with_entries(*part.playlist.entries, *more)


def orphan_segment(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice was stored, but the playlist lacks it."""
    name = part.segments[case.pick(part, inner=True)].name
    if name.endswith(".m4s"):
        raise UsageError(f"{case.fault}: Agora has no names for fMP4 slices")
    return part.with_entries(*(e for e in part.playlist.entries if e.uri != name))


def rewritten_after_endlist(part: RecordedPart, case: Case) -> RecordedPart:
    """The last slice came late: it stands behind EXT-X-ENDLIST."""
    *entries, last = part.playlist.entries
    return _playlist(part, entries=tuple(entries), after=(last,))


def backup_playlist(part: RecordedPart, case: Case) -> RecordedPart:
    """The upload failed half way; the whole playlist came later under ``<stem>_<tick>_<index>``."""
    tick = int(part.epoch * 1000) if case.argument is None else case.whole(case.argument)
    if tick < 0:
        raise case.wrong("a number of milliseconds")
    whole = part.playlist
    half = max(1, len(whole.entries) // 2)
    older = replace(whole, entries=whole.entries[: half + 1], ended=False)
    copies = {
        f"{part.stem}_{tick}_0.m3u8": older.data,
        f"{part.stem}_{tick}_1.m3u8": whole.data,
    }
    part = replace(part, files={**part.files, **copies})
    return _playlist(part, entries=whole.entries[:half], ended=False)


def _refuse_copies(part: RecordedPart, case: Case) -> None:
    if any(name.endswith(".m3u8") for name in part.files):
        raise UsageError(f"{case.fault}: a copy of the whole playlist lies beside it")


def _playlist(part: RecordedPart, **changed: object) -> RecordedPart:
    return replace(part, playlist=replace(part.playlist, **changed))


def _relisted(
    part: RecordedPart, change: Callable[[ListedSegment], list[ListedSegment]]
) -> RecordedPart:
    return part.with_entries(*(made for e in part.playlist.entries for made in change(e)))
