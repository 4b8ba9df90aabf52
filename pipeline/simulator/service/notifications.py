"""Notifications as Agora's page on them defines numbers, names and envelope."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pipeline.agora.webhook import CLOUD_RECORDING

Tell: TypeAlias = Callable[[Mapping[str, Any]], None]

_NAMES: Mapping[int, tuple[str, int]] = {  # msgName, serviceType
    1: ("cloud_recording_error", 0),
    2: ("cloud_recording_warning", 0),
    4: ("cloud_recording_file_infos", 0),
    11: ("session_exit", 0),
    12: ("session_failover", 0),
    30: ("uploader_started", 2),
    31: ("uploaded", 2),
    32: ("backuped", 2),
    33: ("uploading_progress", 2),
    40: ("recorder_started", 1),
    41: ("recorder_leave", 1),
    42: ("recorder_slice_start", 1),
    43: ("recorder_audio_stream_state_changed", 1),
    44: ("recorder_video_stream_state_changed", 1),
    70: ("web_recorder_started", 6),
    71: ("web_recorder_stopped", 6),
}


@dataclass(slots=True)
class Teller:
    """Numbers the events of one recording, and passes them on without ``notifyMs``."""

    tell: Tell
    cname: str
    uid: str  # after a failover the new one
    sid: str
    _sequence: int = field(init=False, default=0)

    def __call__(self, kind: int, at: float, **details: Any) -> None:
        """Pass on an event of this type (eventType) that happened ``at`` seconds since 1970."""
        name, service = _NAMES[kind]
        payload = {
            "cname": self.cname,
            "uid": self.uid,
            "sid": self.sid,
            "sequence": self._sequence,
            "sendts": milliseconds(at),
            "serviceType": service,
            "details": {"msgName": name, **details},
        }
        self._sequence += 1
        self.tell(
            {
                "noticeId": str(uuid.uuid4()),
                "productId": CLOUD_RECORDING,
                "eventType": kind,
                "payload": payload,
            }
        )


def milliseconds(at: float) -> int:
    """Seconds since 1970 as milliseconds, as Agora writes times."""
    return round(at * 1000)
