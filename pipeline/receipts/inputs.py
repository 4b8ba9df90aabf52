"""What a result was made of, compared with what is there now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.model import StoredObject
from pipeline.storage.names import common_folder


def identities(inputs: Iterable[tuple[str, int, str | None]]) -> set[tuple[str, int, str | None]]:
    """Key, size (bytes) and ETag of inputs, to be compared: keys are relative to the folder that
    holds them all, as another run may have named it from further above.
    """
    inputs = list(inputs)
    above = len(common_folder(key for key, _, _ in inputs))
    return {(key[above:], size, etag) for key, size, etag in inputs}


def same_inputs(receipt: Mapping[str, Any], now: Sequence[StoredObject]) -> bool:
    """Whether these objects are what the receipt's result was made of."""
    return inputs_of(receipt) == identities((o.key, o.size, o.etag) for o in now)


def only_more_inputs(receipt: Mapping[str, Any], now: Sequence[StoredObject]) -> bool:
    """Whether all segments of the receipt are unchanged among these; playlists may differ."""
    before = {i for i in inputs_of(receipt) if not i[0].endswith(".m3u8")}
    return before <= identities((o.key, o.size, o.etag) for o in now)


def inputs_of(receipt: Mapping[str, Any]) -> set[tuple[str, int, str | None]]:
    """What a result was made of, as ``identities`` gives it."""
    return identities((i["key"], i["size"], i["etag"]) for i in receipt["inputs"])
