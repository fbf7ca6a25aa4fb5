"""One load of a list into a folder of part files."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.checkpoint import checkpoint, digest_of
from airflow_provider_bitrix24.exports.load_folder import LoadFolder, Part
from airflow_provider_bitrix24.exports.misfits import BAD, Misfits
from airflow_provider_bitrix24.exports.part_files import FilesOf, PartFiles
from airflow_provider_bitrix24.exports.sources import Source

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

log = logging.getLogger(__name__)

#: Rows that one request brings, 50 pages of 50.
_ROWS_OF_A_REQUEST = 2500


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

    def complete(
        self,
        client: Client,
        folder: LoadFolder,
        plan: Mapping[str, Any],
        progress: Callable[[int], object],
        max_bad_share: float = 1.0,
    ) -> dict[str, Any]:
        """
        Load what no try has loaded, and publish it; nothing where a try has published it already.

        :param plan: of the first try.
        :param progress: called with how many rows stand in the parts.
        :param max_bad_share: share of a column's values that may not fit it.
        :return: path, rows, bytes and number of parts.
        :raises IncompleteList: the list cannot be proven whole.
        :raises ConfigurationError: more values do not fit; nothing is published.
        """
        if folder.is_published:
            log.info("An earlier try has published %s", folder.path)
        else:
            parts = self._run(client, folder, progress)
            check_misfits(parts, max_bad_share)
            folder.publish(self.manifest(parts, plan))
        manifest = folder.manifest()
        counts = {name: manifest[name] for name in ("rows", "bytes")}
        return {"path": str(folder.path), **counts, "parts": len(manifest["parts"])}

    def _run(self, client: Client, folder: LoadFolder, progress: Callable[[int], object]) -> list[Part]:
        """The parts of all tries."""
        source = self.source
        before = folder.parts()
        loaded = sum(part.rows for part in before)
        progress(loaded)
        left = None if self.limit is None else self.limit - loaded
        if left == 0:
            return before
        files = PartFiles(folder, self.files, source.id_of if source.is_resumable else None, before)
        rows = client.list(source.method.name, self._params(before), limit=left, version=source.method.version)
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


def load_rows(
    client: Client,
    context: Any,
    root: Any,
    source: Source,
    files: FilesOf[Any],
    limit: int | None,
    progress: Callable[[int], object],
    *made_of: Any,
) -> dict[str, Any]:
    """
    Load all rows of a source into a folder of their own below ``root``, see :meth:`Load.complete`.

    :param made_of: see :func:`load_name`.
    """
    folder = LoadFolder(root / f"load={load_name(context, source, files.ending, limit, *made_of)}")
    plan = folder.begin({"window": {}, "watermark": None})
    return Load(source, {}, files, limit).complete(client, folder, plan, progress)


def load_name(context: Any, source: Source, *made_of: Any) -> str:
    """
    The name of a task's load, the same for each try of a series: ``scheduled__2026-01-31T03_00_00_00_00-9f…``.

    Clearing the task begins another one, and so do other arguments. Where nothing can go on behind the last part, each
    try has its own, and so has each beginning after a wait.

    :param made_of: arguments of the task, beside the source.
    """
    ti = context["ti"]
    series = [int(getattr(ti, "max_tries", None) or 0)]
    if not source.is_resumable:
        memory = checkpoint(context)
        began = int(memory.get("began") or 0) + 1
        memory.put("began", began)
        series += [ti.try_number, began]
    task = (ti.dag_id, ti.task_id, ti.map_index, ti.run_id)
    digest = digest_of(*task, series, source.key, source.params, *made_of)
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', ti.run_id)[:80]}-{digest}"


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
