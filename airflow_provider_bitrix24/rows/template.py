"""A row's values put in where a mapping names its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError

#: Stands for all columns of a row, each under its name.
WHOLE_ROW = object()


def filled(shape: Any, row: Mapping[str, Any]) -> Any:
    """
    ``shape`` with ``"$column"`` replaced by the row's value, and ``"$$"`` in front by a dollar sign.

    :raises ConfigurationError: the row has no such column.
    """
    if shape is WHOLE_ROW:
        return dict(row)
    if isinstance(shape, str) and shape.startswith("$$"):
        return shape[1:]
    if isinstance(shape, str) and shape.startswith("$"):
        if shape[1:] not in row:
            raise ConfigurationError(
                f"the row has no column {shape[1:]!r}", next_step=f"it has: {', '.join(sorted(row)) or 'none'}"
            )
        return row[shape[1:]]
    if isinstance(shape, Mapping):
        return {key: filled(value, row) for key, value in shape.items()}
    if isinstance(shape, (list, tuple)):
        return [filled(value, row) for value in shape]
    return shape
