"""What is recorded and how: ``recordingConfig`` of Agora's REST reference."""

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pipeline.agora.schema.canvas import TranscodingConfig
from pipeline.agora.schema.values import Body, Caution, Secret, UpTo1, UpTo2, uid

EVERYONE = "#allstream#"
MOST_UIDS = 32
GROUPS = (2, 7, 12, 17, 32, 49)  # most uids in subscribeUidGroup 0 to 5
NEEDS_SALT = (7, 8)  # decryptionMode
SALT = 32  # bytes
SHORT_IDLE = 30  # seconds, the default; Agora recommends 300


def _uids(uids: list[str]) -> list[str]:
    if uids == [EVERYONE]:
        return uids
    if EVERYONE in uids:
        raise ValueError(f'expected uids, or "{EVERYONE}" alone')
    return uids


def _uid_or_everyone(text: str) -> str:
    return text if text == EVERYONE else uid(text)


def _json_object(text: str) -> str:
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        inner = None
    if not isinstance(inner, dict):
        raise ValueError("expected the text of a JSON object")
    return text


def _salt(salt: SecretStr) -> SecretStr:
    try:
        length = len(base64.b64decode(salt.get_secret_value(), validate=True))
    except (binascii.Error, ValueError):
        length = -1
    if length != SALT:
        raise ValueError(f"expected {SALT} bytes in base64")
    return salt


Uids = Annotated[
    list[Annotated[str, AfterValidator(_uid_or_everyone)]],
    Field(min_length=1, max_length=MOST_UIDS),
    AfterValidator(_uids),
]


class Subscription(Body):
    """Whose sound and pictures are recorded: everybody's, unless a list says otherwise."""

    subscribe_audio_uids: Uids | None = None
    un_subscribe_audio_uids: Uids | None = None
    subscribe_video_uids: Uids | None = None
    un_subscribe_video_uids: Uids | None = None

    @model_validator(mode="after")
    def _one_list_per_medium(self) -> "Subscription":
        if self.subscribe_audio_uids and self.un_subscribe_audio_uids:
            raise ValueError("subscribeAudioUids and unSubscribeAudioUids exclude each other")
        if self.subscribe_video_uids and self.un_subscribe_video_uids:
            raise ValueError("subscribeVideoUids and unSubscribeVideoUids exclude each other")
        return self

    @property
    def audio(self) -> list[str]:
        """The list for sound, of either kind."""
        return self.subscribe_audio_uids or self.un_subscribe_audio_uids or []

    @property
    def video(self) -> list[str]:
        """The list for pictures, of either kind."""
        return self.subscribe_video_uids or self.un_subscribe_video_uids or []


class RecordingConfig(Subscription):
    """``recordingConfig``; what is None is left to Agora's defaults."""

    channel_type: UpTo1 | None = None  # communication, live broadcast
    stream_types: UpTo2 | None = None  # sound, pictures, both
    stream_mode: Literal["default", "standard", "original"] | None = None
    video_stream_type: UpTo1 | None = None  # high, low
    max_idle_time: Annotated[int, Field(ge=5, le=2_592_000)] | None = None  # seconds
    decryption_mode: Annotated[int, Field(ge=0, le=8)] | None = None
    secret: Secret | None = None
    salt: Annotated[Secret, AfterValidator(_salt)] | None = None
    audio_profile: UpTo2 | None = None
    transcoding_config: TranscodingConfig | None = None
    subscribe_uid_group: Annotated[int, Field(ge=0, le=5)] | None = None
    private_params: Annotated[str, AfterValidator(_json_object)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "RecordingConfig":
        if self.stream_types == 1 and self.audio:
            raise ValueError("lists of audio uids are not allowed with streamTypes 1")
        if self.stream_types == 0 and self.video:
            raise ValueError("lists of video uids are not allowed with streamTypes 0")
        if self.decryption_mode and not self.secret:
            raise ValueError(f"decryptionMode {self.decryption_mode} needs secret")
        if self.decryption_mode in NEEDS_SALT and not self.salt:
            raise ValueError(f"decryptionMode {self.decryption_mode} needs salt")
        return self

    def crowd(self) -> Iterator[str]:
        """What is wrong with subscribeUidGroup, which composite mode ignores."""
        named = len(({*self.audio} | {*self.video}) - {EVERYONE})
        group = self.subscribe_uid_group
        if group is not None and named > GROUPS[group]:
            yield f"{group} is for {GROUPS[group]} uids at most, the lists hold {named}"

    def cautions(self) -> Iterator[Caution]:
        """Settings that are allowed and probably not meant."""
        idle = self.max_idle_time
        if idle is not None and idle < SHORT_IDLE:
            detail = f"it ends when nobody is there for {idle} s; Agora recommends 300"
            yield Caution("maxIdleTime", detail)
        if self.stream_types in (None, 2):
            yield from one_sided(self)
        yield from (Caution("subscribeUidGroup", detail) for detail in self.crowd())
        if (self.secret or self.salt) and not self.decryption_mode:
            yield Caution("decryptionMode", "0 or not set: secret and salt have no effect")
        if self.transcoding_config:
            if self.stream_types == 0:
                yield Caution("transcodingConfig", "has no effect with streamTypes 0")
            yield from self.transcoding_config.cautions()


def one_sided(lists: Subscription) -> Iterator[Caution]:
    """A caution for lists of one medium alone: Agora then records nothing of the other."""
    for given, absent, key in (
        (lists.audio, lists.video, "subscribeVideoUids"),
        (lists.video, lists.audio, "subscribeAudioUids"),
    ):
        if given and not absent:
            medium = "pictures" if "Video" in key else "sound"
            detail = f'no {medium} will be recorded; for all of it set ["{EVERYONE}"]'
            yield Caution(key, detail)
