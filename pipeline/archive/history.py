"""What happened to a recording so far, as PREMIS 3 events."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.archive.premis import Agent, Event
from pipeline.receipts.read import Published
from pipeline.receipts.write import software

AGORA = Agent("Agora Cloud Recording")

Paths = tuple[str, ...]  # of files in the bag


def events_of(
    published: Published,
    access: Sequence[str],
    originals: list[str],
    *,
    probe: str,
    mediainfo: str | None,
    now: float,
) -> list[Event]:
    """The events from capture to ingestion, in their order.

    ``access`` and ``originals`` are paths in the bag, ``probe`` and ``mediainfo`` versions of the
    programs that read it; ``now`` is in seconds since the epoch.
    """
    kept, every = tuple(originals), (*access, *originals)
    readers = (Agent("ffprobe", probe), Agent("MediaInfoLib", mediainfo))
    return [
        *_capture(published, kept),
        *_conversion(published, kept, every),
        Event("metadata extraction", now, "success", readers, tuple(access)),
        *_ingestion(every, now),
    ]


def _capture(published: Published, kept: Paths) -> list[Event]:
    if published.begin is None:
        return []
    lost = "partial" if published.missing else "success"
    return [Event("capture", published.begin, lost, (AGORA,), kept)]


def _conversion(published: Published, kept: Paths, every: Paths) -> list[Event]:
    converter = _agent(str(published.receipt.get("software", "recpipe")))
    ffmpeg = Agent("ffmpeg", _word(published.receipt, "muxer", "version"))
    proof = published.receipt.get("proof")
    held = [name for name, holds in proof.items() if holds is True] if proof else []
    validation = Event(
        "validation",
        published.converted,
        published.verdict.value,
        (converter,),
        kept,
        detail="every segment read, all access units found and placed in time",
        note=_findings(published),
    )
    normalization = Event(
        "normalization",
        published.converted,
        "success",
        (converter, ffmpeg),
        every,
        detail="remuxed into the access copy; sound and pictures as they were",
        note=f"proven: {', '.join(held)}" if held else "",
    )
    return [validation, normalization]


def _ingestion(every: Paths, now: float) -> list[Event]:
    us = (_agent(software()),)
    digests = "SHA-256, SHA-512"
    compared = "SHA-256 of each file as read, against the receipt"
    return [
        Event("message digest calculation", now, "success", us, every, detail=digests),
        Event("fixity check", now, "pass", us, every, detail=compared),
        Event("ingestion", now, "success", us, every),
    ]


def _agent(text: str) -> Agent:
    name, _, version = text.partition(" ")
    return Agent(name, version or None)


def _findings(published: Published) -> str:
    found = published.receipt.get("findings") or []
    counts = [f"{one['id']} x{one['count']}" for one in found if one.get("severity") != "info"]
    return ", ".join(counts)


def _word(receipt: Mapping[str, Any], part: str, name: str) -> str | None:
    inner = receipt.get(part)
    value = inner.get(name) if isinstance(inner, Mapping) else None
    return str(value) if value is not None else None
