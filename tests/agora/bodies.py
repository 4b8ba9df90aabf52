"""Bodies of requests as users have them."""

import copy
from typing import Any

TOKEN, ACCESS, SECRET = "tokenSECRET", "accessSECRET", "keySECRET"

START: dict[str, Any] = {
    "cname": "httpClient463224",
    "uid": "527841",
    "clientRequest": {
        "token": TOKEN,
        "recordingConfig": {
            "maxIdleTime": 30,
            "streamTypes": 2,
            "audioProfile": 1,
            "channelType": 0,
            "videoStreamType": 0,
            "transcodingConfig": {
                "height": 640,
                "width": 360,
                "bitrate": 500,
                "fps": 15,
                "mixedVideoLayout": 1,
                "backgroundColor": "#FF0000",
            },
            "subscribeVideoUids": ["123", "456"],
            "subscribeAudioUids": ["123", "456"],
            "subscribeUidGroup": 0,
        },
        "recordingFileConfig": {"avFileType": ["hls"]},
        "storageConfig": {
            "accessKey": ACCESS,
            "region": 3,
            "bucket": "recordings",
            "secretKey": SECRET,
            "vendor": 2,
            "fileNamePrefix": ["directory1", "directory2"],
        },
    },
}

RECORDING = "clientRequest.recordingConfig"
CANVAS = f"{RECORDING}.transcodingConfig"
STORAGE = "clientRequest.storageConfig"
GONE = object()


def changed(changes: dict[str, Any], body: dict[str, Any] = START) -> dict[str, Any]:
    """A body with other values at dotted places."""
    result = copy.deepcopy(body)
    for place, value in changes.items():
        *way, key = place.split(".")
        inner = result
        for step in way:
            inner = inner.setdefault(step, {})
        if value is GONE:
            del inner[key]
        else:
            inner[key] = value
    return result
