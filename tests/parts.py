"""Recordings that moved from server to server: slices of one recording dealt out to parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.agora import names
from tests import recordings as r


@dataclass(frozen=True)
class Piece:
    """One part: which slices of the whole it holds, and what is odd about it."""

    bak: int | None
    slices: range
    clock: int = 0  # ticks its clock is off
    late: float = 0.0  # seconds its names are off
    jitter: Sequence[float] = field(default=())  # seconds each name is off besides
    ended: bool = True


def deal(whole: r.Recording, folder: Path, *pieces: Piece, cname: str = r.CNAME) -> Path:
    """Write the parts of a recording into one folder, each with a playlist of its own."""
    folder.mkdir()
    starts, elapsed = [], 0.0
    for _, extinf in whole.entries:
        starts.append(r.EPOCH + elapsed)
        elapsed += extinf
    for piece in pieces:
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:5", "#EXT-X-DISCONTINUITY"]
        for n, number in enumerate(piece.slices):
            off = piece.late + (piece.jitter[n % len(piece.jitter)] if piece.jitter else 0.0)
            name = names.slice_name(r.SID, cname, starts[number] + off, bak=piece.bak)
            data = whole.data(number)
            (folder / name).write_bytes(r.shifted(data, piece.clock) if piece.clock else data)
            lines += [f"#EXTINF:{whole.entries[number][1]:.6f}", name]
        text = "\n".join([*lines, *(["#EXT-X-ENDLIST"] if piece.ended else []), ""])
        (folder / names.playlist_name(r.SID, cname, bak=piece.bak)).write_text(text)
    return folder


def slices_of(folder: Path, bak: int | None) -> list[Path]:
    """The slices of one part in order of time."""
    prefix = names.stem(r.SID, r.CNAME, bak=bak)
    return sorted(p for p in folder.iterdir() if p.name.startswith(prefix) and p.suffix == ".ts")
