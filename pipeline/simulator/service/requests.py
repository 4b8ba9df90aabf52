"""The settings of a recording of the stand-in: from its request, and from the command line."""

from collections.abc import Mapping
from itertools import count, islice

from msgspec import Struct, field

from pipeline.agora import names
from pipeline.agora.schema.recording import EVERYONE, RecordingConfig
from pipeline.agora.schema.requests import INDIVIDUAL, StartRequest
from pipeline.agora.schema.storage import StorageConfig
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.values import STREAMS
from pipeline.simulator.session.cast import Act

SMALLEST, SLOWEST = 64, 7  # of pictures the simulator can make: pixels, pictures a second
WIDTH, HEIGHT, FPS = 360, 640, 15  # Agora's defaults: pixels, pictures a second
MIXED = "0"  # the uid of all users together
USERS = ("1001", "1002")  # the users in every channel, unless the request lists others


class Conduct(Struct, frozen=True):
    """How the service behaves; times are seconds."""

    speed: float = 1.0  # of all recordings, as a factor
    slice: int = 15
    kills: tuple[float, ...] = ()  # a recorder dies when the recording is so old
    users_leave: float | None = None  # all users leave when the recording is so old
    slow_stop: float = 0.0  # until everything is uploaded; speed does not shorten it
    backup: float | None = None  # until the backup cloud forwards its files; nor this
    acts: tuple[Act, ...] = ()  # of users recorded one by one, in each such recording
    web: Mapping[str, str] = field(default_factory=dict)  # codec by uid of those with a browser


class RecordedStreams(Struct, frozen=True):
    """One playlist: which streams of which uid it holds, and the cname in its name."""

    uid: str
    streams: tuple[str, ...]
    cname: str

    @property
    def kind(self) -> str:
        """``trackType`` of Agora."""
        return "audio_and_video" if len(self.streams) > 1 else self.streams[0]


class StartOrder(Struct, frozen=True):
    """A request to start, with the ids of its recording."""

    request: StartRequest
    resource: str
    sid: str
    mode: str = "mix"

    @property
    def name(self) -> tuple[str, str]:
        """Channel and uid, which only one running recording may have."""
        return self.request.cname, self.request.uid

    @property
    def config(self) -> RecordingConfig:
        """``recordingConfig``; all defaults if there is none."""
        return self.request.client_request.recording_config or RecordingConfig()

    @property
    def storage(self) -> StorageConfig:
        """``storageConfig``."""
        return self.request.client_request.storage_config

    @property
    def prefix(self) -> str:
        """``fileNamePrefix`` as a folder: empty, or ending in a slash."""
        return "".join(f"{part}/" for part in self.storage.file_name_prefix or ())

    @property
    def lists_json(self) -> bool:
        """Whether ``fileList`` is an array: with MP4, and in individual mode."""
        files = self.request.client_request.recording_file_config
        return self.mode in INDIVIDUAL or "mp4" in ((files and files.av_file_type) or ())

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that are recorded; a list of uids for one alone switches the other off."""
        config = self.config
        wanted = {0: ("audio",), 1: ("video",)}.get(
            2 if config.stream_types is None else config.stream_types, STREAMS
        )
        if wanted == STREAMS and bool(config.audio) != bool(config.video):
            return ("audio",) if config.audio else ("video",)
        return wanted

    @property
    def tracks(self) -> tuple[RecordedStreams, ...]:
        """The playlists: one of all users mixed, or one for each user and stream."""
        cname, _ = self.name
        if self.mode in INDIVIDUAL:
            return tuple(
                RecordedStreams(uid, (stream,), names.stream_cname(cname, uid, stream))
                for stream in self.streams
                for uid in self._users(stream)
            )
        return (
            RecordedStreams(
                MIXED, self.streams, names.replaced(cname) if self.mode == "web" else cname
            ),
        )

    def _users(self, stream: str) -> tuple[str, ...]:
        """The users that are recorded: those listed, or those that are always in the channel."""
        config = self.config
        listed = config.audio if stream == "audio" else config.video
        without = (config.un_subscribe_audio_uids, config.un_subscribe_video_uids)
        if listed in without:
            others = (str(uid) for uid in count(1001))
            return tuple(islice((uid for uid in others if uid not in listed), len(USERS)))
        return tuple(uid for uid in listed if uid != EVERYONE) or USERS

    @property
    def look(self) -> Look:
        """The canvas, adjusted to what the simulator can draw."""
        canvas = self.config.transcoding_config
        width, height, fps = WIDTH, HEIGHT, FPS
        if canvas:
            width, height = canvas.width or width, canvas.height or height
            fps = canvas.fps or fps
        width, height = (max(SMALLEST, side - side % 2) for side in (width, height))
        return Look(width, height, max(SLOWEST, fps))
