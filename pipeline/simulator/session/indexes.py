"""What standard mode adds for each user: one index over the slices of both streams.

That of a user of a browser is an MPD (ISO/IEC 23009-1) with elements of Agora's own, as its
converters read it: where a stream begins, and how its pictures are turned.
"""

import re
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import quoteattr

from pipeline.agora import names
from pipeline.simulator.recorder.recorder import header
from pipeline.simulator.recorder.values import ListedSegment, Playlist
from pipeline.simulator.session.tracks import Track

_ROTATE = re.compile(r"WIDTH=(\d+),HEIGHT=(\d+),ROTATE=(\d+),TIME=(\d+)")
_START = re.compile(r"EVENT=START,TRACK_TYPE=\w+,TIME=(\d+)")


def indexes(tracks: Sequence[Track]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each, by user."""
    for uid in dict.fromkeys(track.source.member.uid for track in tracks):
        own = [track for track in tracks if track.source.member.uid == uid]
        source = own[0].source
        stem = names.stem(source.room.sid, names.stream_cname(source.room.cname, uid, "av"))
        if source.member.web:
            yield f"{stem}.mpd", _mpd(own)
        else:
            yield f"{stem}.m3u8", _m3u8(f"{stem}.m3u8", own)


def _m3u8(name: str, tracks: Sequence[Track]) -> bytes:
    """All slices in the order in which they begin."""
    parts = [track.part for track in tracks]
    begins = {segment.name: segment.begin for part in parts for segment in part.segments}
    listed = [entry for part in parts for entry in part.playlist.entries]
    listed.sort(key=lambda entry: begins.get(entry.uri, 0))
    segments = tuple(segment for part in parts for segment in part.segments)
    return Playlist(name, header(segments), tuple(listed)).data


def _mpd(tracks: Sequence[Track]) -> bytes:
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="">',
        "<Period>",
    ]
    for track in tracks:
        stream = track.source.stream
        lines += [f'<AdaptationSet mimeType="{stream}/webm">', f'<Representation id="{stream}">']
        lines += ["<SegmentList>"]
        for entry in track.part.playlist.entries:
            lines += _elements(entry)
        lines += ["</SegmentList>", "</Representation>", "</AdaptationSet>"]
    return "\n".join([*lines, "</Period>", "</MPD>", ""]).encode()


def _elements(entry: ListedSegment) -> Iterator[str]:
    """One on each line, as Agora's converters expect it."""
    for tag in entry.tags:
        if turned := _ROTATE.search(tag):
            shape = 'width="{}" height="{}" rotate="{}" time="{}"'.format(*turned.groups())
            yield f"<ExtRotate {shape}/>"
        elif started := _START.search(tag):
            yield f'<ExtDiscontinuity time="{started[1]}"/>'
    yield f"<SegmentURL media={quoteattr(entry.uri)}/>"
