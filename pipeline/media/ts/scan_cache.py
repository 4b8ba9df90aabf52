"""Scans written down and read again, so that a segment need not be read twice.

JSON with a mark on what JSON cannot say.  Only the classes named here are ever made.
"""

import base64
import json
from typing import Any

import numpy as np
from msgspec import Struct

from pipeline.media.es.codecs import CODECS, Codec
from pipeline.media.ts.psi import Program
from pipeline.media.ts.scan import Scan, Stream
from pipeline.model import Finding, Severity

_CLASSES: dict[str, type[Struct]] = {c.__name__: c for c in (Scan, Stream, Program, Finding)}
_SHAPE = {name: list(c.__struct_fields__) for name, c in _CLASSES.items()}


def dumps(scan: Scan, rules: str) -> str:
    """The scan as a text; ``rules`` says what found it."""
    return json.dumps({"rules": rules, "shape": _SHAPE, "scan": _plain(scan)})


def loads(text: str, rules: str) -> Scan | None:
    """The scan again; None if it was found by other ``rules``, or is damaged."""
    try:
        noted = json.loads(text)
        if noted["rules"] != rules or noted["shape"] != _SHAPE:
            return None
        scan = _value(noted["scan"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return scan if isinstance(scan, Scan) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Codec):
        return {"codec": value.name}
    if isinstance(value, Struct):
        name = type(value).__name__
        return {"class": name, "is": [_plain(getattr(value, f)) for f in _SHAPE[name]]}
    if isinstance(value, np.ndarray):
        return {"ticks": base64.b64encode(value.astype("<i8").tobytes()).decode()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, tuple):
        return {"tuple": [_plain(one) for one in value]}
    if isinstance(value, frozenset):
        return {"set": sorted(_plain(one) for one in value)}
    if isinstance(value, dict):
        return {"map": [[_plain(key), _plain(one)] for key, one in value.items()]}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__}: not part of a scan")


def _value(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    if "class" in plain:
        made = _CLASSES[plain["class"]]
        named = dict(zip(_SHAPE[plain["class"]], map(_value, plain["is"]), strict=True))
        if made is Finding:
            named["severity"] = Severity(named["severity"])
        return made(**named)
    ((mark, inner),) = plain.items()
    if mark == "codec":
        return CODECS[inner]
    if mark == "ticks":
        return np.frombuffer(base64.b64decode(inner, validate=True), "<i8").astype(np.int64)
    if mark == "bytes":
        return base64.b64decode(inner, validate=True)
    if mark == "map":
        return {_value(key): _value(one) for key, one in inner}
    return {"tuple": tuple, "set": frozenset}[mark](map(_value, inner))
