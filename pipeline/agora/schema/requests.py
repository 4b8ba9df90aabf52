"""The bodies of all calls.  Long: it has every documented field, range and rule between fields.

Fields are those of Agora's REST reference.  The mode of a recording is in the path, not in the
body: what depends on it is checked by :func:`refuse_unfit`.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from pipeline.agora import tokens
from pipeline.agora.schema.canvas import Arrangement
from pipeline.agora.schema.recording import EVERYONE, RecordingConfig, Subscription
from pipeline.agora.schema.storage import StorageConfig
from pipeline.agora.schema.values import Body, Caution, Secret, Text, Uid, UpTo2, unknown_keys
from pipeline.errors import UsageError

Mode: TypeAlias = Literal["mix", "individual", "raw", "web"]
MODES: tuple[Mode, ...] = ("mix", "individual", "raw", "web")
INDIVIDUAL: tuple[Mode, ...] = ("individual", "raw")  # two words in the path for one thing

LONGEST_CHANNEL = 64  # bytes
LONGEST_LABEL = 1024  # bytes, of a web page recording
MARKS = "!#$%&()+-:;<=.>?@[]^_{}|~,"
LONGEST_TOKEN = 24 * 3600  # seconds that Agora makes a token for, at most
JUST_MADE = 600  # seconds that a token may be old when it is used
LASTS = 72  # hours that a recording may last, unless resourceExpiredHour says otherwise
_CHANNEL = re.compile(rf"[A-Za-z0-9 {re.escape(MARKS)}]+")


def _label(text: str) -> str:
    if not 0 < len(text.encode()) <= LONGEST_LABEL:
        raise ValueError(f"expected 1 to {LONGEST_LABEL} bytes")
    return text


def _file_types(types: list[str]) -> list[str]:
    if "hls" not in types or len(set(types)) < len(types):
        raise ValueError('expected ["hls"] or ["hls", "mp4"]')
    return types


def _none_if_empty(text: object) -> object:
    return None if text == "" else text


Channel = Annotated[str, AfterValidator(_label)]
Free = dict[str, JsonValue]  # what only other modes have, not looked into


class RecordingFileConfig(Body):
    """``recordingFileConfig``: the files that Agora makes."""

    av_file_type: (
        Annotated[list[Literal["hls", "mp4"]], Field(min_length=1), AfterValidator(_file_types)]
        | None
    ) = None


class SnapshotConfig(Body):
    """``snapshotConfig``: pictures of single users at intervals; individual mode."""

    capture_interval: Annotated[int, Field(ge=1, le=3600)] | None = None  # seconds
    file_type: list[Literal["jpg"]] | None = None


class StartParameters(Body):
    """``clientRequest`` of start; None is not sent."""

    token: Annotated[Secret | None, BeforeValidator(_none_if_empty)] = None
    recording_config: RecordingConfig | None = None
    recording_file_config: RecordingFileConfig | None = None
    storage_config: StorageConfig
    snapshot_config: SnapshotConfig | None = None
    apps_collection: Free | None = None
    transcode_options: Free | None = None
    extension_service_config: Free | None = None

    def cautions(self) -> Iterator[Caution]:
        """Settings that are allowed and probably not meant."""
        if self.recording_config:
            yield from self.recording_config.cautions()
        yield from self.storage_config.cautions()

    def ending(self, now: float, lasts: int) -> Iterator[Caution]:
        """Credentials and tokens that end before a recording of ``lasts`` seconds may.

        ``now`` is in seconds since 1970.  Raises ``UsageError`` for storage credentials that have
        ended.
        """
        yield from self.storage_config.ending(now)
        ends = tokens.ends(self.token.get_secret_value()) if self.token else None
        if ends is None or ends - now >= min(lasts, LONGEST_TOKEN) - JUST_MADE:
            return
        left = f"ends in {(ends - now) / 60:.0f} minutes" if ends > now else "has ended"
        detail = f"{left} and cannot be renewed; the recording may last {lasts / 3600:.0f} hours"
        yield Caution("token", detail)


class AcquireParameters(Body):
    """``clientRequest`` of acquire; all of it may be left out."""

    scene: UpTo2 | None = None
    resource_expired_hour: Annotated[int, Field(ge=1, le=720)] | None = None
    region: Literal["CN", "AP", "EU", "NA"] | None = None
    region_affinity: Annotated[int, Field(ge=0, le=4)] | None = None
    exclude_resource_ids: Annotated[list[Text], Field(min_length=1)] | None = None
    start_parameter: StartParameters | None = None

    @property
    def lasts(self) -> int:
        """Seconds that the recording may last."""
        return (self.resource_expired_hour or LASTS) * 3600


class UpdateAudio(Subscription):
    """``audioUidList``: new lists for sound."""

    @model_validator(mode="after")
    def _audio_only(self) -> "UpdateAudio":
        if self.video or not self.audio:
            raise ValueError("expected subscribeAudioUids or unSubscribeAudioUids")
        return self


class UpdateVideo(Subscription):
    """``videoUidList``: new lists for pictures."""

    @model_validator(mode="after")
    def _video_only(self) -> "UpdateVideo":
        if self.audio or not self.video:
            raise ValueError("expected subscribeVideoUids or unSubscribeVideoUids")
        return self


class StreamSubscribe(Body):
    """``streamSubscribe``: a new subscription, which replaces the earlier one."""

    audio_uid_list: UpdateAudio | None = None
    video_uid_list: UpdateVideo | None = None


class WebRecordingConfig(Body):
    """``webRecordingConfig``: pause and resume; web page mode."""

    onhold: bool


class RtmpOutput(Body):
    """A URL to push to; its path holds a key."""

    rtmp_url: Secret


class RtmpPublishConfig(Body):
    """``rtmpPublishConfig``: where a recorded page is pushed to; web page mode."""

    outputs: list[RtmpOutput]


class UpdateParameters(Body):
    """``clientRequest`` of update."""

    stream_subscribe: StreamSubscribe | None = None
    storage_config: StorageConfig | None = None
    web_recording_config: WebRecordingConfig | None = None
    rtmp_publish_config: RtmpPublishConfig | None = None

    @model_validator(mode="after")
    def _something(self) -> "UpdateParameters":
        if not self.model_fields_set:
            raise ValueError("nothing to update: give at least one of its fields")
        return self

    def cautions(self) -> Iterator[Caution]:
        """Settings that are allowed and probably not meant."""
        lists = self.stream_subscribe
        if lists and (lists.audio_uid_list is None) != (lists.video_uid_list is None):
            kind = "audioUidList" if lists.audio_uid_list is None else "videoUidList"
            medium = "sound" if kind == "audioUidList" else "pictures"
            detail = f'no {medium} may be recorded any more; for all of it set ["{EVERYONE}"]'
            yield Caution(f"streamSubscribe.{kind}", detail)
        if self.storage_config:
            yield from self.storage_config.cautions()


class StopParameters(Body):
    """``clientRequest`` of stop; with ``async_stop`` the answer does not wait for uploads."""

    async_stop: bool | None = None


class Request(Body):
    """The part of every body: the channel, and the uid of the recorder in it."""

    cname: Channel
    uid: Uid

    def cautions(self) -> tuple[Caution, ...]:
        """Settings that are allowed and probably not meant."""
        return tuple(unknown_keys(self))


class AcquireRequest(Request):
    """The body of acquire."""

    client_request: AcquireParameters


class StartRequest(Request):
    """The body of start; cname and uid are those of acquire."""

    client_request: StartParameters

    def cautions(self) -> tuple[Caution, ...]:
        """Settings that are allowed and probably not meant."""
        return (*super().cautions(), *self.client_request.cautions())


class UpdateRequest(Request):
    """The body of update."""

    client_request: UpdateParameters

    def cautions(self) -> tuple[Caution, ...]:
        """Settings that are allowed and probably not meant."""
        return (*super().cautions(), *self.client_request.cautions())


class LayoutRequest(Request):
    """The body of updateLayout."""

    client_request: Arrangement

    def cautions(self) -> tuple[Caution, ...]:
        """Settings that are allowed and probably not meant."""
        return (*super().cautions(), *self.client_request.cautions())


class StopRequest(Request):
    """The body of stop."""

    client_request: StopParameters


def refuse_unfit(request: Request, mode: Mode) -> None:
    """Raise ``UsageError``, with all that is wrong, if a body does not fit the mode."""
    found = [*_unfit_name(request, mode)]
    if isinstance(request, AcquireRequest):
        found += _unfit_acquire(request.client_request, mode)
        started = request.client_request.start_parameter
        found += _unfit_start(started, request.uid, mode) if started else ()
    elif isinstance(request, StartRequest):
        found += _unfit_start(request.client_request, request.uid, mode)
    elif isinstance(request, LayoutRequest) and mode != "mix":
        found.append(f"mode {mode} has no layout")
    if found:
        raise UsageError("; ".join(found))


def _unfit_name(request: Request, mode: Mode) -> Iterator[str]:
    if mode != "web" and not _CHANNEL.fullmatch(request.cname):
        yield f"cname: {request.cname!r}, expected letters, digits, spaces and {MARKS}"
    if mode != "web" and len(request.cname.encode()) > LONGEST_CHANNEL:
        length = len(request.cname.encode())
        yield f"cname: {length} bytes, expected at most {LONGEST_CHANNEL}"


def _unfit_acquire(parameters: AcquireParameters, mode: Mode) -> Iterator[str]:
    scenes = {"mix": (None, 0), "web": (1,)}.get(mode, (None, 0, 2))
    if parameters.scene not in scenes:
        expected = " or ".join(str(scene) for scene in scenes if scene is not None)
        yield f"clientRequest.scene: {parameters.scene}, expected {expected} in mode {mode}"


def _unfit_start(parameters: StartParameters, uid: str, mode: Mode) -> Iterator[str]:
    config = parameters.recording_config
    for key, value, modes in _only_in(parameters):
        if value is not None and mode not in modes:
            yield f"clientRequest.{key}: not for mode {mode}, only for {' and '.join(modes)}"
    if mode == "web":
        if parameters.extension_service_config is None:
            yield "clientRequest.extensionServiceConfig: missing"
        return
    if config is None:
        yield "clientRequest.recordingConfig: missing"
        return
    where = "clientRequest.recordingConfig"
    if mode in INDIVIDUAL:
        group = f"{where}.subscribeUidGroup"
        yield from (f"{group}: {detail}" for detail in config.crowd())
        if config.subscribe_uid_group is None:
            yield f"{group}: missing"
    if uid in (*config.audio, *config.video):
        yield f"{where}: uid {uid} is the recorder itself, expected uids of users; take another uid"


def _only_in(parameters: StartParameters) -> Iterator[tuple[str, Any, tuple[Mode, ...]]]:
    """Fields that not every mode has."""
    config = parameters.recording_config or RecordingConfig()
    files = parameters.recording_file_config
    mp4 = "mp4" if files and "mp4" in (files.av_file_type or ()) else None
    yield "recordingConfig", parameters.recording_config, ("mix", *INDIVIDUAL)
    yield "recordingConfig.transcodingConfig", config.transcoding_config, ("mix",)
    yield "recordingConfig.audioProfile", config.audio_profile, ("mix",)
    yield "recordingConfig.streamMode", config.stream_mode, INDIVIDUAL
    yield "recordingFileConfig.avFileType mp4", mp4, ("mix", "web")
    yield "snapshotConfig", parameters.snapshot_config, INDIVIDUAL
    yield "appsCollection", parameters.apps_collection, INDIVIDUAL
    yield "transcodeOptions", parameters.transcode_options, INDIVIDUAL
    yield "extensionServiceConfig", parameters.extension_service_config, ("web",)
