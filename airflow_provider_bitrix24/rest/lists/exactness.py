"""Rows of an answer: where they are, which id they have, and whether any was left out or came twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_bitrix24.exceptions import IncompleteList
from airflow_provider_bitrix24.methods import Rows
from airflow_provider_bitrix24.types import Row

#: Most digits of an id: a database's largest number has 19.
_ID_DIGITS = 19


def rows_in(result: Any, rows: Rows) -> list[Any]:
    """
    The rows of one answer.

    An empty PHP array is ``[]`` wherever an object is documented; an array whose keys are not 0 to n-1 is an object.

    :raises IncompleteList: they are not where the method has them, or a row is not an object.
    """
    container = _container(result, rows)
    if isinstance(container, Mapping):
        if not rows.keyed_by_id and not all(str(key).isdecimal() for key in container):
            raise IncompleteList("the answer has a single object where rows are expected")
        container = list(container.values())
    if not isinstance(container, list):
        raise IncompleteList(f"the answer has no rows at {_place(rows)}")
    # Of types, and not row by row: each row of a long list goes through here.
    if rows.of_values or set(map(type, container)) <= {dict}:
        return container
    if [] in container:
        # How PHP writes an object without fields.
        original = ", or set useOriginalUfNames to Y for names such as UF_CRM_1" if rows.at == "items" else ""
        raise IncompleteList(
            "a row is empty: the portal has none of the fields that were asked for",
            next_step=f"write names in {rows.select or 'select'!r} as the method answers them{original}",
        )
    raise IncompleteList("a row is not an object")


def _container(result: Any, rows: Rows) -> Any:
    if isinstance(result, list):
        return result
    if rows.at is None:
        lists = [value for value in result.values() if isinstance(value, list)] if isinstance(result, Mapping) else []
        return lists[0] if len(lists) == 1 else None
    for key in filter(None, rows.at.split(".")):
        if result == []:
            return []
        result = result.get(key) if isinstance(result, Mapping) else None
    return result


def _place(rows: Rows) -> str:
    return "result" if not rows.at else f"result.{rows.at}"


def id_of(row: Any, rows: Rows) -> Any:
    """
    The id of a row as it was sent.

    :raises IncompleteList: the row has none.
    """
    row_id = row.get(rows.id_key or "ID")
    if row_id is None or row_id == "":
        # Old servers write some keys in upper case ("payments: payment fields").
        row_id = row.get(rows.id_key.upper() if rows.id_key else "id")
    if row_id is not None and row_id != "":
        return row_id
    raise IncompleteList(f"a row has no {rows.id_key or 'ID'}")


def number(value: Any) -> int:
    """
    An id as a number: portals send ids as numbers and as text.

    :raises IncompleteList: it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _is_number(value):
        return int(value)
    # Not in the message: it may be anything, even the webhook's code.
    raise IncompleteList("the id of a row is not a number")


def _is_number(text: str) -> bool:
    return len(text) <= _ID_DIGITS and text.isascii() and text.isdecimal()


class Cursor:
    """
    The largest id so far. Rows follow from it only if their ids grow.

    :param at: rows up to this id are not asked for.
    """

    def __init__(self, at: int = 0) -> None:
        self.at = at

    def pass_over(self, page: Iterable[Row], rows: Rows) -> None:
        """
        Move on over a page.

        :raises IncompleteList: an id is not larger than the one before: the portal ignored the filter or the order.
        """
        for row in page:
            row_id = number(id_of(row, rows))
            if row_id <= self.at:
                raise IncompleteList(
                    f"the id {row_id} came after {self.at}: the portal did not filter or sort by id as asked"
                )
            self.at = row_id


class Seen:
    """Ids so far, of a list that is not read in order of id: each may come once."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def add(self, page: Iterable[Row], rows: Rows) -> None:
        """
        :raises IncompleteList: an id came before: the list changed while it was read, or the portal repeats a page.
        """
        for row in page:
            row_id = str(id_of(row, rows))
            if row_id in self._ids:
                row_name = f"the row {row_id}" if _is_number(row_id) else "a row"
                raise IncompleteList(
                    f"{row_name} came twice: the list changed while it was read, or a page was repeated"
                )
            self._ids.add(row_id)


class SeenPages:
    """Pages so far, of rows that have no id: nothing else shows that a portal begins again."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def add(self, page: Sequence[Any]) -> None:
        """
        :raises IncompleteList: the same page came before.
        """
        digest = hashlib.sha256(json.dumps(page, sort_keys=True).encode()).digest()
        if digest in self._digests:
            raise IncompleteList("the same page came twice: the portal ignored the requested position")
        self._digests.add(digest)
