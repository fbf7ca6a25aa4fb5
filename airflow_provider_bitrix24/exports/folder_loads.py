"""Loads into folders of part files: what they are called, and when they are published."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.execution.checkpoint import digest_of
from airflow_provider_bitrix24.exports.load import Load, check_misfits, misfits_of, series_of
from airflow_provider_bitrix24.exports.load_folder import LoadFolder
from airflow_provider_bitrix24.exports.misfits import Misfits
from airflow_provider_bitrix24.exports.part_files import FilesOf
from airflow_provider_bitrix24.exports.parts import Part
from airflow_provider_bitrix24.exports.sources import Source
from airflow_provider_bitrix24.exports.tables import column_of
from airflow_provider_bitrix24.exports.windows import known_modified_field

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

log = logging.getLogger(__name__)


def load_into(
    folder: LoadFolder,
    load: Load,
    client: Client,
    plan: Mapping[str, Any],
    progress: Callable[[int], object],
    max_bad_share: float = 1.0,
    reported: Callable[[Misfits], Mapping[str, Any]] = lambda _: {},
) -> dict[str, Any]:
    """
    Load what no try has loaded, and publish it; nothing where a try has published it already.

    :param plan: of the first try.
    :param progress: called with how many rows stand in the parts.
    :param max_bad_share: share of a column's values that may not fit it.
    :param reported: what else the manifest says, of what did not fit.
    :return: path, rows, bytes and number of parts.
    :raises IncompleteList: the list cannot be proven whole.
    :raises ConfigurationError: more values do not fit; nothing is published.
    """
    if folder.is_published:
        log.info("An earlier try has published %s", folder.path)
    else:
        parts = load.run(client, folder, progress)
        check_misfits(parts, max_bad_share, "the parts")
        folder.publish({**_manifest(load.source, parts, plan), **reported(misfits_of(parts))})
    manifest = folder.manifest()
    counts: dict[str, Any] = {name: manifest[name] for name in ("rows", "empty", "bytes") if name in manifest}
    return {"path": str(folder.path), **counts, "parts": len(manifest["parts"])}


def _manifest(source: Source, parts: Iterable[Part], plan: Mapping[str, Any]) -> dict[str, Any]:
    """What ``_manifest.json`` says, beside the plan."""
    several = list(parts)
    misfits = misfits_of(several)
    field = known_modified_field(source.method)
    shown = ("name", "rows", "bytes", "sha256", "first_id", "last_id")
    return {
        "table": source.table.name,
        "method": source.method.name,
        **source.counted(several),
        "bytes": sum(part.bytes for part in several),
        "columns": {name: kind for part in several for name, kind in part.columns.items()},
        # The one that says when a row was changed.
        "modified": None if field is None else column_of(source.table, field),
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
    Load all rows of a source into a folder of their own below ``root``, see :func:`load_into`.

    :param made_of: see :func:`load_name`.
    """
    folder = LoadFolder(root / f"load={load_name(context, source, files.ending, limit, *made_of)}")
    plan = folder.begin({"window": {}, "watermark": None})
    return load_into(folder, Load(source, {}, files, limit), client, plan, progress)


def load_name(context: Any, source: Source, *made_of: Any) -> str:
    """
    The name of a task's load, the same for each try of a series: ``scheduled__2026-01-31T03_00_00_00_00-9f…``.

    Other arguments begin another one, see also :func:`series_of`.

    :param made_of: arguments of the task, beside the source.
    """
    ti = context["ti"]
    task = (ti.dag_id, ti.task_id, ti.map_index, ti.run_id)
    digest = digest_of(*task, series_of(context, source), source.key, source.params, *made_of)
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', ti.run_id)[:80]}-{digest}"
