"""Notifications as Agora sends them: built, signed, forged."""

import json
from typing import Any

from pydantic import SecretStr

from pipeline.agora.webhook import signatures

SECRET = "hookSECRET"
SID = "38f8e3cfdc474cd56fc1ceba380d7e1a"
T0 = 1_700_000_000  # seconds since 1970, when the recordings here began


def notice(
    kind: int, details: dict[str, Any] | None = None, *, sequence: int = 0, **chosen: Any
) -> bytes:
    """A notification; ``chosen`` are ``id``, ``sid``, ``at`` and what stands in the envelope."""
    id = chosen.pop("id", f"notice-{kind}-{sequence}")
    at = chosen.pop("at", T0 + sequence)
    payload = {
        "cname": chosen.pop("cname", "room"),
        "uid": "527841",
        "sid": chosen.pop("sid", SID),
        "sequence": sequence,
        "sendts": round(at * 1000),
        "serviceType": 0,
        "details": {"msgName": "x", **(details or {})},
    }
    body = {"noticeId": id, "productId": 3, "eventType": kind, "payload": payload, **chosen}
    return json.dumps(body).encode()


def headers(raw: bytes, secret: str = SECRET) -> dict[str, str]:
    """Both signatures."""
    return {"Content-Type": "application/json", **signatures(raw, SecretStr(secret))}
