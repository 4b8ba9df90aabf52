"""Whole receipts, as short as they can be."""

import json

from pipeline.stages.publish import SCHEMA


def note(source="/in/talk.m3u8", key="talk.m3u8", size=1200, sha256="2" * 64, **other):
    """A receipt of one file that was made of one playlist."""
    return {
        "schema": SCHEMA,
        "recording": "talk",
        "source": source,
        "settings": {"format": "mp4"},
        "verdict": "ok",
        "findings": [],
        "proof": None,
        "inputs": [{"key": key, "size": 5, "etag": "e", "sha256": "1" * 64}],
        "output": {"size": size, "sha256": sha256},
        "muxer": {"command": [], "messages": []},
        **other,
    }


def text(receipt):
    """As it lies in a store."""
    return json.dumps(receipt).encode()
