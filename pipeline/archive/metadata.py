"""The metadata of a bag: files about its recording, PREMIS events, and the tag files of BagIt."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files

from msgspec import to_builtins

from pipeline.archive import premis, technical
from pipeline.archive.bagit import bag
from pipeline.archive.bagit.staging import digest
from pipeline.archive.history import events_of
from pipeline.archive.order import ACCESS, METADATA, Making, Originals, original_path, receipt_path
from pipeline.model import StoredObject
from pipeline.receipts.read import Published
from pipeline.receipts.write import software

Fetched = Sequence[tuple[bag.Fetch, bag.Digests]]  # originals that stay where they are


def describe(making: Making, beside: Sequence[StoredObject], fetched: Fetched, now: float) -> None:
    """Write the receipt, recording.json, the log of ffmpeg, and the files and events as PREMIS.

    ``now`` is in seconds since the epoch.
    """
    staging, published = making.staging, making.published
    staging.write(receipt_path(published), published.text)
    staging.write(f"{METADATA}recording.json", recording(published, [one.key for one in beside]))
    staging.write(f"{METADATA}ffmpeg.log", log(published))
    kept = _kept(making)
    access = tuple(ACCESS + one.name for one in published.outputs)
    digests = dict(staging.files) | {one.path: read for one, read in fetched}
    objects = [premis.File(one, digests[one], premis.format_of(one)) for one in access]
    for path, name in kept.items():
        objects.append(premis.File(path, digests[path], premis.format_of(name), name, access))
    others = [original_path(published, one.key) for one in beside]
    objects += [
        premis.File(p, digests[p], premis.format_of(p), p.rpartition("/")[2]) for p in others
    ]
    version = technical.mediainfo_version(staging.read(f"{METADATA}mediainfo.xml"))
    probe = making.bagging.ffmpeg.version
    events = events_of(published, access, list(kept), probe=probe, mediainfo=version, now=now)
    staging.write(f"{METADATA}premis.xml", premis.document(objects, events))


def _kept(making: Making) -> dict[str, str]:
    """Name of each input that the bag holds or refers to, by its path there."""
    if making.bagging.order.originals is Originals.NONE:
        return {}
    published = making.published
    return {
        original_path(published, one.key): one.key.rpartition("/")[2] for one in published.inputs
    }


def log(published: Published) -> bytes:
    """``ffmpeg.log``: its version, what it was asked, and what it said."""
    muxer = published.receipt.get("muxer")
    told = muxer if isinstance(muxer, Mapping) else {}
    lines = [f"{told.get('version')}\n", " ".join(map(str, told.get("command", ()))) + "\n"]
    lines += [f"{line}\n" for line in told.get("messages", ())]
    return "".join(lines).encode("utf-8", "backslashreplace")


def recording(published: Published, beside: Sequence[str]) -> bytes:
    """``recording.json``; ``beside`` are the keys of Agora's own MP4s."""
    agora = published.agora
    told = {
        "recording": published.id,
        "sid": agora and agora.sid,
        "cname": agora and agora.cname,
        "begin": premis.moment(published.begin) if published.begin is not None else None,
        "source": published.receipt["source"],
        "verdict": published.verdict.value,
        "settings": published.receipt["settings"],
        "inputs": [to_builtins(one) for one in published.inputs],
        "missing": list(published.missing),
        "agora_mp4": list(beside),
    }
    return (json.dumps(told, indent=1) + "\n").encode()


def tag(
    making: Making, payload: Mapping[str, bag.Digests], fetched: list[bag.Fetch], now: float
) -> None:
    """Write the tag files (RFC 8493 sections 2.1.3 and 2.2): about the bag, and all manifests.

    ``now`` is in seconds since the epoch.
    """
    staging, published, order = making.staging, making.published, making.bagging.order
    agora = published.agora
    fields = [("Source-Organization", order.organization)] if order.organization else []
    fields += [
        ("External-Identifier", f"agora:{agora.sid}" if agora else published.id),
        ("Recording", published.id),
        ("Recording-Verdict", published.verdict.value),
        ("Originals", order.originals.value),
        *order.extra.get(published.id, ()),
        ("Bagging-Date", premis.moment(now)[:10]),
        ("Bag-Software-Agent", software()),
        ("Payload-Oxum", bag.oxum(payload.values())),
        ("BagIt-Profile-Identifier", bag.PROFILE),
    ]
    profile = files("pipeline.archive").joinpath(bag.PROFILE_FILE).read_bytes()
    staging.write(bag.PROFILE_FILE, profile)
    staging.write(bag.INFO, bag.info(fields))
    if fetched:
        staging.write(bag.FETCH, bag.fetch(fetched))
    for algorithm in bag.ALGORITHMS:
        staging.write(bag.manifest_name(algorithm), bag.manifest(payload, algorithm))
    tags = {path: one for path, one in staging.files.items() if not bag.is_payload(path)}
    tags[bag.DECLARATION] = digest([bag.DECLARED])
    for algorithm in bag.ALGORITHMS:
        name = bag.manifest_name(algorithm, tags=True)
        staging.write(name, bag.manifest(tags, algorithm))
