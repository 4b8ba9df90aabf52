"""How and where recordings are converted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.model import Finding, Format, OnLoss
from pipeline.storage import Storage


def unwatched(stage: str, count: int) -> None:
    """Progress that nobody watches."""


def allowed() -> None:
    """Nobody else can be publishing it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose."""

    format: Format = Format.MP4
    on_loss: OnLoss = OnLoss.HOLD
    accept_unfinished: bool = False
    stream_types: str | None = None  # what was to be recorded: "audio", "video" or "both"
    deep: bool = False  # decode all of the result
    force: bool = False  # replace results that are not from this source
    spool: Path = Path(".recpipe-spool")
    progress: Callable[[str, int], None] = field(default=unwatched, compare=False)  # stage, bytes
    noted: tuple[Finding, ...] = ()  # what whoever asks for it knows already
    guard: Callable[[], None] = field(default=allowed, compare=False)  # may it still be published?


@dataclass(frozen=True, slots=True)
class Target:
    """Where one result goes."""

    storage: Storage
    key: str

    @property
    def url(self) -> str:
        """How people name it."""
        return self.storage.url(self.key)
