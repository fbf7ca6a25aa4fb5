"""One page of a table: found by position where the filter allows it, counted only when asked."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.methods.registry import Page
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, sort_rows
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.store import Table

#: Rows of a page in REST v2, fixed.
PAGE_ROWS = 50

#: ``start=-1`` asks the server not to count.
UNCOUNTED = -1


def page_of(
    table: Table,
    matcher: Matcher,
    order: list[tuple[Field, bool]],
    start: Any,
    *,
    old: bool,
    limit: int | None = None,
) -> Page:
    """
    The rows of one page with ``total`` and ``next``.

    ``start`` is rounded down to whole pages. Behind the last page a new list is empty; an old one gives page 1 again.
    """
    offset = as_integer(start) or 0
    page_rows = PAGE_ROWS if limit is None else limit
    if offset == UNCOUNTED:
        # An old list then says that there are none at all, a new one says nothing.
        return Page(_rows(table, matcher, order, page_rows), total=0 if old else None)
    rows = _rows(table, matcher, order, None)
    total = len(rows)
    offset = max(0, offset - offset % PAGE_ROWS)
    if old and offset >= total:
        offset = 0
    page = rows[offset : offset + page_rows]
    after = offset + len(page)
    return Page(page, total, after if after < total and page else None)


class _Rows:
    """Rows of ``table`` at positions, made when asked for: a list that is never built."""

    def __init__(self, table: Table, positions: range) -> None:
        self._table = table
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, part: slice) -> list[Row]:
        ids, rows = self._table.ids, self._table.rows
        return [rows[ids[position]] for position in self._positions[part]]


def _rows(table: Table, matcher: Matcher, order: list[tuple[Field, bool]], limit: int | None) -> Any:
    """All matching rows in order, or the first ``limit`` of them."""
    positions = table.positions_between(matcher.above, matcher.below)
    by_id = not order or order[0][0].key == "id"
    if order and by_id and order[0][1]:
        positions = positions[::-1]
    if by_id and not matcher.checks:
        return _Rows(table, positions) if limit is None else _Rows(table, positions)[:limit]
    ids, rows, checks = table.ids, table.rows, matcher.checks
    matching: list[Row] = []
    for position in positions:
        row = rows[ids[position]]
        if all(check(row) for check in checks):
            matching.append(row)
            if by_id and len(matching) == limit:
                break
    if not by_id:
        matching = sort_rows(matching, order)
    return matching[:limit]
