"""Reports of a recording of 100 s in ten segments, as conversions make them."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from pipeline.model import (
    Account,
    AccountEntry,
    Coverage,
    Finding,
    Hole,
    Proof,
    Report,
    Severity,
    Total,
    TrackCoverage,
    TrackInfo,
    Verdict,
)

SID = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e"
BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STARTED = "2026-03-02T09:00:00.000Z"
COUNT, LONG = 10, 10.0


def name(n: int, cname: str = "room") -> str:
    """What segment n is called."""
    return f"{SID}_{cname}_{BEGAN + timedelta(seconds=LONG * n):%Y%m%d%H%M%S}000.ts"


def covered(
    video: set[int] = frozenset(),
    audio: set[int] = frozenset(),
    count: int = COUNT,
    *,
    missing: float = 0.0,
    behind: int = 0,
) -> Coverage:
    """Where all segments stand, but those without a track, and those that lack both; ``missing``
    seconds earlier behind one of them.
    """
    there = [n for n in range(count) if not (n in video and n in audio)]

    def track(kind: str, pid: int, gone: set[int]) -> TrackCoverage:
        at = {n: LONG * n - missing * (n > behind) for n in there}
        begin = tuple(None if n in gone else at[n] for n in there)
        end = tuple(None if n in gone else at[n] + LONG for n in there)
        return TrackCoverage(kind, pid, 0.0, 0.0, begin, end)

    tracks = (track("video", 256, video), track("audio", 257, audio))
    return Coverage(tuple(name(n) for n in there), tracks)


def total(track: str, pid: int, lost: float = 0.0, count: int = COUNT) -> Total:
    """Of one track."""
    promised = LONG * count
    return Total(
        track, pid, count, promised, promised - lost, lost, 0, 0, 0, 1500, 9000, 9500, 0, 0
    )


VIDEO = TrackInfo("video", "h264", 1500, 100.0, width=640, height=360)
AUDIO = TrackInfo("audio", "aac", 4688, 100.0, sample_rate=48000, channels=2)

GOOD = Report(
    f"{SID}_room",
    f"/in/{SID}_room.m3u8",
    Verdict.OK,
    output=f"/out/{SID}_room.mp4",
    receipt=f"/out/{SID}_room.receipt.json",
    duration=LONG * COUNT,
    lost_seconds={"video": 0.0, "audio": 0.0},
    size=5_000_000,
    sha256="ab" * 32,
    tracks=(VIDEO, AUDIO),
    proof=Proof(counts=True, timestamps=True, bytes=True),
    started=STARTED,
    account=Account((total("video", 256), total("audio", 257))),
    coverage=covered(),
)


def lost(n: int = 3, became: str = "kept") -> Report:
    """The same, and the file of segment n is gone."""
    holes = tuple(
        Hole(kind, LONG * n, LONG, name(n + 1), "segment missing", became)
        for kind in ("video", "audio")
    )
    rows = tuple(
        AccountEntry(name(n), kind, pid, LONG, lost=LONG, witnesses=("EXTINF",))
        for kind, pid in (("video", 256), ("audio", 257))
    )
    found = Finding("SEG_MISSING", Severity.ERROR, name(n), detail="not there", repair="hole kept")
    missing = LONG if became == "closed" else 0.0
    return replace(
        GOOD,
        verdict=Verdict.DEGRADED,
        duration=LONG * COUNT - missing,
        findings=(found,),
        lost_seconds={"video": LONG, "audio": LONG},
        holes=holes,
        account=Account((total("video", 256, LONG), total("audio", 257, LONG)), rows),
        coverage=covered({n}, {n}, missing=missing, behind=n),
    )


def receipt(report: Report = GOOD, **other: object) -> dict[str, object]:
    """What a page takes from a receipt besides its report."""
    return {
        "software": "recpipe 0.1.0",
        "converted": "2026-03-03T10:00:00Z",
        "settings": {"format": "mp4", "on_loss": "hold"},
        "muxer": {"version": "5.1", "command": ["ffmpeg", "-i", "pipe:0", "OUTPUT"]},
        "inputs": [
            {"key": name(n), "size": 700 + n, "etag": "e", "sha256": f"{n:064x}"}
            for n in range(COUNT)
        ],
        **other,
    }
