"""Slices of another recording."""

from tests.trial import material, transport
from tests.trial.faults.choose import Unfit, inner
from tests.trial.recordings import Recording, sliced
from tests.trial.transport import HZ


def _foreign(made: Recording, stream: material.Stream, ticks: int, length: float = 1.0) -> str:
    slot, file = inner(made)
    found = transport.stamps(file.data, made.pid(made.tracks[0]))
    if not len(found.rows):
        raise Unfit("has no stamps")
    begin = int(transport.read(file.data, found.rows[:1], found.at[:1])[0])
    cut = material.Cut(
        start=5.0,
        length=min(max(slot.seconds * length, 1.5), 40.0),
        each=60,
        tracks=made.tracks,
        muxer="segment",
        pid=made.cut.pid,
        pmt=made.cut.pmt,
        sound_pes=made.cut.sound_pes,
        picture_length=made.cut.picture_length,
    )
    file = sliced(material.slices(stream, cut)[0])
    found = transport.stamps(file.data, made.pid(made.tracks[0]))
    ticks += begin - int(transport.read(file.data, found.rows[:1], found.at[:1])[0])
    for track in made.tracks:
        transport.move(file.data, made.pid(track), ticks)
    transport.move_clock(file.data, ticks)
    slot.slice = file
    said = f"{stream.size}, {cut.length:.1f} s, clock {(ticks) / HZ:+.1f} s"
    return f"slot {slot.number} is of another recording, {said}"


def _away(made: Recording) -> int:
    return made.chance.choice((600, 2000, 40_000)) * HZ


def _twin(made: Recording) -> material.Stream:
    """A stream of the same format, with other content."""
    twins = {0: 10, 10: 0, 1: 11, 11: 1}
    index = material.STREAMS.index(made.stream)
    if index not in twins:
        raise Unfit("no other recording of that format")
    return material.STREAMS[twins[index]]


def foreign_clock(made: Recording) -> str:
    """Same format, other clock."""
    return _foreign(made, _twin(made), _away(made))


def foreign_format(made: Recording) -> str:
    """Another format, on another clock or on one that fits."""
    own = made.stream
    others = [
        s
        for s in material.STREAMS
        if (s.size != own.size or "video" not in made.tracks)
        and ((s.rate, s.channels) != (own.rate, own.channels) or "video" in made.tracks)
    ]
    chosen = made.chance.choice(others)
    return _foreign(made, chosen, made.chance.choice((0, _away(made))))


def foreign_length(made: Recording) -> str:
    """Same format, a clock that fits, and another length than EXTINF says."""
    done = _foreign(made, _twin(made), 0, made.chance.choice((0.3, 0.6, 2.0)))
    made.claimed += 40.0
    return done
