"""One load of a list into parts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.execution.checkpoint import checkpoint
from airflow_provider_bitrix24.exports.misfits import Misfits, check_share
from airflow_provider_bitrix24.exports.part_files import FilesOf, PartFiles
from airflow_provider_bitrix24.exports.parts import Part, PartStore
from airflow_provider_bitrix24.exports.sources import Source

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Load:
    """
    :param window: conditions of the window, beside the author's.
    :param files: what its parts are.
    :param limit: the most rows to load.
    """

    source: Source
    window: Mapping[str, Any]
    files: FilesOf[Any]
    limit: int | None = None

    def run(self, client: Client, store: PartStore, progress: Callable[[int], object]) -> list[Part]:
        """
        Read what no try has read, and put it into parts.

        :param progress: called with how many rows stand in the parts.
        :return: the parts of all tries.
        :raises IncompleteList: the list cannot be proven whole.
        """
        source = self.source
        before = store.parts()
        loaded = sum(part.rows for part in before)
        progress(loaded)
        left = None if self.limit is None else self.limit - loaded
        if left == 0:
            return before
        files = PartFiles(store, self.files, source.id_of if source.is_resumable else None, before)
        rows = source.rows(client, self._conditions(before), left)
        for part in files.write(rows):
            progress(sum(part.rows for part in files.parts))
            log.info("Part %d: %d rows, ids %s to %s", part.number, part.rows, part.first_id, part.last_id)
        log.info("%s", rows.report)
        read = sum(part.rows for part in files.parts[len(before) :])
        if not (rows.report.complete or read == left) or read != rows.report.rows:
            raise Bitrix24Error(
                f"{read} rows stand in the parts, and the list had {rows.report.rows}", method=source.method.name
            )
        return files.parts

    def estimate(self, client: Client) -> dict[str, Any]:
        """See :meth:`Source.estimate`."""
        return self.source.estimate(client, self._conditions([]))

    def _conditions(self, before: list[Part]) -> dict[str, Any]:
        return {**self.window, **self.source.behind(before[-1].last_id if before else None)}


def series_of(context: Any, source: Source) -> list[int]:
    """
    The same for each try that goes on behind the last part of the one before: clearing the task begins another one.

    Where nothing can go on behind the last part, each try has its own, and so has each beginning after a wait.
    """
    ti = context["ti"]
    series = [int(getattr(ti, "max_tries", None) or 0)]
    if not source.is_resumable:
        memory = checkpoint(context)
        began = int(memory.get("began") or 0) + 1
        memory.put("began", began)
        series += [ti.try_number, began]
    return series


def misfits_of(parts: Iterable[Part]) -> Misfits:
    """What did not fit, in all parts."""
    every = Misfits()
    for part in parts:
        every.add(part.misfits)
    return every


def check_misfits(parts: Iterable[Part], max_bad_share: float, where: str) -> None:
    """
    :param max_bad_share: share of a column's values that may not fit it.
    :param where: what has been read, for the hint.
    :raises ConfigurationError: more of them do not fit.
    """
    check_share(misfits_of(parts), max_bad_share, where)
