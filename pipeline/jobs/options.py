"""How and where recordings are converted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.model import Finding, Format, OnChange, OnLoss
from pipeline.storage import Storage


def unwatched(stage: str, count: int) -> None:
    """Progress that nobody watches."""


def unguarded(placed: str) -> None:
    """Nobody else can be publishing it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose."""

    format: Format = Format.MP4
    on_loss: OnLoss = OnLoss.HOLD
    on_change: OnChange = OnChange.TRANSCODE
    sparse_sound: bool = False  # no frame of silence where sound pauses
    accept_unfinished: bool = False
    stream_types: str | None = None  # what was to be recorded: "audio", "video" or "both"
    deep: bool = False  # decode all of the result
    force: bool = False  # replace results that are not from this source
    keys: tuple[bytes, ...] = field(default=(), repr=False)  # for what is encrypted
    spool: Path = Path(".recpipe-spool")
    progress: Callable[[str, int], None] = field(default=unwatched, compare=False)  # stage, bytes
    noted: tuple[Finding, ...] = ()  # what whoever asks for it knows already
    guard: Callable[[str], None] = field(default=unguarded, compare=False)  # may this key be made?

    @property
    def settings(self) -> dict[str, str]:
        """What decides about a result, as receipts remember it."""
        chosen = {"format": self.format, "on_loss": self.on_loss, "on_change": self.on_change}
        settings = {name: value.value for name, value in chosen.items()}
        if self.stream_types:
            settings["stream_types"] = self.stream_types
        if self.sparse_sound:
            settings["sparse_sound"] = "yes"
        return settings | ({"deep": "yes"} if self.deep else {})


@dataclass(frozen=True, slots=True)
class Target:
    """Where one result goes."""

    storage: Storage
    key: str
    name: str = ""  # what a template called it, without version and suffix

    @property
    def url(self) -> str:
        """How people name it."""
        return self.storage.url(self.key)
