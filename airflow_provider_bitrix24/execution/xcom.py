"""What goes to XCom: small lists, and errors as plain JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sized
from typing import Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError

log = logging.getLogger(__name__)

#: Largest result that goes to XCom: MySQL keeps 64 KiB there.
MAX_XCOM_KIB = 48


def small_list(rows: Iterable[Any], method: str) -> list[Any]:
    """
    Rows as a list that may go to XCom.

    :raises ConfigurationError: they are larger than 48 KiB; no more rows are read then.
    """
    kept, size = [], 0
    for row in rows:
        size += len(json.dumps(row, ensure_ascii=False).encode()) + 2
        if size > MAX_XCOM_KIB * 1024:
            raise ConfigurationError(
                f"the list is larger than {MAX_XCOM_KIB} KiB, too large for XCom",
                method=method,
                next_step="give destination, a file such as s3://conn_id@bucket/rows.jsonl, or select fewer fields",
            )
        kept.append(row)
    return kept


def is_small(value: Any) -> bool:
    """Whether a value may go to XCom; what is not JSON is left to Airflow's own serializers."""
    return len(json.dumps(value, ensure_ascii=False, default=lambda other: "").encode()) <= MAX_XCOM_KIB * 1024


def small_result(result: Any, method: str, hint: str) -> Any:
    """
    A result that may go to XCom.

    :param method: for the message; empty for a batch.
    :raises Bitrix24Error: it is larger than 48 KiB, or nothing that Airflow can keep. What was called is done, and a
        retry would meet the same.
    """
    if wrong := _not_for_xcom(result):
        raise Bitrix24Error(
            f"done, but the result cannot go to XCom ({wrong})",
            method=method,
            ran="yes",
            retryable=False,
            next_step="return texts, numbers, lists and objects",
        )
    if is_small(result):
        return result
    raise Bitrix24Error(
        f"done, but the result is larger than {MAX_XCOM_KIB} KiB, too large for XCom",
        method=method,
        ran="yes",
        retryable=False,
        next_step=hint,
    )


def _not_for_xcom(value: Any) -> str:
    """Why Airflow would fail to keep a value, after the method has been called; empty where it keeps it."""
    try:
        # Most results are JSON, and Airflow's serializers cost an import.
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        from airflow_provider_bitrix24._compat import serialize

        try:
            json.dumps(serialize(value), allow_nan=False)
        except Exception as error:
            return f"{type(value).__name__}: {type(error).__name__}"
    return ""


def error_summary(error: Bitrix24Error) -> dict[str, Any]:
    """An error as plain JSON: ``{"error": "NotFound", "code": "NOT_FOUND", "message": "…", "retryable": false, …}``."""
    return {
        "error": type(error).__name__,
        "code": error.code,
        "message": str(error),
        "ran": error.ran,
        "retryable": error.retryable,
    }


def warn_if_unmappable(task: Any, result: Any) -> None:
    """
    Say what to do before Airflow fails a task whose result is longer than tasks may be mapped over.

    Airflow's own message names neither the setting nor a way out.
    """
    if not isinstance(result, Sized) or isinstance(result, str) or not task.has_dag():
        return
    if next(task.iter_mapped_dependants(), None) is None:
        return
    # Only a task that is mapped over needs it.
    from airflow_provider_bitrix24._compat import conf

    most = conf.getint("core", "max_map_length", fallback=1024)
    if len(result) > most:
        log.error(
            "What to do: give the whole list to one task, such as Bitrix24DeletePaymentsOperator or "
            "Bitrix24BulkWriteOperator, or raise [core] max_map_length."
        )
        log.error("The result has %d members, and Airflow maps a task over %d at most.", len(result), most)
