"""How and where recordings are converted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.model import Format, OnChange, OnLoss
from pipeline.storage import Storage


def unwatched(stage: str, count: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose."""

    format: Format = Format.MP4
    on_loss: OnLoss = OnLoss.HOLD
    on_change: OnChange = OnChange.TRANSCODE
    accept_unfinished: bool = False
    stream_types: str | None = None  # what was to be recorded: "audio", "video" or "both"
    deep: bool = False  # decode all of the result
    force: bool = False  # replace results that are not from this source
    keys: tuple[bytes, ...] = field(default=(), repr=False)  # for what is encrypted
    spool: Path = Path(".recpipe-spool")
    progress: Callable[[str, int], None] = field(default=unwatched, compare=False)  # stage, bytes


@dataclass(frozen=True, slots=True)
class Target:
    """Where one result goes."""

    storage: Storage
    key: str

    @property
    def url(self) -> str:
        """How people name it."""
        return self.storage.url(self.key)
