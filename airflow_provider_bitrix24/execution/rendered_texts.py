"""Templates inside of longer texts: what came out of each, seen between what the DAG's author wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import NOTHING, nothing_hint

#: Texts that templates make of nothing and that SQL does not know: NULL and NaN are values there.
_NO_VALUES = NOTHING - {"", "null", "NaN"}
#: In a query, what stands before a bound that is a text.
_BOUND_IN_QUOTES = re.compile(r"(?:[<>]=?|\b(?:between|and))\s*'$", re.IGNORECASE)


def text_of_file(operator: Any, written: Any) -> Any:
    """An argument as the DAG file has it; where that names a file of templates, as that has it."""
    if not (isinstance(written, str) and written.endswith(tuple(operator.template_ext)) and operator.has_dag()):
        return written
    templates = operator.dag.get_template_env()
    return templates.loader.get_source(templates, written)[0]


def check_query(written: Any, value: Any) -> None:
    """
    Refuse a query into which a template has put nothing: ``d > 'None'`` or ``d > ''`` holds for every row, or for none.

    :param written: the query as the DAG file, or the file of the query, has it.
    :param value: the same after rendering.
    :raises ConfigurationError: the text between what the author wrote is ``None`` or the like, or a bound in quotes
        that is empty.
    """
    for before, template, text in _rendered_parts(written, value):
        if text in _NO_VALUES or (not text and _BOUND_IN_QUOTES.search(before)):
            raise ConfigurationError(
                f"sql has {preview(template)}, which came out as {text!r}", next_step=nothing_hint(None)
            )


def is_lost_in(written: Any, value: Any) -> bool:
    """Whether a template inside of a longer text came out as ``None`` or the like: ``K-None``."""
    return any(text in NOTHING - {""} for _, _, text in _rendered_parts(written, value))


def _rendered_parts(written: Any, value: Any) -> Iterator[tuple[str, str, str]]:
    """
    What stands before each template of a text, the template, and what came out of it; nothing where that cannot be
    seen: after blocks, and between templates next to each other.
    """
    if not isinstance(written, str) or not isinstance(value, str) or "{%" in written or "{#" in written:
        return
    # What the author wrote and templates, in turn. Jinja may take blanks away between them.
    before, *rest = re.split(r"(\{\{.*?\}\})", written, flags=re.DOTALL)
    start = value.find(before.strip())
    begin = start + len(before.strip())
    while rest and start >= 0:
        template, after, *rest = rest
        known = after.strip()
        end = len(value) if not (known or rest) else value.find(known, begin) if known else -1
        if end < 0:
            return
        yield before, template, value[begin:end].strip()
        before, begin = after, end + len(known)
