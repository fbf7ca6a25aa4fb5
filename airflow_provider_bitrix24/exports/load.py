"""One load of a list into a folder of part files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.exports.load_folder import LoadFolder, Part
from airflow_provider_bitrix24.exports.part_files import PartFiles
from airflow_provider_bitrix24.exports.sources import Source
from airflow_provider_bitrix24.exports.typed_batches import BAD, Misfits, TypedBatches

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

log = logging.getLogger(__name__)

#: Rows that one request brings, 50 pages of 50.
_ROWS_OF_A_REQUEST = 2500


@dataclass(frozen=True)
class Load:
    """
    :param window: conditions of the window, beside the author's.
    :param file_format: a key of ``FORMATS``.
    """

    source: Source
    window: Mapping[str, Any]
    file_format: str

    def run(self, client: Client, folder: LoadFolder, progress: Callable[[int], object]) -> list[Part]:
        """
        Read what no try has read, and put it into parts.

        :param progress: called with how many rows stand in the parts.
        :return: the parts of all tries.
        :raises IncompleteList: the list cannot be proven whole.
        """
        source = self.source
        before = folder.parts()
        batches = TypedBatches(source.table.fields, takes_unknown=not source.selects)
        files = PartFiles(folder, self.file_format, batches, source.id_of if source.is_resumable else None, before)
        rows = client.list(source.method.name, self._params(before), version=source.method.version)
        progress(sum(part.rows for part in before))
        for part in files.write(rows):
            progress(sum(part.rows for part in files.parts))
            log.info("Part %d: %d rows, ids %s to %s", part.number, part.rows, part.first_id, part.last_id)
        log.info("%s", rows.report)
        if batches.found:
            log.warning("Columns for names that the fields do not have: %s", ", ".join(batches.found))
        read = sum(part.rows for part in files.parts[len(before) :])
        if not rows.report.complete or read != rows.report.rows:
            raise Bitrix24Error(
                f"{read} rows stand in the parts, and the list had {rows.report.rows}", method=source.method.name
            )
        return files.parts

    def estimate(self, client: Client) -> dict[str, Any]:
        """How many rows a load has now, and about how many requests it takes; None where the portal does not count."""
        source = self.source
        params = {**self._params([]), "start": 0}
        total = client.ask(source.method.name, params, version=source.method.version).total
        return {"rows": total, "requests": total if total is None else 3 + total // _ROWS_OF_A_REQUEST}

    def _params(self, before: list[Part]) -> dict[str, Any]:
        conditions = dict(self.window)
        rows = self.source.method.rows
        if rows is not None and before and before[-1].last_id is not None:
            conditions[f">{rows.filter_id}"] = before[-1].last_id
        return self.source.params_with(conditions)

    def manifest(self, parts: Iterable[Part], plan: Mapping[str, Any]) -> dict[str, Any]:
        """What ``_manifest.json`` says, beside the plan."""
        several = list(parts)
        misfits = misfits_of(several)
        shown = ("name", "rows", "bytes", "sha256", "first_id", "last_id")
        return {
            "table": self.source.table.name,
            "method": self.source.method.name,
            "rows": sum(part.rows for part in several),
            "bytes": sum(part.bytes for part in several),
            "columns": {name: kind for part in several for name, kind in part.columns.items()},
            "bad": dict(misfits.bad),
            "rounded": dict(misfits.rounded),
            **plan,
            "parts": [{name: value for name, value in asdict(part).items() if name in shown} for part in several],
        }


def misfits_of(parts: Iterable[Part]) -> Misfits:
    """What did not fit, in all parts."""
    every = Misfits()
    for part in parts:
        every.add(part.misfits)
    return every


def check_misfits(parts: Iterable[Part], max_bad_share: float) -> None:
    """
    :param max_bad_share: share of a column's values that may not fit it.
    :raises ConfigurationError: more of them do not fit.
    """
    misfits = misfits_of(parts)
    name, share = misfits.worst()
    if share > max_bad_share:
        raise ConfigurationError(
            f"{misfits.bad[name]} of {misfits.values[name]} values of {name} do not fit its type, and the load is not "
            f"published: max_bad_share is {max_bad_share:g}",
            next_step=f"look at {BAD} in the parts; leave {name} out with select, or raise max_bad_share",
        )
