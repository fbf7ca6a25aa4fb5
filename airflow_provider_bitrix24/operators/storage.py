"""Rows in files of object storage: JSON lines, whole or not at all under their name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.arguments import NOTHING


def storage_path(address: Any, name: str) -> Any:
    """
    An Airflow ``ObjectStoragePath``: ``s3://conn_id@bucket/key.jsonl``, ``file:///data/key.jsonl``, or a plain path.

    :param name: the argument, for messages.
    :raises ConfigurationError: it names no file.
    """
    from airflow_provider_bitrix24._compat import ObjectStoragePath

    text = str(address).strip() if address is not None else ""
    if text in NOTHING or text.endswith("/"):
        raise ConfigurationError(
            f"{name} does not name a file{f', but {text!r}' if text else ''}",
            next_step="write e.g. s3://conn_id@bucket/deals.jsonl or file:///data/deals.jsonl",
        )
    try:
        path = ObjectStoragePath(text if "://" in text else f"file://{text}")
        # Airflow 2.11 looks for the storage only when it is used.
        _ = path.fs
        return path
    except (ValueError, ImportError) as error:
        failure = ConfigurationError(
            f"{name} cannot be used ({type(error).__name__})",
            next_step="install the Airflow provider of this storage, and write scheme://conn_id@bucket/key",
        )
    raise failure


def write_json_lines(path: Any, rows: Iterable[Any]) -> dict[str, Any]:
    """
    Write one JSON document to a line, and return ``{"path": …, "rows": 2, "bytes": 61, "sha256": "…"}``.

    The lines go to a file beside the final one, which is renamed at the end: a crash leaves nothing under the final
    name, and a retry begins anew.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f"{path.name}.part"
    digest, count, size = hashlib.sha256(), 0, 0
    with part.open("wb") as stream:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
            stream.write(line)
            digest.update(line)
            count, size = count + 1, size + len(line)
    if path.exists():
        path.unlink()
    part.rename(path)
    return {"path": str(path), "rows": count, "bytes": size, "sha256": digest.hexdigest()}
