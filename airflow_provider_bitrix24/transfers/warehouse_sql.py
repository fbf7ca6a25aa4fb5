"""SQL for warehouses that read the files of a load: a table for its columns, and a statement that takes its rows in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import one_of

_KEY = "id"
_DECIMAL = re.compile(r"decimal128\((\d+), (\d+)\)")
_MOMENT = "timestamp[us, tz=UTC]"


@dataclass(frozen=True)
class _Dialect:
    """
    :param types: by type of the Arrow column; decimals have two numbers.
    :param quoted: a name of a column, in quotes.
    """

    types: Mapping[str, str]
    quoted: Callable[[str], str]


_STANDARD = {
    "int64": "BIGINT", "decimal": "DECIMAL({}, {})", "bool": "BOOLEAN", "date32[day]": "DATE",
    _MOMENT: "TIMESTAMP WITH TIME ZONE", "string": "VARCHAR",
}  # fmt: skip
_DIALECTS: Mapping[str, _Dialect] = {
    "standard": _Dialect(_STANDARD, lambda name: f'"{name}"'),
    # A NUMERIC has at most 9 digits behind the point.
    "bigquery": _Dialect(
        {
            "int64": "INT64", "decimal": "BIGNUMERIC({}, {})", "bool": "BOOL", "date32[day]": "DATE",
            _MOMENT: "TIMESTAMP", "string": "STRING",
        },
        lambda name: f"`{name}`",
    ),
    # Its own names are in upper case, those of files in any.
    "snowflake": _Dialect({**_STANDARD, _MOMENT: "TIMESTAMP_TZ"}, lambda name: f'"{name.upper()}"'),
    # Its plain VARCHAR has 256 bytes.
    "redshift": _Dialect({**_STANDARD, _MOMENT: "TIMESTAMPTZ", "string": "VARCHAR(65535)"}, lambda name: f'"{name}"'),
}  # fmt: skip


def create_sql(path: str, *, table: str, dialect: str = "standard") -> str:
    """
    A table for the rows of a load, ``CREATE TABLE IF NOT EXISTS crm.deals (…)``, with its columns in their order.

    :param path: of the load, as its task returns it.
    :param table: as the warehouse names it; it is put into the text as it is.
    :param dialect: ``"standard"``, ``"bigquery"``, ``"snowflake"`` or ``"redshift"``.
    :raises ConfigurationError: no whole load is there, or it has no rows and so tells no columns.

    Source: documentation of the warehouses, "Data types".
    """
    spoken = _DIALECTS[one_of(dialect, "dialect", tuple(_DIALECTS))]
    columns, _ = _columns(path)
    parts = []
    for name, arrow in columns.items():
        decimal = _DECIMAL.fullmatch(arrow)
        type_ = spoken.types["decimal"].format(*decimal.groups()) if decimal else spoken.types[arrow]
        parts.append(f"{spoken.quoted(name)} {type_}")
    return f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(parts)})"


def merge_sql(path: str, *, target: str, staged: str, dialect: str = "standard") -> str:
    """
    A ``MERGE`` that brings the rows of a load into a table: a row takes the place of the one with its id, unless that
    was changed later; once more, it changes nothing.

    :param path: of the load, as its task returns it.
    :param target: the table, as the warehouse names it; it is put into the text as it is.
    :param staged: a table with the rows of this load and of no other.
    :param dialect: as for :func:`create_sql`.
    :raises ConfigurationError: no whole load is there, it has no rows, or they have no id.

    Source: documentation of the warehouses, "MERGE".
    """
    quoted = _DIALECTS[one_of(dialect, "dialect", tuple(_DIALECTS))].quoted
    columns, modified = _columns(path)
    if _KEY not in columns:
        raise ConfigurationError(
            f"the rows of {path} have no column {_KEY}, by which they would replace each other",
            next_step='load window="all", and replace the table',
        )
    newer = ""
    if modified in columns:
        new, old = f"s.{quoted(modified)}", f"t.{quoted(modified)}"
        newer = f" AND ({old} IS NULL OR {new} IS NULL OR {new} >= {old})"
    names = [quoted(name) for name in columns]
    changes = ", ".join(f"{name} = s.{name}" for name in names if name != quoted(_KEY))
    return (
        f"MERGE INTO {target} AS t USING {staged} AS s ON t.{quoted(_KEY)} = s.{quoted(_KEY)} "  # noqa: S608
        f"WHEN MATCHED{newer} THEN UPDATE SET {changes} "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({', '.join(f's.{name}' for name in names)})"
    )


def _columns(path: str) -> tuple[dict[str, str], str]:
    """The columns of a load with their Arrow types, and which of them is the time of change; an empty text for none."""
    # Airflow imports its storage for it.
    from airflow_provider_bitrix24._compat import ObjectStoragePath
    from airflow_provider_bitrix24.exports.load_folder import LoadFolder

    folder = LoadFolder(ObjectStoragePath(path))
    manifest = folder.manifest() if folder.is_published else {}
    if not manifest.get("columns"):
        what = "no rows, which alone tell its columns" if manifest else "no load that is whole"
        raise ConfigurationError(f"{path} has {what}", next_step="give the path of a load that has rows")
    return dict(manifest["columns"]), str(manifest.get("modified") or "")
