"""Rows of a list into the part files of a load."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Generic, Protocol, TypeVar

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.exports.misfits import Misfits
from airflow_provider_bitrix24.exports.parts import Part, PartStore
from airflow_provider_bitrix24.types import Row

#: Rows of one part at most. A part is what a retry does not read again.
ROWS_OF_A_PART = 50_000
#: Rows of one batch at most, and about how many bytes it takes. The first one tells how wide the rows are.
_ROWS_OF_A_BATCH, _BYTES_OF_A_BATCH, _ROWS_OF_THE_FIRST = 5000, 8 * 2**20, 500


class Batch(Protocol):
    """Several rows, ready to be written."""

    @property
    def types(self) -> Mapping[str, str]:
        """The types of their columns; nothing where rows have none."""

    @property
    def misfits(self) -> Misfits: ...

    @property
    def nbytes(self) -> int:
        """About how much memory they take."""


T = TypeVar("T")
AnyBatch = TypeVar("AnyBatch", bound=Batch)
Batch_contra = TypeVar("Batch_contra", bound=Batch, contravariant=True)


class BatchWriter(Protocol[Batch_contra]):
    """Writes the batches of one file."""

    def write(self, batch: Batch_contra, /) -> None: ...
    def close(self) -> None: ...


class FilesOf(Protocol[AnyBatch]):
    """What the part files of a load are."""

    @property
    def ending(self) -> str:
        """The end of their names, ``jsonl``."""

    def batch(self, rows: Sequence[Row], /) -> AnyBatch: ...
    def writer(self, stream: IO[bytes], batch: AnyBatch, /) -> BatchWriter[AnyBatch]:
        """A file that begins with this batch, which is not yet written."""


class PartFiles(Generic[AnyBatch]):
    """
    Writes parts one after the other. A part ends where it is full, and where a column is new.

    :param store: where they go.
    :param files: what they are.
    :param id_of: the id of a row; None where rows have none.
    :param before: the parts of earlier tries.
    """

    def __init__(
        self,
        store: PartStore,
        files: FilesOf[AnyBatch],
        id_of: Callable[[Row], int] | None,
        before: Iterable[Part] = (),
    ) -> None:
        self.parts = list(before)
        self._store, self._files, self._id_of = store, files, id_of

    def write(self, rows: Iterable[Row]) -> Iterator[Part]:
        """
        Write all rows, and yield each part as soon as it is put.

        Where a limit or the network stops the rows, those before are put first: a wait, or the next try, goes on
        behind them.

        :raises Bitrix24Error: the rows failed.
        """
        part: _OpenPart[AnyBatch] | None = None
        readable = _UntilFailure(rows)
        # A batch may ask the portal too, for labels.
        batches = _UntilFailure(in_batches(readable, self._files.batch, self._id_of))
        try:
            for rows_of_batch, batch in batches:
                if part is not None and not part.takes(rows_of_batch, batch):
                    yield self._put(part)
                    part = None
                if part is None:
                    part = _OpenPart(self._files, batch)
                part.add(rows_of_batch, batch)
            failure = batches.failure or readable.failure
            if part is not None and (failure is None or failure.retryable):
                yield self._put(part)
                part = None
            if failure is not None:
                raise failure
        finally:
            if part is not None:
                part.discard()

    def _put(self, done: _OpenPart[AnyBatch]) -> Part:
        first, last = (None, None) if self._id_of is None else map(self._id_of, (done.first, done.last))
        with done.whole() as file:
            part = Part(
                number=len(self.parts) + 1,
                name=_part_name(len(self.parts) + 1, self._files.ending),
                rows=done.rows,
                bytes=file.stat().st_size,
                sha256=_sha256(file),
                after=self.parts[-1].last_id if self.parts else None,
                first_id=first,
                last_id=last,
                columns=done.columns,
                misfits=done.misfits,
            )
            self._store.put(file, part)
        self.parts.append(part)
        return part


class _UntilFailure(Generic[T]):
    """Rows or batches up to a failure, which is kept."""

    def __init__(self, several: Iterable[T]) -> None:
        self._several = several
        self.failure: Bitrix24Error | None = None

    def __iter__(self) -> Iterator[T]:
        try:
            yield from self._several
        except Bitrix24Error as error:
            self.failure = error


class _OpenPart(Generic[AnyBatch]):
    """A part that is being written, in a private file of this worker."""

    def __init__(self, files: FilesOf[AnyBatch], batch: AnyBatch) -> None:
        self._spool: Any = tempfile.NamedTemporaryFile(prefix="bitrix24-part-")  # noqa: SIM115 - closed by whole or discard
        self.columns = dict(batch.types)
        self._writer = files.writer(self._spool, batch)
        self.rows = 0
        self.misfits = Misfits()
        self.first: Row = {}
        self.last: Row = {}

    def takes(self, rows: list[Row], batch: AnyBatch) -> bool:
        """Whether a batch may stand in this part."""
        return list(batch.types.items()) == list(self.columns.items()) and self.rows + len(rows) <= ROWS_OF_A_PART

    def add(self, rows: list[Row], batch: AnyBatch) -> None:
        self._writer.write(batch)
        self.misfits.add(batch.misfits)
        self.first = self.first or rows[0]
        self.last = rows[-1]
        self.rows += len(rows)

    @contextmanager
    def whole(self) -> Iterator[Path]:
        """The file of the part, to its end; it is gone afterwards."""
        with self._spool:
            self._writer.close()
            self._spool.flush()
            yield Path(self._spool.name)

    def discard(self) -> None:
        """Let go of the file, wherever the part has failed."""
        with suppress(Exception):
            self._writer.close()
        self._spool.close()


def in_batches(
    rows: Iterable[Row], made_of: Callable[[Sequence[Row]], AnyBatch], id_of: Callable[[Row], int] | None = None
) -> Iterator[tuple[list[Row], AnyBatch]]:
    """Rows in batches of about the same size in memory; rows of one id, as those of one owner, are never parted."""
    left = iter(rows)
    size = _ROWS_OF_THE_FIRST
    next_row: list[Row] = []
    while several := [*next_row, *islice(left, size - len(next_row))]:
        next_row = []
        if id_of is not None:
            for row in left:
                if id_of(row) != id_of(several[-1]):
                    next_row = [row]
                    break
                several.append(row)
        batch = made_of(several)
        yield several, batch
        width = batch.nbytes / len(several)
        size = max(1, min(_ROWS_OF_A_BATCH, ROWS_OF_A_PART, int(_BYTES_OF_A_BATCH / max(width, 1))))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(2**20):
            digest.update(block)
        return digest.hexdigest()


def _part_name(number: int, ending: str) -> str:
    """A name that no other try has: a part is never replaced."""
    return f"part-{number:05}-{uuid.uuid4().hex[:12]}.{ending}"
