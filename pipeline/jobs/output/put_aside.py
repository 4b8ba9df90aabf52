"""What the files of a long recording are made of waits on the disk, but for the one being made.

A single file has nothing to wait for: then nothing is written.
"""

import pickle
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import accumulate, chain, pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.jobs.output.files import Share, Told
from pipeline.jobs.output.publishing import Origin
from pipeline.media.containers.unwrap import Wrapping
from pipeline.media.es.codecs import Codec
from pipeline.model import Listed, StoredObject
from pipeline.stages.segments import Folder
from pipeline.storage.oserrors import os_errors
from pipeline.upkeep import give_back_memory

STAYS = {Codec, Listed, StoredObject, Wrapping}  # in memory anyway; and keys are written nowhere


class _Place(Struct, frozen=True, eq=False):
    """Where something lies in the file, in bytes."""

    begin: int
    arrays: int  # what its arrays hold lies together: the pickler would keep a copy of each
    sizes: NDArray[np.int64]


class PutAside:
    """Shares in their order, and what is ``told`` of each; to be closed.

    Several lie in a file without a name, of which nobody else knows: the kernel frees it however we
    end.  So what is read from it is what this process wrote.
    """

    def __init__(self, shares: Iterable[Share], origin: Origin, folder: Folder) -> None:
        """Takes them one after the other; ``folder`` is asked for where there are several."""
        every = iter(shares)
        first, second = next(every), next(every, None)
        self.told = [first.told]
        self._only = (first, origin) if second is None else None
        self._file: IO[bytes] | None = None
        self._places: list[_Place] = []  # of each, and then of the origin
        self._stay: list[object] = []
        if second is None:
            return
        with ExitStack() as undo:
            undo.callback(self.close)
            self._write(chain([first, second], every), origin, folder())
            undo.pop_all()

    def close(self) -> None:
        """Give them up.  Safe to repeat."""
        self._only = None
        if self._file is not None:
            self._file.close()

    def __iter__(self) -> Iterator[Share]:
        """One after the other, as often as they are asked for; none is kept."""
        if self._only is not None:
            yield self._only[0]
        yield from map(self._share, self._places[:-1])

    @property
    def origin(self) -> Origin:
        """What all of them were read from."""
        if self._only is not None:
            return self._only[1]
        origin: Origin = self._read(self._places[-1])
        return origin

    def _write(self, shares: Iterable[Share], origin: Origin, folder: Path) -> None:
        with os_errors(f"write to {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = TemporaryFile(dir=folder)  # noqa: SIM115  # by close()
            numbers: dict[int, int] = {}  # the place in ``_stay`` of each, by its id()
            put = partial(self._put, numbers)
            self.told = [*map(put, shares)]  # none is kept while the next one is made
            self._dump(numbers, origin)

    def _put(self, numbers: dict[int, int], share: Share) -> Told:
        self._dump(numbers, replace(share, evidence=replace(share.evidence, fetched=())))
        return share.told

    def _dump(self, numbers: dict[int, int], value: object) -> None:
        assert self._file is not None
        begin, arrays = self._file.tell(), list[pickle.PickleBuffer]()
        _Writing(self._file, self._stay, numbers, arrays).dump(value)
        self._places.append(
            _Place(begin, self._file.tell(), np.array([len(a.raw()) for a in arrays], np.int64))
        )
        for one in arrays:
            self._file.write(one.raw())

    def _share(self, place: _Place) -> Share:
        give_back_memory()  # of what was there before
        share: Share = self._read(place)
        return share

    def _read(self, place: _Place) -> Any:
        assert self._file is not None
        with os_errors("read what was put aside"):
            self._file.seek(place.arrays)
            arrays = memoryview(self._file.read(int(place.sizes.sum())))
            each = (arrays[a:b] for a, b in pairwise(accumulate(place.sizes.tolist(), initial=0)))
            self._file.seek(place.begin)
            return _Reading(self._file, self._stay, each).load()


class _Writing(pickle.Pickler):
    def __init__(
        self,
        file: IO[bytes],
        stay: list[object],
        numbers: dict[int, int],
        arrays: list[pickle.PickleBuffer],
    ) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL, buffer_callback=arrays.append)
        self._stay, self._numbers = stay, numbers

    def persistent_id(self, value: Any) -> int | None:
        if type(value) not in STAYS:
            return None
        number = self._numbers.setdefault(id(value), len(self._stay))
        if number == len(self._stay):
            self._stay.append(value)
        return number


class _Reading(pickle.Unpickler):
    def __init__(self, file: IO[bytes], stay: list[object], arrays: Iterable[memoryview]) -> None:
        super().__init__(file, buffers=arrays)
        self._stay = stay

    def persistent_load(self, number: int) -> object:
        return self._stay[number]
