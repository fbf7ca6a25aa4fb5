"""
Parameters that are lists or objects, and the text that templates make of them.

A portal takes such a text for nothing, or for another value, and often answers as if all were well. Whether a text is
meant is known only from the documentation: a comment may hold JSON. The table is ``structured_parameters.txt``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import Method
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import is_written_structure
from airflow_provider_bitrix24.rest.positional import name_at

_NO_TEXT = "give the list or object itself; for templates, set render_template_as_native_obj=True"
#: Objects or lists in every method that has them.
_EVERYWHERE = ("fields", "arfields", "filter", "order", "rows", "productrows", "items")

#: A parameter in lower case -> those inside it.
_Names = dict[str, "_Names"]


def check_structures(method: Method, params: Mapping[str, Any]) -> None:
    """
    :raises ConfigurationError: a parameter that is documented as a list or an object is the text of one; nothing was
        sent.
    """
    rows = method.rows
    names = _names(method.name, method.version, rows and rows.filter, rows and rows.select)
    _check(params, names, "", method.name)


@lru_cache(maxsize=256)
def _names(method: str, version: int, *of_rows: str | None) -> _Names:
    """The parameters of a method that are lists or objects; a batch calls one method many times."""
    known: _Names = {name: {} for name in (*_EVERYWHERE, *(name.lower() for name in of_rows if name))}
    return known | _table().get((method.lower(), version), {})


def _check(values: Mapping[str, Any], known: _Names, place: str, method: str) -> None:
    for name, value in values.items():
        inner = known.get(name_at(method, str(name)).lower())
        if inner is None:
            continue
        if is_written_structure(value):
            raise ConfigurationError(
                f"{place}{name} is the text of a list or an object, {preview(value)}",
                method=method,
                next_step=_NO_TEXT,
            )
        if inner:
            for number, member in enumerate(value) if isinstance(value, (list, tuple)) else ((None, value),):
                if isinstance(member, Mapping):
                    here = f"{place}{name}" if number is None else f"{place}{name}.{number}"
                    _check(member, inner, f"{here}.", method)


@cache
def _table() -> dict[tuple[str, int], _Names]:
    """The table by name and version of the method; read on first use."""
    table: dict[tuple[str, int], _Names] = {}
    text = Path(__file__).with_name("structured_parameters.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        method, version, *places = line.split()
        names = table.setdefault((method.lower(), int(version)), {})
        for place in places:
            inner = names
            for name in place.lower().split("."):
                inner = inner.setdefault(name, {})
    return table
